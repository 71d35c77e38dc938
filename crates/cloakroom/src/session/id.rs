use std::fmt;

use super::Ticket;
use crate::token::base64;

/// What a browser holds of a session in a store.
///
/// Whoever knows it has the session, so nothing shows it.
#[derive(Clone)]
pub(crate) enum SessionId {
    /// Flask-Session's `sid`: random bytes in URL-safe base64, 43 characters for the usual 32 bytes. The entry has the
    /// same name.
    Plain(String),
    /// One half names the entry, the other opens it.
    Ticket(Ticket),
}

/// Fewer random bytes could be guessed, more would not fit a key of every store.
pub(crate) const ID_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

impl SessionId {
    /// A new one of Flask-Session's kind, from the operating system's random numbers.
    pub(crate) fn generate(bytes: usize) -> Result<Self, getrandom::Error> {
        let mut random = vec![0; bytes];
        getrandom::fill(&mut random)?;
        Ok(Self::Plain(base64::encode(&random)))
    }

    /// An id of Flask-Session's kind as a browser may send it: the characters that ids are made of, and no fewer or
    /// more than any version of Flask-Session makes (36 for a UUID). Nothing else reaches a store.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let legal = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        let length = encoded_length(*ID_BYTES.start())..=encoded_length(*ID_BYTES.end());
        (legal && length.contains(&text.len())).then(|| Self::Plain(text.to_owned()))
    }

    /// What the cookie holds.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Ticket(ticket) => ticket.as_str(),
        }
    }

    /// What names the entry in the store. Of a ticket it is the half that logs nobody in.
    pub(crate) fn entry(&self) -> &str {
        match self {
            Self::Plain(text) => text,
            Self::Ticket(ticket) => ticket.public(),
        }
    }
}

/// The characters of so many bytes in base64 without padding.
pub(crate) const fn encoded_length(bytes: usize) -> usize {
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
    fn s01_ids_are_random_and_parse() {
        let id = SessionId::generate(32).unwrap();
        assert_eq!(id.as_str().len(), 43);
        assert_eq!(id.entry(), id.as_str());
        assert_eq!(SessionId::parse(id.as_str()).unwrap().as_str(), id.as_str());
        assert_ne!(SessionId::generate(32).unwrap().as_str(), id.as_str());
        assert_eq!(format!("{id:?}"), "SessionId");
    }

    #[test]
    fn s05_what_no_version_of_flask_session_makes_is_refused() {
        assert!(SessionId::parse("6c84fb90-12c4-11e1-840d-7b25c5ee775a").is_some());
        for text in [
            "",
            "short",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xD:",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0 trR3xD",
            "../../../../../../etc/passwd-and-some-more",
        ] {
            assert!(SessionId::parse(text).is_none(), "{text}");
        }
        assert!(SessionId::parse(&"a".repeat(171)).is_some());
        assert!(SessionId::parse(&"a".repeat(172)).is_none());
    }
}
