//! Others at the same entries: another process of ours, and programs that know nothing of tombstones.

use bytes::Bytes;

use super::deletion::{deleted, stays_out};
use super::trial::{LONG, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::DeleteError;
use crate::store::{CreateError, Record, ReplaceError, TouchError};

checks!(checks "neighbours":
    what_one_connection_writes_another_loads,
    a_base_of_one_connection_serves_another,
    a_replacement_through_another_connection_is_a_conflict,
    a_deletion_through_another_connection_holds,
    a_foreign_entry_can_be_loaded_and_replaced,
    a_foreign_entry_is_in_the_way_of_create,
    a_foreign_write_after_the_load_is_a_conflict,
    a_foreign_write_under_a_tombstone_stays_missing,
    a_foreign_write_under_a_tombstone_cannot_be_replaced,
    a_foreign_write_under_a_tombstone_cannot_be_touched,
    a_foreign_write_under_a_tombstone_is_no_place_for_create,
    a_foreign_write_under_a_tombstone_can_be_deleted,
);

const REPLACE_COMPARES: &str =
    "A replacement compares with what is there, whichever connection wrote it.";
const FOREIGN_STAYS_OUT: &str = "A deletion lasts, even if a program that knows nothing of tombstones puts an \
    entry there: keep the tombstone beside the entry, not in it, and look at it in every method.";

async fn what_one_connection_writes_another_loads(trial: &Trial) -> Verdict {
    const PROMISE: &str = "All connections see the same entries at once: a cache in the driver would bring \
        back what another process changed.";
    let twin = trial.twin()?;
    let (key, base) = trial.entry(b"one").await?;
    for (value, store) in [("two", twin), ("three", &trial.store)] {
        let seen = super::trial::load(store, &key).await?;
        let current = trial.load(&key).await?;
        require(
            seen.is_some()
                && seen.as_ref().map(|record| &record.value)
                    == current.as_ref().map(|record| &record.value),
            PROMISE,
            format!("{seen:?} and {current:?}"),
        )?;
        let base = current.unwrap_or_else(|| base.clone());
        answers!(
            store.replace(&key, &base, value.into(), LONG).await,
            Ok(_),
            PROMISE
        );
    }
    trial.holds(&key, b"three", PROMISE).await?;
    Ok(())
}

async fn a_base_of_one_connection_serves_another(trial: &Trial) -> Verdict {
    let twin = trial.twin()?;
    let (key, base) = trial.entry(b"one").await?;
    answers!(
        twin.replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        "A record can be compared through any connection."
    );
    Ok(())
}

async fn a_replacement_through_another_connection_is_a_conflict(trial: &Trial) -> Verdict {
    let twin = trial.twin()?;
    let (key, base) = trial.entry(b"one").await?;
    answers!(
        twin.replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await,
        Ok(_),
        REPLACE_COMPARES
    );
    answers!(
        trial
            .store
            .replace(&key, &base, Bytes::from_static(b"three"), LONG)
            .await,
        Err(ReplaceError::Changed(_)),
        REPLACE_COMPARES
    );
    Ok(())
}

async fn a_deletion_through_another_connection_holds(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A tombstone is in the store, not in the process that left it.";
    let twin = trial.twin()?;
    let (key, base) = trial.entry(b"one").await?;
    answers!(twin.delete(&key, None, LONG).await, Ok(()), PROMISE);
    trial.lacks(&key, PROMISE).await?;
    answers!(
        trial
            .store
            .replace(&key, &base, Bytes::from_static(b"two"), LONG)
            .await,
        Err(ReplaceError::NotFound),
        PROMISE
    );
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"two"), LONG)
            .await,
        Err(CreateError::Exists),
        PROMISE
    );
    Ok(())
}

