//! Keys are any text up to a length: each is kept exactly or refused, and no two are ever confused.

use bytes::Bytes;

use super::trial::{LONG, Miss, Trial, Verdict};
use super::{Check, answers};
use crate::store::{
    CreateError, DeleteError, MAX_KEY, Record, ReplaceError, StoreError, StoreErrorKind, TouchError,
};

pub(super) fn checks() -> Vec<Check> {
    let hostile = HOSTILE.iter().map(|&(name, text)| {
        Check::new(
            format!("keys/{name}_is_kept_or_refused"),
            move |trial| async move {
                kept_or_refused(&trial, &format!("{text}{}{text}", trial.key())).await
            },
        )
    });
    let alike = ALIKE.iter().map(|&(name, one, other)| {
        Check::new(
            format!("keys/{name}_is_another_key"),
            move |trial| async move {
                let key = trial.key();
                told_apart(&trial, &format!("{key}{one}"), &format!("{key}{other}")).await
            },
        )
    });
    let buried = TOMBSTONE_LIKE.iter().map(|&(name, suffix)| {
        Check::new(
            format!("keys/{name}_buries_nobody"),
            move |trial| async move { buries_nobody(&trial, suffix).await },
        )
    });
    hostile.chain(alike).chain(buried).chain(others()).collect()
}

super::checks!(others "keys":
    session_ids_are_taken,
    the_longest_key_is_taken_or_refused,
    one_byte_too_many_is_kept_or_refused,
    a_very_long_key_is_kept_or_refused,
    the_empty_key_is_kept_or_refused,
    a_tombstone_is_no_entry_under_any_name,
);

/// On both sides of an ordinary key.
const HOSTILE: &[(&str, &str)] = &[
    ("a_space", " "),
    ("a_tab", "\t"),
    ("a_newline", "\n"),
    ("a_line_break_and_a_command", "\r\nflush_all\r\n"),
    ("a_nul", "\0"),
    ("a_control_character", "\u{7f}"),
    ("a_single_quote", "'"),
    ("a_double_quote", "\""),
    ("a_backtick", "`"),
    ("a_backslash", "\\"),
    ("a_percent_sign", "%"),
    ("an_underscore", "_"),
    ("an_asterisk", "*"),
    ("a_question_mark", "?"),
    ("square_brackets", "[a-z]"),
    ("curly_braces", "{}"),
    ("a_hash_tag", "{tag}"),
    ("a_dollar_sign", "${HOME}"),
    ("a_colon", ":"),
    ("a_semicolon", ";"),
    ("sql", "' OR '1'='1"),
    ("an_sql_comment", "'; DROP TABLE sessions; --"),
    ("a_slash", "/"),
    ("a_path_upwards", "../../"),
    ("an_absolute_path", "/nonexistent/key"),
    ("a_windows_path", "C:\\..\\"),
    ("a_dot", "."),
    ("a_percent_encoded_slash", "%2F"),
    ("an_accent", "é"),
    ("an_emoji", "🎫"),
    ("text_from_right_to_left", "שלום"),
    ("a_character_of_no_width", "\u{200b}"),
    ("a_line_separator", "\u{2028}"),
    ("the_last_character", "\u{10ffff}"),
];

/// Ends of keys that a loose comparison takes for the same.
const ALIKE: &[(&str, &str, &str)] = &[
    ("a_longer_one", "", "a"),
    ("upper_case", "key", "KEY"),
    ("a_space_at_the_end", "", " "),
    ("a_nul_at_the_end", "", "\0"),
    ("a_dot_at_the_end", "", "."),
    ("a_slash_at_the_end", "", "/"),
    ("a_newline_at_the_end", "", "\n"),
    ("an_accented_letter", "e", "é"),
    ("a_composed_letter", "\u{e9}", "e\u{301}"),
    ("a_sharp_s", "ss", "ß"),
    ("a_wide_letter", "a", "ａ"),
    ("a_percent_encoded_letter", "A", "%41"),
    ("an_escaped_letter", "A", "\\u0041"),
    ("a_replaced_character", "_", "/"),
    ("a_wildcard", "a", "%"),
    ("another_hash_tag", "{a}1", "{a}2"),
];

/// What a driver might call the tombstone of a key.
const TOMBSTONE_LIKE: &[(&str, &str)] = &[
    ("colon_gone", ":gone"),
    ("dot_gone", ".gone"),
    ("colon_tombstone", ":tombstone"),
    ("colon_deleted", ":deleted"),
];

