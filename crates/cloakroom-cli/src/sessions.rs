//! `cloakroom sessions`: what an operator does to a store.

use std::time::Duration;

use clap::Args;
use cloakroom::store::{Prepared, Store};
use serde_json::Map;

use crate::output::{Answer, Failure};
use crate::store::{StoreArguments, failed};

#[derive(Args)]
pub(crate) struct PurgeArguments {
    #[command(flatten)]
    store: StoreArguments,

    /// How many entries to remove at a time; fewer hold up other users of the store for less
    #[arg(long, value_name = "COUNT", default_value_t = 1000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,
}

#[derive(Args)]
pub(crate) struct PrepareArguments {
    #[command(flatten)]
    store: StoreArguments,
}

/// One batch of a large table takes longer than a request may.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two batches others have their turn.
const PAUSE: Duration = Duration::from_millis(5);

/// Removes what has expired.
pub(crate) fn purge(arguments: PurgeArguments) -> Result<Answer, Failure> {
    wait_for(async {
        let store = arguments.store.open().await?.timeout(PATIENCE);
        let batch = arguments.batch as usize;
        let mut removed = 0_u64;
        loop {
            let now = store.delete_expired(batch).await.map_err(failed)?;
            removed += now as u64;
            if now < batch {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let plural = if removed == 1 { "entry" } else { "entries" };
        let mut answer = about(&store, format!("removed {removed} expired {plural}"));
        answer.json.insert("removed".to_owned(), removed.into());
        if matches!(store.name(), "redis" | "memcached") {
            let note = format!("{} removes what has expired by itself", store.name());
            answer.notes.push(note);
        }
        Ok(answer)
    })
}

/// Makes the tables that the store needs.
pub(crate) fn prepare(arguments: PrepareArguments) -> Result<Answer, Failure> {
    wait_for(async {
        let store = arguments.store.open().await?;
        let prepared = store.prepare().await.map_err(failed)?;
        let (text, needed) = match prepared {
            Prepared::Ready => ("the table is there".to_owned(), true),
            Prepared::NothingNeeded => {
                let text = format!("there is nothing to do: {} has no tables", store.name());
                (text, false)
            }
        };
        let mut answer = about(&store, text);
        answer.json.insert("needed".to_owned(), needed.into());
        Ok(answer)
    })
}

fn about(store: &Store, text: String) -> Answer {
    Answer {
        text,
        json: Map::from_iter([("store".to_owned(), store.name().into())]),
        session: None,
        notes: Vec::new(),
    }
}

fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Misuse(format!("the system gives no timers: {error}")))?;
    runtime.block_on(work)
}
