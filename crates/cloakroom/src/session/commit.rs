//! What the end of a request does to the cookie and to the store, each in one table.

/// What the request did to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing, and the session is fresh enough.
    None,
    /// Nothing, but its time should move on.
    RenewalDue,
    /// Something.
    Modified,
}

/// What the response does to a cookie that holds the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieCommit {
    Nothing,
    Set,
    Delete,
}

/// Flask's table (`SecureCookieSessionInterface.save_session`, 3.1), in one place.
pub(crate) fn decide_cookie(empty: bool, change: Change) -> CookieCommit {
    match (empty, change) {
        (true, Change::Modified) => CookieCommit::Delete,
        (true, Change::None | Change::RenewalDue) | (false, Change::None) => CookieCommit::Nothing,
        (false, Change::Modified | Change::RenewalDue) => CookieCommit::Set,
    }
}

/// What the store holds for the session, as far as this request knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Nothing yet: a new visitor, or an id that no entry has.
    None,
    /// The entry that was loaded.
    Entry,
    /// The entry was there, and somebody ended the session meanwhile.
    Gone,
}

/// What the session holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Nothing, or only whether it is permanent.
    Empty,
    Filled,
}

/// Which id it is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    Same,
    New,
}

/// What the end of the request does to the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StoreCommit {
    Nothing,
    /// A new expiry, the bytes stay.
    Touch,
    /// A new entry under a new id.
    Create,
    /// Compare and swap.
    Replace,
    /// A new entry under a new id, then the old one goes.
    Move,
    /// The entry goes, and the cookie.
    Delete,
    /// There is no entry; the cookie goes.
    Forget,
}

/// The commit protocol. A session that is gone stays gone, whatever the request did; a request that
/// changed nothing never writes the content; an entry is only made for a session that holds something.
pub(crate) fn decide_store(
    origin: Origin,
    content: Content,
    change: Change,
    identity: Identity,
) -> StoreCommit {
    match (origin, content, change, identity) {
        (Origin::Gone, ..)
        | (_, _, Change::None, _)
        | (Origin::None, _, Change::RenewalDue, _)
        | (Origin::Entry, Content::Empty, Change::RenewalDue, _) => StoreCommit::Nothing,
        (Origin::None, Content::Empty, Change::Modified, _) => StoreCommit::Forget,
        (Origin::None, Content::Filled, Change::Modified, _) => StoreCommit::Create,
        (Origin::Entry, Content::Filled, Change::RenewalDue, _) => StoreCommit::Touch,
        (Origin::Entry, Content::Empty, Change::Modified, _) => StoreCommit::Delete,
        (Origin::Entry, Content::Filled, Change::Modified, Identity::Same) => StoreCommit::Replace,
        (Origin::Entry, Content::Filled, Change::Modified, Identity::New) => StoreCommit::Move,
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Content, Identity, Origin, StoreCommit, decide_store};

    /// What is decided for the same id, and for a new one.
    type Row = ((Origin, Content, Change), StoreCommit, StoreCommit);

    #[rustfmt::skip]
    const TABLE: [Row; 18] = {
        use Change::{Modified, None as Unchanged, RenewalDue};
        use Content::{Empty, Filled};
        use Origin::{Entry, Gone, None as Nowhere};
        use StoreCommit::{Create, Delete, Forget, Move, Nothing, Replace, Touch};
        [
            // A new visitor: only content makes an entry.
            ((Nowhere, Empty,  Unchanged),  Nothing, Nothing),
            ((Nowhere, Empty,  RenewalDue), Nothing, Nothing),
            ((Nowhere, Empty,  Modified),   Forget,  Forget),
            ((Nowhere, Filled, Unchanged),  Nothing, Nothing),
            ((Nowhere, Filled, RenewalDue), Nothing, Nothing),
            ((Nowhere, Filled, Modified),   Create,  Create),
            // A session that was loaded: who only reads writes no content.
            ((Entry,   Empty,  Unchanged),  Nothing, Nothing),
            ((Entry,   Empty,  RenewalDue), Nothing, Nothing),
            ((Entry,   Empty,  Modified),   Delete,  Delete),
            ((Entry,   Filled, Unchanged),  Nothing, Nothing),
            ((Entry,   Filled, RenewalDue), Touch,   Touch),
            ((Entry,   Filled, Modified),   Replace, Move),
            // Gone stays gone.
            ((Gone,    Empty,  Unchanged),  Nothing, Nothing),
            ((Gone,    Empty,  RenewalDue), Nothing, Nothing),
            ((Gone,    Empty,  Modified),   Nothing, Nothing),
            ((Gone,    Filled, Unchanged),  Nothing, Nothing),
            ((Gone,    Filled, RenewalDue), Nothing, Nothing),
            ((Gone,    Filled, Modified),   Nothing, Nothing),
        ]
    };

    #[test]
    fn every_combination_is_decided_as_the_table_says() {
        for (place, (given, same_id, new_id)) in TABLE.into_iter().enumerate() {
            let (origin, content, change) = given;
            assert_eq!(
                decide_store(origin, content, change, Identity::Same),
                same_id,
                "{given:?}"
            );
            assert_eq!(
                decide_store(origin, content, change, Identity::New),
                new_id,
                "{given:?}"
            );
            let twice = TABLE[..place].iter().any(|(other, ..)| *other == given);
            assert!(
                !twice,
                "{given:?} is there twice, so that another one is missing"
            );
        }
    }
}
