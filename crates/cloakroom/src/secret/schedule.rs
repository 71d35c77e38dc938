use std::sync::Arc;

use super::{KeyRing, KeyState, KeyUsage, KeysError, SecretKey, SecretKeyError, usage::Counter};

/// A key and the time in which it is used. [`Keys`](super::Keys) are made of several.
///
/// A key that is listed verifies at once, so that a server that learned of it early accepts what another one signs with
/// it already. From its `not_before` on it signs, unless a newer one does. From its `not_after` on nothing it signed is
/// accepted. All times are in Unix seconds.
///
/// ```
/// use cloakroom::{Keys, ScheduledKey, SecretKey};
///
/// let (old, new) = (SecretKey::generate()?, SecretKey::generate()?);
/// let keys = Keys::scheduled([
///     ScheduledKey::new("2025", old),
///     ScheduledKey::new("2026", new.clone()).not_before(1_767_225_600),
/// ])?;
/// // On the last second of 2025 the new key only verifies; on the next one it signs.
/// assert_ne!(keys.ring_at(1_767_225_599).signing().expose_secret(), new.expose_secret());
/// assert_eq!(keys.ring_at(1_767_225_600).signing().expose_secret(), new.expose_secret());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ScheduledKey {
    id: Arc<str>,
    secret: SecretKey,
    /// None: it never signs.
    signs_from: Option<u64>,
    not_after: Option<u64>,
    revoked: bool,
}

impl ScheduledKey {
    /// A key that signs from the beginning of time, until a newer one does, and verifies for good.
    ///
    /// The id is for people: it stands in logs, counts and errors. Do not make it from the secret.
    pub fn new(id: impl AsRef<str>, secret: SecretKey) -> Self {
        Self {
            id: id.as_ref().into(),
            secret,
            signs_from: Some(0),
            not_after: None,
            revoked: false,
        }
    }

    /// From when the key signs, in Unix seconds. Leave the servers the time until then to learn of it.
    pub fn not_before(mut self, unix_seconds: u64) -> Self {
        self.signs_from = Some(unix_seconds);
        self
    }

    /// From when nothing that the key signed is accepted, in Unix seconds. Nobody is logged out by it if that is a
    /// session lifetime after the next key's `not_before`.
    pub fn not_after(mut self, unix_seconds: u64) -> Self {
        self.not_after = Some(unix_seconds);
        self
    }

    /// Never accepts anything that the key signed, not even if the same secret is listed once more: for a secret that
    /// others know. Whoever has a session under it is logged out.
    pub fn revoked(mut self) -> Self {
        self.revoked = true;
        self
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// From when it signs, in Unix seconds, 0 for the beginning of time; none for a key that only verifies.
    pub fn signs_from(&self) -> Option<u64> {
        self.signs_from
    }

    /// From when it verifies no more, in Unix seconds; none if it does not end.
    pub fn ends(&self) -> Option<u64> {
        self.not_after
    }

    /// Whether nothing that it ever signed is accepted.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// The secret's [fingerprint](SecretKey::fingerprint).
    pub fn fingerprint(&self) -> String {
        self.secret.fingerprint()
    }

    pub(super) fn secret(&self) -> &SecretKey {
        &self.secret
    }

    fn ended(&self, now: u64) -> bool {
        self.not_after.is_some_and(|end| end <= now)
    }

    fn same_secret(&self, other: &Self) -> bool {
        self.secret.expose_secret() == other.secret.expose_secret()
    }
}

/// All keys and their times: which of them signs when, and which verify.
///
/// At each moment exactly one signs: of those that have neither ended nor are revoked the one that began last, and
/// while none has begun, the one that begins first. One always lasts, so there always is one.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Those that begin last first, those that never sign at the end.
    keys: Vec<Listed>,
}

#[derive(Debug)]
struct Listed {
    key: ScheduledKey,
    counter: Arc<Counter>,
}

/// The keys in use between two moments at which that changes.
pub(super) struct Phase {
    pub(super) ring: KeyRing,
    /// In the order of [`KeyRing::verifying`].
    pub(super) counters: Vec<Arc<Counter>>,
    pub(super) from: u64,
    /// The first second in which it is no longer so.
    pub(super) until: u64,
}

/// A key that ends while what it signed is good.
pub(super) struct EarlyEnd<'a> {
    pub(super) id: &'a str,
    pub(super) end: u64,
    /// The first end that would not be early.
    pub(super) enough: u64,
}

/// With so many keys a forged cookie costs so many hashes.
pub(super) const MAX_KEYS: usize = 32;

impl Schedule {
    pub(super) fn new(keys: impl IntoIterator<Item = ScheduledKey>) -> Result<Self, KeysError> {
        // One more than may be shows that there are too many.
        let mut keys: Vec<ScheduledKey> = keys.into_iter().take(MAX_KEYS + 1).collect();
        if keys.len() > MAX_KEYS {
            return Err(KeysError::TooMany);
        }
        for (index, key) in keys.iter().enumerate() {
            if !is_id(&key.id) {
                return Err(KeysError::Id { number: index + 1 });
            }
            if key.not_after.is_some() && key.not_after <= key.signs_from {
                return Err(KeysError::EndsFirst {
                    id: key.id.to_string(),
                });
            }
            for other in &keys[..index] {
                refuse_pair(other, key)?;
            }
        }
        let revoked: Vec<ScheduledKey> = keys.iter().filter(|key| key.revoked).cloned().collect();
        for key in &mut keys {
            key.revoked = revoked.iter().any(|revoked| revoked.same_secret(key));
        }
        let lasts = |key: &ScheduledKey| {
            !key.revoked && key.not_after.is_none() && key.signs_from.is_some()
        };
        if !keys.iter().any(lasts) {
            return Err(KeysError::NoneLasts);
        }
        keys.sort_by_key(|key| std::cmp::Reverse(key.signs_from));
        Ok(Self::listing(keys))
    }