async fn a_foreign_entry_can_be_loaded_and_replaced(trial: &Trial) -> Verdict {
    let write = trial.foreign()?;
    let key = trial.key();
    write(key.clone(), Bytes::from_static(b"foreign")).await;
    let base = trial
        .holds(
            &key,
            b"foreign",
            "An entry that another program wrote is an entry.",
        )
        .await?;
    trial.touch(&key, LONG).await?;
    trial.replace(&key, &base, "ours").await?;
    trial
        .holds(
            &key,
            b"ours",
            "An entry that another program wrote can be replaced.",
        )
        .await?;
    Ok(())
}

async fn a_foreign_entry_is_in_the_way_of_create(trial: &Trial) -> Verdict {
    let write = trial.foreign()?;
    let key = trial.key();
    write(key.clone(), Bytes::from_static(b"foreign")).await;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"ours"), LONG)
            .await,
        Err(CreateError::Exists),
        "create is Exists where an entry is, whoever wrote it."
    );
    Ok(())
}

async fn a_foreign_write_after_the_load_is_a_conflict(trial: &Trial) -> Verdict {
    const PROMISE: &str = "A replacement compares with what is there, whoever wrote it: a version of the \
        driver's own that other programs do not keep up is not enough.";
    let write = trial.foreign()?;
    let (key, base) = trial.entry(b"one").await?;
    write(key.clone(), Bytes::from_static(b"foreign")).await;
    let there = answers!(
        trial.store.replace(&key, &base, Bytes::from_static(b"ours"), LONG).await,
        Err(ReplaceError::Changed(there)) => there,
        PROMISE
    );
    require(
        there.value == "foreign".as_bytes(),
        "Changed says what is there now.",
        format!("{there:?}"),
    )?;
    trial.holds(&key, b"foreign", PROMISE).await?;
    Ok(())
}

async fn foreign_under_a_tombstone(trial: &Trial) -> Verdict<(String, Record)> {
    let write = trial.foreign()?;
    let entry = deleted(trial).await?;
    write(entry.0.clone(), Bytes::from_static(b"foreign")).await;
    Ok(entry)
}

async fn a_foreign_write_under_a_tombstone_stays_missing(trial: &Trial) -> Verdict {
    let (key, _) = foreign_under_a_tombstone(trial).await?;
    trial.lacks(&key, FOREIGN_STAYS_OUT).await?;
    trial.lacks(&key, FOREIGN_STAYS_OUT).await
}

async fn a_foreign_write_under_a_tombstone_cannot_be_replaced(trial: &Trial) -> Verdict {
    let (key, old) = foreign_under_a_tombstone(trial).await?;
    for base in [Record::new("foreign"), old] {
        answers!(
            trial
                .store
                .replace(&key, &base, Bytes::from_static(b"late"), LONG)
                .await,
            Err(ReplaceError::NotFound),
            FOREIGN_STAYS_OUT
        );
    }
    trial.lacks(&key, FOREIGN_STAYS_OUT).await
}

async fn a_foreign_write_under_a_tombstone_cannot_be_touched(trial: &Trial) -> Verdict {
    let (key, _) = foreign_under_a_tombstone(trial).await?;
    answers!(
        trial.store.touch(&key, LONG).await,
        Err(TouchError::NotFound),
        FOREIGN_STAYS_OUT
    );
    trial.lacks(&key, FOREIGN_STAYS_OUT).await
}

async fn a_foreign_write_under_a_tombstone_is_no_place_for_create(trial: &Trial) -> Verdict {
    let (key, _) = foreign_under_a_tombstone(trial).await?;
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"late"), LONG)
            .await,
        Err(CreateError::Exists),
        FOREIGN_STAYS_OUT
    );
    trial.lacks(&key, FOREIGN_STAYS_OUT).await
}

async fn a_foreign_write_under_a_tombstone_can_be_deleted(trial: &Trial) -> Verdict {
    let (key, base) = foreign_under_a_tombstone(trial).await?;
    answers!(
        trial.store.delete(&key, Some(&base), LONG).await,
        Err(DeleteError::NotFound),
        "What lies under a tombstone is missing, so there is nothing to compare with."
    );
    stays_out(trial, &key, &base, FOREIGN_STAYS_OUT).await
}
