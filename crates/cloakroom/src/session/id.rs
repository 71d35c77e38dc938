use std::fmt;

use super::Ticket;
use crate::token::base64;

/// What a browser holds of a session in a store, and under which key its entry is.
///
/// Whoever knows it has the session, so nothing shows it.
#[derive(Clone)]
pub(crate) struct SessionId {
    /// The prefix of the store's keys, then what the browser holds: the key is its beginning.
    text: String,
    prefix: usize,
    key: usize,
    ticket: Option<Box<Ticket>>,
}

/// Fewer random bytes could be guessed, more would not fit a key of every store.
pub(crate) const ID_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

impl SessionId {
    /// A new one of Flask-Session's kind, from the operating system's random numbers: its `sid`, random bytes in
    /// URL-safe base64, 43 characters for the usual 32 bytes. The entry has the same name.
    pub(crate) fn generate(prefix: &str, bytes: usize) -> Result<Self, getrandom::Error> {
        let mut random = vec![0; bytes];
        getrandom::fill(&mut random)?;
        Ok(Self::plain(prefix, &base64::encode(&random)))
    }

    /// An id of Flask-Session's kind as a browser may send it: the characters that ids are made of, and no fewer or
    /// more than any version of Flask-Session makes (36 for a UUID). Nothing else reaches a store.
    pub(crate) fn parse(prefix: &str, text: &[u8]) -> Option<Self> {
        let length = encoded_length(*ID_BYTES.start())..=encoded_length(*ID_BYTES.end());
        #[allow(
            clippy::needless_bitwise_bool,
            reason = "what looks at every byte whatever it finds is done for many at a time"
        )]
        let legal = |legal, byte: &u8| {
            legal & (byte.is_ascii_alphanumeric() | (*byte == b'-') | (*byte == b'_'))
        };
        if !length.contains(&text.len()) || !text.iter().fold(true, legal) {
            return None;
        }
        Some(Self::plain(prefix, str::from_utf8(text).ok()?))
    }

    fn plain(prefix: &str, id: &str) -> Self {
        let text = [prefix, id].concat();
        Self {
            prefix: prefix.len(),
            key: text.len(),
            text,
            ticket: None,
        }
    }

    /// A new one of two halves: one names the entry, the other opens it.
    pub(crate) fn generate_ticket(prefix: &str) -> Result<Self, getrandom::Error> {
        let (ticket, text) = Ticket::generate()?;
        Ok(Self::of_ticket(prefix, ticket, &text))
    }

    /// An id of two halves as a browser may send it.
    pub(crate) fn parse_ticket(prefix: &str, text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        Some(Self::of_ticket(prefix, Ticket::parse(text)?, text))
    }

    /// The id of two halves that stands for one of Flask-Session's kind.
    pub(crate) fn twin(&self, prefix: &str) -> Self {
        let (ticket, text) = Ticket::of_flask_id(self.as_str());
        Self::of_ticket(prefix, ticket, &text)
    }

    fn of_ticket(prefix: &str, ticket: Ticket, text: &str) -> Self {
        Self {
            text: [prefix, text].concat(),
            prefix: prefix.len(),
            key: prefix.len() + Ticket::PUBLIC_LENGTH,
            ticket: Some(Box::new(ticket)),
        }
    }

    /// What the cookie holds.
    pub(crate) fn as_str(&self) -> &str {
        &self.text[self.prefix..]
    }

    /// The key of the entry.
    pub(crate) fn key(&self) -> &str {
        &self.text[..self.key]
    }

    /// What names the entry among those of the same prefix. Of a ticket it is the half that logs nobody in.
    pub(crate) fn entry(&self) -> &str {
        &self.text[self.prefix..self.key]
    }

    /// The half that opens the entry; none of an id of Flask-Session's kind.
    pub(crate) fn ticket(&self) -> Option<&Ticket> {
        self.ticket.as_deref()
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

    fn parse(text: &str) -> Option<SessionId> {
        SessionId::parse("", text.as_bytes())
    }

    #[test]
    fn s01_ids_are_random_and_parse() {
        let id = SessionId::generate("session:", 32).unwrap();
        assert_eq!(id.as_str().len(), 43);
        assert_eq!(id.entry(), id.as_str());
        assert_eq!(id.key(), format!("session:{}", id.as_str()));
        assert_eq!(parse(id.as_str()).unwrap().as_str(), id.as_str());
        assert_ne!(
            SessionId::generate("session:", 32).unwrap().as_str(),
            id.as_str()
        );
        assert_eq!(format!("{id:?}"), "SessionId");
    }

    #[test]
    fn s05_what_no_version_of_flask_session_makes_is_refused() {
        assert!(parse("6c84fb90-12c4-11e1-840d-7b25c5ee775a").is_some());
        for text in [
            "",
            "short",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xD:",
            "kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0 trR3xD",
            "../../../../../../etc/passwd-and-some-more",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
        assert!(parse(&"a".repeat(171)).is_some());
        assert!(parse(&"a".repeat(172)).is_none());
    }
}
