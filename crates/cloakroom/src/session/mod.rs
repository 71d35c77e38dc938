//! What a handler holds: the session, its typed keys, its flashes.

mod activity;
mod backend;
mod commit;
mod devices;
mod entries;
mod event;
mod flash;
mod handle;
mod id;
mod identity;
mod info;
mod inside;
mod journal;
mod key;
mod login;
mod nowhere;
mod once;
mod state;
mod status;
mod stored;
mod stored_entry;
mod ticket;
mod typed;
mod user;

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use serde::{Serialize, de::DeserializeOwned};

pub use event::{Event, EventKind};
pub use flash::Flash;
pub use handle::{Handle, HandleError};
pub use info::SessionInfo;
pub use key::{Key, SessionKey, TypedKey};
pub use login::Login;
pub use status::{Protection, Refusal, Status};
pub use stored_entry::{StoredEntry, StoredKey, StoredLayout};
pub use typed::Typed;
pub use user::{PendingUser, User};

pub(crate) use activity::Activity;
pub(crate) use backend::{Backend, Commit};
pub(crate) use commit::{
    Change, Content, CookieCommit, Identity, Origin, StoreCommit, decide_cookie, decide_store,
};
pub(crate) use devices::{Answer, Devices};
pub(crate) use entries::Entries;
pub(crate) use event::Observer;
pub(crate) use handle::HANDLE_BYTES;
pub(crate) use id::{ID_BYTES, SessionId, encoded_length};
pub(crate) use identity::{AUTHENTICATED_AT, FRESH, SUBJECT};
pub(crate) use journal::Operation;
pub(crate) use nowhere::Nowhere;
pub(crate) use state::{Home, State};
pub(crate) use stored::{Entry, Stored};
pub(crate) use ticket::Ticket;

use crate::{
    Error,
    format::{Format, TaggedJson},
    value::{Dict, Value, from_value, to_value},
};

/// The key under which Flask keeps whether the session is permanent.
pub(crate) const PERMANENT: &str = "_permanent";

/// One visitor's session, for as long as the request lasts.
///
/// A handler gets it by naming it as an argument. Clones are the same session; all methods take
/// `&self` and none waits. What they do reaches the browser with the response's headers: a session
/// that was only read sends no cookie (but see [`Refresh`](crate::Refresh)), a changed one sends the
/// new cookie, an emptied one removes it. Any response for which a session was opened gets
/// `Vary: Cookie`.
///
/// ```
/// use cloakroom::{Error, Session};
///
/// async fn counter(session: Session) -> Result<String, Error> {
///     let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
///     Ok(format!("Number of visits: {visits}"))
/// }
/// ```
///
/// | Flask | here |
/// | --- | --- |
/// | `session["name"]`, `session.get("name")` | [`get`](Self::get) |
/// | `session["name"] = value` | [`insert`](Self::insert) |
/// | `"name" in session` | [`contains_key`](Self::contains_key) |
/// | `session.pop("name", None)` | [`remove`](Self::remove), [`take`](Self::take) |
/// | `session["n"] = session.get("n", 0) + 1` | [`update`](Self::update) |
/// | `session.setdefault("name", value)` | [`get_or_insert_with`](Self::get_or_insert_with) |
/// | `session.clear()` | [`clear`](Self::clear) |
/// | `session.permanent = True` | [`set_permanent`](Self::set_permanent) |
/// | `flash("Saved", "success")` | [`flash`](Self::flash) |
/// | `get_flashed_messages()` | [`flashes`](Self::flashes) |
#[derive(Clone)]
#[doc(alias = "SecureCookieSession")]
#[doc(alias = "SessionMixin")]
pub struct Session {
    inner: Arc<Inner>,
}

struct Inner {
    state: Mutex<State>,
    backend: Arc<dyn Backend>,
}

impl Session {
    /// The value under `key` as the type asked for; none if the key is missing.
    ///
    /// The value is decoded now, from the bytes it came in. Nothing is written. What Flask stored
    /// reads as the table at [`Value`] says: a Python tuple as a Rust tuple, `None` as `Option::None`.
    ///
    /// ```
    /// # use cloakroom::{Error, Session};
    /// # fn handler(session: Session) -> Result<(), Error> {
    /// let name = session.get::<String>("username")?;
    /// let cart: Vec<(u32, String)> = session.get("cart")?.unwrap_or_default();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the value is of another type.
    #[doc(alias = "__getitem__")]
    pub fn get<T: DeserializeOwned>(&self, key: impl TypedKey<T>) -> Result<Option<T>, Error> {
        let key = key.as_key();
        match self.read().entries.get(self.format(), key) {
            Some(value) => convert(key, value).map(Some),
            None => Ok(None),
        }
    }