const KEPT_OR_REFUSED: &str = "A key is kept exactly or refused (StoreErrorKind::Refused), by every method \
    alike; it is never shortened, escaped into another or taken for a command.";
const TOLD_APART: &str = "Two keys are never confused: compare them byte for byte (SQL: a binary \
    collation), and refuse the one that cannot be told apart.";

fn refused(error: &StoreError) -> bool {
    error.kind() == StoreErrorKind::Refused
}

/// A new entry, or none where the store refuses the key.
async fn created(
    trial: &Trial,
    key: &str,
    value: &'static str,
    promise: &str,
) -> Verdict<Option<Record>> {
    match trial.store.create(key, value.into(), LONG).await {
        Ok(record) => Ok(Some(record)),
        Err(CreateError::Failed(error)) if refused(&error) => Ok(None),
        other => Err(Miss::broken(promise, format!("{other:?}"))),
    }
}

fn refused_as_it_may() -> Miss {
    Miss::not_applicable("the store refuses such a key, as it may")
}

async fn kept_or_refused(trial: &Trial, key: &str) -> Verdict {
    let Some(base) = created(trial, key, "one", KEPT_OR_REFUSED).await? else {
        stays_refused(trial, key).await?;
        return Err(refused_as_it_may());
    };
    trial.holds(key, b"one", KEPT_OR_REFUSED).await?;
    if trial.limits().lists {
        let listed = super::listing::all(&trial.store, key, 10).await?;
        let keys: Vec<_> = listed.iter().map(|listed| listed.key.as_str()).collect();
        super::trial::require(
            keys == [key],
            KEPT_OR_REFUSED,
            format!("the listing has {} of it", keys.len()),
        )?;
    }
    let base = trial.replace(key, &base, "two").await?;
    trial.touch(key, LONG).await?;
    trial.holds(key, b"two", KEPT_OR_REFUSED).await?;
    answers!(
        trial.store.delete(key, Some(&base), LONG).await,
        Ok(()) | Err(DeleteError::Changed(_)),
        KEPT_OR_REFUSED
    );
    trial.delete(key).await?;
    trial.lacks(key, KEPT_OR_REFUSED).await?;
    answers!(
        trial.store.create(key, "late".into(), LONG).await,
        Err(CreateError::Exists),
        KEPT_OR_REFUSED
    );
    Ok(())
}

/// A key that create refuses is missing or refused everywhere, and does no harm.
async fn stays_refused(trial: &Trial, key: &str) -> Verdict {
    match trial.store.load(key).await {
        Ok(None) => {}
        Err(error) if refused(&error) => {}
        other => return Err(Miss::broken(KEPT_OR_REFUSED, format!("load: {other:?}"))),
    }
    match trial
        .store
        .replace(key, &Record::new("one"), "two".into(), LONG)
        .await
    {
        Err(ReplaceError::NotFound) => {}
        Err(ReplaceError::Failed(error)) if refused(&error) => {}
        other => return Err(Miss::broken(KEPT_OR_REFUSED, format!("replace: {other:?}"))),
    }
    match trial.store.touch(key, LONG).await {
        Err(TouchError::NotFound) => {}
        Err(TouchError::Failed(error)) if refused(&error) => {}
        other => return Err(Miss::broken(KEPT_OR_REFUSED, format!("touch: {other:?}"))),
    }
    match trial.store.delete(key, None, LONG).await {
        Ok(()) => {}
        Err(DeleteError::Failed(error)) if refused(&error) => {}
        other => return Err(Miss::broken(KEPT_OR_REFUSED, format!("delete: {other:?}"))),
    }
    let (other, _) = trial.entry(b"other").await?;
    trial
        .holds(&other, b"other", "A refused key leaves the store as it is.")
        .await?;
    Ok(())
}

