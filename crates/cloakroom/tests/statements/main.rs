//! Statements about security that no other file shows: identifiers, verification, privacy, stores and reports.
//!
//! `SECURITY.md` lists all of them, S01 to S67, with the test for each.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

#[path = "../support/recording.rs"]
mod recording;
#[path = "../support/mod.rs"]
mod support;

mod endings;
mod identifiers;
mod randomness;
mod reports;
mod stores;
mod verification;
