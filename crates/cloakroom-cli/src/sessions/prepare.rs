//! `cloakroom sessions prepare`.

use clap::Args;
use cloakroom::store::Prepared;

use super::about;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::store::{StoreArguments, failed};

#[derive(Args)]
pub(crate) struct PrepareArguments {
    #[command(flatten)]
    store: StoreArguments,
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
