//! Load, create, replace and touch, one after the other.

use bytes::Bytes;

use super::trial::{LONG, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::{CreateError, Record, ReplaceError, TouchError};

checks!(checks "basics":
    load_of_a_missing_key_is_none,
    create_makes_an_entry,
    create_on_an_entry_is_exists,
    create_on_an_entry_leaves_it_alone,
    create_on_the_same_value_is_exists,
    created_record_is_a_base,
    loaded_record_is_a_base,
    replaced_record_is_a_base,
    changed_record_is_a_base,
    replace_changes_the_value,
    replace_hands_back_the_new_value,
    replace_by_itself_succeeds,
    replace_with_an_old_base_is_changed,
    replace_with_an_old_base_writes_nothing,
    replace_of_a_missing_key_is_not_found,
    replace_never_inserts,
    touch_of_a_missing_key_is_not_found,
    touch_never_inserts,
    touch_leaves_the_value_alone,
    touch_is_no_change_to_compare_with,
    touch_gives_a_record_no_new_version,
    value_changed_and_changed_back,
    entries_do_not_touch_each_other,
    loads_change_nothing,
    many_replacements_in_a_row,
);

const UPDATE_NEVER_INSERTS: &str = "An update never inserts: write only where an entry is (SQL: UPDATE and \
    its row count; Redis: a script, or SET with XX; files: under the lock, after looking).";
const REPLACE_COMPARES: &str = "A replacement compares: it writes only if the entry is still what was \
    loaded, in one atomic step (SQL: WHERE data = ?; Redis: a script; memcached: gets and cas).";
const TOUCH_IS_NO_CHANGE: &str = "A touch changes neither value nor version, so that a reader never costs \
    a writer its turn.";

async fn load_of_a_missing_key_is_none(trial: &Trial) -> Verdict {
    trial
        .lacks(&trial.key(), "What was never made is missing.")
        .await
}

async fn create_makes_an_entry(trial: &Trial) -> Verdict {
    let (key, made) = trial.entry(b"one").await?;
    require(
        made.value == "one".as_bytes(),
        "create hands back the record that it made.",
        "another value",
    )?;
    trial
        .holds(&key, b"one", "What was created can be loaded at once.")
        .await?;
    Ok(())
}

async fn create_on_an_entry_is_exists(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Err(CreateError::Exists),
        "create is Exists where an entry is, so that two sessions never get the same id."
    );
    Ok(())
}

async fn create_on_an_entry_leaves_it_alone(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    let _ = trial
        .store
        .create(&key, Bytes::from_static(b"two"), LONG)
        .await;
    trial
        .holds(
            &key,
            b"one",
            "A create that finds an entry leaves it as it is.",
        )
        .await?;
    trial.replace(&key, &base, "three").await?;
    Ok(())
}

async fn create_on_the_same_value_is_exists(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"one"), LONG)
            .await,
        Err(CreateError::Exists),
        "create is Exists where an entry is, even one with the same value."
    );
    Ok(())
}

async fn created_record_is_a_base(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    trial.replace(&key, &base, "two").await?;
    trial
        .holds(
            &key,
            b"two",
            "The record that create hands back is a base for replace.",
        )
        .await?;
    Ok(())
}

async fn loaded_record_is_a_base(trial: &Trial) -> Verdict {
    const PROMISE: &str = "The record that load hands back is a base for replace.";
    let (key, _) = trial.entry(b"one").await?;
    let base = trial.holds(&key, b"one", PROMISE).await?;
    trial.replace(&key, &base, "two").await?;
    trial.holds(&key, b"two", PROMISE).await?;
    Ok(())
}

async fn replaced_record_is_a_base(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    let base = trial.replace(&key, &base, "two").await?;
    trial.replace(&key, &base, "three").await?;
    trial
        .holds(
            &key,
            b"three",
            "The record that replace hands back is a base for the next one.",
        )
        .await?;
    Ok(())
}

async fn changed_record_is_a_base(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, "two").await?;
    let there = answers!(
        trial.store.replace(&key, &old, Bytes::from_static(b"three"), LONG).await,
        Err(ReplaceError::Changed(there)) => there,
        REPLACE_COMPARES
    );
    trial.replace(&key, &there, "four").await?;
    trial
        .holds(
            &key,
            b"four",
            "The record in Changed is a base for the next replace.",
        )
        .await?;
    Ok(())
}

async fn replace_changes_the_value(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"a long value").await?;
    trial.replace(&key, &base, "short").await?;
    trial
        .holds(
            &key,
            b"short",
            "A replacement takes the whole value's place, also a shorter one.",
        )
        .await?;
    Ok(())
}

async fn replace_hands_back_the_new_value(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    let replaced = trial.replace(&key, &base, "two").await?;
    require(
        replaced.value == "two".as_bytes(),
        "replace hands back what is there now.",
        format!("{replaced:?}"),
    )
}

async fn replace_by_itself_succeeds(trial: &Trial) -> Verdict {
    const PROMISE: &str = "Equal bytes are no change: replacing a value by itself succeeds (some databases \
        count only rows that differ afterwards).";
    let (key, base) = trial.entry(b"one").await?;
    let base = answers!(
        trial.store.replace(&key, &base, Bytes::from_static(b"one"), LONG).await,
        Ok(base) => base,
        PROMISE
    );
    trial.replace(&key, &base, "two").await?;
    trial.holds(&key, b"two", PROMISE).await?;
    Ok(())
}