    /// Puts a value under `key`, in place of what is there.
    ///
    /// The session counts as modified even if the value is an equal one, as in Flask. The new cookie
    /// goes out with the response.
    ///
    /// # Errors
    ///
    /// [`Error::Convert`] or [`Error::Write`] if the value has no place in a session (map keys of
    /// mixed types, for one), [`Error::ResponseStarted`] if it is too late. The session is then as
    /// before.
    #[doc(alias = "__setitem__")]
    pub fn insert<T: Serialize>(&self, key: impl TypedKey<T>, value: T) -> Result<(), Error> {
        let key = key.as_key();
        let value = stored(key, &value)?;
        self.write_open()?.insert(self.format(), key, value)
    }

    /// Removes `key` and returns what was there. A missing key changes nothing.
    ///
    /// The session's last key takes the cookie with it.
    #[doc(alias = "pop")]
    #[doc(alias = "__delitem__")]
    pub fn remove(&self, key: impl SessionKey) -> Option<Value> {
        self.write_late("remove")?
            .remove(self.format(), key.as_key())
    }

    /// Removes `key` and returns what was there as the type asked for. A missing key changes nothing.
    ///
    /// Two requests at the same time can both get it; [`take_once`](Self::take_once) gives it to one.
    ///
    /// # Errors
    ///
    /// [`Error::Read`] if the value is of another type, which stays where it is;
    /// [`Error::ResponseStarted`] if it is too late.
    #[doc(alias = "pop")]
    pub fn take<T: DeserializeOwned>(&self, key: impl TypedKey<T>) -> Result<Option<T>, Error> {
        let key = key.as_key();
        let mut state = self.write_open()?;
        let Some(value) = state.entries.get(self.format(), key) else {
            return Ok(None);
        };
        let value = convert(key, value)?;
        state.remove(self.format(), key);
        Ok(Some(value))
    }

