//! Deletions at the same time as everything else.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::races::{MANY, NO_LOST_UPDATE, at_once, increment};
use super::trial::{LONG, Miss, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::{CreateError, DeleteError, ReplaceError, TouchError};

const NOTHING_COMES_BACK: &str = "What was deleted never comes back: every write looks for the tombstone in \
    the same atomic step.";

checks!(checks "races":
    deletions_all_succeed,
    nothing_comes_back_after_a_deletion,
    a_deletion_and_a_replacement_of_the_same_state_exclude_each_other,
    a_deletion_beats_a_creation,
    a_touch_never_brings_back_what_was_deleted,
);

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
