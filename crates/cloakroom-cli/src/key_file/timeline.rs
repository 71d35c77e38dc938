//! What the times in a key file prove: which key signs when, and from when nobody needs one.

use std::time::Duration;

use cloakroom::{KeyState, KeyUsage, Keys, ScheduledKey};

use super::{READ_SECONDS, refused, time, when};
use crate::output::Failure;

/// All keys and how each stands.
pub(super) struct Timeline<'a>(Vec<(&'a ScheduledKey, Standing)>);

/// How a key stands at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It signs now; where it is known until when, with that time and the one until which what it signed is good.
    Signs { until: Option<(u64, u64)> },
    /// It has never signed and will from then on.
    Waits { from: u64 },
    /// It will never sign, and never has.
    Idle,
    /// It signed until then, and what it signed is good until `safe`.
    Verifies { signed_until: u64, safe: u64 },
    /// As before, and a server opened something with it when nothing should have been good any more.
    StillUsed { last: u64 },
    /// Nothing that it signed is good any more.
    Safe { since: u64 },
    /// It verifies nothing by itself.
    Ended { at: u64 },
    /// Nothing that it signed is accepted.
    Revoked,
}

impl<'a> Timeline<'a> {
    pub(super) fn new(
        keys: &'a [ScheduledKey],
        now: u64,
        lifetime: Duration,
        usage: &[KeyUsage],
    ) -> Result<Self, Failure> {
        let stretches = stretches(keys, now)?;
        let good_for = lifetime.as_secs().saturating_add(READ_SECONDS);
        let standing = |key: &ScheduledKey| {
            let own: Vec<&Stretch> = stretches
                .iter()
                .filter(|stretch| stretch.id == key.id())
                .collect();
            let used = usage.iter().filter(|usage| usage.id == key.id());
            let last = used.filter_map(|usage| usage.last_verified).max();
            Standing::of(key, &own, last, good_for, now)
        };
        Ok(Self(keys.iter().map(|key| (key, standing(key))).collect()))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (&'a ScheduledKey, Standing)> {
        self.0.iter().copied()
    }

    pub(super) fn standing(&self, index: usize) -> Standing {
        self.0[index].1
    }

    pub(super) fn signs(&self, id: &str) -> bool {
        self.keys()
            .any(|(key, standing)| key.id() == id && matches!(standing, Standing::Signs { .. }))
    }
}

/// A time in which the same key signs.
struct Stretch {
    from: u64,
    /// None for the last one.
    until: Option<u64>,
    id: String,
}

/// All of them, from the beginning of time on.
fn stretches(keys: &[ScheduledKey], now: u64) -> Result<Vec<Stretch>, Failure> {
    let schedule = Keys::scheduled(keys.iter().cloned()).map_err(refused)?;
    let times = keys.iter().flat_map(|key| [key.signs_from(), key.ends()]);
    let mut moments: Vec<u64> = times.flatten().chain([0, now]).collect();
    moments.sort_unstable();
    moments.dedup();
    let stretch = |(index, from): (usize, &u64)| {
        let usage = schedule.usage_at(*from);
        let signer = usage.into_iter().find(|key| key.state == KeyState::Signs)?;
        Some(Stretch {
            from: *from,
            until: moments.get(index + 1).copied(),
            id: signer.id,
        })
    };
    Ok(moments.iter().enumerate().filter_map(stretch).collect())
}

impl Standing {
    fn of(
        key: &ScheduledKey,
        own: &[&Stretch],
        last_used: Option<u64>,
        good_for: u64,
        now: u64,
    ) -> Self {
        if key.is_revoked() {
            return Self::Revoked;
        }
        if let Some(at) = key.ends().filter(|end| *end <= now) {
            return Self::Ended { at };
        }
        let Some(from) = own.iter().map(|stretch| stretch.from).min() else {
            return Self::Idle;
        };
        if from > now {
            return Self::Waits { from };
        }
        // None if one of its stretches never ends.
        let ends: Option<Vec<u64>> = own.iter().map(|stretch| stretch.until).collect();
        let until = ends.and_then(|ends| ends.into_iter().max());
        let Some(signed_until) = until else {
            return Self::Signs { until: None };
        };
        let safe = signed_until.saturating_add(good_for);
        if signed_until > now {
            return Self::Signs {
                until: Some((signed_until, safe)),
            };
        }
        match last_used.filter(|last| *last >= safe) {
            Some(last) => Self::StillUsed { last },
            None if now < safe => Self::Verifies { signed_until, safe },
            None => Self::Safe { since: safe },
        }
    }

    /// A word for tables and programs.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Signs { .. } => "signs",
            Self::Waits { .. } => "waits",
            Self::Idle | Self::Verifies { .. } | Self::StillUsed { .. } | Self::Safe { .. } => {
                "verifies"
            }
            Self::Ended { .. } => "ended",
            Self::Revoked => "revoked",
        }
    }

    /// Whether taking it out logs nobody out. A revoked key stays, so that nobody lists it again.
    pub(super) fn is_safe(self) -> bool {
        match self {
            Self::Waits { .. } | Self::Idle | Self::Safe { .. } | Self::Ended { .. } => true,
            Self::Signs { .. } | Self::Verifies { .. } | Self::StillUsed { .. } | Self::Revoked => {
                false
            }
        }
    }

    /// From when it can go; none where the times do not say.
    pub(super) fn safe_from(self) -> Option<u64> {
        match self {
            Self::Verifies { safe, .. }
            | Self::Signs {
                until: Some((_, safe)),
            }
            | Self::Safe { since: safe }
            | Self::Ended { at: safe } => Some(safe),
            Self::Signs { until: None }
            | Self::Waits { .. }
            | Self::Idle
            | Self::StillUsed { .. }
            | Self::Revoked => None,
        }
    }

    /// What there is to know before it is dropped, as the rest of a sentence that begins with the key.
    pub(super) fn reason(self, now: u64) -> String {
        match self {
            Self::Signs { until: None } => "signs now: add another one first".to_owned(),
            Self::Signs {
                until: Some((until, safe)),
            } => format!(
                "signs until {}, and that is good until {}",
                time(until),
                time(safe)
            ),
            Self::Waits { from } => format!("has never signed, and does from {}", time(from)),
            Self::Idle => "has never signed, and is not going to: drop it".to_owned(),
            Self::Verifies { signed_until, safe } => format!(
                "signed until {}, and that is good until {} ({})",
                time(signed_until),
                time(safe),
                when(safe, now)
            ),
            Self::StillUsed { last } => format!(
                "opened a session {}, later than the lifetime allows: sessions live longer than --lifetime says",
                when(last, now)
            ),
            Self::Safe { since } => format!(
                "can go: nothing that it signed is good since {}",
                time(since)
            ),
            Self::Ended { at } => format!("can go: it ended at {}", time(at)),
            Self::Revoked => {
                "opens nothing; keep it listed for as long as somebody might list it again"
                    .to_owned()
            }
        }
    }
}
