use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{
    Clock, ConfigError, Error,
    config::{Layout, SessionConfig},
    format::{
        Format, FormatError, RecordHeader, Serialization,
        record::{self, Envelope, Kind},
    },
    session::{
        Entries, Entry, Home, ID_BYTES, Refusal, SessionId, State, Ticket, encoded_length,
    },
    store::{MAX_KEY, Record, Store},
    value::{Dict, Value},
};

/// How a session stands in the store: under which key, and as which bytes.
pub(super) struct Codec {
    layout: Layout,
    serialization: Serialization,
    format: Format,
    clock: Clock,
    id_length: usize,
    /// What all keys begin with.
    prefix: String,
    /// What a seal is made for, beside the entry's name.
    #[cfg(feature = "encrypted")]
    places: [String; 2],
}

/// What is to be stored, whatever the id will be.
#[derive(Default)]
pub(super) struct Draft {
    content: Bytes,
    header: RecordHeader,
}

/// Characters that a driver may add to a key for its tombstone.
const TOMBSTONE: usize = 8;

/// What a session's entries say of it, for the header of its record.
const CREATED: &str = "_created";
const SUBJECT: &str = "_user_id";
const METADATA: &str = "_metadata";

impl Codec {
    pub(super) fn new(store: &Store, config: &SessionConfig) -> Result<Self, ConfigError> {
        let settings = &config.stored;
        let layout = settings.layout;
        let conflict = |name: &str, reason: &str| ConfigError::Conflict {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if !ID_BYTES.contains(&settings.id_length) {
            return Err(ConfigError::Value {
                name: "SESSION_ID_LENGTH".to_owned(),
                expected: "16 to 128 random bytes",
            });
        }
        let cookie_name = config.cookie.name();
        let (prefix, name_length) = if layout == Layout::Flask {
            (
                settings.key_prefix.clone(),
                encoded_length(settings.id_length),
            )
        } else {
            if store.shares_pickles() {
                return Err(conflict(
                    "layout",
                    "cachelib reads the entries of this folder: use Flask's layout, or another folder",
                ));
            }
            if settings.id_keys.is_some() {
                return Err(conflict(
                    "SESSION_USE_SIGNER",
                    "nobody can make up the secret half of a native session id: leave it out",
                ));
            }
            // A cookie's name has no colon, so from a key it is plain where the prefix ends.
            if !(settings.key_prefix.is_empty() || settings.key_prefix.ends_with(':')) {
                return Err(ConfigError::Value {
                    name: "SESSION_KEY_PREFIX".to_owned(),
                    expected: "empty or end with a colon in the native layouts",
                });
            }
            let prefix = [&settings.key_prefix, cookie_name, ":"].concat();
            (prefix, Ticket::PUBLIC_LENGTH)
        };
        if prefix.len() + name_length + TOMBSTONE > MAX_KEY {
            return Err(ConfigError::Value {
                name: "SESSION_KEY_PREFIX".to_owned(),
                expected: "short enough for a key of 250 bytes",
            });
        }
        let serialization = match (store.shares_pickles(), settings.serialization) {
            (true, None | Some(Serialization::Pickle)) => Serialization::Pickle,
            (true, Some(_)) => {
                return Err(ConfigError::Value {
                    name: "SESSION_SERIALIZATION_FORMAT".to_owned(),
                    expected: "left out or pickle where cachelib reads the entries",
                });
            }
            (false, serialization) => serialization.unwrap_or(Serialization::MessagePack),
        };
        Ok(Self {
            layout,
            serialization,
            format: Format::Stored(serialization),
            clock: config.clock.clone(),
            id_length: settings.id_length,
            prefix,
            #[cfg(feature = "encrypted")]
            places: [settings.key_prefix.clone(), cookie_name.to_owned()],
        })
    }

    /// The format of the content.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// The id of a new entry.
    pub(super) fn generate(&self) -> Result<SessionId, Error> {
        let id = match self.layout {
            Layout::Flask => SessionId::generate(self.id_length),
            _ => Ticket::generate().map(SessionId::Ticket),
        };
        id.map_err(no_random)
    }

    /// An id that could be one of ours.
    pub(super) fn parse(&self, text: &str) -> Option<SessionId> {
        let id = match self.layout {
            Layout::Flask => SessionId::parse(text),
            _ => Ticket::parse(text).map(SessionId::Ticket),
        }?;
        (self.prefix.len() + id.entry().len() + TOMBSTONE <= MAX_KEY).then_some(id)
    }

    /// The key of the entry.
    pub(super) fn key(&self, id: &SessionId) -> String {
        [&self.prefix, id.entry()].concat()
    }

    /// What the session holds now, to be stored.
    pub(super) fn draft(&self, state: &State) -> Result<Draft, Error> {
        let content = Bytes::from(state.entries.to_bytes(&self.format)?);
        if self.layout == Layout::Flask {
            return Ok(Draft {
                content,
                ..Draft::default()
            });
        }
        let now = self.clock.unix_seconds();
        let base = match &state.home {
            Home::Store(stored) => stored.entry.base(),
            Home::Cookie => None,
        };
        let before = base.and_then(|base| RecordHeader::from_slice(&base.value).ok());
        let entry = |key| state.entries.get(&self.format, key);
        let created = match entry(CREATED) {
            Some(Value::Int(created)) => created.as_u64(),
            _ => None,
        };
        let mut header = RecordHeader {
            created: created.or(before.map(|before| before.created)).unwrap_or(now),
            written: now,
            ..RecordHeader::default()
        };
        // Of a sealed session nobody sees whose it is.
        if self.layout == Layout::Native {
            header.subject = entry(SUBJECT).and_then(|value| Some(value.as_str()?.to_owned()));
            header.subject.take_if(|subject| !RecordHeader::shows_subject(subject));
            if let Some(Value::Dict(dict)) = entry(METADATA) {
                header.metadata = shown(&dict);
            }
        }
        Ok(Draft { content, header })
    }

    /// The bytes of an entry.
    pub(super) fn encode(&self, id: &SessionId, draft: &Draft) -> Result<Bytes, Error> {
        let Draft { content, header } = draft;
        let record = match (self.layout, id) {
            #[cfg(feature = "encrypted")]
            (Layout::Sealed, SessionId::Ticket(ticket)) => {
                let mut nonce = [0; 12];
                getrandom::fill(&mut nonce).map_err(no_random)?;
                self.seal(ticket)
                    .write(header, &ticket.secret_hash(), content, nonce)
            }
            (Layout::Native, SessionId::Ticket(ticket)) => {
                record::write(header, &ticket.secret_hash(), content)
            }
            _ => return Ok(content.clone()),
        };
        record.map(Bytes::from).map_err(Error::Unwritable)
    }

    /// The entries of a record; none if it says that there is no session (Flask-Session treats nothing and null so).
    pub(super) fn decode(
        &self,
        id: &SessionId,
        record: &Record,
    ) -> Result<Option<Entries>, Refusal> {
        if record.value.is_empty() {
            return Ok(None);
        }
        if let Some(deadline) = self.deadline(record) && self.clock.unix_seconds() >= deadline {
            return Err(Refusal::LifetimeOver);
        }
        let content = self.content(id, record)?;
        Entries::open_stored(self.serialization, content).map_err(unreadable)
    }
}
