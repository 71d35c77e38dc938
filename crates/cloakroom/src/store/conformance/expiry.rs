//! What has expired is missing. First in the list, because these checks may have to wait.

use bytes::Bytes;

use super::trial::{BRIEF, LONG, Trial, Verdict};
use super::{answers, checks};
use crate::store::{DeleteError, Record, ReplaceError, TouchError};

checks!(checks "expiry":
    an_expired_entry_is_missing_for_load,
    an_expired_entry_is_missing_for_replace,
    an_expired_entry_is_missing_for_touch,
    an_expired_entry_is_missing_for_delete,
    an_expired_entry_is_free_for_create,
    an_expired_base_does_not_serve_a_new_entry,
    an_entry_lives_its_time,
    touch_extends,
    touch_shortens,
    touch_again_and_again_keeps_an_entry,
    replace_extends,
    replace_shortens,
    replace_by_itself_renews,
    a_failed_replace_renews_nothing,
    a_failed_create_renews_nothing,
    loads_renew_nothing,
    a_failed_delete_renews_nothing,
);

pub(super) const EXPIRED_IS_MISSING: &str = "What has expired is missing, whether or not it is still stored: look at \
    the expiry in every method (SQL: AND expiry > now).";

async fn expired(trial: &Trial) -> Verdict<(String, Record)> {
    let entry = trial.entry_for(b"one", BRIEF).await?;
    trial.outlive(BRIEF).await;
    Ok(entry)
}

async fn an_expired_entry_is_missing_for_load(trial: &Trial) -> Verdict {
    let (key, _) = expired(trial).await?;
    trial.lacks(&key, EXPIRED_IS_MISSING).await
}

async fn an_expired_entry_is_missing_for_replace(trial: &Trial) -> Verdict {
    let (key, base) = expired(trial).await?;
    answers!(
        trial
            .store
            .replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await,
        Err(ReplaceError::NotFound),
        EXPIRED_IS_MISSING
    );
    trial.lacks(&key, EXPIRED_IS_MISSING).await
}

async fn an_expired_entry_is_missing_for_touch(trial: &Trial) -> Verdict {
    let (key, _) = expired(trial).await?;
    answers!(
        trial.store.touch(&key, LONG).await,
        Err(TouchError::NotFound),
        EXPIRED_IS_MISSING
    );
    trial.lacks(&key, EXPIRED_IS_MISSING).await
}

async fn an_expired_entry_is_missing_for_delete(trial: &Trial) -> Verdict {
    let (key, _) = expired(trial).await?;
    let other = Record::new("something else");
    answers!(
        trial.store.delete(&key, Some(&other), LONG).await,
        Err(DeleteError::NotFound),
        "An expired entry is missing: a deletion that expects one says so and writes nothing."
    );
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        "A deletion that found nothing leaves no tombstone."
    );
    Ok(())
}

async fn an_expired_entry_is_free_for_create(trial: &Trial) -> Verdict {
    let (key, _) = expired(trial).await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        EXPIRED_IS_MISSING
    );
    trial
        .holds(
            &key,
            b"two",
            "An entry can be made where another has expired.",
        )
        .await?;
    Ok(())
}

async fn an_expired_base_does_not_serve_a_new_entry(trial: &Trial) -> Verdict {
    let (key, old) = expired(trial).await?;
    trial.create(&key, "two", LONG).await?;
    answers!(
        trial
            .store
            .replace(&key, &old, Bytes::from_static(b"three"), LONG)
            .await,
        Err(ReplaceError::Changed(_)),
        "An entry made anew is another state: versions are never used twice."
    );
    Ok(())
}

async fn an_entry_lives_its_time(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", BRIEF * 5).await?;
    trial.pass(BRIEF).await;
    trial
        .holds(&key, b"one", "An entry is there until its time is over.")
        .await?;
    Ok(())
}

