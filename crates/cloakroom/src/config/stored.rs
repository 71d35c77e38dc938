use std::time::Duration;

use super::{OutagePolicy, SessionConfig};
use crate::{format::Serialization, secret::Keys};

/// What a session's entry in the store looks like.
///
/// ```
/// use cloakroom::{Layout, SessionConfig, SessionLayer, store::MemoryStore};
///
/// let config = SessionConfig::default().layout(Layout::Native);
/// let layer = SessionLayer::stored_with(MemoryStore::new(), config)?;
/// # Ok::<(), cloakroom::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layout {
    /// Flask-Session's: the session and nothing else, under the very id that the cookie holds. Flask shares it. Whoever
    /// reads the store can log in as anybody in it. The default.
    #[default]
    Flask,
    /// The cookie holds a public id and a secret, the store the public id and the SHA-256 of the secret, so that nobody
    /// can log in with what is in the store. Beside the content, which is readable, the entry says when the session
    /// began, when it ends and whose it is: see [`RecordHeader`](crate::format::RecordHeader).
    Native,
    /// As [`Native`](Self::Native), with the content under AES-256-GCM-SIV and a key that is derived from the ticket: a
    /// stolen store shows when sessions began, were written and will end, how large they are, and nothing else. Nor can
    /// an operator look into them. What a list of [`user_sessions`](SessionConfig::user_sessions) says of browsers and
    /// addresses is not sealed, and whose list it is can be guessed.
    ///
    /// It hides what is there from who reads the store. Who writes into it can still end sessions or put back older ones,
    /// as in every layout.
    #[cfg(feature = "encrypted")]
    #[cfg_attr(docsrs, doc(cfg(feature = "encrypted")))]
    Sealed,
}

/// Settings that only sessions in a store have.
#[derive(Clone, Debug)]
pub(crate) struct StoreSettings {
    pub(crate) layout: Layout,
    pub(crate) accepted_layout: Option<Layout>,
    pub(crate) key_prefix: String,
    pub(crate) id_length: usize,
    /// None: MessagePack, or pickle where cachelib reads the entries.
    pub(crate) serialization: Option<Serialization>,
    pub(crate) id_keys: Option<Keys>,
    pub(crate) permanent: bool,
    pub(crate) tombstone: Duration,
    pub(crate) commit_deadline: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) on_outage: OutagePolicy,
    /// Whether the settings name a store, so that sessions in the cookie would be a mistake.
    pub(crate) demanded: bool,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            layout: Layout::Flask,
            accepted_layout: None,
            key_prefix: "session:".to_owned(),
            id_length: 32,
            serialization: None,
            id_keys: None,
            permanent: false,
            tombstone: Duration::from_secs(10 * 60),
            commit_deadline: Duration::from_secs(10),
            retry_after: Duration::from_secs(2),
            on_outage: OutagePolicy::Require,
            demanded: false,
        }
    }
}

/// Settings for sessions in a store; those in the cookie leave them alone.
impl SessionConfig {
    /// What entries look like; as Flask-Session's unless set. An entry in another layout is refused and left alone,
    /// but for one that is [accepted](Self::accept_layout).
    pub fn layout(mut self, layout: Layout) -> Self {
        self.stored.layout = layout;
        self
    }

