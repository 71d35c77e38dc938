//! What is measured: the same small application on Cloakroom, on each of its peers, and on nothing.
//!
//! Each file of [`apps`] is one subject, or the subjects that differ in one line. All answer the same paths, so they can be read side
//! by side:
//!
//! | path | what the handler does |
//! | --- | --- |
//! | `/plain` | leaves the session alone |
//! | `/read` | answers "visits", 0 if there is none |
//! | `/write` | adds one to "visits" and answers it |
//! | `/login` | gives the session a new id and sets "user" |
//! | `/fill/twenty`, `/fill/large` | stores what [`content`] says |
//! | `/read_many` | answers the length of one of those values |

pub mod actix;
pub mod apps;
pub mod content;
pub mod serve;
mod subject;
mod version;

pub use subject::{Entry, Failure, Family, Kind, Opening, Starting, Subject, all, find};
