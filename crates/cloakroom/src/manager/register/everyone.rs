use std::time::Duration;

use tokio::sync::Mutex;

use super::{Register, Standing, layout};
use crate::{
    Error,
    manager::turns::jitter,
    store::{CreateError, ReplaceError},
};

/// When all sessions of everyone were last ended, as this process last heard.
#[derive(Default)]
pub(super) struct Everyone(Mutex<Option<Heard>>);

#[derive(Clone, Copy)]
struct Heard {
    /// None: never.
    ended: Option<u64>,
    heard: u64,
}

/// Longer than any session lives: ten years.
const REMEMBERED: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

impl Register {
    /// Ends all sessions of everyone, whoever has them and wherever they are kept: those that began up to now.
    /// Says when that was, in unix seconds. Other processes know it after the lag.
    pub(crate) async fn end_everything(&self) -> Result<u64, Error> {
        let deadline = self.settings.deadline;
        tokio::time::timeout(deadline, self.try_end_everything())
            .await
            .unwrap_or(Err(Error::Contended {
                retry_after: self.settings.retry_after,
            }))
    }

    async fn try_end_everything(&self) -> Result<u64, Error> {
        // Held all along, so that nobody in this process hears an older answer meanwhile.
        let mut heard = self.everyone.0.lock().await;
        // Whatever comes of it, the store is asked next.
        *heard = None;
        let key = self.everyone_key();
        let now = self.settings.clock.unix_seconds();
        let mut misses = 0;
        loop {
            let found = self.store.load(&key).await;
            let written = match found.map_err(|error| self.failed(error))? {
                None => {
                    let value = layout::write_moment(now).map_err(|_| self.unreadable())?;
                    match self.store.create(&key, value, REMEMBERED).await {
                        Ok(_) => Some(now),
                        Err(CreateError::Exists) => None,
                        Err(CreateError::Failed(error)) => return Err(self.failed(error)),
                    }
                }
                Some(base) => {
                    let before = layout::read_moment(&base.value).map_err(|_| self.unreadable())?;
                    // A clock that is behind another's takes nothing back.
                    let at = now.max(before);
                    let value = layout::write_moment(at).map_err(|_| self.unreadable())?;
                    match self.store.replace(&key, &base, value, REMEMBERED).await {
                        Ok(_) => Some(at),
                        Err(ReplaceError::Changed(_) | ReplaceError::NotFound) => None,
                        Err(ReplaceError::Failed(error)) => return Err(self.failed(error)),
                    }
                }
            };
            if let Some(at) = written {
                *heard = Some(Heard {
                    ended: Some(at),
                    heard: now,
                });
                return Ok(at);
            }
            misses += 1;
            tokio::time::sleep(jitter(misses)).await;
        }
    }

    /// Whether a session that began then is among those of everyone that were ended, also if it began in the
    /// very second of the end.
    ///
    /// `began` is the time of the login, which no renewal changes; of a session without a login, when it was
    /// signed or created.
    pub(crate) async fn standing_of_everyone(&self, began: u64) -> Result<Standing, Error> {
        let mut heard = self.everyone.0.lock().await;
        let now = self.settings.clock.unix_seconds();
        let ended = match *heard {
            Some(last) if self.is_recent(now, last.heard) => last.ended,
            // Those who wait for the lock meanwhile need not ask again.
            _ => {
                let found = self.store.load(&self.everyone_key()).await;
                let ended = found
                    .map_err(|error| self.failed(error))?
                    .map(|record| layout::read_moment(&record.value))
                    .transpose()
                    .map_err(|_| self.unreadable())?;
                *heard = Some(Heard { ended, heard: now });
                ended
            }
        };
        Ok(match ended {
            Some(ended) if began <= ended => Standing::Ended,
            _ => Standing::Good,
        })
    }

    fn is_recent(&self, now: u64, then: u64) -> bool {
        now.checked_sub(then)
            .is_some_and(|age| age < self.settings.lag.as_secs())
    }

    /// No user has it: theirs end in 43 characters.
    fn everyone_key(&self) -> String {
        [&self.prefix, "everyone"].concat()
    }
}
