#[cfg(feature = "encrypted")]
use std::time::UNIX_EPOCH;
use std::{fmt, time::Duration};

use super::{Room, SessionManager};
use crate::{
    config::{CookieLimit, Layout, MaxSessions, OutagePolicy, Profile, Refresh, SessionConfig},
    format::Serialization,
    secret::{KeyState, KeyUsage},
    session::{Protection, Ticket},
};
#[cfg(feature = "encrypted")]
use crate::{http_date::HttpDate, token::encrypted::Padding};

/// How sessions are handled under the settings in use, in words: the documentation of session handling that
/// ASVS 5.0 asks for (7.1.1 to 7.1.3), for an audit or a page of an operator.
///
/// It holds no key, no id and nothing of any session. Print it, or take it apart with
/// [`lines`](Self::lines).
///
/// ```
/// use cloakroom::{SecretKey, SessionConfig, SessionManager};
///
/// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
/// let report = manager.report();
/// assert_eq!(report.get("Idle lifetime"), Some("31 days"));
/// println!("{report}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionReport(Vec<(&'static str, String)>);

impl SessionReport {
    /// What each setting is called, and what it is.
    pub fn lines(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// What one setting is, by what the report calls it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines()
            .find_map(|(line, value)| (line == name).then_some(value))
    }
}

/// A line for each setting, in two columns.
impl fmt::Display for SessionReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in &self.0 {
            writeln!(formatter, "{name:width$}  {value}")?;
        }
        Ok(())
    }
}

impl SessionManager {
    /// How sessions are handled under these settings: lifetimes, limits, the cookie, and what a copied cookie
    /// is worth.
    pub fn report(&self) -> SessionReport {
        let config = self.config();
        let mut lines = vec![("Sessions live", self.home())];
        lines.extend(cookie(config, &self.cookie().attributes()));
        lines.extend(lifetimes(config));
        match &self.room {
            Room::Cookie(sessions) => {
                lines.extend(in_the_cookie(config));
                lines.extend(protection(config, sessions.protection));
            }
            Room::Store(_) => lines.extend(in_a_store(config)),
        }
        lines.extend(users(config));
        lines.extend(self.key_usage().iter().map(|key| ("Key", shown_key(key))));
        SessionReport(lines)
    }

    fn home(&self) -> String {
        match &self.room {
            Room::Cookie(sessions) => match sessions.protection {
                Protection::Signed => "in a signed cookie".to_owned(),
                #[cfg(feature = "encrypted")]
                Protection::Encrypted => "in an encrypted cookie".to_owned(),
            },
            Room::Store(sessions) => format!("in a store ({})", sessions.store.name()),
        }
    }
}

fn cookie(config: &SessionConfig, attributes: &str) -> Vec<(&'static str, String)> {
    let shared_caches = match config.profile {
        Profile::Careful => "may not store a response that sets the cookie",
        Profile::Flask => {
            "are told that the response depends on the cookie, as Flask does, and no more"
        }
    };
    let limit = match config.cookie_limit {
        CookieLimit::Error(bytes) => format!("an error above {bytes} bytes"),
        CookieLimit::Warn(0) => "none".to_owned(),
        CookieLimit::Warn(bytes) => format!("a warning above {bytes} bytes"),
    };
    let plain_http = match &config.transport {
        Some(header) => format!("refused, by what {header} says"),
        None => "left to the browser and the cookie's Secure".to_owned(),
    };
    vec![
        ("Cookie", config.cookie.name().to_owned()),
        ("Cookie attributes", attributes.to_owned()),
        ("Cookie size limit", limit),
        ("Shared caches", shared_caches.to_owned()),
        ("Plain http", plain_http),
    ]
}

fn lifetimes(config: &SessionConfig) -> Vec<(&'static str, String)> {
    let refresh = match config.refresh {
        Refresh::After(after) => {
            format!("at most once in {}", shown(after.min(config.lifetime / 10)))
        }
        Refresh::EachRequest => "with each request, if it is permanent".to_owned(),
        Refresh::OnChange => "only with a change".to_owned(),
    };
    vec![
        ("Idle lifetime", shown(config.lifetime)),
        (
            "Idle lifetime, remembered",
            shown(config.remember_lifetime.unwrap_or(config.lifetime)),
        ),
        (
            "Absolute lifetime",
            config.absolute_lifetime.map_or("none".to_owned(), shown),
        ),
        ("Renewal", refresh),
        ("Clocks may differ by", shown(config.leeway)),
    ]
}

fn users(config: &SessionConfig) -> Vec<(&'static str, String)> {
    let Some(users) = &config.user_sessions else {
        return vec![("Sessions of a user", "not kept track of".to_owned())];
    };
    let most = match users.max_sessions {
        None => "listed; beyond 1000 the oldest ends".to_owned(),
        Some(MaxSessions::EndOldest(most)) => format!("listed; beyond {most} the oldest ends"),
        Some(MaxSessions::RefuseNewest(most)) => {
            format!("listed; a login beyond {most} is refused")
        }
    };
    vec![("Sessions of a user", most)]
}

fn shown_key(key: &KeyUsage) -> String {
    let does = match key.state {
        KeyState::Signs => "signs",
        KeyState::Verifies => "only verifies",
        KeyState::Ended => "has ended",
        KeyState::Revoked => "is revoked",
    };
    format!("{} {does}", key.id)
}

