use std::time::Duration;

use bytes::Bytes;

#[cfg(feature = "encrypted")]
use crate::format::record::SealKey;
use crate::{
    Clock, ConfigError, Error,
    config::{Layout, SessionConfig},
    format::{
        Format, FormatError, RecordHeader, Serialization,
        record::{self, Envelope, Kind},
    },
    session::{Entries, Entry, Home, ID_BYTES, Refusal, SessionId, State, Ticket, encoded_length},
    store::{MAX_KEY, Record, Store},
};

/// How a session stands in the store: under which key, and as which bytes.
pub(super) struct Codec {
    /// Of new sessions.
    layout: Layout,
    /// What the keys begin with of sessions in Flask's layout, if any are.
    flask: Option<String>,
    native: Option<Native>,
    serialization: Serialization,
    format: Format,
    clock: Clock,
    absolute_lifetime: Option<Duration>,
    id_length: usize,
    /// What a seal is made for, beside the entry's name.
    #[cfg(feature = "encrypted")]
    places: [String; 2],
}

/// Sessions whose ids are tickets.
struct Native {
    /// How they are written.
    layout: Layout,
    /// How they may be written as well.
    accepted: Option<Layout>,
    /// What their keys begin with.
    prefix: String,
}

/// What is to be stored, whatever the id will be.
#[derive(Default)]
pub(super) struct Draft {
    header: RecordHeader,
    /// The session as its format writes it.
    content: Bytes,
    /// Whether the entry that the session has holds the same content.
    pub(super) unchanged: bool,
}

/// Characters that a driver may add to a key for its tombstone.
const TOMBSTONE: usize = 8;

