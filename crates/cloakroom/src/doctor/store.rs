use super::{Checkup, Severity, finding::finding};
use crate::store::{ExpiryIndex, Store};

/// No session has this key.
const NOBODYS: &str = "cloakroom-doctor";

/// Whether a store can be asked, and finds what has expired without reading everything. It reads one entry that is not
/// there, and changes nothing.
pub async fn check_store(store: &Store) -> Checkup {
    let mut checkup = Checkup::default();
    let subject = format!("store {}", store.name());
    let asked = async {
        store.load(NOBODYS).await?;
        store.expiry_index().await
    };
    let index = match asked.await {
        Ok(index) => index,
        Err(error) => {
            checkup.add(finding(
                "store_unusable",
                Severity::Problem,
                &subject,
                format!("it cannot be asked ({error}), so pages that need their session are answered with 503"),
                "start it, correct its URL, or make its table with `cloakroom sessions prepare`",
            ));
            return checkup;
        }
    };
    checkup.note_fine(format!("{subject}: it answers"));
    match index {
        ExpiryIndex::NotNeeded => {}
        ExpiryIndex::Present => checkup.note_fine(format!("{subject}: `expiry` has an index")),
        ExpiryIndex::Missing => checkup.add(finding(
            "store_without_expiry_index",
            Severity::Problem,
            &subject,
            "its table has no index on `expiry` (Flask-Session makes none), so each removal of expired sessions reads the \
             whole table while visitors wait",
            "make it with `cloakroom sessions prepare`, or CREATE INDEX sessions_expiry ON sessions (expiry)",
        )),
    }
    checkup
}
