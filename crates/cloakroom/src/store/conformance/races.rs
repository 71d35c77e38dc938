//! Many at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::trial::{LONG, Miss, Trial, Verdict, load, require};
use super::{answers, checks};
use crate::store::{CreateError, DeleteError, Record, ReplaceError, Store, TouchError};

checks!(checks "races":
    no_increment_of_64_writers_is_lost,
    one_of_64_creations_wins,
    one_of_64_replacements_of_a_base_wins,
    creations_of_different_keys_all_win,
    deletions_all_succeed,
    nothing_comes_back_after_a_deletion,
    a_deletion_and_a_replacement_of_the_same_state_exclude_each_other,
    a_deletion_beats_a_creation,
    touches_cost_no_writer_its_turn,
    a_touch_never_brings_back_what_was_deleted,
    loads_at_once_all_see_the_entry,
    readers_never_see_half_a_value,
    writers_of_different_entries_do_not_meet,
    what_is_live_survives_removals_of_the_expired,
);

const MANY: usize = 64;
/// Of 64 writers the last one loses 63 times; a store may lose some more.
const TRIES: usize = 5_000;
const NO_LOST_UPDATE: &str = "No update is lost: comparing and writing are one atomic step in the store, not a \
    load and a write one after the other.";

/// Runs so many of a task at once, half of them on another connection where there is one.
async fn at_once<F, T>(
    trial: &Trial,
    count: usize,
    task: impl Fn(usize, Store) -> F,
) -> Verdict<Vec<T>>
where
    F: Future<Output = Verdict<T>> + Send + 'static,
    T: Send + 'static,
{
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let store = match trial.twin() {
            Ok(twin) if number % 2 == 1 => twin.clone(),
            _ => trial.store.clone(),
        };
        tasks.spawn(task(number, store));
    }
    let mut results = Vec::new();
    while let Some(done) = tasks.join_next().await {
        results.push(
            done.map_err(|_| Miss::broken("A driver answers with a result.", "it panicked"))??,
        );
    }
    Ok(results)
}

/// Adds one to a number until it is written; false once the entry is gone.
async fn increment(store: &Store, key: &str) -> Verdict<bool> {
    tokio::task::yield_now().await;
    let Some(mut base) = load(store, key).await? else {
        return Ok(false);
    };
    for _ in 0..TRIES {
        // Drivers that never wait for anything would keep everybody else from running.
        tokio::task::yield_now().await;
        let count: u64 = std::str::from_utf8(&base.value)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        match store
            .replace(key, &base, (count + 1).to_string().into(), LONG)
            .await
        {
            Ok(_) => return Ok(true),
            Err(ReplaceError::Changed(there)) => base = there,
            Err(ReplaceError::NotFound) => return Ok(false),
            Err(ReplaceError::Failed(error)) => {
                return Err(Miss::broken(
                    "A store under load answers.",
                    error.to_string(),
                ));
            }
        }
    }
    Err(Miss::broken(
        "A writer that goes on with the record in Changed succeeds sooner or later.",
        format!("{TRIES} tries were in vain"),
    ))
}

async fn no_increment_of_64_writers_is_lost(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"0").await?;
    let written = at_once(trial, MANY, |_, store| {
        let key = key.clone();
        async move { increment(&store, &key).await }
    });
    require(
        written.await?.iter().all(|written| *written),
        NO_LOST_UPDATE,
        "the entry went missing",
    )?;
    trial
        .holds(&key, MANY.to_string().as_bytes(), NO_LOST_UPDATE)
        .await?;
    Ok(())
}

async fn one_of_64_creations_wins(trial: &Trial) -> Verdict {
    const PROMISE: &str = "Of many creations at once exactly one wins: looking and inserting are one atomic \
        step in the store (SQL: a unique key; Redis: SET with NX; files: O_EXCL or a link).";
    let key = trial.key();
    let made = at_once(trial, MANY, |number, store| {
        let key = key.clone();
        async move {
            match store.create(&key, number.to_string().into(), LONG).await {
                Ok(record) => Ok(Some(record)),
                Err(CreateError::Exists) => Ok(None),
                Err(CreateError::Failed(error)) => Err(Miss::broken(
                    "A store under load answers.",
                    error.to_string(),
                )),
            }
        }
    });
    let winners: Vec<Record> = made.await?.into_iter().flatten().collect();
    require(
        winners.len() == 1,
        PROMISE,
        format!("{} did", winners.len()),
    )?;
    trial.holds(&key, &winners[0].value, PROMISE).await?;
    Ok(())
}

