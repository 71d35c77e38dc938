//! A deletion lasts.

use std::time::Duration;

use bytes::Bytes;

use super::trial::{BRIEF, LONG, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::{CreateError, DeleteError, Record, ReplaceError, TouchError};

checks!(checks "deletion":
    a_tombstone_expires_and_the_key_is_free,
    a_tombstone_outlives_the_entry_it_stands_for,
    a_second_deletion_renews_the_tombstone,
    a_tombstone_is_there_until_its_time_is_over,
    a_deleted_entry_is_missing,
    a_late_replace_stays_out,
    a_late_replace_with_any_base_stays_out,
    a_late_touch_stays_out,
    a_late_create_stays_out,
    a_refused_write_leaves_the_tombstone,
    a_missing_key_gets_a_tombstone,
    a_missing_key_with_an_expectation_is_not_found,
    deleting_twice_succeeds,
    deleting_twice_with_an_expectation_is_not_found,
    what_was_expected_is_deleted,
    what_was_touched_is_still_what_was_expected,
    what_has_changed_is_left_alone,
    changed_says_what_is_there,
    the_record_of_changed_serves_the_next_deletion,
    a_deletion_that_found_a_change_leaves_no_tombstone,
    a_tombstone_of_zero_leaves_none,
    a_tombstone_of_zero_deletes_what_was_expected,
    a_tombstone_of_zero_compares,
    a_tombstone_of_zero_on_a_missing_key_leaves_none,
    a_base_from_before_does_not_serve_a_new_entry,
    a_tombstone_covers_no_other_key,
);

const DELETION_LASTS: &str = "A deletion lasts: until its tombstone expires the key is missing and cannot \
    be written, by whichever method and with whatever base.";

pub(super) async fn deleted(trial: &Trial) -> Verdict<(String, Record)> {
    let entry = trial.entry(b"one").await?;
    trial.delete(&entry.0).await?;
    Ok(entry)
}

async fn a_tombstone_expires_and_the_key_is_free(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    trial.delete_for(&key, BRIEF).await?;
    trial.outlive(BRIEF).await;
    trial
        .lacks(
            &key,
            "What was deleted does not come back when its tombstone expires.",
        )
        .await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        "When the tombstone has expired the key is free."
    );
    trial
        .holds(
            &key,
            b"two",
            "When the tombstone has expired the key is free.",
        )
        .await?;
    Ok(())
}

async fn a_tombstone_outlives_the_entry_it_stands_for(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry_for(b"one", BRIEF).await?;
    trial.delete(&key).await?;
    trial.outlive(BRIEF).await;
    stays_out(
        trial,
        &key,
        &base,
        "A tombstone has a time of its own, not the one that the entry had.",
    )
    .await
}

async fn a_second_deletion_renews_the_tombstone(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    trial.delete_for(&key, BRIEF).await?;
    trial.delete(&key).await?;
    trial.outlive(BRIEF).await;
    stays_out(
        trial,
        &key,
        &base,
        "A second deletion leaves a tombstone for its own time.",
    )
    .await
}

async fn a_tombstone_is_there_until_its_time_is_over(trial: &Trial) -> Verdict {
    trial.to_the_second()?;
    let (key, base) = trial.entry(b"one").await?;
    trial.delete_for(&key, Duration::from_secs(10)).await?;
    trial.pass(Duration::from_secs(9)).await;
    stays_out(
        trial,
        &key,
        &base,
        "A tombstone of ten seconds is there after nine.",
    )
    .await?;
    trial.pass(Duration::from_secs(1)).await;
    trial.create(&key, "two", LONG).await?;
    Ok(())
}

/// Fails unless nobody can write the key.
pub(super) async fn stays_out(trial: &Trial, key: &str, base: &Record, promise: &str) -> Verdict {
    let value = Bytes::from_static(b"late");
    answers!(
        trial.store.replace(key, base, value.clone(), LONG).await,
        Err(ReplaceError::NotFound),
        promise
    );
    answers!(
        trial.store.touch(key, LONG).await,
        Err(TouchError::NotFound),
        promise
    );
    answers!(
        trial.store.create(key, value, LONG).await,
        Err(CreateError::Exists),
        promise
    );
    trial.lacks(key, promise).await
}

async fn a_deleted_entry_is_missing(trial: &Trial) -> Verdict {
    let (key, _) = deleted(trial).await?;
    trial.lacks(&key, DELETION_LASTS).await
}

