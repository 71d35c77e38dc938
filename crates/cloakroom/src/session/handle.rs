use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

use super::SessionId;
use crate::token::{Leniency, base64};

/// The name of one login, to show in a list of devices and to end it by: 22 characters.
///
/// It is no credential: nobody gets into a session with it, so it may stand in a page, a link or a log. Of
/// a session in a store it is made from the id by a one-way function, of one in a cookie it is random.
///
/// ```
/// use cloakroom::Handle;
///
/// let handle: Handle = "AAECAwQFBgcICQoLDA0ODw".parse()?;
/// assert_eq!(handle.to_string(), "AAECAwQFBgcICQoLDA0ODw");
/// # Ok::<(), cloakroom::HandleError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle([u8; HANDLE_BYTES]);

/// The bytes of a handle: too many for two sessions to share one by chance.
pub(crate) const HANDLE_BYTES: usize = 16;

/// The text is not that of a [`Handle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the handle of a session: it has 22 characters of URL-safe base64")]
pub struct HandleError;

impl Handle {
    /// Of the session that a store has under this key, for tools that list the store: whoever knows the handle does
    /// not know the key.
    pub fn of_key(key: &str) -> Self {
        // No id and no name of a cookie has a colon.
        Self::of_entry(key.rsplit(':').next().unwrap_or(key))
    }

    /// Of a session in a store.
    pub(crate) fn of(id: &SessionId) -> Self {
        Self::of_entry(id.entry())
    }

    fn of_entry(name: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(b"cloakroom handle\0")
            .chain_update(name)
            .finalize();
        let mut bytes = [0; HANDLE_BYTES];
        bytes.copy_from_slice(&digest[..HANDLE_BYTES]);
        Self(bytes)
    }

    /// A new one, for a session in a cookie.
    pub(crate) fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; HANDLE_BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; HANDLE_BYTES]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; HANDLE_BYTES] {
        &self.0
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&base64::encode(self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Handle({self})")
    }
}

impl FromStr for Handle {
    type Err = HandleError;

    /// Reads what `to_string` writes, and nothing else.
    fn from_str(text: &str) -> Result<Self, HandleError> {
        // Longer text is not worth decoding.
        if text.len() != 22 {
            return Err(HandleError);
        }
        let bytes = base64::decode(text, Leniency::Strict).map_err(|_| HandleError)?;
        bytes.try_into().map(Self).map_err(|_| HandleError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s23_a_handle_says_nothing_of_the_id() {
        let id =
            SessionId::parse("session:", b"kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc").unwrap();
        let handle = Handle::of(&id);
        // printf 'cloakroom handle\0kRta…xDc' | sha256sum, the first half in base64.
        assert_eq!(handle.to_string(), "vvbp7u_iWVwoISh7S9j4NA");
        assert_eq!(Handle::of_key(id.key()), handle);
        assert!(!format!("{handle:?}").contains(id.as_str()));
    }

    #[test]
    fn a_handle_has_one_spelling() {
        let handle = Handle::generate().unwrap();
        assert_eq!(handle.to_string().parse(), Ok(handle));
        assert_ne!(Handle::generate().unwrap(), handle);
        for text in [
            "",
            "AAECAwQFBgcICQoLDA0OD",
            "AAECAwQFBgcICQoLDA0ODx",
            "AAECAwQFBgcICQoLDA0ODw=",
            "AAECAwQFBgcICQoLDA0OD ",
            "ÄÄÄÄÄÄÄÄÄÄÄ",
        ] {
            assert_eq!(text.parse::<Handle>(), Err(HandleError), "{text}");
        }
    }
}