    /// Sets `key` to what `change` makes of its value, and returns that.
    ///
    /// Use it wherever the new value depends on the old one. `change` may run more than once: when another
    /// task changed the session meanwhile, and, with a store, when another request did, on what that one
    /// left (so the number stored may then be a later one than the number returned). It should do nothing
    /// but compute, and must not hold borrowed data (`move` helps).
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    pub fn update<T, F>(&self, key: impl TypedKey<T>, change: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + 'static,
        F: Fn(Option<T>) -> T + Send + 'static,
    {
        let key = key.as_key();
        loop {
            let (old, version) = {
                let state = self.read();
                (state.entries.get(self.format(), key), state.version)
            };
            // No lock is held here: `change` may look at the session itself.
            let new = change(old.map(|old| convert(key, old)).transpose()?);
            let value = stored(key, &new)?;
            let mut state = self.write_open()?;
            if state.version == version {
                state.entries.insert(self.format(), key, value)?;
                state.changed(|| {
                    let again = move |key: &str, old: Option<Value>| {
                        let old = old.map(|old| convert(key, old)).transpose()?;
                        stored(key, &change(old))
                    };
                    Operation::Update(key.to_owned(), Box::new(again))
                });
                return Ok(new);
            }
        }
    }

    /// The value under `key`; if it is missing, what `default` gives, which is then stored.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get) and [`insert`](Self::insert).
    #[doc(alias = "setdefault")]
    pub fn get_or_insert_with<T, F>(&self, key: impl TypedKey<T>, default: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> T,
    {
        let key = key.as_key();
        if let Some(value) = self.get::<T>(key)? {
            return Ok(value);
        }
        let value = default();
        let encoded = stored(key, &value)?;
        let mut state = self.write_open()?;
        state.entries.insert(self.format(), key, encoded.clone())?;
        state.changed(|| Operation::SetIfMissing(key.to_owned(), encoded));
        Ok(value)
    }

    /// Whether `key` is there.
    #[doc(alias = "__contains__")]
    pub fn contains_key(&self, key: impl SessionKey) -> bool {
        self.read().entries.contains(key.as_key())
    }

    /// Removes everything, `_permanent` and flashes included, and with it the cookie: a logout.
    ///
    /// In a store this ends the session for everyone who has its id, and requests that began before
    /// cannot bring it back. What is inserted afterwards stays under the same id; see
    /// [`destroy`](Self::destroy). In a cookie it ends the session in this browser; a copy of the old
    /// cookie stays valid until it expires.
    pub fn clear(&self) {
        if let Some(mut state) = self.write_late("clear") {
            state.clear(self.format());
        }
    }

    /// Ends this session for good: as [`clear`](Self::clear), and what is inserted afterwards begins a new
    /// session under a new id.
    pub fn destroy(&self) {
        if let Some(mut state) = self.write_late("destroy") {
            state.clear(self.format());
            state.regenerated = true;
        }
    }

    /// The keys in order of their code points. Keys with lone surrogates show U+FFFD there.
    pub fn keys(&self) -> Vec<String> {
        self.read()
            .entries
            .keys()
            .map(|key| key.to_string())
            .collect()
    }

    /// The number of keys, Flask's own (`_permanent`, `_flashes`) included.
    pub fn len(&self) -> usize {
        self.read().entries.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything the session holds, decoded, for templates and inspectors.
    #[doc(alias = "iter")]
    #[doc(alias = "items")]
    pub fn snapshot(&self) -> Dict {
        self.read().entries.to_dict(self.format())
    }

    /// The session as Flask would write it: tagged JSON, compact and sorted.
    pub fn to_tagged_json(&self) -> String {
        let value = Value::Dict(self.snapshot());
        let format = match self.format() {
            Format::Tagged(format) => format,
            Format::Stored(_) => &TaggedJson::new(),
        };
        // What a session holds can be written: it was read, or checked when it was set.
        let text = format.to_bytes(&value).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Whether the request brought no session that could be opened.
    pub fn is_new(&self) -> bool {
        matches!(self.read().status, Status::New | Status::Refused(_))
    }

    /// Whether nobody knows who the visitor is, because the store could not be asked and the route goes on all
    /// the same ([`OutagePolicy::Degrade`](crate::OutagePolicy::Degrade)).
    ///
    /// Such a session is neither new nor anyone's. Reading finds nothing. Changes that can fail do, with
    /// [`Error::StoreUnavailable`]; the others ([`clear`](Self::clear), [`logout`](Self::logout),
    /// [`remove`](Self::remove), …) change nothing and turn the response into a 503, so that no page claims
    /// that they worked. Only a [`flash`](Self::flash) is dropped, with a line in the log.
    pub fn is_unknown(&self) -> bool {
        self.read().is_unknown()
    }

    /// Whether this request changed the session; Flask's `session.modified`.
    #[doc(alias = "modified")]
    pub fn is_modified(&self) -> bool {
        self.read().modified
    }

    /// How the session was opened, and why a cookie was refused.
    pub fn status(&self) -> Status {
        self.read().status.clone()
    }

    /// Whether the session outlives the browser's: Flask's `session.permanent`, kept under
    /// `_permanent`.
    pub fn permanent(&self) -> bool {
        self.read().permanent(self.format())
    }

    /// Keeps the cookie for the configured lifetime ("remember me") or, with `false`, until the
    /// browser ends its session. Marks the session modified, as in Flask.
    ///
    /// The lifetime is [`SessionConfig::lifetime`](crate::SessionConfig::lifetime); on the server it
    /// bounds either kind.
    #[doc(alias = "permanent")]
    pub fn set_permanent(&self, permanent: bool) {
        if let Some(mut state) = self.write_late("set_permanent")
            && let Err(error) = state.insert(self.format(), PERMANENT, Value::Bool(permanent))
        {
            tracing::warn!(%error, "session change lost");
        }
    }

    /// Marks a change of privilege, such as a login: the session gets a new id with the same content.
    ///
    /// In a store the new entry is there before the old one goes, so a response that fails on its way
    /// loses nothing, and the old id is dead before the new cookie leaves. A cookie session has no id, so
    /// there it means that the cookie is written anew, with a new time.
    #[doc(alias = "cycle_key")]
    pub fn regenerate(&self) {
        if let Some(mut state) = self.write_late("regenerate") {
            state.regenerated = true;
            state.touch();
        }
    }

    /// Saves the session now, so that an error reaches the handler while it can still answer.
    ///
    /// Without it the same happens when the response's headers leave. Changes made after `save` and
    /// before the headers leave are saved then; once a body streams, changes are refused with
    /// [`Error::ResponseStarted`].
    ///
    /// # Errors
    ///
    /// [`Error::CookieTooLarge`] if the browser would drop the cookie; with a store,
    /// [`Error::StoreUnavailable`], [`Error::StoreRefused`] and [`Error::Contended`].
    pub async fn save(&self) -> Result<(), Error> {
        drop(self.write_open()?);
        let header = self.commit().finish().await?;
        self.lock().set_saved(header);
        Ok(())
    }
}

fn convert<T: DeserializeOwned>(key: &str, value: Value) -> Result<T, Error> {
    from_value(value).map_err(|source| Error::Read {
        key: key.to_owned(),
        source,
    })
}

fn stored<T: Serialize>(key: &str, value: &T) -> Result<Value, Error> {
    to_value(value).map_err(|source| Error::Convert {
        key: key.to_owned(),
        source,
    })
}

/// Shows how it was opened and how many keys there are, never what they hold.
impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read();
        formatter
            .debug_struct("Session")
            .field("status", &state.status)
            .field("keys", &state.entries.len())
            .field("modified", &state.modified)
            .finish_non_exhaustive()
    }
}
