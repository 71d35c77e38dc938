/// How many sessions a user may have at a time, and what happens to one too many (ASVS 5.0, 7.1.2).
///
/// 0 is taken for 1. Without this, a user may have 1000, and the oldest ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxSessions {
    /// A login beyond so many ends the session whose login is longest ago.
    EndOldest(usize),
    /// A login beyond so many is refused with [`Error::TooManySessions`](crate::Error::TooManySessions)
    /// until one of the others ends.
    RefuseNewest(usize),
}
