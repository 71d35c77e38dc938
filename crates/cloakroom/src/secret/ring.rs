use std::iter;

use super::SecretKey;

/// The keys in use: one signs, and what the others signed is still accepted.
///
/// To replace a key without logging anyone out, make the new one the signing key and keep the old one as a fallback
/// for as long as its sessions may live. Where several servers answer, give them the new key as a fallback first;
/// [`Keys`](crate::Keys) does both by the clock, and without a restart.
///
/// ```
/// use cloakroom::{KeyRing, SecretKey};
///
/// let keys = KeyRing::new(SecretKey::generate()?)
///     .fallback(SecretKey::new("the key of the year before last")?)
///     .fallback(SecretKey::new("last year's key, still in cookies")?);
/// assert_eq!(keys.verifying().count(), 3);
/// # Ok::<(), cloakroom::SecretKeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct KeyRing {
    signing: SecretKey,
    fallbacks: Vec<SecretKey>,
}

impl KeyRing {
    /// The ring of one key, which signs and verifies.
    pub fn new(signing: SecretKey) -> Self {
        Self {
            signing,
            fallbacks: Vec::new(),
        }
    }

    /// Adds a key that only verifies. Add the oldest first, the order of Flask's `SECRET_KEY_FALLBACKS`.
    #[doc(alias = "SECRET_KEY_FALLBACKS")]
    #[must_use]
    pub fn fallback(mut self, key: SecretKey) -> Self {
        self.fallbacks.push(key);
        self
    }

    /// The key that signs.
    pub fn signing(&self) -> &SecretKey {
        &self.signing
    }

    /// The keys that only verify, oldest first.
    pub fn fallbacks(&self) -> &[SecretKey] {
        &self.fallbacks
    }

    /// All keys in the order in which they are tried: the signing key, then the fallbacks from the newest to the
    /// oldest (Flask 3.1, itsdangerous 2.2.0).
    pub fn verifying(&self) -> impl DoubleEndedIterator<Item = &SecretKey> {
        iter::once(&self.signing).chain(self.fallbacks.iter().rev())
    }
}

impl From<SecretKey> for KeyRing {
    fn from(signing: SecretKey) -> Self {
        Self::new(signing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_tried_newest_first() {
        let key = |text: &str| SecretKey::new(text).unwrap();
        let ring = KeyRing::new(key("now"))
            .fallback(key("oldest"))
            .fallback(key("old"));
        let order: Vec<_> = ring.verifying().map(SecretKey::expose_secret).collect();
        assert_eq!(order, [&b"now"[..], b"old", b"oldest"]);
        assert_eq!(ring.signing().expose_secret(), b"now");
        assert_eq!(ring.fallbacks().len(), 2);
    }

    #[test]
    fn s09_debug_does_not_show_keys() {
        let ring = KeyRing::new(SecretKey::new("hunter2").unwrap());
        assert_eq!(
            format!("{ring:?}"),
            "KeyRing { signing: SecretKey(redacted), fallbacks: [] }"
        );
    }
}
