use std::fmt;

use crate::token::base64;

/// The name of a session in its store: random bytes in URL-safe base64, 43 characters for the usual 32
/// bytes. Flask-Session's `sid`.
///
/// Whoever knows it has the session, so nothing shows it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId(String);

/// Fewer random bytes could be guessed, more would not fit a key of every store.
pub(crate) const ID_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

impl SessionId {
    /// A new one from the operating system's random numbers.
    pub(crate) fn generate(bytes: usize) -> Result<Self, getrandom::Error> {
        let mut random = vec![0; bytes];
        getrandom::fill(&mut random)?;
        Ok(Self(base64::encode(&random)))
    }

    /// An id as a browser may send it: the characters that ids are made of, and no fewer or more than any
    /// version of Flask-Session makes (36 for a UUID). Nothing else reaches a store.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let legal = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let length = encoded_length(*ID_BYTES.start())..=encoded_length(*ID_BYTES.end());
        (legal && length.contains(&text.len())).then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The characters of so many bytes in base64 without padding.
pub(crate) fn encoded_length(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

impl fmt::Debug for SessionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionId")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_and_parse() {
        let id = SessionId::generate(32).unwrap();
        assert_eq!(id.as_str().len(), 43);
        assert_eq!(SessionId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(SessionId::generate(32).unwrap(), id);
        assert_eq!(format!("{id:?}"), "SessionId");
    }

    #[test]
    fn what_no_version_of_flask_session_makes_is_refused() {
        assert!(SessionId::parse("6c84fb90-12c4-11e1-840d-7b25c5ee775a").is_some());
        for text in [
            "",
            "short",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xD:",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0 trR3xD",
            "../../../../../../etc/passwd-and-some-more",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
        assert!(SessionId::parse(&"a".repeat(171)).is_some());
        assert_eq!(SessionId::parse(&"a".repeat(172)), None);
    }
}
