//! Listings for operators, and the removal of what has expired.

use std::collections::BTreeSet;

use super::trial::{BRIEF, LONG, Miss, Trial, Verdict, require};
use super::{Check, answers};
use crate::store::{CreateError, Cursor, Listed, Store, StoreErrorKind};

pub(super) fn checks() -> Vec<Check> {
    let literal = WILDCARDS.iter().map(|&(name, wildcard, meant)| {
        Check::new(
            format!("listing/{name}_is_literal"),
            move |trial| async move { literal(&trial, wildcard, meant).await },
        )
    });
    others().into_iter().chain(literal).collect()
}

super::checks!(others "listing":
    expired_entries_are_not_listed,
    lists_what_is_there,
    lists_nothing_under_another_prefix,
    lists_sizes,
    lists_how_long_entries_live,
    a_whole_key_is_a_prefix,
    the_empty_prefix_lists_all,
    an_empty_store_lists_nothing,
    pages_of_one,
    pages_of_seven,
    one_large_page,
    many_entries_in_pages,
    deleted_entries_are_not_listed,
    tombstones_are_not_listed,
    changed_entries_are_listed_once,
    upper_case_is_another_prefix,
    entries_that_stay_are_listed_while_others_come_and_go,
    a_cursor_of_nonsense_does_no_harm,
    a_page_of_zero_does_no_harm,
    a_foreign_write_under_a_tombstone_is_not_listed,
    a_store_that_does_not_list_refuses,
);

const WILDCARDS: &[(&str, &str, &str)] = &[
    ("a_percent_sign", "%", "any"),
    ("an_underscore", "_", "x"),
    ("an_asterisk", "*", "any"),
    ("a_question_mark", "?", "x"),
    ("a_square_bracket", "[xyz]", "x"),
    ("a_backslash", "\\x", "x"),
    ("a_dot", ".", "x"),
];

const LISTS_ALL: &str =
    "A listing has every live entry under the prefix exactly once, over all its pages.";
const LIVE_ONLY: &str = "A listing has live entries only.";

/// The whole listing, page by page.
pub(super) async fn all(store: &Store, prefix: &str, limit: usize) -> Verdict<Vec<Listed>> {
    const PROMISE: &str = "A listing can be had and comes to an end.";
    let (mut listed, mut from) = (Vec::new(), None);
    for _ in 0..100_000 {
        let page = store
            .list(prefix, from, limit)
            .await
            .map_err(|error| Miss::broken(PROMISE, error.to_string()))?;
        listed.extend(page.entries);
        from = page.next;
        if from.is_none() {
            return Ok(listed);
        }
    }
    Err(Miss::broken(
        PROMISE,
        "there was yet another page after 100,000",
    ))
}

fn lists(trial: &Trial) -> Verdict {
    match trial.limits().lists {
        true => Ok(()),
        false => Err(Miss::not_applicable(
            "the store declares that it cannot list: see Limits::lists",
        )),
    }
}

/// So many new entries and the beginning of their keys.
async fn entries(trial: &Trial, count: usize) -> Verdict<(String, BTreeSet<String>)> {
    lists(trial)?;
    let prefix = trial.prefix();
    let keys: BTreeSet<_> = (0..count)
        .map(|number| format!("{prefix}{number}"))
        .collect();
    for key in &keys {
        trial.create(key, "one", LONG).await?;
    }
    Ok((prefix, keys))
}

/// Fails unless the listing has exactly these keys, each once.
async fn has_exactly(
    store: &Store,
    prefix: &str,
    keys: &BTreeSet<String>,
    limit: usize,
    promise: &str,
) -> Verdict {
    let listed = all(store, prefix, limit).await?;
    let distinct: BTreeSet<_> = listed.iter().map(|listed| listed.key.clone()).collect();
    require(
        distinct == *keys && listed.len() == distinct.len(),
        promise,
        format!(
            "{} entries were listed, {} of them distinct and {} of the {} that are there",
            listed.len(),
            distinct.len(),
            distinct.intersection(keys).count(),
            keys.len(),
        ),
    )
}

async fn lists_what_is_there(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 5).await?;
    has_exactly(&trial.store, &prefix, &keys, 100, LISTS_ALL).await
}

async fn lists_nothing_under_another_prefix(trial: &Trial) -> Verdict {
    let (prefix, _) = entries(trial, 3).await?;
    for other in [format!("{prefix}x"), trial.prefix(), format!("x{prefix}")] {
        has_exactly(
            &trial.store,
            &other,
            &BTreeSet::new(),
            100,
            "A prefix is where the key begins.",
        )
        .await?;
    }
    Ok(())
}

