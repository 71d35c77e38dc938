//! How long entries live, to the second where the clock can be set, and how long they may.

use std::time::Duration;

use bytes::Bytes;

use super::expiry::EXPIRED_IS_MISSING;
use super::trial::{Miss, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::{CreateError, StoreErrorKind};

checks!(checks "expiry":
    the_last_second_is_alive_and_the_next_is_not,
    touch_counts_from_the_touch,
    replace_counts_from_the_replacement,
    a_part_of_a_second_rounds_up,
    a_time_to_live_of_two_months,
    an_endless_time_to_live_is_kept_or_refused,
    expires_in_is_about_the_time_to_live,
    expires_in_counts_down,
);

async fn the_last_second_is_alive_and_the_next_is_not(trial: &Trial) -> Verdict {
    trial.to_the_second()?;
    let (key, _) = trial.entry_for(b"one", Duration::from_secs(10)).await?;
    trial.pass(Duration::from_secs(9)).await;
    trial
        .holds(
            &key,
            b"one",
            "An entry with ten seconds to live is there after nine.",
        )
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial
        .lacks(
            &key,
            "An entry with ten seconds to live is missing after ten.",
        )
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial.lacks(&key, "An expired entry stays missing.").await
}

async fn touch_counts_from_the_touch(trial: &Trial) -> Verdict {
    trial.to_the_second()?;
    let (key, _) = trial.entry_for(b"one", Duration::from_secs(10)).await?;
    trial.pass(Duration::from_secs(5)).await;
    trial.touch(&key, Duration::from_secs(10)).await?;
    trial.pass(Duration::from_secs(9)).await;
    trial
        .holds(
            &key,
            b"one",
            "A touched entry is there until its new time is over.",
        )
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial
        .lacks(&key, "The new time to live counts from the touch.")
        .await
}

async fn replace_counts_from_the_replacement(trial: &Trial) -> Verdict {
    trial.to_the_second()?;
    let (key, base) = trial.entry_for(b"one", Duration::from_secs(10)).await?;
    trial.pass(Duration::from_secs(5)).await;
    let replaced = trial
        .store
        .replace(
            &key,
            &base,
            Bytes::from_static(b"two"),
            Duration::from_secs(10),
        )
        .await;
    answers!(replaced, Ok(_), "A live entry can be replaced.");
    trial.pass(Duration::from_secs(9)).await;
    trial
        .holds(
            &key,
            b"two",
            "A replaced entry is there until its new time is over.",
        )
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial
        .lacks(&key, "The new time to live counts from the replacement.")
        .await
}

async fn a_part_of_a_second_rounds_up(trial: &Trial) -> Verdict {
    trial.to_the_second()?;
    let (key, _) = trial
        .entry_for(b"one", Duration::from_millis(1_100))
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial
        .holds(
            &key,
            b"one",
            "Where the store counts whole seconds, a part of a second rounds up.",
        )
        .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial.lacks(&key, EXPIRED_IS_MISSING).await
}

async fn a_time_to_live_of_two_months(trial: &Trial) -> Verdict {
    let (key, base) = trial
        .entry_for(b"one", Duration::from_secs(60 * 86_400))
        .await?;
    trial
        .holds(
            &key,
            b"one",
            "More than thirty days is a time to live too (memcached takes it for a date).",
        )
        .await?;
    let two_months = Duration::from_secs(60 * 86_400);
    trial.touch(&key, two_months).await?;
    trial
        .holds(&key, b"one", "A touch takes more than thirty days too.")
        .await?;
    let replaced = trial
        .store
        .replace(&key, &base, Bytes::from_static(b"two"), two_months)
        .await;
    answers!(
        replaced,
        Ok(_),
        "A replacement takes more than thirty days too."
    );
    trial
        .holds(
            &key,
            b"two",
            "A replacement takes more than thirty days too.",
        )
        .await?;
    Ok(())
}

async fn an_endless_time_to_live_is_kept_or_refused(trial: &Trial) -> Verdict {
    const PROMISE: &str = "The longest time to live that can be asked for is kept as well as it goes, or \
        refused; it never overflows into the past.";
    let key = trial.key();
    match trial
        .store
        .create(&key, Bytes::from_static(b"one"), Duration::MAX)
        .await
    {
        Ok(_) => {
            trial.holds(&key, b"one", PROMISE).await?;
        }
        Err(CreateError::Failed(error)) if error.kind() == StoreErrorKind::Refused => {}
        other => return Err(Miss::broken(PROMISE, format!("{other:?}"))),
    }
    let (key, _) = trial.entry(b"one").await?;
    if trial.store.touch(&key, Duration::MAX).await.is_ok() {
        trial.holds(&key, b"one", PROMISE).await?;
    }
    Ok(())
}

/// As loading tells it, or else the question that is there for it.
async fn expires_in(trial: &Trial, key: &str) -> Verdict<Duration> {
    let record = trial
        .holds(key, b"one", "What was created can be loaded.")
        .await?;
    if let Some(told) = record.expires_in {
        return Ok(told);
    }
    let asked = trial.store.expires_in(key).await;
    answers!(asked, Ok(left) => left, "A store that is up can be asked how long an entry lives.")
        .ok_or_else(|| Miss::not_applicable("the store does not tell how long an entry lives"))
}

async fn expires_in_is_about_the_time_to_live(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", Duration::from_secs(100)).await?;
    let expires_in = expires_in(trial, &key).await?;
    require(
        (60..=101).contains(&expires_in.as_secs()),
        "expires_in is how long the entry still lives.",
        format!("{expires_in:?} of 100 s"),
    )
}

async fn expires_in_counts_down(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", Duration::from_secs(100)).await?;
    let before = expires_in(trial, &key).await?;
    trial.pass(Duration::from_secs(2)).await;
    let after = expires_in(trial, &key).await?;
    require(
        after < before,
        "expires_in becomes less as time goes by.",
        format!("{before:?}, then {after:?}"),
    )
}
