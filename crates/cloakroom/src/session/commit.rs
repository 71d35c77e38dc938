/// What the response does to the cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commit {
    Nothing,
    Set,
    Delete,
}

/// What the request did to the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing, and the cookie is fresh enough.
    None,
    /// Nothing, but the cookie's time should move on.
    RenewalDue,
    /// Something.
    Modified,
}

/// Flask's table (`SecureCookieSessionInterface.save_session`, 3.1), in one place.
pub(crate) fn decide(empty: bool, change: Change) -> Commit {
    match (empty, change) {
        (true, Change::Modified) => Commit::Delete,
        (true, Change::None | Change::RenewalDue) | (false, Change::None) => Commit::Nothing,
        (false, Change::Modified | Change::RenewalDue) => Commit::Set,
    }
}
