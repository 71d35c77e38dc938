//! What becomes of one entry: a comparison of three, the source, the target, and what was copied last.

/// The beginning of a salted SHA-256.
pub(super) type Hash = [u8; 16];

/// What was written into the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Copied {
    /// Of what the source had.
    pub(super) source: Hash,
    /// Of what the target got: the same, unless it needs another serialization.
    pub(super) target: Hash,
    /// When it ends, in Unix seconds; 0 for never.
    pub(super) until: u64,
}

impl Copied {
    /// What the target has by now is its own: nothing compares equal to it.
    pub(super) fn left(self) -> Self {
        Self {
            target: [0; 16],
            ..self
        }
    }
}

/// What is known of a key from before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// The last copy that was seen to its end.
    pub(super) done: Option<Copied>,
    /// One that was begun after it: whether it was written is not known.
    pub(super) begun: Option<Copied>,
}

impl Known {
    /// Whether the source still has what was copied.
    pub(super) fn is_copied(&self, source: Hash) -> bool {
        self.begun.is_none() && self.done.is_some_and(|done| done.source == source)
    }

    /// Whether the target has what we put there, so that nobody else has written it.
    pub(super) fn is_ours(&self, target: Hash) -> bool {
        let ours = |copied: Option<Copied>| copied.is_some_and(|copied| copied.target == target);
        ours(self.done) || ours(self.begun)
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing has happened since the last time.
    Nothing,
    /// The target has it already.
    There,
    /// The target has nothing.
    Create,
    /// The target has an older copy.
    Replace,
    /// The source has it no more, and the target only the copy.
    Remove,
    /// The target goes its own way.
    Leave(Why),
}

/// Why the target has the last word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It was changed there too.
    ChangedInBoth,
    /// It was there before anything was copied, or its key had been deleted there.
    WasThere,
    /// It was copied and has ended there since.
    EndedThere,
}

/// What to do with an entry of which the source has `source`, which would be `wanted` in the target.
pub(super) fn copy(source: Hash, wanted: Hash, known: Known, target: Option<Hash>) -> Step {
    if known.is_copied(source) {
        return Step::Nothing;
    }
    match target {
        Some(target) if target == wanted => Step::There,
        Some(target) if known.is_ours(target) => Step::Replace,
        Some(_) if known == Known::default() => Step::Leave(Why::WasThere),
        Some(_) => Step::Leave(Why::ChangedInBoth),
        None if known.done.is_some() => Step::Leave(Why::EndedThere),
        None => Step::Create,
    }
}

/// What to do with an entry that the source has no more.
pub(super) fn remove(known: Known, target: Option<Hash>) -> Step {
    match target {
        Some(target) if known.is_ours(target) => Step::Remove,
        Some(_) if known != Known::default() => Step::Leave(Why::ChangedInBoth),
        _ => Step::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Few hashes, so that they meet.
    fn hash() -> impl Strategy<Value = Hash> {
        (1_u8..5).prop_map(|byte| [byte; 16])
    }

    fn copied() -> impl Strategy<Value = Copied> {
        (hash(), hash()).prop_map(|(source, target)| Copied {
            source,
            target,
            until: 0,
        })
    }

    fn known() -> impl Strategy<Value = Known> {
        let copied = || proptest::option::of(copied());
        (copied(), copied()).prop_map(|(done, begun)| Known { done, begun })
    }

    /// What the target has is one of the copies.
    fn is_a_copy(known: Known, target: Hash) -> bool {
        [known.done, known.begun]
            .iter()
            .flatten()
            .any(|copied| copied.target == target)
    }

    proptest! {
        #[test]
        fn nothing_that_others_wrote_is_overwritten_or_removed(
            source in hash(), wanted in hash(), known in known(), target in proptest::option::of(hash()),
        ) {
            for step in [copy(source, wanted, known, target), remove(known, target)] {
                match step {
                    Step::Replace | Step::Remove => prop_assert!(is_a_copy(known, target.unwrap())),
                    Step::Create => {
                        prop_assert_eq!(target, None);
                        // What was copied and is gone was logged out there.
                        prop_assert_eq!(known.done, None);
                    }
                    Step::There => prop_assert_eq!(target, Some(wanted)),
                    Step::Nothing | Step::Leave(_) => {}
                }
            }
        }

        #[test]
        fn a_change_of_the_source_arrives_unless_the_target_has_one_too(
            before in hash(), now in hash(), wanted in hash(), target in hash(),
        ) {
            let done = Copied { source: before, target, until: 0 };
            let known = Known { done: Some(done), begun: None };
            let step = copy(now, wanted, known, Some(target));
            let expected = match (now == before, wanted == target) {
                (true, _) => Step::Nothing,
                (false, true) => Step::There,
                (false, false) => Step::Replace,
            };
            prop_assert_eq!(step, expected);
            prop_assert_eq!(remove(known, Some(target)), Step::Remove);
            // Once it was left alone, it stays so.
            let left = Known { done: Some(done.left()), begun: None };
            prop_assert!(!matches!(copy(now, wanted, left, Some(target)), Step::Replace | Step::Create));
            prop_assert_eq!(remove(left, Some(target)), Step::Leave(Why::ChangedInBoth));
        }

        #[test]
        fn what_was_interrupted_goes_on_whether_or_not_it_was_written(
            old in proptest::option::of(copied()), new in copied(),
        ) {
            let known = Known { done: old, begun: Some(new) };
            // It was written.
            prop_assert_eq!(copy(new.source, new.target, known, Some(new.target)), Step::There);
            // It was not.
            let not_written = copy(new.source, new.target, known, old.map(|old| old.target));
            let expected = match old {
                None => Step::Create,
                Some(old) if old.target == new.target => Step::There,
                Some(_) => Step::Replace,
            };
            prop_assert_eq!(not_written, expected);
        }
    }
}