async fn replace_with_an_old_base_is_changed(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, "two").await?;
    let there = answers!(
        trial.store.replace(&key, &old, Bytes::from_static(b"three"), LONG).await,
        Err(ReplaceError::Changed(there)) => there,
        REPLACE_COMPARES
    );
    require(
        there.value == "two".as_bytes(),
        "Changed says what is there now.",
        format!("{there:?}"),
    )
}

async fn replace_with_an_old_base_writes_nothing(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, "two").await?;
    let _ = trial
        .store
        .replace(&key, &old, Bytes::from_static(b"three"), LONG)
        .await;
    trial.holds(&key, b"two", REPLACE_COMPARES).await?;
    Ok(())
}

async fn replace_of_a_missing_key_is_not_found(trial: &Trial) -> Verdict {
    answers!(
        trial
            .store
            .replace(
                &trial.key(),
                &Record::new("one"),
                Bytes::from_static(b"two"),
                LONG
            )
            .await,
        Err(ReplaceError::NotFound),
        UPDATE_NEVER_INSERTS
    );
    Ok(())
}

async fn replace_never_inserts(trial: &Trial) -> Verdict {
    let (_, elsewhere) = trial.entry(b"one").await?;
    for base in [elsewhere, Record::new("one"), Record::new("")] {
        let key = trial.key();
        let _ = trial
            .store
            .replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await;
        trial.lacks(&key, UPDATE_NEVER_INSERTS).await?;
        // Nor a half-made entry that only create sees.
        trial.create(&key, "three", LONG).await?;
    }
    Ok(())
}

async fn touch_of_a_missing_key_is_not_found(trial: &Trial) -> Verdict {
    answers!(
        trial.store.touch(&trial.key(), LONG).await,
        Err(TouchError::NotFound),
        "A touch of a missing entry says so."
    );
    Ok(())
}

async fn touch_never_inserts(trial: &Trial) -> Verdict {
    let key = trial.key();
    let _ = trial.store.touch(&key, LONG).await;
    trial.lacks(&key, UPDATE_NEVER_INSERTS).await?;
    trial.create(&key, "one", LONG).await?;
    Ok(())
}

async fn touch_leaves_the_value_alone(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    trial.touch(&key, LONG * 2).await?;
    trial.holds(&key, b"one", TOUCH_IS_NO_CHANGE).await?;
    Ok(())
}

async fn touch_is_no_change_to_compare_with(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    trial.touch(&key, LONG * 2).await?;
    answers!(
        trial
            .store
            .replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        TOUCH_IS_NO_CHANGE
    );
    Ok(())
}

async fn touch_gives_a_record_no_new_version(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(b"one").await?;
    let before = trial.holds(&key, b"one", TOUCH_IS_NO_CHANGE).await?;
    trial.touch(&key, LONG * 2).await?;
    let after = trial.holds(&key, b"one", TOUCH_IS_NO_CHANGE).await?;
    // Not compared: a server may count its writes (memcached's cas), as long as an old base still serves.
    trial.replace(&key, &before, "two").await.map_err(|_| {
        super::Miss::broken(
            TOUCH_IS_NO_CHANGE,
            format!("{:?} became {:?}", before.version, after.version),
        )
    })?;
    Ok(())
}

async fn value_changed_and_changed_back(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A value that changed and changed back is the same by bytes and changed by \
        version; either way the answer is true.";
    let (key, old) = trial.entry(b"one").await?;
    let base = trial.replace(&key, &old, "two").await?;
    trial.replace(&key, &base, "one").await?;
    match trial
        .store
        .replace(&key, &old, Bytes::from_static(b"three"), LONG)
        .await
    {
        Ok(_) => trial.holds(&key, b"three", PROMISE).await?,
        Err(ReplaceError::Changed(there)) if there.value == "one".as_bytes() => {
            trial.holds(&key, b"one", PROMISE).await?
        }
        other => return Err(super::Miss::broken(PROMISE, format!("{other:?}"))),
    };
    Ok(())
}

async fn entries_do_not_touch_each_other(trial: &Trial) -> Verdict {
    const PROMISE: &str = "What is done to one entry is done to no other.";
    let (first, base) = trial.entry(b"one").await?;
    let (second, _) = trial.entry(b"one").await?;
    trial.replace(&first, &base, "two").await?;
    trial.holds(&second, b"one", PROMISE).await?;
    trial.delete(&first).await?;
    trial.holds(&second, b"one", PROMISE).await?;
    Ok(())
}

async fn loads_change_nothing(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(b"one").await?;
    for _ in 0..10 {
        trial.holds(&key, b"one", "A load writes nothing.").await?;
    }
    trial.replace(&key, &base, "two").await?;
    Ok(())
}

async fn many_replacements_in_a_row(trial: &Trial) -> Verdict {
    let (key, mut base) = trial.entry(b"0").await?;
    for count in 1..=50 {
        base = trial.replace(&key, &base, count.to_string()).await?;
    }
    trial
        .holds(
            &key,
            b"50",
            "Fifty replacements in a row end with the last.",
        )
        .await?;
    Ok(())
}
