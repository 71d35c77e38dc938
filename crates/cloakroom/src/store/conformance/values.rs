//! Values are any bytes.

use bytes::Bytes;

use super::trial::{LONG, Miss, Trial, Verdict, require};
use super::{Check, answers};
use crate::store::{CreateError, DeleteError, ReplaceError, StoreErrorKind};

pub(super) fn checks() -> Vec<Check> {
    let kept = KEPT.iter().map(|&(name, value)| {
        Check::new(format!("values/{name}_is_kept"), move |trial| async move {
            kept(&trial, Bytes::from_static(value)).await
        })
    });
    let told_apart = TOLD_APART.iter().map(|&(name, one, other)| {
        Check::new(
            format!("values/{name}_is_a_change"),
            move |trial| async move { told_apart(&trial, one, other).await },
        )
    });
    let sized = SIZES.iter().map(|&(name, size)| {
        Check::new(format!("values/{name}_are_kept"), move |trial| async move {
            sized(&trial, size).await
        })
    });
    kept.chain(told_apart)
        .chain(sized)
        .chain(others())
        .collect()
}

super::checks!(others "values":
    all_byte_values_are_kept,
    a_large_value_shrinks_and_grows,
    a_slice_of_a_larger_buffer_is_kept,
    a_value_over_the_limit_is_refused,
    a_replacement_over_the_limit_is_refused,
);

/// What a store's protocol, encoding or neighbour might take for something else.
const KEPT: &[(&str, &[u8])] = &[
    ("the_empty_value", b""),
    ("one_byte", b"x"),
    ("a_nul", b"\0"),
    ("a_nul_inside", b"before\0after"),
    ("a_nul_at_the_end", b"value\0"),
    ("a_space_at_the_end", b"value "),
    ("a_newline_at_the_end", b"value\n"),
    ("a_line_break_inside", b"one\r\ntwo"),
    ("a_lone_line_break", b"\r\n"),
    ("memcached_end", b"END\r\n"),
    (
        "memcached_value_line",
        b"VALUE key 0 5 7\r\nhello\r\nEND\r\n",
    ),
    ("memcached_command", b"\r\nflush_all\r\n"),
    ("redis_nil", b"$-1\r\n"),
    ("redis_error", b"-ERR no\r\n"),
    ("redis_command", b"*1\r\n$8\r\nFLUSHALL\r\n"),
    ("sql", b"'); DELETE FROM sessions; --"),
    ("quotes_and_backslashes", b"\\'\"`\\\\"),
    ("hexadecimal_of_postgres", b"\\x00ff"),
    ("an_escaped_nul", b"\\0\\000"),
    ("a_number", b"12345"),
    ("a_number_with_zeros", b"00012345"),
    ("a_large_number", b"18446744073709551616"),
    ("text_of_no", b"null"),
    ("messagepack_nil", b"\xc0"),
    ("messagepack_nil_twice", b"\xc0\xc0"),
    ("an_empty_messagepack_map", b"\x80"),
    ("json", b"{\"user\":1}"),
    (
        "a_pickle",
        b"\x80\x05\x95\x04\x00\x00\x00\x00\x00\x00\x00}\x94.",
    ),
    ("invalid_utf_8", b"\xff\xfe\xc3\x28\xed\xa0\x80"),
    ("unicode", "grüße 🎫 ｆｕｌｌ".as_bytes()),
    ("gzip_magic", b"\x1f\x8b\x08\0\0\0\0\0"),
    ("a_word_for_tombstones", b"gone"),
    (
        "a_time_and_a_value",
        b"\x00\x00\x00\x00\x65\x53\xf1\x00value",
    ),
];

/// Pairs that a loose comparison takes for the same.
const TOLD_APART: &[(&str, &[u8], &[u8])] = &[
    ("upper_case", b"value", b"VALUE"),
    ("a_space_more", b"value", b"value "),
    ("a_nul_more", b"value", b"value\0"),
    ("the_byte_after_a_nul", b"value\0a", b"value\0b"),
    ("an_accent", "e".as_bytes(), "é".as_bytes()),
    ("another_spelling_of_a_number", b"1", b"1.0"),
    ("a_leading_zero", b"1", b"01"),
    (
        "the_last_byte",
        b"a value of some length 1",
        b"a value of some length 2",
    ),
    ("one_invalid_byte_for_another", b"\xff", b"\xfe"),
    ("nothing_instead_of_nul", b"\0", b""),
];

const SIZES: &[(&str, usize)] = &[
    ("4_kilobytes", 4 << 10),
    ("64_kilobytes", 64 << 10),
    ("1_megabyte", 1 << 20),
];

const KEPT_EXACTLY: &str = "A value is kept byte for byte, whatever it looks like: send it with its length \
    or as a bound parameter, store it as binary.";