async fn one_of_64_replacements_of_a_base_wins(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"base").await?;
    let replaced = at_once(trial, MANY, |number, store| {
        let (key, base) = (key.clone(), base.clone());
        async move {
            match store
                .replace(&key, &base, number.to_string().into(), LONG)
                .await
            {
                Ok(record) => Ok(Some(record)),
                Err(ReplaceError::Changed(_)) => Ok(None),
                other => Err(Miss::broken(NO_LOST_UPDATE, format!("{other:?}"))),
            }
        }
    });
    let winners: Vec<Record> = replaced.await?.into_iter().flatten().collect();
    require(
        winners.len() == 1,
        NO_LOST_UPDATE,
        format!("{} replaced the same base", winners.len()),
    )?;
    trial.holds(&key, &winners[0].value, NO_LOST_UPDATE).await?;
    Ok(())
}

async fn creations_of_different_keys_all_win(trial: &Trial) -> Verdict {
    let keys: Arc<[String]> = (0..MANY).map(|_| trial.key()).collect();
    at_once(trial, MANY, |number, store| {
        let keys = keys.clone();
        async move {
            let made = store
                .create(&keys[number], number.to_string().into(), LONG)
                .await;
            answers!(
                made,
                Ok(_),
                "Creations of different keys at once all succeed."
            );
            Ok(())
        }
    })
    .await?;
    for (number, key) in keys.iter().enumerate() {
        trial
            .holds(
                key,
                number.to_string().as_bytes(),
                "What was created can be loaded at once.",
            )
            .await?;
    }
    Ok(())
}

async fn deletions_all_succeed(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    at_once(trial, MANY, |_, store| {
        let key = key.clone();
        async move {
            answers!(
                store.delete(&key, None, LONG).await,
                Ok(()),
                "Deletions at once all succeed."
            );
            Ok(())
        }
    })
    .await?;
    trial.lacks(&key, "What was deleted is missing.").await
}

const NOTHING_COMES_BACK: &str = "What was deleted never comes back: every write looks for the tombstone in \
    the same atomic step.";

async fn nothing_comes_back_after_a_deletion(trial: &Trial) -> Verdict {
    for _ in 0..4 {
        let (key, _) = trial.entry(b"0").await?;
        let deleted = Arc::new(AtomicBool::new(false));
        at_once(trial, 17, |number, store| {
            let (key, deleted) = (key.clone(), deleted.clone());
            async move {
                if number == 8 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    let done = store.delete(&key, None, LONG).await;
                    // Before anything else, so that the writers stop whatever comes.
                    deleted.store(true, Ordering::SeqCst);
                    answers!(done, Ok(()), "Whatever is there can be deleted.");
                    return Ok(());
                }
                loop {
                    let over = deleted.load(Ordering::SeqCst);
                    let written = increment(&store, &key).await?;
                    require(
                        !(over && written),
                        NOTHING_COMES_BACK,
                        "a write that began after the deletion succeeded",
                    )?;
                    if over {
                        return Ok(());
                    }
                }
            }
        })
        .await?;
        trial.lacks(&key, NOTHING_COMES_BACK).await?;
    }
    Ok(())
}

async fn a_deletion_and_a_replacement_of_the_same_state_exclude_each_other(
    trial: &Trial,
) -> Verdict {
    for _ in 0..16 {
        let (key, base) = trial.entry(b"one").await?;
        let done = at_once(trial, 2, |number, store| {
            let (key, base) = (key.clone(), base.clone());
            async move {
                if number == 0 {
                    return match store.delete(&key, Some(&base), LONG).await {
                        Ok(()) => Ok(true),
                        Err(DeleteError::Changed(_)) => Ok(false),
                        other => Err(Miss::broken(NO_LOST_UPDATE, format!("{other:?}"))),
                    };
                }
                match store.replace(&key, &base, "two".into(), LONG).await {
                    Ok(_) => Ok(true),
                    Err(ReplaceError::NotFound) => Ok(false),
                    other => Err(Miss::broken(NO_LOST_UPDATE, format!("{other:?}"))),
                }
            }
        });
        let winners = done.await?.into_iter().filter(|won| *won).count();
        require(
            winners == 1,
            "A deletion that expects a state and a replacement of it exclude each other.",
            format!("{winners} of the two succeeded"),
        )?;
    }
    Ok(())
}

async fn a_deletion_beats_a_creation(trial: &Trial) -> Verdict {
    for _ in 0..16 {
        let key = trial.key();
        at_once(trial, 4, |number, store| {
            let key = key.clone();
            async move {
                if number == 2 {
                    answers!(
                        store.delete(&key, None, LONG).await,
                        Ok(()),
                        "Whatever is there can be deleted."
                    );
                } else {
                    let made = store.create(&key, "one".into(), LONG).await;
                    answers!(
                        made,
                        Ok(_) | Err(CreateError::Exists),
                        "A creation wins or finds something."
                    );
                }
                Ok(())
            }
        })
        .await?;
        trial.lacks(&key, NOTHING_COMES_BACK).await?;
    }
    Ok(())
}