fn in_the_cookie(config: &SessionConfig) -> Vec<(&'static str, String)> {
    vec![
        (
            "After a logout",
            match &config.user_sessions {
                None => "a copy of the cookie is good until it expires".to_owned(),
                Some(users) => {
                    format!("a copy of the cookie is refused after {}", shown(users.lag))
                }
            },
        ),
        (
            "Requests at the same time",
            "the last cookie to reach the browser wins".to_owned(),
        ),
        (
            "Largest session when inflated",
            format!("{} bytes", config.max_inflated_size),
        ),
    ]
}

fn protection(config: &SessionConfig, protection: Protection) -> Vec<(&'static str, String)> {
    match protection {
        Protection::Signed => vec![
            (
                "Who can read a session",
                "whoever has the cookie".to_owned(),
            ),
            ("Signature", format!("HMAC, {:?}", config.digest)),
        ],
        #[cfg(feature = "encrypted")]
        Protection::Encrypted => encryption(config),
    }
}

#[cfg(feature = "encrypted")]
fn encryption(config: &SessionConfig) -> Vec<(&'static str, String)> {
    let settings = &config.encrypted;
    let tenant = match &settings.tenant {
        None => "none".to_owned(),
        Some(tenant) => format!("{tenant:?}"),
    };
    let padding = match settings.padding {
        Padding::None => "none".to_owned(),
        Padding::Blocks(block) => format!("to blocks of {block} bytes"),
    };
    let signed = match &settings.accept_signed {
        None => "never".to_owned(),
        Some(accept) => {
            let until = accept.until.duration_since(UNIX_EPOCH).unwrap_or_default();
            let until = until.as_secs();
            let date = i64::try_from(until)
                .ok()
                .and_then(HttpDate::from_unix_seconds);
            let date = date.map_or("the year 10000 or later".to_owned(), |date| {
                date.to_string()
            });
            match until <= config.clock.unix_seconds() {
                true => format!("no longer: they were until {date}"),
                false => format!("until {date}"),
            }
        }
    };
    vec![
        (
            "Who can read a session",
            "nobody without a secret key".to_owned(),
        ),
        ("Encryption", "AES-256-GCM-SIV".to_owned()),
        ("Tenant", tenant),
        ("Padding", padding),
        ("Signed cookies are accepted", signed),
    ]
}

fn in_a_store(config: &SessionConfig) -> Vec<(&'static str, String)> {
    let stored = &config.stored;
    let format = stored
        .serialization
        .map_or("the store's own", Serialization::as_str);
    let signed = match stored.id_keys {
        Some(_) => "yes",
        None => "no",
    };
    let (readers, copy, bits) = match stored.layout {
        Layout::Flask => (
            "whoever can read the store",
            "logs in as everybody in it",
            stored.id_length * 8,
        ),
        Layout::Native => (
            "whoever can read the store",
            "logs nobody in, and shows the sessions",
            Ticket::BITS,
        ),
        #[cfg(feature = "encrypted")]
        Layout::Sealed => (
            "whoever has both the store and the cookie",
            "logs nobody in, and shows how many sessions there are, how large and of when",
            Ticket::BITS,
        ),
    };
    let accepted = stored
        .accepted_layout
        .filter(|other| *other != stored.layout);
    let accepted = match accepted {
        None => "no",
        Some(Layout::Flask) => "in Flask's, until they move: a copy of those logs in",
        Some(Layout::Native) => "in the native one",
        #[cfg(feature = "encrypted")]
        Some(Layout::Sealed) => "in the sealed one",
    };
    vec![
        ("Who can read a session", readers.to_owned()),
        ("A copy of the store", copy.to_owned()),
        ("Entries in another layout", accepted.to_owned()),
        (
            "After a logout",
            format!(
                "the id is dead, and no request under way revives it for {}",
                shown(stored.tombstone)
            ),
        ),
        (
            "Requests at the same time",
            "no change is lost: each is done again on what the others left".to_owned(),
        ),
        ("Random bits of an id", bits.to_string()),
        ("Ids are signed", signed.to_owned()),
        ("Entries' format", format.to_owned()),
        ("Keys of entries begin with", stored.key_prefix.clone()),
        ("A commit is tried for", shown(stored.commit_deadline)),
        (
            "When the store is down",
            match stored.on_outage {
                OutagePolicy::Require => format!(
                    "503, to be tried again after {}; nobody is logged out",
                    shown(stored.retry_after)
                ),
                OutagePolicy::Degrade => format!(
                    "pages that do not know who asks, 503 where that is needed, to be tried again after {}; nobody \
                     is logged out",
                    shown(stored.retry_after)
                ),
            },
        ),
    ]
}

/// A time as people say it: in the largest unit that it is a whole number of.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    if time.subsec_nanos() != 0 {
        return format!("{time:?}");
    }
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| seconds != 0 && seconds.is_multiple_of(*size))
        .unwrap_or((1, "second"));
    let count = seconds / size;
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_largest_whole_unit() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (120, "2 minutes"),
            (3600, "1 hour"),
            (31 * 86_400, "31 days"),
        ] {
            assert_eq!(shown(Duration::from_secs(seconds)), text);
        }
        assert_eq!(shown(Duration::from_millis(1500)), "1.5s");
    }
}
