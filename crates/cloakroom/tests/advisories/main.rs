//! Advisories of other session libraries, played against this one: what went wrong there cannot go wrong here.
//!
//! Each test bears the number of its advisory, and says on its last line of comment what it fails without.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "../support/recording.rs"]
mod recording;
#[path = "../support/shared_cache.rs"]
mod shared_cache;
#[path = "../support/mod.rs"]
mod support;

mod adoption;
mod caches;
mod data_only;
mod endings;
mod identifiers;
mod logins;
mod memory;
mod names;
mod requests;
mod sealed;
mod secrets;
mod storage;
mod users;
mod visits;