async fn told_apart(trial: &Trial, one: &str, other: &str) -> Verdict {
    for (first, second) in [(one, other), (other, one)] {
        if let Some(base) = created(trial, first, "first", TOLD_APART).await? {
            if created(trial, second, "second", TOLD_APART)
                .await?
                .is_none()
            {
                trial.holds(first, b"first", TOLD_APART).await?;
                return Err(refused_as_it_may());
            }
            trial.holds(second, b"second", TOLD_APART).await?;
            trial.replace(first, &base, "changed").await?;
            trial.holds(second, b"second", TOLD_APART).await?;
            trial.delete_for(first, std::time::Duration::ZERO).await?;
            trial.holds(second, b"second", TOLD_APART).await?;
            trial.delete_for(second, std::time::Duration::ZERO).await?;
        }
    }
    // A tombstone of one is none of the other.
    if created(trial, other, "second", TOLD_APART).await?.is_some() {
        trial.delete(one).await?;
        trial
            .holds(
                other,
                b"second",
                "A tombstone covers its own key and no other.",
            )
            .await?;
        return Ok(());
    }
    Err(refused_as_it_may())
}

async fn buries_nobody(trial: &Trial, suffix: &str) -> Verdict {
    const PROMISE: &str = "Nobody's tombstone can be written by choosing a key that is called like it: refuse \
        keys that end so.";
    const LIFTED: &str = "Nobody's tombstone can be lifted through a key that is called like it.";
    let key = trial.key();
    let alike = format!("{key}{suffix}");
    let made = created(trial, &alike, "\u{0}", PROMISE).await?.is_some();
    trial.create(&key, "one", LONG).await?;
    trial.holds(&key, b"one", PROMISE).await?;
    trial.delete(&key).await?;
    for tombstone in [std::time::Duration::ZERO, LONG] {
        let _ = trial.store.delete(&alike, None, tombstone).await;
    }
    answers!(
        trial
            .store
            .create(&key, Bytes::from_static(b"late"), LONG)
            .await,
        Err(CreateError::Exists),
        LIFTED
    );
    trial.lacks(&key, LIFTED).await?;
    match made {
        true => Ok(()),
        false => Err(refused_as_it_may()),
    }
}

/// What a store has to take, whatever else it refuses.
async fn session_ids_are_taken(trial: &Trial) -> Verdict {
    const PROMISE: &str = "Session ids behind a prefix are taken by every store: letters, digits, `-`, `_` \
        and one colon.";
    let run = trial.key();
    for key in [
        format!("session:{run}"),
        format!("{run}_abcXYZ-0189_"),
        format!("{run}{}", "a".repeat(43)),
    ] {
        answers!(
            trial.store.create(&key, "one".into(), LONG).await,
            Ok(_),
            PROMISE
        );
        trial.holds(&key, b"one", PROMISE).await?;
    }
    Ok(())
}

/// A key of so many bytes.
fn long(trial: &Trial, length: usize) -> String {
    let key = trial.key();
    let filling = "x".repeat(length - key.len());
    format!("{key}{filling}")
}

async fn the_longest_key_is_taken_or_refused(trial: &Trial) -> Verdict {
    let longest = long(trial, MAX_KEY - 1);
    told_apart(trial, &format!("{longest}a"), &format!("{longest}b")).await
}

async fn one_byte_too_many_is_kept_or_refused(trial: &Trial) -> Verdict {
    let longest = long(trial, MAX_KEY);
    told_apart(trial, &longest, &format!("{longest}a")).await
}

async fn a_very_long_key_is_kept_or_refused(trial: &Trial) -> Verdict {
    kept_or_refused(trial, &long(trial, 100_000)).await
}

async fn the_empty_key_is_kept_or_refused(trial: &Trial) -> Verdict {
    let store = trial.empty_store().await;
    let promise = KEPT_OR_REFUSED;
    match store.create("", "one".into(), LONG).await {
        Ok(_) => {
            let loaded = super::trial::load(&store, "").await?;
            super::trial::require(
                loaded.is_some_and(|record| record.value == "one"),
                promise,
                "it was not kept",
            )
        }
        Err(CreateError::Failed(error)) if refused(&error) => Err(refused_as_it_may()),
        other => Err(Miss::broken(promise, format!("{other:?}"))),
    }
}

async fn a_tombstone_is_no_entry_under_any_name(trial: &Trial) -> Verdict {
    const PROMISE: &str =
        "A tombstone is not an entry, whatever the driver calls it: refuse to load its name.";
    let (key, _) = trial.entry(b"one").await?;
    trial.delete(&key).await?;
    for (_, suffix) in TOMBSTONE_LIKE {
        match trial.store.load(&format!("{key}{suffix}")).await {
            Ok(None) => {}
            Err(error) if refused(&error) => {}
            other => return Err(Miss::broken(PROMISE, format!("{other:?}"))),
        }
    }
    Ok(())
}
