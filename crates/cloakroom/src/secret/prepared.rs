use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use arc_swap::{ArcSwap, Guard};

use super::{KeyRing, Keys, usage::Counter};

/// What is derived from the keys, made anew when they are replaced and when a key begins or ends.
///
/// Reading takes no lock, and as long as nothing was made anew it costs an atomic load.
pub(crate) struct Prepared<T> {
    keys: Keys,
    build: Box<dyn Fn(&KeyRing) -> T + Send + Sync>,
    first: Built<T>,
    later: OnceLock<ArcSwap<Built<T>>>,
}

/// What was derived from the keys of one phase.
pub(crate) struct Built<T> {
    pub(crate) value: T,
    counters: Vec<Arc<Counter>>,
    generation: u64,
    from: u64,
    until: u64,
}

/// What is in use for as long as somebody needs it.
pub(crate) enum InUse<'a, T> {
    First(&'a Built<T>),
    Later(Guard<Arc<Built<T>>>),
}

impl<T> Prepared<T> {
    pub(crate) fn new(
        keys: Keys,
        now: u64,
        build: impl Fn(&KeyRing) -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            first: Built::new(&keys, now, &build),
            later: OnceLock::new(),
            build: Box::new(build),
            keys,
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What belongs to the keys at this time, in Unix seconds.
    pub(crate) fn at(&self, now: u64) -> InUse<'_, T> {
        let generation = self.keys.generation();
        if self.first.fits(generation, now) {
            return InUse::First(&self.first);
        }
        if let Some(later) = self.later.get() {
            let built = later.load();
            if built.fits(generation, now) {
                return InUse::Later(built);
            }
        }
        // Several requests may do this at once, to the same effect. One that was overtaken by a replacement leaves
        // what the next request finds to be too old.
        let built = Arc::new(Built::new(&self.keys, now, &self.build));
        let later = self.later.get_or_init(|| ArcSwap::new(built.clone()));
        later.store(built.clone());
        InUse::Later(Guard::from_inner(built))
    }
}

impl<T> Built<T> {
    fn new(keys: &Keys, now: u64, build: impl Fn(&KeyRing) -> T) -> Self {
        let (generation, phase) = keys.phase_at(now);
        Self {
            value: build(&phase.ring),
            counters: phase.counters,
            generation,
            from: phase.from,
            until: phase.until,
        }
    }

    fn fits(&self, generation: u64, now: u64) -> bool {
        self.generation == generation && (self.from..self.until).contains(&now)
    }

    /// The id of the key of this index.
    #[cfg(feature = "inspector")]
    pub(crate) fn key_id(&self, key_index: usize) -> Option<&str> {
        self.counters.get(key_index).map(|counter| &*counter.id)
    }

    /// The key of this index, in the order of [`KeyRing::verifying`], has verified something.
    pub(crate) fn verified(&self, key_index: usize, now: u64) {
        if let Some(counter) = self.counters.get(key_index) {
            counter.note(now);
        }
    }
}

impl<T> Deref for InUse<'_, T> {
    type Target = Built<T>;

    fn deref(&self) -> &Built<T> {
        match self {
            Self::First(built) => built,
            Self::Later(built) => built,
        }
    }
}
