use std::{
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::session::Handle;

/// What this process has lately learnt from the register, so that not every request asks the store.
///
/// A fixed number of places, about a megabyte. Two sessions that share one push each other out, and then
/// the register is asked once more.
pub(super) struct Recent {
    places: Box<[Mutex<Place>]>,
    hasher: RandomState,
}

const PLACES: u64 = 1 << 14;

#[derive(Default)]
struct Place {
    /// Keyed hash of the subject, and the handle: only this session of this subject.
    name: Option<(u64, Option<Handle>)>,
    known: Known,
    learnt: u64,
    /// Counts what is forgotten here.
    generation: u32,
}

/// What was known of a session.
#[derive(Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) seen: u64,
    pub(super) expires: u64,
}

/// The right to note what the store is about to answer, unless it is forgotten meanwhile.
#[derive(Clone, Copy)]
pub(super) struct Ticket {
    subject: u64,
    handle: Option<Handle>,
    generation: u32,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self {
            places: (0..PLACES).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }

    /// What was learnt less than `lag` seconds ago. Without a handle, of the subject as a whole.
    pub(super) fn look(
        &self,
        subject: &str,
        handle: Option<&Handle>,
        now: u64,
        lag: u64,
    ) -> (Option<Known>, Ticket) {
        let subject = self.hasher.hash_one(subject);
        let handle = handle.copied();
        let place = self.place(subject, handle);
        let known = place.name == Some((subject, handle))
            // A clock that was set back must not make it last longer.
            && now.checked_sub(place.learnt).is_some_and(|age| age < lag);
        let ticket = Ticket {
            subject,
            handle,
            generation: place.generation,
        };
        (known.then_some(place.known), ticket)
    }

    /// Notes what the store has answered, asked after the ticket was given.
    pub(super) fn note(&self, ticket: Ticket, known: Known, now: u64) {
        let mut place = self.place(ticket.subject, ticket.handle);
        if place.generation == ticket.generation {
            place.name = Some((ticket.subject, ticket.handle));
            place.known = known;
            place.learnt = now;
        }
    }

    /// What is known is no longer so, and no answer that is under way is either.
    pub(super) fn forget(&self, subject: &str, handle: Option<&Handle>) {
        let mut place = self.place(self.hasher.hash_one(subject), handle.copied());
        place.name = None;
        place.generation = place.generation.wrapping_add(1);
    }

    /// No method awaits anything, so no lock is held across an await.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "the remainder is below the number of places"
    )]
    fn place(&self, subject: u64, handle: Option<Handle>) -> MutexGuard<'_, Place> {
        let place = self.hasher.hash_one((subject, handle)) % PLACES;
        self.places[place as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
