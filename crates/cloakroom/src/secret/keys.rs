use std::{
    env, fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use zeroize::Zeroizing;

use super::{
    KeyRing, KeyUsage, KeysError, ScheduledKey, SecretKey, SecretKeyError,
    file::{KeyText, parse},
    schedule::{MAX_KEYS, Phase, Schedule},
};
use crate::Clock;

/// The keys of an application, which can be replaced while it runs.
///
/// Clones share everything, so the handle that a [`SessionManager`](crate::SessionManager) was given is the one to
/// [`reload`](Self::reload). Everything that takes `impl Into<Keys>` takes a [`SecretKey`] or a [`KeyRing`] as well.
///
/// # The file
///
/// ```json
/// {"keys": [
///   {"id": "2026", "secret": "9c1185a5c5e9fc54612808977ee8f548", "not_before": "2026-01-01T00:00:00Z"},
///   {"id": "2025", "secret": "6b1e2b8f1c9d4f0fa5a37c1d2e4f6071", "not_after": "2026-02-01T00:00:00Z"},
///   {"id": "2024", "secret": "0f4a6a2d93ee4d3c8a2b7c9d1e5f8a40", "revoked": true}
/// ]}
/// ```
///
/// Every key needs an `id` and a `secret`. The other members may be left out: from `not_before` on the key signs,
/// unless a newer one does; from `not_after` on it verifies no more; `revoked` means at no time. Times are RFC 3339
/// with an offset, or Unix seconds. [`ScheduledKey`] has the meaning of each.
///
/// Unknown or repeated members, two keys with one id, one secret or one `not_before`, weak and published secrets
/// (unless revoked), and keys that leave nothing to sign with some day are refused, naming the key's id. So is a file
/// that every user may write to; one that every user may read is a warning in the log.
///
/// # Rotation
///
/// ```no_run
/// use std::time::Duration;
/// use cloakroom::{Keys, SessionLayer};
///
/// # async fn sessions() -> Result<(), cloakroom::KeysError> {
/// let keys = Keys::from_file("/etc/shop/keys.json")?;
/// let watcher = keys.watch(Duration::from_secs(10));
/// let sessions = SessionLayer::signed(keys);
/// # drop((watcher, sessions)); Ok(()) }
/// ```
///
/// 1. Add a key whose `not_before` is later than the last server will have read the file. Until then the servers
///    accept it and sign with the old one; then all sign with the new one, by the clock.
/// 2. Give the old key a `not_after` a session lifetime after that, or wait until
///    [`SessionManager::key_usage`](crate::SessionManager::key_usage) says on every server that nobody uses it.
/// 3. Take it out of the file.
///
/// Against the mistake of ending the old key too early there is [`early_ends`](Self::early_ends). A key that somebody
/// else knows is `revoked` instead, which logs out whoever has nothing newer. Flask has no times: where a Flask
/// application reads the same cookies, put the new key into its `SECRET_KEY_FALLBACKS` first, and make it the
/// `SECRET_KEY`, with the old one as the fallback, after the `not_before`.
#[derive(Clone)]
#[doc(alias = "SECRET_KEY_FALLBACKS")]
pub struct Keys(Arc<Shared>);

struct Shared {
    /// Of `current`, where it can be compared at less cost.
    generation: AtomicU64,
    current: ArcSwap<Current>,
    /// How long what is made with the keys lives, in seconds; 0 if nobody has said.
    lifetime: AtomicU64,
    /// Held while the keys are replaced.
    source: Mutex<Source>,
}

struct Current {
    generation: u64,
    schedule: Schedule,
}

enum Source {
    Code,
    File { path: PathBuf, content: [u8; 32] },
}

/// What a [`Keys::reload`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reloaded {
    /// The file is as it was.
    Unchanged,
    /// There are new keys, and they are in use.
    Replaced,
}

impl Keys {
    /// The longest file or variable, in bytes, that keys are read from.
    pub const MAX_FILE_LENGTH: usize = 64 * 1024;

    /// The most keys there may be.
    pub const MAX_KEYS: usize = MAX_KEYS;

