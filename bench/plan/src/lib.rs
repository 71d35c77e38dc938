//! What both measurements have in common: what visitors do, and in which order the subjects have their turns.

mod scenario;
mod shuffle;

pub use scenario::Scenario;
pub use shuffle::Shuffle;
