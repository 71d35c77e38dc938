//! Calls that are dropped in the middle: the visitor went away, the time was up.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use super::trial::{LONG, Miss, Trial, Verdict, load, require};
use super::{answers, checks};
use crate::store::{CreateError, Record, ReplaceError};

checks!(checks "cancelling":
    a_dropped_create_is_done_or_not,
    a_dropped_replace_is_done_or_not,
    a_dropped_touch_changes_no_value,
    a_dropped_delete_is_done_or_not,
    a_dropped_delete_with_an_expectation_is_done_or_not,
    a_dropped_load_changes_nothing,
    a_dropped_call_gives_nobody_elses_answer,
    dropped_calls_give_back_what_they_hold,
    a_call_that_is_never_polled_does_nothing,
    a_late_call_never_undoes_what_came_after,
    dropped_listings_and_removals_do_no_harm,
);

const DONE_OR_NOT: &str = "A dropped call is done or not done, never half: a write is one command to the \
    store, or what it leaves half done counts for nothing.";

/// Ways to be cut short: after so many polls, or after so many hundreds of microseconds.
const CUTS: [Cut; 9] = [
    Cut::Polls(1),
    Cut::Polls(2),
    Cut::Polls(3),
    Cut::Polls(4),
    Cut::Polls(6),
    Cut::Micros(100),
    Cut::Micros(500),
    Cut::Micros(1_000),
    Cut::Micros(3_000),
];

#[derive(Clone, Copy)]
enum Cut {
    Polls(usize),
    Micros(u64),
}

impl Cut {
    async fn short<T>(self, call: impl Future<Output = T>) {
        match self {
            Self::Micros(micros) => {
                drop(tokio::time::timeout(Duration::from_micros(micros), call).await);
            }
            Self::Polls(mut left) => {
                let mut call = pin!(call);
                poll_fn(|context| {
                    left -= 1;
                    match call.as_mut().poll(context) {
                        Poll::Pending if left > 0 => Poll::Pending,
                        Poll::Pending | Poll::Ready(_) => Poll::Ready(()),
                    }
                })
                .await;
            }
        }
    }
}