    /// A second layout whose entries are good as well, for changing from one to the other with nobody logged out.
    ///
    /// From Flask's layout to a native one, once Flask serves none of these sessions any more:
    ///
    /// 1. every server gets `.layout(Layout::Flask).accept_layout(Layout::Native)`: nothing changes yet, but all of them
    ///    know what is to come;
    /// 2. one after the other, they get `.layout(Layout::Native).accept_layout(Layout::Flask)`;
    /// 3. once [`lifetime`](Self::lifetime) has passed, and [`remember_lifetime`](Self::remember_lifetime) if it is
    ///    longer, the second setting goes.
    ///
    /// In step 2 the first request that brings an id of Flask's kind moves its entry, in a way that no request under
    /// way can lose a change by, none can undo a logout by, and a process that stops halfway leaves for the next one
    /// to complete. The content stays as it is, byte for byte. The cookie goes on opening the session, because the
    /// new entry's name and the hash in it are made from the old id by one-way functions; with the first change or
    /// renewal the browser gets a ticket in its place. `cloakroom sessions convert` moves those that nobody uses.
    ///
    /// Ids that Flask-Session signed are verified with the keys of [`sign_ids`](Self::sign_ids); tickets are never
    /// signed. Where the layout is a native one, the other native one is written anew in this one when it changes.
    /// To accept what [`layout`](Self::layout) says already changes nothing.
    ///
    /// ```
    /// use cloakroom::{Layout, SessionConfig, SessionManager, store::MemoryStore};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = cloakroom::store::Store::from(MemoryStore::new());
    /// let before = SessionManager::stored(store.clone(), SessionConfig::default())?;
    /// let session = before.new_session();
    /// session.insert("username", "alice")?;
    /// session.save().await?;
    /// let cookie = before.cookie_value(&session).unwrap_or_default();
    ///
    /// let config = SessionConfig::default().layout(Layout::Native).accept_layout(Layout::Flask);
    /// let after = SessionManager::stored(store, config)?;
    /// assert_eq!(after.open_value(&cookie).await?.get("username")?, Some("alice".to_owned()));
    /// assert!(before.open_value(&cookie).await.is_err());
    /// # Ok(()) }
    /// ```
    pub fn accept_layout(mut self, layout: Layout) -> Self {
        self.stored.accepted_layout = Some(layout);
        self
    }

    /// What the store's keys begin with, before the id; `session:` unless set. Flask-Session's
    /// `SESSION_KEY_PREFIX`. In the native layouts the cookie's name and a colon follow, so that sessions under two names
    /// never meet, and the prefix is empty or ends with a colon.
    #[doc(alias = "SESSION_KEY_PREFIX")]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.stored.key_prefix = prefix.into();
        self
    }

    /// The random bytes of a session id, 16 to 128; 32 unless set. Flask-Session's `SESSION_ID_LENGTH`. In the native
    /// layouts there are always 48, of which 32 are the secret half.
    #[doc(alias = "SESSION_ID_LENGTH")]
    pub fn id_length(mut self, bytes: usize) -> Self {
        self.stored.id_length = bytes;
        self
    }

    /// The format in which entries are written; MessagePack unless set, and always pickle in cachelib's
    /// folders. Entries in another one are read all the same, and written in this one when they change. Flask-Session's
    /// `SESSION_SERIALIZATION_FORMAT`.
    #[doc(alias = "SESSION_SERIALIZATION_FORMAT")]
    pub fn serialization(mut self, serialization: Serialization) -> Self {
        self.stored.serialization = Some(serialization);
        self
    }

    /// Signs the id in the cookie, so that a made-up id never reaches the store. An id has 256 random
    /// bits, so nothing is gained but that. Flask-Session's `SESSION_USE_SIGNER`, with fallback keys
    /// accepted as well. The native layouts do without: nobody can make up the secret half.
    #[doc(alias = "SESSION_USE_SIGNER")]
    pub fn sign_ids(mut self, keys: impl Into<Keys>) -> Self {
        self.stored.id_keys = Some(keys.into());
        self
    }

    /// Whether a new session is permanent, which stores `_permanent` in each and gives its cookie an
    /// expiry; no unless set, yes in [`flask`](Self::flask). Flask-Session's `SESSION_PERMANENT`.
    #[doc(alias = "SESSION_PERMANENT")]
    pub fn permanent_by_default(mut self, permanent: bool) -> Self {
        self.stored.permanent = permanent;
        self
    }

    /// How long an ended session's id is remembered, in whole seconds, so that a request which began
    /// before the end and is still under way cannot bring it back, not even one that stock Flask-Session
    /// serves; 10 minutes unless set. Make it longer than the longest request.
    pub fn tombstone(mut self, tombstone: Duration) -> Self {
        self.stored.tombstone = tombstone;
        self
    }

    /// How long a request may go on trying to save a session that others change all the time; 10 seconds
    /// unless set. After that the response is 503 and nothing of the request is saved.
    pub fn commit_deadline(mut self, deadline: Duration) -> Self {
        self.stored.commit_deadline = deadline;
        self
    }

    /// What the `Retry-After` of a 503 says when the store is down, in whole seconds; 2 unless set.
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.stored.retry_after = after;
        self
    }
}
