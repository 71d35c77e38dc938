//! What is said about an entry never holds its key or its value.

use super::trial::{LONG, Trial, Verdict, require};
use super::{answers, checks};
use crate::store::{DeleteError, Record, ReplaceError};

checks!(checks "secrecy":
    the_name_is_a_short_word,
    records_hide_their_value,
    refusals_hide_key_and_value,
    conflicts_hide_key_and_value,
    listings_hide_their_keys,
);

const HIDDEN: &str = "No error and no debugging output holds a key or a value: whoever has a key has the \
    session. Do not hand on the server's own message.";
const VALUE: &str = "a-value-that-nobody-may-see";

fn hides(text: &str, key: &str) -> Verdict {
    // A part of a key is too much as well.
    let part = &key[key.len() / 4..key.len() / 2];
    require(
        !text.contains(part) && !text.contains(VALUE),
        HIDDEN,
        "one of them did",
    )
}

async fn the_name_is_a_short_word(trial: &Trial) -> Verdict {
    let name = trial.store.name();
    require(
        (1..=32).contains(&name.len()) && !name.contains(char::is_whitespace),
        "A store has a name for messages, such as `redis`.",
        format!("{name:?}"),
    )
}

async fn records_hide_their_value(trial: &Trial) -> Verdict {
    let (key, base) = trial.entry(VALUE.as_bytes()).await?;
    let loaded = trial.load(&key).await?;
    hides(&format!("{base:?} {loaded:?} {:?}", trial.store), &key)
}

async fn refusals_hide_key_and_value(trial: &Trial) -> Verdict {
    let run = trial.key();
    for hostile in [
        "'",
        "\0",
        "\r\n",
        " ",
        "/../",
        "\u{10ffff}",
        &"x".repeat(10_000),
    ] {
        let key = format!("{run}{hostile}");
        let base = Record::new(VALUE);
        let made = trial.store.create(&key, VALUE.into(), LONG).await;
        let replaced = trial.store.replace(&key, &base, VALUE.into(), LONG).await;
        let touched = trial.store.touch(&key, LONG).await;
        let deleted = trial.store.delete(&key, Some(&base), LONG).await;
        let loaded = trial.store.load(&key).await;
        hides(
            &format!("{made:?} {replaced:?} {touched:?} {deleted:?} {loaded:?}"),
            &run,
        )?;
        let told = [
            made.err().map(|error| error.to_string()),
            replaced.err().map(|error| error.to_string()),
            touched.err().map(|error| error.to_string()),
            deleted.err().map(|error| error.to_string()),
            loaded.err().map(|error| error.to_string()),
        ];
        hides(&told.map(Option::unwrap_or_default).concat(), &run)?;
    }
    Ok(())
}

async fn conflicts_hide_key_and_value(trial: &Trial) -> Verdict {
    let (key, old) = trial.entry(b"one").await?;
    trial.replace(&key, &old, VALUE).await?;
    let exists = trial.store.create(&key, VALUE.into(), LONG).await;
    let replaced = trial.store.replace(&key, &old, VALUE.into(), LONG).await;
    let deleted = trial.store.delete(&key, Some(&old), LONG).await;
    hides(&format!("{exists:?} {replaced:?} {deleted:?}"), &key)?;
    let (replaced, deleted) = (
        answers!(replaced, Err(error @ ReplaceError::Changed(_)) => error, "A replacement compares."),
        answers!(deleted, Err(error @ DeleteError::Changed(_)) => error, "A deletion compares."),
    );
    hides(&format!("{replaced} {deleted}"), &key)
}

async fn listings_hide_their_keys(trial: &Trial) -> Verdict {
    let (key, _) = trial.entry(VALUE.as_bytes()).await?;
    match trial.store.list(&key, None, 10).await {
        Ok(page) => hides(&format!("{:?}", page.entries), &key),
        Err(error) => hides(&format!("{error} {error:?}"), &key),
    }
}