async fn lists_sizes(trial: &Trial) -> Verdict {
    lists(trial)?;
    let prefix = trial.prefix();
    for size in [0, 1, 1000] {
        trial
            .create(&format!("{prefix}{size}"), vec![b'x'; size], LONG)
            .await?;
    }
    for listed in all(&trial.store, &prefix, 10).await? {
        require(
            listed.key == format!("{prefix}{}", listed.size),
            "A listing says how many bytes the value has.",
            format!("another size, {}", listed.size),
        )?;
    }
    Ok(())
}

async fn lists_how_long_entries_live(trial: &Trial) -> Verdict {
    let (prefix, _) = entries(trial, 1).await?;
    for listed in all(&trial.store, &prefix, 10).await? {
        let Some(expires_in) = listed.expires_in else {
            return Err(Miss::not_applicable(
                "listing does not tell how long an entry lives",
            ));
        };
        require(
            expires_in + BRIEF * 30 > LONG && expires_in < LONG + BRIEF,
            "expires_in, where a listing tells it, is how long the entry still lives.",
            format!("{expires_in:?} of {LONG:?}"),
        )?;
    }
    Ok(())
}

async fn a_whole_key_is_a_prefix(trial: &Trial) -> Verdict {
    let (_, keys) = entries(trial, 2).await?;
    for key in keys {
        has_exactly(
            &trial.store,
            &key,
            &[key.clone()].into(),
            10,
            "A prefix may be the whole key.",
        )
        .await?;
    }
    Ok(())
}

async fn the_empty_prefix_lists_all(trial: &Trial) -> Verdict {
    lists(trial)?;
    let store = trial.empty_store().await;
    let keys = BTreeSet::from([trial.key(), trial.key(), format!("session:{}", trial.key())]);
    for key in &keys {
        answers!(
            store.create(key, "one".into(), LONG).await,
            Ok(_),
            "An entry can be made where none is."
        );
    }
    has_exactly(&store, "", &keys, 2, LISTS_ALL).await
}

async fn an_empty_store_lists_nothing(trial: &Trial) -> Verdict {
    lists(trial)?;
    has_exactly(
        &trial.empty_store().await,
        "",
        &BTreeSet::new(),
        10,
        "An empty store has nothing to list.",
    )
    .await
}

async fn pages_of_one(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 12).await?;
    has_exactly(&trial.store, &prefix, &keys, 1, LISTS_ALL).await
}

async fn pages_of_seven(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 21).await?;
    has_exactly(&trial.store, &prefix, &keys, 7, LISTS_ALL).await
}

async fn one_large_page(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 12).await?;
    has_exactly(&trial.store, &prefix, &keys, 10_000, LISTS_ALL).await
}

async fn many_entries_in_pages(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 300).await?;
    has_exactly(&trial.store, &prefix, &keys, 25, LISTS_ALL).await
}

async fn deleted_entries_are_not_listed(trial: &Trial) -> Verdict {
    let (prefix, mut keys) = entries(trial, 4).await?;
    if let Some(key) = keys.pop_first() {
        trial.delete(&key).await?;
    }
    if let Some(key) = keys.pop_last() {
        trial.delete_for(&key, std::time::Duration::ZERO).await?;
    }
    has_exactly(&trial.store, &prefix, &keys, 10, LIVE_ONLY).await
}

async fn tombstones_are_not_listed(trial: &Trial) -> Verdict {
    lists(trial)?;
    let prefix = trial.prefix();
    for number in 0..3 {
        trial.delete(&format!("{prefix}{number}")).await?;
    }
    has_exactly(&trial.store, &prefix, &BTreeSet::new(), 10, LIVE_ONLY).await
}

async fn expired_entries_are_not_listed(trial: &Trial) -> Verdict {
    lists(trial)?;
    let prefix = trial.prefix();
    trial
        .create(&format!("{prefix}brief"), "one", BRIEF)
        .await?;
    let long = format!("{prefix}long");
    trial.create(&long, "one", LONG).await?;
    trial.outlive(BRIEF).await;
    has_exactly(&trial.store, &prefix, &[long].into(), 10, LIVE_ONLY).await
}

async fn changed_entries_are_listed_once(trial: &Trial) -> Verdict {
    lists(trial)?;
    let prefix = trial.prefix();
    let key = format!("{prefix}key");
    let base = trial.create(&key, "one", LONG).await?;
    trial.replace(&key, &base, "two").await?;
    trial.touch(&key, LONG * 2).await?;
    has_exactly(&trial.store, &prefix, &[key].into(), 10, LISTS_ALL).await
}