async fn touches_cost_no_writer_its_turn(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"0").await?;
    at_once(trial, MANY, |number, store| {
        let key = key.clone();
        async move {
            if number % 4 < 2 {
                increment(&store, &key).await.map(drop)
            } else {
                answers!(
                    store.touch(&key, LONG).await,
                    Ok(()),
                    "A live entry can be touched at any time."
                );
                Ok(())
            }
        }
    })
    .await?;
    let promise = "A touch never writes a value: one that loads and stores it again undoes what others wrote.";
    trial
        .holds(&key, (MANY / 2).to_string().as_bytes(), promise)
        .await?;
    Ok(())
}

async fn a_touch_never_brings_back_what_was_deleted(trial: &Trial) -> Verdict {
    for _ in 0..8 {
        let (key, _) = trial.entry(b"one").await?;
        at_once(trial, 9, |number, store| {
            let key = key.clone();
            async move {
                if number == 4 {
                    answers!(
                        store.delete(&key, None, LONG).await,
                        Ok(()),
                        "Whatever is there can be deleted."
                    );
                } else {
                    let touched = store.touch(&key, LONG).await;
                    answers!(
                        touched,
                        Ok(()) | Err(TouchError::NotFound),
                        "A touch finds the entry or does not."
                    );
                }
                Ok(())
            }
        })
        .await?;
        trial.lacks(&key, NOTHING_COMES_BACK).await?;
    }
    Ok(())
}

async fn loads_at_once_all_see_the_entry(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    let loaded = at_once(trial, 200, |_, store| {
        let key = key.clone();
        async move { load(&store, &key).await }
    });
    let seen = loaded
        .await?
        .into_iter()
        .flatten()
        .filter(|record| record.value == "one")
        .count();
    require(
        seen == 200,
        "Loads do not get into each other's way.",
        format!("{seen} of 200 saw the entry"),
    )
}

async fn readers_never_see_half_a_value(trial: &Trial) -> Verdict {
    let size = trial.limits().max_value.unwrap_or(100_000).min(100_000);
    let key = trial.key();
    trial.create(&key, vec![b'a'; size], LONG).await?;
    at_once(trial, 9, |number, store| {
        let key = key.clone();
        async move {
            for turn in 0..10_u8 {
                let there = load(&store, &key).await?;
                let whole = there.as_ref().is_some_and(|record| {
                    record.value.len() == size && record.value.iter().all(|byte| *byte == record.value[0])
                });
                require(
                    whole,
                    "A reader sees a whole value, old or new: replace atomically (files: write another, rename).",
                    format!("{there:?} of {size} bytes, or parts of two values"),
                )?;
                if let (0, Some(base)) = (number, there) {
                    let value = Bytes::from(vec![b'b' + turn; size]);
                    answers!(store.replace(&key, &base, value, LONG).await, Ok(_), NO_LOST_UPDATE);
                }
            }
            Ok(())
        }
    })
    .await?;
    Ok(())
}

async fn writers_of_different_entries_do_not_meet(trial: &Trial) -> Verdict {
    let mut entries = Vec::new();
    for _ in 0..16 {
        entries.push(trial.entry(b"0").await?);
    }
    at_once(trial, entries.len(), |number, store| {
        let (key, mut base) = entries[number].clone();
        async move {
            for count in 1..=5_u8 {
                base = answers!(
                    store.replace(&key, &base, count.to_string().into(), LONG).await,
                    Ok(base) => base,
                    "Who writes one entry is no conflict for who writes another."
                );
            }
            Ok(())
        }
    })
    .await?;
    for (key, _) in entries {
        trial.holds(&key, b"5", NO_LOST_UPDATE).await?;
    }
    Ok(())
}

async fn what_is_live_survives_removals_of_the_expired(trial: &Trial) -> Verdict {
    const PROMISE: &str = "Removing what has expired takes nothing live along.";
    let keys: Arc<[String]> = (0..32).map(|_| trial.key()).collect();
    at_once(trial, keys.len(), |number, store| {
        let keys = keys.clone();
        async move {
            answers!(
                store.create(&keys[number], "one".into(), LONG).await,
                Ok(_),
                PROMISE
            );
            answers!(store.delete_expired(10).await, Ok(_), PROMISE);
            require(
                load(&store, &keys[number]).await?.is_some(),
                PROMISE,
                "an entry went missing",
            )
        }
    })
    .await?;
    Ok(())
}