    fn listing(keys: impl IntoIterator<Item = ScheduledKey>) -> Self {
        let listed = |key: ScheduledKey| Listed {
            counter: Arc::new(Counter::new(key.id.clone())),
            key,
        };
        Self {
            keys: keys.into_iter().map(listed).collect(),
        }
    }

    /// Goes on counting where another one is: for each key that both have.
    pub(super) fn continue_counting(&mut self, before: &Self) {
        for listed in &mut self.keys {
            let same = |other: &&Listed| {
                other.key.id == listed.key.id && other.key.same_secret(&listed.key)
            };
            if let Some(other) = before.keys.iter().find(same) {
                listed.counter = other.counter.clone();
            }
        }
    }

    pub(super) fn at(&self, now: u64) -> Phase {
        let mut live: Vec<&Listed> = self.live(now).collect();
        if let Some(signer) = signer(&live, now) {
            live[..=signer].rotate_right(1);
        }
        let mut secrets = live.iter().map(|listed| listed.key.secret.clone());
        #[expect(
            clippy::expect_used,
            reason = "no schedule is made without a key that lasts"
        )]
        let signing = secrets.next().expect("one key lasts");
        let ring = secrets.rev().fold(KeyRing::new(signing), KeyRing::fallback);
        let counters = live.iter().map(|listed| listed.counter.clone()).collect();
        let changes = || {
            let times = |listed: &Listed| [listed.key.signs_from, listed.key.not_after];
            self.keys.iter().flat_map(times).flatten()
        };
        Phase {
            ring,
            counters,
            from: changes().filter(|time| *time <= now).max().unwrap_or(0),
            until: changes()
                .filter(|time| *time > now)
                .min()
                .unwrap_or(u64::MAX),
        }
    }

    pub(super) fn usage_at(&self, now: u64) -> Vec<KeyUsage> {
        let live: Vec<&Listed> = self.live(now).collect();
        let signer = signer(&live, now).map(|index| &live[index].key.id);
        let state = |key: &ScheduledKey| {
            if key.revoked {
                KeyState::Revoked
            } else if key.ended(now) {
                KeyState::Ended
            } else if Some(&key.id) == signer {
                KeyState::Signs
            } else {
                KeyState::Verifies
            }
        };
        let usage = |listed: &Listed| listed.counter.usage(state(&listed.key));
        self.keys.iter().map(usage).collect()
    }

    pub(super) fn early_ends(&self, lifetime: u64) -> impl Iterator<Item = EarlyEnd<'_>> {
        let good = || {
            self.keys
                .iter()
                .map(|listed| &listed.key)
                .filter(|key| !key.revoked)
        };
        good().filter_map(move |key| {
            let (end, from) = (key.not_after?, key.signs_from?);
            let next = good()
                .filter_map(|other| other.signs_from)
                .filter(|next| *next > from);
            let signs_until = next.min().map_or(end, |next| next.min(end));
            let enough = signs_until.saturating_add(lifetime);
            let id = key.id();
            (end < enough).then_some(EarlyEnd { id, end, enough })
        })
    }

    pub(super) fn weak_at(&self, now: u64) -> Vec<(String, SecretKeyError)> {
        self.live(now)
            .filter_map(|listed| {
                let error = SecretKey::checked(listed.key.secret.expose_secret()).err()?;
                Some((listed.key.id.to_string(), error))
            })
            .collect()
    }

    /// The ids, for logs.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|listed| listed.key.id())
    }

    /// Those that verify, in order.
    fn live(&self, now: u64) -> impl Iterator<Item = &Listed> {
        let verifies = move |listed: &&Listed| !listed.key.revoked && !listed.key.ended(now);
        self.keys.iter().filter(verifies)
    }
}

/// The keys of a ring, which neither begin nor end.
impl From<KeyRing> for Schedule {
    fn from(ring: KeyRing) -> Self {
        let named = |(index, secret): (usize, &SecretKey)| {
            let id = match index {
                0 => "signing".to_owned(),
                _ => format!("fallback-{index}"),
            };
            ScheduledKey {
                signs_from: (index == 0).then_some(0),
                ..ScheduledKey::new(id, secret.clone())
            }
        };
        Self::listing(ring.verifying().enumerate().map(named))
    }
}

/// Which of the live keys signs.
fn signer(live: &[&Listed], now: u64) -> Option<usize> {
    let begun = |listed: &&Listed| listed.key.signs_from.is_some_and(|from| from <= now);
    let signs = |listed: &&Listed| listed.key.signs_from.is_some();
    live.iter()
        .position(begun)
        .or_else(|| live.iter().rposition(signs))
}

fn refuse_pair(first: &ScheduledKey, second: &ScheduledKey) -> Result<(), KeysError> {
    let ids = || (first.id.to_string(), second.id.to_string());
    if first.id == second.id {
        return Err(KeysError::SameId { id: ids().0 });
    }
    if first.revoked || second.revoked {
        return Ok(());
    }
    let (first_id, second_id) = ids();
    if first.same_secret(second) {
        return Err(KeysError::SameSecret {
            first: first_id,
            second: second_id,
        });
    }
    if first.signs_from == second.signs_from && first.signs_from.is_some() {
        return Err(KeysError::SameTime {
            first: first_id,
            second: second_id,
        });
    }
    Ok(())
}

/// What may be shown in a log line: one word.
pub(super) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
}
