use std::{fmt, ops::Deref};

use serde::{Serialize, de::DeserializeOwned};

use super::Session;
use crate::{
    Error,
    value::{Dict, Value, from_value, to_value},
};

/// The whole session as one struct: an extractor that reads it, and [`update`](Self::update) to
/// change it.
///
/// Give the struct `#[serde(default)]` so that a new visitor has one too. Entries that the struct
/// does not know (another part of the site's, Flask's own) are left alone.
///
/// ```
/// use cloakroom::{Error, Typed};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// #[serde(default)]
/// struct Visitor {
///     username: Option<String>,
///     visits: u64,
/// }
///
/// async fn index(mut visitor: Typed<Visitor>) -> Result<String, Error> {
///     visitor.update(|visitor| visitor.visits += 1)?;
///     Ok(format!("Visit {} of {:?}", visitor.visits, visitor.username))
/// }
/// ```
pub struct Typed<T> {
    value: T,
    /// The struct as it stands in the session.
    stored: Dict,
    session: Session,
}

impl<T: Serialize + DeserializeOwned> Typed<T> {
    /// Reads the struct out of a session.
    ///
    /// # Errors
    ///
    /// [`Error::Whole`] if the session does not fit it; [`Error::StoreUnavailable`] if nobody knows what it
    /// holds ([`Session::is_unknown`]).
    pub fn open(session: Session) -> Result<Self, Error> {
        let session = session.known()?;
        let value: T = from_value(Value::Dict(session.snapshot())).map_err(Error::Whole)?;
        // A field that the session lacks counts as stored with its default, so it is written when it changes.
        let stored = fields(&value)?;
        Ok(Self {
            value,
            stored,
            session,
        })
    }

    /// Changes the struct and stores the fields that are different then. A field that is left out
    /// when serialized (`skip_serializing_if`) is removed.
    ///
    /// # Errors
    ///
    /// [`Error::Whole`] if the struct is no map of fields, else as [`Session::insert`].
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, Error> {
        let result = change(&mut self.value);
        let new = fields(&self.value)?;
        for (key, value) in &new {
            let Some(key) = key.as_str() else { continue };
            if self.stored.get(key) != Some(value) {
                self.session.insert(key, value.clone())?;
            }
        }
        for (key, _) in &self.stored {
            match key.as_str() {
                Some(key) if !new.contains_key(key) => drop(self.session.remove(key)),
                _ => {}
            }
        }
        self.stored = new;
        Ok(result)
    }

    /// The session itself, for flashes and everything else.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

fn fields<T: Serialize>(value: &T) -> Result<Dict, Error> {
    match to_value(value).map_err(Error::Whole)? {
        Value::Dict(dict) => Ok(dict),
        other => from_value(other).map_err(Error::Whole),
    }
}

impl<T> Deref for Typed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Shows the session, never the struct.
impl<T> fmt::Debug for Typed<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Typed").field(&self.session).finish()
    }
}