async fn upper_case_is_another_prefix(trial: &Trial) -> Verdict {
    let (prefix, _) = entries(trial, 1).await?;
    let promise = "A prefix is compared byte for byte (SQL: LIKE is not, in some databases).";
    has_exactly(
        &trial.store,
        &prefix.to_uppercase(),
        &BTreeSet::new(),
        10,
        promise,
    )
    .await
}

async fn literal(trial: &Trial, wildcard: &str, meant: &str) -> Verdict {
    lists(trial)?;
    let prefix = trial.prefix();
    let key = format!("{prefix}{wildcard}end");
    match trial.store.create(&key, "one".into(), LONG).await {
        Ok(_) => {}
        Err(CreateError::Failed(error)) if error.kind() == StoreErrorKind::Refused => {
            return Err(Miss::not_applicable(
                "the store refuses such a key, as it may",
            ));
        }
        other => {
            return Err(Miss::broken(
                "A key is kept or refused.",
                format!("{other:?}"),
            ));
        }
    }
    trial
        .create(&format!("{prefix}{meant}end"), "other", LONG)
        .await?;
    let promise =
        "A prefix is text, not a pattern: escape what the store's matching takes for a wildcard.";
    has_exactly(
        &trial.store,
        &format!("{prefix}{wildcard}"),
        &[key].into(),
        10,
        promise,
    )
    .await
}

async fn entries_that_stay_are_listed_while_others_come_and_go(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 40).await?;
    // In the order of keys these are in front, and those that come are behind.
    let mut guests: Vec<_> = (0..20).map(|number| format!("{prefix}-{number}")).collect();
    for guest in &guests {
        trial.create(guest, "one", LONG).await?;
    }
    let (mut seen, mut from) = (BTreeSet::new(), None);
    for number in 0..10_000 {
        let page = answers!(trial.store.list(&prefix, from, 4).await, Ok(page) => page, LISTS_ALL);
        seen.extend(page.entries.into_iter().map(|listed| listed.key));
        from = page.next;
        if from.is_none() {
            break;
        }
        if let Some(guest) = guests.pop() {
            trial.delete_for(&guest, std::time::Duration::ZERO).await?;
            trial
                .create(&format!("{prefix}x{number}"), "one", LONG)
                .await?;
        }
    }
    require(
        seen.is_superset(&keys),
        "Entries that stay are listed, whatever comes and goes meanwhile: go on behind a key, not at a number.",
        format!(
            "{} of {} were listed",
            seen.intersection(&keys).count(),
            keys.len()
        ),
    )
}

async fn a_cursor_of_nonsense_does_no_harm(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 3).await?;
    for nonsense in [
        "",
        "nonsense",
        "-1",
        "99999999999999999999999",
        "'; --",
        "\0",
        "%",
        "ÿ",
    ] {
        let page = trial
            .store
            .list(&prefix, Some(Cursor(nonsense.to_owned())), 10)
            .await;
        if let Ok(page) = page {
            require(
                page.entries.iter().all(|listed| keys.contains(&listed.key)),
                "A cursor that no page had lists nothing that is not under the prefix.",
                "it did",
            )?;
        }
    }
    has_exactly(&trial.store, &prefix, &keys, 10, LISTS_ALL).await
}

async fn a_page_of_zero_does_no_harm(trial: &Trial) -> Verdict {
    let (prefix, keys) = entries(trial, 3).await?;
    let _ = trial.store.list(&prefix, None, 0).await;
    has_exactly(&trial.store, &prefix, &keys, 10, LISTS_ALL).await
}

async fn a_foreign_write_under_a_tombstone_is_not_listed(trial: &Trial) -> Verdict {
    lists(trial)?;
    let write = trial.foreign()?;
    let (prefix, mut keys) = entries(trial, 2).await?;
    if let Some(key) = keys.pop_first() {
        trial.delete(&key).await?;
        write(key, "foreign".into()).await;
    }
    has_exactly(&trial.store, &prefix, &keys, 10, LIVE_ONLY).await
}

async fn a_store_that_does_not_list_refuses(trial: &Trial) -> Verdict {
    if trial.limits().lists {
        return Err(Miss::not_applicable("the store lists"));
    }
    match trial.store.list("", None, 10).await {
        Err(error) if error.kind() == StoreErrorKind::Refused => Ok(()),
        other => Err(Miss::broken(
            "A store that cannot list refuses to; an empty page would say that nothing is there.",
            format!("{other:?}"),
        )),
    }
}