async fn a_late_replace_stays_out(trial: &Trial) -> Verdict {
    let (key, base) = deleted(trial).await?;
    answers!(
        trial
            .store
            .replace(&key, &base, Bytes::from_static(b"late"), LONG)
            .await,
        Err(ReplaceError::NotFound),
        DELETION_LASTS
    );
    trial.lacks(&key, DELETION_LASTS).await
}

async fn a_late_replace_with_any_base_stays_out(trial: &Trial) -> Verdict {
    let (key, _) = deleted(trial).await?;
    // What a tombstone may look like in the store.
    for base in [&b""[..], b"\xc0", b"gone", b"\0"] {
        let base = Record::new(base);
        answers!(
            trial
                .store
                .replace(&key, &base, Bytes::from_static(b"late"), LONG)
                .await,
            Err(ReplaceError::NotFound),
            DELETION_LASTS
        );
    }
    trial.lacks(&key, DELETION_LASTS).await
}

async fn a_late_touch_stays_out(trial: &Trial) -> Verdict {
    let (key, _) = deleted(trial).await?;
    answers!(
        trial.store.touch(&key, LONG).await,
        Err(TouchError::NotFound),
        DELETION_LASTS
    );
    trial.lacks(&key, DELETION_LASTS).await
}

async fn a_late_create_stays_out(trial: &Trial) -> Verdict {
    let (key, _) = deleted(trial).await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"late"), LONG)
            .await,
        Err(CreateError::Exists),
        DELETION_LASTS
    );
    trial.lacks(&key, DELETION_LASTS).await
}

async fn a_refused_write_leaves_the_tombstone(trial: &Trial) -> Verdict {
    let (key, base) = deleted(trial).await?;
    for _ in 0..3 {
        stays_out(trial, &key, &base, DELETION_LASTS).await?;
    }
    Ok(())
}

async fn a_missing_key_gets_a_tombstone(trial: &Trial) -> Verdict {
    let key = trial.key();
    trial.delete(&key).await?;
    stays_out(
        trial,
        &key,
        &Record::new("one"),
        "A missing entry gets its tombstone all the same.",
    )
    .await
}

async fn a_missing_key_with_an_expectation_is_not_found(trial: &Trial) -> Verdict {
    const PROMISE: &str =
        "A deletion that expects an entry and finds none says so, and leaves no tombstone.";
    let key = trial.key();
    let expected = Record::new("one");
    answers!(
        trial.store.delete(&key, Some(&expected), LONG).await,
        Err(DeleteError::NotFound),
        PROMISE
    );
    answers!(
        trial.store.create(&key, "one".into(), LONG).await,
        Ok(_),
        PROMISE
    );
    Ok(())
}

async fn deleting_twice_succeeds(trial: &Trial) -> Verdict {
    let (key, base) = deleted(trial).await?;
    trial.delete(&key).await?;
    stays_out(trial, &key, &base, DELETION_LASTS).await
}

async fn deleting_twice_with_an_expectation_is_not_found(trial: &Trial) -> Verdict {
    let (key, base) = deleted(trial).await?;
    answers!(
        trial.store.delete(&key, Some(&base), LONG).await,
        Err(DeleteError::NotFound),
        "What is under a tombstone is missing, so a deletion that expects it says so."
    );
    stays_out(trial, &key, &base, DELETION_LASTS).await
}

async fn what_was_expected_is_deleted(trial: &Trial) -> Verdict {
    const PROMISE: &str = "An entry that is what was expected is deleted.";
    let (key, base) = trial.entry(b"one").await?;
    answers!(
        trial.store.delete(&key, Some(&base), LONG).await,
        Ok(()),
        PROMISE
    );
    stays_out(trial, &key, &base, PROMISE).await
}

async fn what_was_touched_is_still_what_was_expected(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    trial.touch(&key, LONG * 2).await?;
    answers!(
        trial.store.delete(&key, Some(&base), LONG).await,
        Ok(()),
        "A touch changes nothing that a deletion compares with."
    );
    trial.lacks(&key, DELETION_LASTS).await
}

async fn changed(trial: &Trial) -> Verdict<(String, Record, Record)> {
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, "two").await?;
    let there = answers!(
        trial.store.delete(&key, Some(&old), LONG).await,
        Err(DeleteError::Changed(there)) => there,
        "With an expectation, an entry that is something else by now is left alone."
    );
    Ok((key, old, there))
}

