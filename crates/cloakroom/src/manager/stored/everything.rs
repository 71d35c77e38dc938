use super::StoredSessions;
use crate::{
    Error,
    manager::register::delete_sessions,
    store::{Page, StoreErrorKind},
};

/// Entries that are listed at a time.
const BATCH: usize = 500;

impl StoredSessions {
    /// Deletes the entries of all sessions, as far as the store can list them.
    pub(in crate::manager) async fn delete_all(&self) -> Result<(), Error> {
        let mut from = None;
        loop {
            let page = self.store.list(self.codec.prefix(), from, BATCH).await;
            let Page { entries, next } = match page {
                Ok(page) => page,
                Err(error) if error.kind() == StoreErrorKind::Refused => return Ok(()),
                Err(error) => return Err(self.failed(error)),
            };
            let keys = entries.into_iter().map(|entry| entry.key);
            let sessions = keys.filter(|key| self.codec.is_session(key));
            let deleted =
                delete_sessions(&self.store, sessions, self.config.stored.tombstone).await;
            if let Some(error) = deleted.failed {
                return Err(self.failed(error));
            }
            match next {
                Some(cursor) => from = Some(cursor),
                None => return Ok(()),
            }
        }
    }
}