/// The key of what a session says of itself to whoever reads the store.
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
        let layouts = || {
            [Some(layout), settings.accepted_layout]
                .into_iter()
                .flatten()
        };
        let flask = layouts()
            .any(|layout| layout == Layout::Flask)
            .then(|| settings.key_prefix.clone());
        let native = layouts().find(|layout| *layout != Layout::Flask);
        let native = native.map(|written| Native {
            layout: written,
            accepted: layouts().find(|other| ![Layout::Flask, written].contains(other)),
            prefix: [&settings.key_prefix, cookie_name, ":"].concat(),
        });
        if native.is_some() {
            if store.shares_pickles() {
                return Err(conflict(
                    "layout",
                    "cachelib reads the entries of this folder: use Flask's layout, or another folder",
                ));
            }
            // A cookie's name has no colon, so from a key it is plain where the prefix ends.
            if !(settings.key_prefix.is_empty() || settings.key_prefix.ends_with(':')) {
                return Err(ConfigError::Value {
                    name: "SESSION_KEY_PREFIX".to_owned(),
                    expected: "empty or end with a colon in the native layouts",
                });
            }
        }
        if flask.is_none() && settings.id_keys.is_some() {
            return Err(conflict(
                "SESSION_USE_SIGNER",
                "nobody can make up the secret half of a native session id: leave it out",
            ));
        }
        let longest = |prefix: &String, name: usize| prefix.len() + name + TOMBSTONE;
        let flask_key = flask
            .as_ref()
            .map(|prefix| longest(prefix, encoded_length(settings.id_length)));
        let native_key = native
            .as_ref()
            .map(|native| longest(&native.prefix, Ticket::PUBLIC_LENGTH));
        if flask_key.max(native_key) > Some(MAX_KEY) {
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
            flask,
            native,
            serialization,
            format: Format::Stored(serialization),
            clock: config.clock.clone(),
            absolute_lifetime: config.absolute_lifetime,
            id_length: settings.id_length,
            #[cfg(feature = "encrypted")]
            places: [settings.key_prefix.clone(), cookie_name.to_owned()],
        })
    }

    /// What the keys of all sessions begin with.
    pub(super) fn prefix(&self) -> &str {
        // Where there are both, this one is the beginning of the other.
        match (&self.flask, &self.native) {
            (Some(prefix), _) => prefix,
            (None, Some(native)) => &native.prefix,
            (None, None) => "",
        }
    }

    /// Whether a key with that prefix is a session's, and not one of the lists of users or of a native session that
    /// goes by another cookie.
    pub(super) fn is_session(&self, key: &str) -> bool {
        match (&self.flask, &self.native) {
            (_, Some(native)) if key.starts_with(&native.prefix) => true,
            (Some(prefix), Some(_)) => {
                let name = key.strip_prefix(prefix.as_str());
                name.is_some_and(|name| !name.contains(':'))
            }
            // With an empty prefix the lists of users are among them.
            _ => !key.starts_with("subject:"),
        }
    }

    /// The format of the content.
    pub(super) fn format(&self) -> &Format {
        &self.format
    }

    /// The id of a new entry.
    pub(super) fn generate(&self) -> Result<SessionId, Error> {
        let id = match (self.layout, &self.native) {
            (Layout::Flask, _) | (_, None) => SessionId::generate(self.prefix(), self.id_length),
            (_, Some(native)) => SessionId::generate_ticket(&native.prefix),
        };
        id.map_err(no_random)
    }

    /// An id of Flask's kind that could be one of ours.
    pub(super) fn parse_flask_id(&self, text: &[u8]) -> Option<SessionId> {
        SessionId::parse(self.flask.as_ref()?, text).filter(fits)
    }

    /// A ticket that could be one of ours.
    pub(super) fn parse_ticket(&self, text: &[u8]) -> Option<SessionId> {
        SessionId::parse_ticket(&self.native.as_ref()?.prefix, text).filter(fits)
    }

    /// While both layouts are in use: the ticket that stands for an id of Flask's kind, under which its entry is to be
    /// found after it has moved.
    pub(super) fn twin(&self, id: &SessionId) -> Option<SessionId> {
        let native = self.native.as_ref()?;
        id.ticket().is_none().then(|| id.twin(&native.prefix))
    }

    /// Whether sessions may be on their way from one layout to another.
    pub(super) fn has_both_layouts(&self) -> bool {
        self.flask.is_some() && self.native.is_some()
    }

    /// Whether new sessions get tickets.
    pub(super) fn is_native(&self) -> bool {
        self.layout != Layout::Flask
    }

    /// What the session holds now, to be stored.
    pub(super) fn draft(&self, state: &State) -> Result<Draft, Error> {
        let content = Bytes::from(state.entries.to_bytes(&self.format)?);
        let base = match &state.home {
            Home::Store(stored) => match &stored.entry {
                Entry::Live { id, base } => Some(self.open(id, base).map_err(Error::Refused)?),
                Entry::None | Entry::Gone => None,
            },
            Home::Cookie | Home::Nowhere(_) => None,
        };
        Ok(Draft {
            unchanged: base.as_ref().is_some_and(|base| base.content == content),
            header: self.header(state, base.map(|base| base.header)),
            content,
        })
    }

    /// The same content for another place: what was read, byte for byte.
    pub(super) fn verbatim(&self, state: &State, record: &Record) -> Draft {
        Draft {
            header: self.header(state, None),
            content: record.value.clone(),
            unchanged: true,
        }
    }

    /// What the record is to say of the session: what the session says of itself, as far as everybody may know it.
    fn header(&self, state: &State, before: Option<RecordHeader>) -> RecordHeader {
        let Some(native) = &self.native else {
            return RecordHeader::default();
        };
        let now = self.clock.unix_seconds();
        let created = state
            .created(&self.format)
            .or(before.map(|before| before.created))
            .unwrap_or(now);
        let lifetime = self.absolute_lifetime.map(|lifetime| lifetime.as_secs());
        let mut header = RecordHeader {
            created,
            written: now,
            deadline: lifetime.map(|lifetime| created.saturating_add(lifetime)),
            ..RecordHeader::default()
        };
        if native.layout == Layout::Native {
            header.show_subject(state.subject(&self.format));
            header.show_metadata(state.entries.get(&self.format, METADATA));
        }
        header
    }

    /// The bytes of an entry.
    pub(super) fn encode(&self, id: &SessionId, draft: &Draft) -> Result<Bytes, Error> {
        let (Some(ticket), Some(native)) = (id.ticket(), &self.native) else {
            return Ok(draft.content.clone());
        };
        let hash = ticket.secret_hash();
        let record = match native.layout {
            #[cfg(feature = "encrypted")]
            Layout::Sealed => {
                let mut nonce = [0; 12];
                getrandom::fill(&mut nonce).map_err(no_random)?;
                let key = self.seal_key(id, ticket);
                key.write(&draft.header, &hash, &draft.content, nonce)
            }
            _ => record::write(&draft.header, &hash, &draft.content),
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
        let opened = self.open(id, record)?;
        let is_over = |deadline| self.clock.unix_seconds() >= deadline;
        if opened.header.deadline.is_some_and(is_over) {
            return Err(Refusal::LifetimeOver);
        }
        Entries::open_stored(self.serialization, opened.content).map_err(unreadable)
    }

    /// Takes a record apart.
    fn open(&self, id: &SessionId, record: &Record) -> Result<Opened, Refusal> {
        let Some(ticket) = id.ticket() else {
            return Ok(Opened {
                header: RecordHeader::default(),
                content: record.value.clone(),
            });
        };
        let envelope = Envelope::read(&record.value).map_err(unreadable)?;
        if !ticket.opens(&envelope.secret_hash) {
            return Err(Refusal::WrongSecret);
        }
        let content = match envelope.kind {
            Kind::Readable if self.reads(Layout::Native) => {
                record.value.slice_ref(envelope.content)
            }
            #[cfg(feature = "encrypted")]
            Kind::Sealed if self.reads(Layout::Sealed) => {
                let content = self.seal_key(id, ticket).open(&envelope);
                Bytes::from(content.map_err(unreadable)?)
            }
            // Whoever can write into the store must not choose how it is read.
            kind => return Err(unreadable(FormatError::RecordLayout(kind.name()))),
        };
        Ok(Opened {
            header: envelope.header,
            content,
        })
    }

    /// Whether records may be in this native layout.
    fn reads(&self, layout: Layout) -> bool {
        self.native
            .as_ref()
            .is_some_and(|native| native.layout == layout || native.accepted == Some(layout))
    }

    #[cfg(feature = "encrypted")]
    fn seal_key(&self, id: &SessionId, ticket: &Ticket) -> SealKey {
        let [prefix, cookie_name] = &self.places;
        SealKey::derive(ticket.secret(), [prefix, cookie_name, id.entry()])
    }
}

/// Whether a store of every kind can hold the entry of this id.
fn fits(id: &SessionId) -> bool {
    id.key().len() + TOMBSTONE <= MAX_KEY
}

/// A record, opened with the session's id.
struct Opened {
    header: RecordHeader,
    /// The session as its format writes it.
    content: Bytes,
}

fn no_random(error: getrandom::Error) -> Error {
    Error::Random(error.to_string())
}

fn unreadable(error: FormatError) -> Refusal {
    tracing::warn!(%error, "a stored session cannot be read and is left alone");
    Refusal::BadPayload
}