async fn what_has_changed_is_left_alone(trial: &Trial) -> Verdict {
    let (key, ..) = changed(trial).await?;
    trial
        .holds(
            &key,
            b"two",
            "An entry that is not what was expected is left alone.",
        )
        .await?;
    Ok(())
}

async fn changed_says_what_is_there(trial: &Trial) -> Verdict {
    let (_, _, there) = changed(trial).await?;
    require(
        there.value == "two".as_bytes(),
        "Changed says what is there now.",
        format!("{there:?}"),
    )
}

async fn the_record_of_changed_serves_the_next_deletion(trial: &Trial) -> Verdict {
    const PROMISE: &str = "The record in Changed is what the next deletion can expect.";
    let (key, _, there) = changed(trial).await?;
    answers!(
        trial.store.delete(&key, Some(&there), LONG).await,
        Ok(()),
        PROMISE
    );
    trial.lacks(&key, PROMISE).await
}

async fn a_deletion_that_found_a_change_leaves_no_tombstone(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A deletion that finds a change does nothing: write the tombstone after the \
        comparison, in the same atomic step.";
    let (key, _, there) = changed(trial).await?;
    answers!(trial.store.touch(&key, LONG).await, Ok(()), PROMISE);
    answers!(
        trial
            .store
            .replace(&key, &there, Bytes::from_static(b"three"), LONG)
            .await,
        Ok(_),
        PROMISE
    );
    trial.holds(&key, b"three", PROMISE).await?;
    Ok(())
}

const ZERO_LEAVES_NONE: &str =
    "A tombstone of zero is none (many servers take zero for \"for ever\").";

async fn a_tombstone_of_zero_leaves_none(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    trial.delete_for(&key, Duration::ZERO).await?;
    trial
        .lacks(
            &key,
            "With a tombstone of zero the entry is deleted all the same.",
        )
        .await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        ZERO_LEAVES_NONE
    );
    trial.holds(&key, b"two", ZERO_LEAVES_NONE).await?;
    Ok(())
}

async fn a_tombstone_of_zero_deletes_what_was_expected(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    answers!(
        trial.store.delete(&key, Some(&base), Duration::ZERO).await,
        Ok(()),
        ZERO_LEAVES_NONE
    );
    trial
        .lacks(
            &key,
            "With a tombstone of zero the entry is deleted all the same.",
        )
        .await?;
    trial.create(&key, "two", LONG).await?;
    Ok(())
}

async fn a_tombstone_of_zero_compares(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A deletion with an expectation compares, whatever its tombstone.";
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, "two").await?;
    answers!(
        trial.store.delete(&key, Some(&old), Duration::ZERO).await,
        Err(DeleteError::Changed(_)),
        PROMISE
    );
    trial.holds(&key, b"two", PROMISE).await?;
    Ok(())
}

async fn a_tombstone_of_zero_on_a_missing_key_leaves_none(trial: &Trial) -> Verdict {
    let key = trial.key();
    trial.delete_for(&key, Duration::ZERO).await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"one"), LONG)
            .await,
        Ok(_),
        ZERO_LEAVES_NONE
    );
    Ok(())
}

async fn a_base_from_before_does_not_serve_a_new_entry(trial: &Trial) -> Verdict {
    const PROMISE: &str =
        "An entry made anew is another state: versions are never used twice for a key.";
    let (key, old) = trial.entry(b"one").await?;
    trial.delete_for(&key, Duration::ZERO).await?;
    trial.create(&key, "two", LONG).await?;
    answers!(
        trial
            .store
            .replace(&key, &old, Bytes::from_static(b"late"), LONG)
            .await,
        Err(ReplaceError::Changed(_)),
        PROMISE
    );
    trial.holds(&key, b"two", PROMISE).await?;
    Ok(())
}

async fn a_tombstone_covers_no_other_key(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A tombstone covers its own key and no other.";
    let (key, _) = deleted(trial).await?;
    for other in [&key[..key.len() - 1], &format!("{key}0")] {
        answers!(
            trial
                .store
                .create(other, Bytes::from_static(b"other"), LONG)
                .await,
            Ok(_),
            PROMISE
        );
        trial.holds(other, b"other", PROMISE).await?;
    }
    Ok(())
}
