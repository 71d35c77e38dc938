//! The removal of what has expired. Each check has a store of its own, so that it can count.

use std::time::Duration;

use super::trial::{BRIEF, LONG, Miss, Trial, Verdict, load, require};
use super::{answers, checks};
use crate::store::{CreateError, Store};

checks!(checks "sweeping":
    what_has_expired_is_removed_and_counted,
    no_more_than_the_limit_is_removed,
    a_limit_of_zero_removes_nothing,
    live_entries_stay,
    renewed_entries_stay,
    shortened_entries_go,
    entries_made_anew_stay,
    tombstones_stay_until_they_expire,
    expired_tombstones_are_removed_and_counted,
    an_empty_store_has_nothing_to_remove,
    a_store_that_removes_by_itself_answers_zero,
);

const COUNTS: &str =
    "delete_expired says how many it removed, so that a sweeper knows when it is done.";
const LIVE_STAYS: &str = "delete_expired removes nothing that lives.";
const CREATED: &str = "An entry can be made where none is.";

fn removes(trial: &Trial) -> Verdict {
    match trial.limits().deletes_expired {
        true => Ok(()),
        false => Err(Miss::not_applicable(
            "the store declares that it removes by itself: see Limits::deletes_expired",
        )),
    }
}

async fn create(store: &Store, key: &str, ttl: Duration) -> Verdict {
    answers!(store.create(key, "one".into(), ttl).await, Ok(_), CREATED);
    Ok(())
}

async fn sweep(store: &Store, limit: usize) -> Verdict<usize> {
    store
        .delete_expired(limit)
        .await
        .map_err(|error| Miss::broken("What has expired can be removed.", error.to_string()))
}

/// A store with so many entries that have expired, and one that lives.
async fn expired(trial: &Trial, count: usize) -> Verdict<(Store, String)> {
    removes(trial)?;
    let store = trial.empty_store().await;
    let live = trial.key();
    create(&store, &live, LONG).await?;
    for _ in 0..count {
        create(&store, &trial.key(), BRIEF).await?;
    }
    trial.outlive(BRIEF).await;
    Ok((store, live))
}

async fn what_has_expired_is_removed_and_counted(trial: &Trial) -> Verdict {
    let (store, _) = expired(trial, 5).await?;
    let (first, second) = (sweep(&store, 100).await?, sweep(&store, 100).await?);
    require(
        first == 5 && second == 0,
        COUNTS,
        format!("{first} of 5 expired entries, then {second}"),
    )
}

async fn no_more_than_the_limit_is_removed(trial: &Trial) -> Verdict {
    let (store, _) = expired(trial, 7).await?;
    let mut removed = Vec::new();
    for _ in 0..20 {
        removed.push(sweep(&store, 3).await?);
        if removed.last() == Some(&0) {
            break;
        }
    }
    require(
        removed.iter().all(|batch| *batch <= 3) && removed.iter().sum::<usize>() == 7,
        "delete_expired removes no more than its limit at a time and everything in the end.",
        format!("of 7, three at a time: {removed:?}"),
    )
}

async fn a_limit_of_zero_removes_nothing(trial: &Trial) -> Verdict {
    let (store, _) = expired(trial, 2).await?;
    let (none, all) = (sweep(&store, 0).await?, sweep(&store, 100).await?);
    require(
        none == 0 && all == 2,
        COUNTS,
        format!("{none} with a limit of zero, then {all} of 2"),
    )
}

async fn live_entries_stay(trial: &Trial) -> Verdict {
    let (store, live) = expired(trial, 2).await?;
    for _ in 0..3 {
        sweep(&store, 100).await?;
        require(
            load(&store, &live).await?.is_some(),
            LIVE_STAYS,
            "the entry is missing",
        )?;
    }
    Ok(())
}