/// Writes whatever it takes, so that an entry that is stuck or torn comes to light.
async fn settles(trial: &Trial, key: &str, allowed: &[&[u8]]) -> Verdict {
    for _ in 0..200 {
        let written = match trial.load(key).await? {
            None => {
                let made = trial.store.create(key, "settled".into(), LONG).await;
                answers!(&made, Ok(_) | Err(CreateError::Exists), DONE_OR_NOT);
                made.is_ok()
            }
            Some(there) => {
                require(
                    allowed.contains(&&there.value[..]),
                    DONE_OR_NOT,
                    format!("there is {there:?}"),
                )?;
                let replaced = trial
                    .store
                    .replace(key, &there, "settled".into(), LONG)
                    .await;
                answers!(
                    &replaced,
                    Ok(_) | Err(ReplaceError::Changed(_) | ReplaceError::NotFound),
                    DONE_OR_NOT
                );
                replaced.is_ok()
            }
        };
        if written {
            // What the server may still have had in its hands has arrived by then.
            tokio::time::sleep(Duration::from_millis(5)).await;
            trial.holds(key, b"settled", DONE_OR_NOT).await?;
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Err(Miss::broken(
        DONE_OR_NOT,
        "the entry was neither there nor free for a second: something is stuck",
    ))
}

async fn a_dropped_create_is_done_or_not(trial: &Trial) -> Verdict {
    for cut in CUTS {
        let key = trial.key();
        cut.short(trial.store.create(&key, "new".into(), LONG))
            .await;
        settles(trial, &key, &[b"new"]).await?;
    }
    Ok(())
}

async fn a_dropped_replace_is_done_or_not(trial: &Trial) -> Verdict {
    for cut in CUTS {
        let (key, base) = trial.entry(b"old").await?;
        cut.short(trial.store.replace(&key, &base, "new".into(), LONG))
            .await;
        require(
            trial.load(&key).await?.is_some(),
            DONE_OR_NOT,
            "the entry was missing for a moment",
        )?;
        settles(trial, &key, &[b"old", b"new"]).await?;
    }
    Ok(())
}

async fn a_dropped_touch_changes_no_value(trial: &Trial) -> Verdict {
    for cut in CUTS {
        let (key, base) = trial.entry(b"old").await?;
        cut.short(trial.store.touch(&key, LONG * 2)).await;
        trial.holds(&key, b"old", DONE_OR_NOT).await?;
        trial.replace(&key, &base, "settled").await?;
    }
    Ok(())
}

async fn a_dropped_delete_is_done_or_not(trial: &Trial) -> Verdict {
    deleted_or_not(trial, false).await
}

async fn a_dropped_delete_with_an_expectation_is_done_or_not(trial: &Trial) -> Verdict {
    deleted_or_not(trial, true).await
}

async fn deleted_or_not(trial: &Trial, expects: bool) -> Verdict {
    for cut in CUTS {
        let (key, base) = trial.entry(b"old").await?;
        cut.short(trial.store.delete(&key, expects.then_some(&base), LONG))
            .await;
        if let Some(there) = trial.load(&key).await? {
            require(
                there.value == "old",
                DONE_OR_NOT,
                format!("there is {there:?}"),
            )?;
        }
        trial.delete(&key).await?;
        trial
            .lacks(&key, "A deletion can be asked for again.")
            .await?;
        let late = trial.store.replace(&key, &base, "late".into(), LONG).await;
        answers!(
            late,
            Err(ReplaceError::NotFound),
            "A deletion lasts, also the second one."
        );
    }
    Ok(())
}

async fn a_dropped_load_changes_nothing(trial: &Trial) -> Verdict {
    for cut in CUTS {
        let (key, base) = trial.entry(b"old").await?;
        cut.short(trial.store.load(&key)).await;
        trial.holds(&key, b"old", "A load writes nothing.").await?;
        trial.replace(&key, &base, "settled").await?;
    }
    Ok(())
}

async fn a_dropped_call_gives_nobody_elses_answer(trial: &Trial) -> Verdict {
    const PROMISE: &str = "Every call gets its own answer: a connection on which an answer is still to come is \
        closed, not given to the next.";
    let (first, _) = trial.entry(b"the first visitor's").await?;
    let (second, _) = trial.entry(b"the second visitor's").await?;
    for cut in CUTS.into_iter().cycle().take(45) {
        cut.short(trial.store.load(&first)).await;
        trial
            .holds(&second, b"the second visitor's", PROMISE)
            .await?;
    }
    trial.holds(&first, b"the first visitor's", PROMISE).await?;
    Ok(())
}

async fn dropped_calls_give_back_what_they_hold(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"old").await?;
    for cut in CUTS.into_iter().cycle().take(180) {
        cut.short(trial.store.load(&key)).await;
        cut.short(trial.store.touch(&key, LONG)).await;
        cut.short(trial.store.replace(&trial.key(), &base, "new".into(), LONG))
            .await;
    }
    trial
        .holds(
            &key,
            b"old",
            "Dropped calls give back their connections and locks.",
        )
        .await?;
    trial.replace(&key, &base, "settled").await?;
    Ok(())
}

async fn a_call_that_is_never_polled_does_nothing(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"old").await?;
    drop(trial.store.replace(&key, &base, "new".into(), LONG));
    drop(trial.store.delete(&key, None, LONG));
    trial
        .holds(&key, b"old", "A call does nothing before it is polled.")
        .await?;
    Ok(())
}

async fn a_late_call_never_undoes_what_came_after(trial: &Trial) -> Verdict {
    for cut in CUTS {
        let (key, base) = trial.entry(b"old").await?;
        cut.short(trial.store.replace(&key, &base, "dropped".into(), LONG))
            .await;
        trial.delete(&key).await?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        trial
            .lacks(&key, "A write that arrives late does not undo a deletion.")
            .await?;
        let late = trial
            .store
            .replace(&key, &Record::new("dropped"), "late".into(), LONG)
            .await;
        answers!(late, Err(ReplaceError::NotFound), "A deletion lasts.");
    }
    Ok(())
}

async fn dropped_listings_and_removals_do_no_harm(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"old").await?;
    for cut in CUTS {
        cut.short(trial.store.list(&key, None, 10)).await;
        cut.short(trial.store.delete_expired(10)).await;
        let there = load(&trial.store, &key).await?;
        require(
            there.is_some_and(|there| there.value == "old"),
            "A live entry stays.",
            "it went missing",
        )?;
    }
    trial.replace(&key, &base, "settled").await?;
    Ok(())
}
