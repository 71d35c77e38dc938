use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::{KeyRing, Keys, usage::Counter};

/// What is derived from the keys, made anew when they are replaced and when a key begins or ends.
///
/// Reading costs two atomic loads and no lock.
pub(crate) struct Prepared<T> {
    keys: Keys,
    build: Box<dyn Fn(&KeyRing) -> T + Send + Sync>,
    current: ArcSwap<Built<T>>,
}

/// What was derived from the keys of one phase.
pub(crate) struct Built<T> {
    pub(crate) value: T,
    counters: Vec<Arc<Counter>>,
    generation: u64,
    from: u64,
    until: u64,
}

impl<T> Prepared<T> {
    pub(crate) fn new(
        keys: Keys,
        now: u64,
        build: impl Fn(&KeyRing) -> T + Send + Sync + 'static,
    ) -> Self {
        Self {
            current: ArcSwap::from_pointee(Built::new(&keys, now, &build)),
            build: Box::new(build),
            keys,
        }
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// What belongs to the keys at this time, in Unix seconds.
    pub(crate) fn at(&self, now: u64) -> Guard<Arc<Built<T>>> {
        let built = self.current.load();
        if built.generation == self.keys.generation() && (built.from..built.until).contains(&now) {
            return built;
        }
        // Several requests may do this at once, to the same effect. One that was overtaken by a replacement leaves
        // what the next request finds to be too old.
        let built = Arc::new(Built::new(&self.keys, now, &self.build));
        self.current.store(built.clone());
        Guard::from_inner(built)
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

    /// The key of this index, in the order of [`KeyRing::verifying`], has verified something.
    pub(crate) fn verified(&self, key_index: usize, now: u64) {
        if let Some(counter) = self.counters.get(key_index) {
            counter.note(now);
        }
    }
}
