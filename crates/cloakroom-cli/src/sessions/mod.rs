//! `cloakroom sessions`: what an operator asks of a store and does to it, and needs no cookie for.
//!
//! | file | knows |
//! | --- | --- |
//! | `list.rs`, `show.rs`, `stats.rs`, `revoke.rs`, `convert.rs`, `purge.rs`, `prepare.rs`, `watch.rs` | one subcommand each |
//! | `scan.rs` | how to go through a store, page by page |
//! | `found.rs` | what is told of one session |
//! | `filter.rs` | which sessions are meant |
//! | `figures.rs`, `histogram.rs` | what all of them come to, in classes, and bars |
//! | `told.rs` | all that is told of one session |
//! | `revocation.rs` | how sessions end |

mod convert;
pub(crate) mod figures;
pub(crate) mod filter;
pub(crate) mod found;
pub(crate) mod histogram;
mod list;
mod prepare;
mod purge;
pub(crate) mod revocation;
mod revoke;
pub(crate) mod scan;
mod show;
mod stats;
pub(crate) mod told;
mod watch;

use std::time::Duration;

use clap::Args;
use cloakroom::{Error, store::Store};
use serde_json::Map;

pub(crate) use convert::{ConvertArguments, convert};
pub(crate) use list::{ListArguments, list};
pub(crate) use prepare::{PrepareArguments, prepare};
pub(crate) use purge::{PurgeArguments, purge};
pub(crate) use revoke::{RevokeArguments, revoke};
pub(crate) use scan::mark_handle;
pub(crate) use show::{ShowArguments, show};
pub(crate) use stats::{StatsArguments, stats};
pub(crate) use watch::{WatchArguments, watch};

use crate::output::{Answer, Failure};
use crate::store::{StoreArguments, failed};

/// A batch takes longer than a request may.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which sessions of which store.
#[derive(Args)]
pub(crate) struct PlaceArguments {
    #[command(flatten)]
    pub(crate) store: StoreArguments,

    /// What the keys of sessions begin with in the store: Flask-Session's `SESSION_KEY_PREFIX`
    #[arg(long, value_name = "TEXT", default_value = "session:")]
    pub(crate) prefix: String,
}

fn about(store: &Store, text: String) -> Answer {
    Answer {
        text,
        json: Map::from_iter([("store".to_owned(), store.name().into())]),
        session: None,
        notes: Vec::new(),
    }
}

/// What the library could not do.
fn failed_for(error: Error) -> Failure {
    match error {
        Error::StoreUnavailable { source, .. } | Error::StoreRefused(source) => failed(source),
        error => Failure::Refused {
            code: "busy",
            reason: error.to_string(),
        },
    }
}
