//! `cloakroom sessions purge`.

use std::time::Duration;

use clap::Args;

use super::{PATIENCE, about};
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
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