async fn renewed_entries_stay(trial: &Trial) -> Verdict {
    removes(trial)?;
    let store = trial.empty_store().await;
    let (touched, replaced) = (trial.key(), trial.key());
    create(&store, &touched, BRIEF).await?;
    answers!(
        store.touch(&touched, LONG).await,
        Ok(()),
        "A live entry can be touched."
    );
    let base =
        answers!(store.create(&replaced, "one".into(), BRIEF).await, Ok(base) => base, CREATED);
    answers!(
        store.replace(&replaced, &base, "two".into(), LONG).await,
        Ok(_),
        "A live entry can be replaced."
    );
    trial.outlive(BRIEF).await;
    let removed = sweep(&store, 100).await?;
    require(
        removed == 0,
        LIVE_STAYS,
        format!("{removed} of two renewed entries were removed"),
    )?;
    for key in [touched, replaced] {
        require(
            load(&store, &key).await?.is_some(),
            LIVE_STAYS,
            "a renewed entry is missing",
        )?;
    }
    Ok(())
}

async fn shortened_entries_go(trial: &Trial) -> Verdict {
    removes(trial)?;
    let store = trial.empty_store().await;
    let key = trial.key();
    create(&store, &key, LONG).await?;
    answers!(
        store.touch(&key, BRIEF).await,
        Ok(()),
        "A live entry can be touched."
    );
    trial.outlive(BRIEF).await;
    let removed = sweep(&store, 100).await?;
    require(
        removed == 1,
        "An entry whose time was shortened is removed after it.",
        format!("{removed} were"),
    )
}

async fn entries_made_anew_stay(trial: &Trial) -> Verdict {
    removes(trial)?;
    let store = trial.empty_store().await;
    let key = trial.key();
    create(&store, &key, BRIEF).await?;
    trial.outlive(BRIEF).await;
    create(&store, &key, LONG).await?;
    sweep(&store, 100).await?;
    require(
        load(&store, &key).await?.is_some(),
        LIVE_STAYS,
        "an entry made where one had expired is missing",
    )
}

async fn tombstones_stay_until_they_expire(trial: &Trial) -> Verdict {
    removes(trial)?;
    let store = trial.empty_store().await;
    let key = trial.key();
    create(&store, &key, BRIEF).await?;
    answers!(
        store.delete(&key, None, LONG).await,
        Ok(()),
        "Whatever is there can be deleted."
    );
    trial.outlive(BRIEF).await;
    sweep(&store, 100).await?;
    answers!(
        store.create(&key, "late".into(), LONG).await,
        Err(CreateError::Exists),
        "delete_expired removes no tombstone before its time."
    );
    Ok(())
}

async fn expired_tombstones_are_removed_and_counted(trial: &Trial) -> Verdict {
    removes(trial)?;
    let store = trial.empty_store().await;
    for _ in 0..3 {
        answers!(
            store.delete(&trial.key(), None, BRIEF).await,
            Ok(()),
            "Whatever is there can be deleted."
        );
    }
    trial.outlive(BRIEF).await;
    let (first, second) = (sweep(&store, 100).await?, sweep(&store, 100).await?);
    require(
        first == 3 && second == 0,
        COUNTS,
        format!("{first} of 3 expired tombstones, then {second}"),
    )
}

async fn an_empty_store_has_nothing_to_remove(trial: &Trial) -> Verdict {
    let removed = sweep(&trial.empty_store().await, 100).await?;
    require(removed == 0, COUNTS, format!("{removed} in an empty store"))
}

async fn a_store_that_removes_by_itself_answers_zero(trial: &Trial) -> Verdict {
    if trial.limits().deletes_expired {
        return Err(Miss::not_applicable(
            "the store removes what has expired when it is asked to",
        ));
    }
    let store = trial.empty_store().await;
    let live = trial.key();
    create(&store, &live, LONG).await?;
    let removed = sweep(&store, 100).await?;
    require(
        removed == 0,
        "A store that removes by itself answers zero.",
        format!("{removed}"),
    )?;
    require(
        load(&store, &live).await?.is_some(),
        LIVE_STAYS,
        "the entry is missing",
    )
}
