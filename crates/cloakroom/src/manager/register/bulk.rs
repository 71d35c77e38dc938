use std::time::Duration;

use tokio::task::{JoinError, JoinSet};

use crate::store::{DeleteError, Store, StoreError};

/// So many questions to the store are under way at a time.
const AT_ONCE: usize = 16;

/// What came of deleting sessions from a store.
pub(in crate::manager) struct Deleted {
    /// The keys under which nothing is any more.
    pub(in crate::manager) done: Vec<String>,
    /// Why others may still be there, of one of them.
    pub(in crate::manager) failed: Option<StoreError>,
}

/// Deletes sessions from a store, and leaves tombstones, so that no request that is under way brings one back. After
/// a failure no more are begun: the store is hardly better off for being asked on.
pub(in crate::manager) async fn delete_sessions(
    store: &Store,
    locators: impl IntoIterator<Item = String>,
    tombstone: Duration,
) -> Deleted {
    let mut locators = locators.into_iter();
    let mut under_way = JoinSet::new();
    let mut deleted = Deleted {
        done: Vec::new(),
        failed: None,
    };
    loop {
        while deleted.failed.is_none()
            && under_way.len() < AT_ONCE
            && let Some(locator) = locators.next()
        {
            let store = store.clone();
            under_way.spawn(async move {
                let result = store.delete(&locator, None, tombstone).await;
                (locator, result)
            });
        }
        match under_way.join_next().await {
            None => return deleted,
            Some(Ok((_, Err(DeleteError::Failed(error))))) => deleted.failed = Some(error),
            // Nothing was expected there, so nothing else can be wrong.
            Some(Ok((locator, _))) => deleted.done.push(locator),
            Some(Err(error)) => deleted.failed = Some(stopped(error)),
        }
    }
}

/// Those of the sessions, by their place, of which the store has nothing under any of their keys.
pub(super) async fn find_gone(
    store: &Store,
    sessions: impl IntoIterator<Item = Vec<String>>,
) -> Result<Vec<usize>, StoreError> {
    let mut sessions = sessions.into_iter().enumerate();
    let mut under_way = JoinSet::new();
    let mut gone = Vec::new();
    loop {
        while under_way.len() < AT_ONCE
            && let Some((place, locators)) = sessions.next()
        {
            let store = store.clone();
            under_way.spawn(async move {
                for locator in locators {
                    if store.load(&locator).await?.is_some() {
                        return Ok::<_, StoreError>(None);
                    }
                }
                Ok(Some(place))
            });
        }
        match under_way.join_next().await {
            None => return Ok(gone),
            Some(Ok(found)) => gone.extend(found?),
            Some(Err(error)) => return Err(stopped(error)),
        }
    }
}

/// Nobody stops these tasks but the end of the runtime.
fn stopped(_: JoinError) -> StoreError {
    StoreError::unreachable("the process is about to end")
}