    /// Keys with times, from code.
    ///
    /// # Errors
    ///
    /// [`KeysError`], if an id is not printable or taken, two keys have one secret or begin to sign at the same time,
    /// there are too many, or none lasts.
    pub fn scheduled(keys: impl IntoIterator<Item = ScheduledKey>) -> Result<Self, KeysError> {
        Schedule::new(keys).map(|schedule| Self::new(schedule, Source::Code))
    }

    /// The keys in a [file](Self#the-file). Nothing watches it unless [`watch`](Self::watch) is called.
    ///
    /// # Errors
    ///
    /// [`KeysError`], naming the file, and the key where there is one.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, KeysError> {
        let path = path.as_ref().to_owned();
        let file = KeyText::read(&path)?;
        let content = file.digest();
        let schedule = schedule(&file, &path)?;
        Ok(Self::new(schedule, Source::File { path, content }))
    }

    /// The keys in an environment variable: the text of a [key file](Self#the-file), or a single secret.
    ///
    /// # Errors
    ///
    /// [`KeysError`], naming the variable, and the key where there is one.
    pub fn from_env(name: &str) -> Result<Self, KeysError> {
        let text = env::var_os(name).ok_or_else(|| KeysError::Unset {
            name: name.to_owned(),
        })?;
        let text = Zeroizing::new(text.into_encoded_bytes());
        Self::from_text(&text)
            .map_err(|error| error.found_in(format!("environment variable {name}")))
    }

    fn from_text(text: &[u8]) -> Result<Self, KeysError> {
        if text.trim_ascii_start().starts_with(b"{") {
            Self::scheduled(parse(text)?)
        } else {
            let id = "signing";
            let secret = SecretKey::checked(text).map_err(|source| KeysError::Secret {
                id: id.to_owned(),
                source,
            })?;
            Self::scheduled([ScheduledKey::new(id, secret)])
        }
    }

    fn new(schedule: Schedule, source: Source) -> Self {
        Self(Arc::new(Shared {
            generation: AtomicU64::new(0),
            current: ArcSwap::from_pointee(Current {
                generation: 0,
                schedule,
            }),
            lifetime: AtomicU64::new(0),
            source: Mutex::new(source),
        }))
    }

    /// Reads the file again; from then on every request is served with what is in it. Keys that are not from a file
    /// are unchanged.
    ///
    /// Replace the file by renaming a new one onto it, so that nobody reads half of it.
    ///
    /// # Errors
    ///
    /// [`KeysError`] as [`from_file`](Self::from_file). The keys are then what they were before.
    pub fn reload(&self) -> Result<Reloaded, KeysError> {
        let mut source = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        let Source::File { path, content } = &mut *source else {
            return Ok(Reloaded::Unchanged);
        };
        let file = KeyText::read(path)?;
        let found = file.digest();
        if found == *content {
            return Ok(Reloaded::Unchanged);
        }
        let schedule = schedule(&file, path)?;
        *content = found;
        self.set(schedule);
        Ok(Reloaded::Replaced)
    }

    /// Replaces the keys, as a [`reload`](Self::reload) does, by others from code: out of a vault, for example. A file
    /// that they were read from counts no more.
    ///
    /// # Errors
    ///
    /// [`KeysError`] as [`scheduled`](Self::scheduled). The keys are then what they were before.
    pub fn replace(&self, keys: impl IntoIterator<Item = ScheduledKey>) -> Result<(), KeysError> {
        let schedule = Schedule::new(keys)?;
        let mut source = self.0.source.lock().unwrap_or_else(PoisonError::into_inner);
        *source = Source::Code;
        self.set(schedule);
        Ok(())
    }

    /// Only called with the source locked.
    fn set(&self, mut schedule: Schedule) {
        let before = self.0.current.load_full();
        schedule.continue_counting(&before.schedule);
        let generation = before.generation + 1;
        tracing::info!(
            keys = schedule.ids().collect::<Vec<_>>().join(" "),
            "the secret keys were replaced"
        );
        warn_of_early_ends(&schedule, self.0.lifetime.load(Ordering::Relaxed));
        self.0.current.store(Arc::new(Current {
            generation,
            schedule,
        }));
        // Whoever sees this sees the keys as well.
        self.0.generation.store(generation, Ordering::Release);
    }

    /// The keys in use at a time, in Unix seconds: for a [`Signer`](crate::token::signed::Signer) of your own. It does
    /// not change when the keys do.
    pub fn ring_at(&self, unix_seconds: u64) -> KeyRing {
        self.0.current.load().schedule.at(unix_seconds).ring
    }

    /// Each key, what it does at a time, in Unix seconds, and how much this process has used it so far. The newest
    /// comes first.
    ///
    /// A key under which no server has opened a session for a session lifetime can go: nobody is logged out by that.
    /// Counts are this process's own and go on when the keys are reloaded, as long as a key keeps its id and secret.
    pub fn usage_at(&self, unix_seconds: u64) -> Vec<KeyUsage> {
        self.0.current.load().schedule.usage_at(unix_seconds)
    }

    /// The keys that would log visitors out by ending too soon: their ids, each with the first `not_after`, in Unix
    /// seconds, by which everything is over that they signed for this lifetime. None of them is an error, and managers
    /// log a warning for each; a deployment can look before it ships a file.
    ///
    /// ```
    /// use std::time::Duration;
    /// use cloakroom::{Keys, ScheduledKey, SecretKey};
    ///
    /// let keys = Keys::scheduled([
    ///     ScheduledKey::new("2025", SecretKey::generate()?).not_after(1_767_225_600),
    ///     ScheduledKey::new("2026", SecretKey::generate()?).not_before(1_767_225_600),
    /// ])?;
    /// // It signs until the last second before its end.
    /// let month = Duration::from_secs(31 * 24 * 60 * 60);
    /// assert_eq!(keys.early_ends(month), [("2025".to_owned(), 1_769_904_000)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn early_ends(&self, lifetime: Duration) -> Vec<(String, u64)> {
        let current = self.0.current.load();
        let ends = current.schedule.early_ends(lifetime.as_secs());
        ends.map(|early| (early.id.to_owned(), early.enough))
            .collect()
    }

    /// The keys in use at a time that can be guessed, and why.
    pub(crate) fn weak_at(&self, unix_seconds: u64) -> Vec<(String, SecretKeyError)> {
        self.0.current.load().schedule.weak_at(unix_seconds)
    }

    /// What is made with the keys lives so long.
    pub(crate) fn serve(&self, lifetime: Duration) {
        let lifetime = lifetime.as_secs();
        if self.0.lifetime.fetch_max(lifetime, Ordering::Relaxed) < lifetime {
            warn_of_early_ends(&self.0.current.load().schedule, lifetime);
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    pub(super) fn phase_at(&self, now: u64) -> (u64, Phase) {
        let current = self.0.current.load();
        (current.generation, current.schedule.at(now))
    }
}

impl From<KeyRing> for Keys {
    fn from(ring: KeyRing) -> Self {
        Self::new(ring.into(), Source::Code)
    }
}

impl From<SecretKey> for Keys {
    fn from(key: SecretKey) -> Self {
        KeyRing::new(key).into()
    }
}

impl From<&Keys> for Keys {
    fn from(keys: &Keys) -> Self {
        keys.clone()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.current.load();
        let ids: Vec<&str> = current.schedule.ids().collect();
        formatter.debug_struct("Keys").field("ids", &ids).finish()
    }
}

fn warn_of_early_ends(schedule: &Schedule, lifetime: u64) {
    let now = Clock::system().unix_seconds();
    // What is over is not changed by a warning.
    for early in schedule
        .early_ends(lifetime)
        .filter(|early| early.end > now)
    {
        tracing::warn!(
            key = early.id,
            not_after = early.end,
            enough = early.enough,
            "a key ends before the sessions do that it signs; make its not_after later, or visitors are logged out"
        );
    }
}

fn schedule(file: &KeyText, path: &Path) -> Result<Schedule, KeysError> {
    file.keys()
        .and_then(Schedule::new)
        .map_err(|error| error.found_in(format!("file {}", path.display())))
}