async fn kept(trial: &Trial, value: Bytes) -> Verdict {
    let key = trial.key();
    let made = trial.create(&key, value.clone(), LONG).await?;
    require(
        made.value == value,
        KEPT_EXACTLY,
        "create hands back another value",
    )?;
    trial.holds(&key, &value, KEPT_EXACTLY).await?;
    // It serves as a base, and as what replaces another.
    let base = trial.replace(&key, &made, "between").await?;
    let base = trial.replace(&key, &base, value.clone()).await?;
    trial.holds(&key, &value, KEPT_EXACTLY).await?;
    trial.touch(&key, LONG).await?;
    let loaded = trial.holds(&key, &value, KEPT_EXACTLY).await?;
    trial.replace(&key, &loaded, value.clone()).await?;
    let deleted = trial.store.delete(&key, Some(&base), LONG).await;
    answers!(
        deleted,
        Ok(()) | Err(DeleteError::Changed(_)),
        "A value of any bytes can be expected."
    );
    trial.delete(&key).await?;
    trial
        .lacks(&key, "A value of any bytes can be deleted.")
        .await
}

async fn told_apart(trial: &Trial, one: &'static [u8], other: &'static [u8]) -> Verdict {
    const PROMISE: &str =
        "Values are compared byte for byte, without case, collation, trimming or numbers.";
    for (before, after) in [(one, other), (other, one)] {
        let (key, old) = trial.entry(before).await?;
        trial.replace(&key, &old, after).await?;
        answers!(
            trial.store.replace(&key, &old, "late".into(), LONG).await,
            Err(ReplaceError::Changed(_)),
            PROMISE
        );
        answers!(
            trial.store.delete(&key, Some(&old), LONG).await,
            Err(DeleteError::Changed(_)),
            PROMISE
        );
        trial.holds(&key, after, PROMISE).await?;
    }
    Ok(())
}

/// Bytes without a pattern that compresses away.
fn noise(size: usize) -> Bytes {
    let mut state = 0x2545_f491_u32;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    });
    noise.take(size).collect()
}

async fn sized(trial: &Trial, size: usize) -> Verdict {
    if trial.limits().max_value.is_some_and(|most| most < size) {
        return Err(Miss::not_applicable(
            "the store declares a smaller limit: see Limits::max_value",
        ));
    }
    kept(trial, noise(size)).await
}

async fn all_byte_values_are_kept(trial: &Trial) -> Verdict {
    kept(trial, (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect()).await
}

/// As large as the store takes, up to a megabyte.
fn large(trial: &Trial) -> Bytes {
    noise(trial.limits().max_value.unwrap_or(1 << 20).min(1 << 20))
}

async fn a_large_value_shrinks_and_grows(trial: &Trial) -> Verdict {
    let (key, mut base) = trial.entry(b"x").await?;
    for value in [
        large(trial),
        Bytes::from_static(b"y"),
        large(trial),
        Bytes::new(),
    ] {
        base = trial.replace(&key, &base, value.clone()).await?;
        trial.holds(&key, &value, KEPT_EXACTLY).await?;
    }
    Ok(())
}

async fn a_slice_of_a_larger_buffer_is_kept(trial: &Trial) -> Verdict {
    let buffer = Bytes::from_static(b"before value after");
    kept(trial, buffer.slice(7..12)).await
}

const REFUSED: &str = "A value that the store cannot hold is refused, never shortened.";

fn too_large(trial: &Trial) -> Verdict<Bytes> {
    match trial.limits().max_value {
        Some(most) => Ok(noise(most + 1)),
        None => Err(Miss::not_applicable(
            "the store declares no limit under a megabyte",
        )),
    }
}

async fn a_value_over_the_limit_is_refused(trial: &Trial) -> Verdict {
    let (key, value) = (trial.key(), too_large(trial)?);
    match trial.store.create(&key, value, LONG).await {
        Err(CreateError::Failed(error)) if error.kind() == StoreErrorKind::Refused => {}
        other => return Err(Miss::broken(REFUSED, format!("{other:?}"))),
    }
    trial.lacks(&key, REFUSED).await?;
    trial.create(&key, "small", LONG).await?;
    Ok(())
}

async fn a_replacement_over_the_limit_is_refused(trial: &Trial) -> Verdict {
    let value = too_large(trial)?;
    let (key, base) = trial.entry(b"one").await?;
    match trial.store.replace(&key, &base, value, LONG).await {
        Err(ReplaceError::Failed(error)) if error.kind() == StoreErrorKind::Refused => {}
        other => return Err(Miss::broken(REFUSED, format!("{other:?}"))),
    }
    trial
        .holds(
            &key,
            b"one",
            "A refused replacement leaves the entry as it is.",
        )
        .await?;
    trial.replace(&key, &base, "two").await?;
    Ok(())
}