async fn touch_extends(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", BRIEF).await?;
    trial.touch(&key, LONG).await?;
    trial.outlive(BRIEF).await;
    trial
        .holds(&key, b"one", "A touch gives the entry a new time to live.")
        .await?;
    Ok(())
}

async fn touch_shortens(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    trial.touch(&key, BRIEF).await?;
    trial.outlive(BRIEF).await;
    trial
        .lacks(&key, "A touch sets the time to live, also a shorter one.")
        .await
}

async fn touch_again_and_again_keeps_an_entry(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", BRIEF * 2).await?;
    for _ in 0..4 {
        trial.pass(BRIEF / 2).await;
        // More than is needed, for busy machines.
        trial.touch(&key, BRIEF * 8).await?;
    }
    trial.pass(BRIEF / 2).await;
    trial
        .holds(&key, b"one", "An entry that is touched in time lives on.")
        .await?;
    Ok(())
}

async fn replace_extends(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry_for(b"one", BRIEF).await?;
    trial.replace(&key, &base, "two").await?;
    trial.outlive(BRIEF).await;
    trial
        .holds(
            &key,
            b"two",
            "A replacement gives the entry a new time to live.",
        )
        .await?;
    Ok(())
}

async fn replace_shortens(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    let replaced = trial
        .store
        .replace(&key, &base, Bytes::from_static(b"two"), BRIEF)
        .await;
    answers!(replaced, Ok(_), "A live entry can be replaced.");
    trial.outlive(BRIEF).await;
    trial
        .lacks(
            &key,
            "A replacement sets the time to live, also a shorter one.",
        )
        .await
}

async fn replace_by_itself_renews(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry_for(b"one", BRIEF).await?;
    trial.replace(&key, &base, "one").await?;
    trial.outlive(BRIEF).await;
    trial
        .holds(
            &key,
            b"one",
            "Replacing a value by itself renews its time to live.",
        )
        .await?;
    Ok(())
}

async fn a_failed_replace_renews_nothing(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    let replaced = trial
        .store
        .replace(&key, &old, Bytes::from_static(b"two"), BRIEF)
        .await;
    answers!(replaced, Ok(_), "A live entry can be replaced.");
    let late = trial
        .store
        .replace(&key, &old, Bytes::from_static(b"three"), LONG)
        .await;
    answers!(
        late,
        Err(ReplaceError::Changed(_)),
        "A replacement compares."
    );
    trial.outlive(BRIEF).await;
    trial
        .lacks(
            &key,
            "A replacement that finds a change writes nothing, no time to live either.",
        )
        .await
}

async fn a_failed_create_renews_nothing(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", BRIEF).await?;
    let _ = trial
        .store
        .create(&key, Bytes::from_static(b"two"), LONG)
        .await;
    trial.outlive(BRIEF).await;
    trial
        .lacks(
            &key,
            "A create that finds an entry leaves its time to live as it is.",
        )
        .await
}

async fn loads_renew_nothing(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry_for(b"one", BRIEF).await?;
    trial.pass(BRIEF / 2).await;
    let _ = trial.load(&key).await?;
    trial.outlive(BRIEF / 2).await;
    trial
        .lacks(&key, "A load renews nothing; touch does.")
        .await
}

async fn a_failed_delete_renews_nothing(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    let replaced = trial
        .store
        .replace(&key, &old, Bytes::from_static(b"two"), BRIEF)
        .await;
    answers!(replaced, Ok(_), "A live entry can be replaced.");
    let deleted = trial.store.delete(&key, Some(&old), LONG).await;
    answers!(
        deleted,
        Err(DeleteError::Changed(_)),
        "A deletion with an expectation compares."
    );
    trial.outlive(BRIEF).await;
    trial.lacks(&key, EXPIRED_IS_MISSING).await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"three"), LONG)
            .await,
        Ok(_),
        "A deletion that finds a change leaves no tombstone."
    );
    Ok(())
}
