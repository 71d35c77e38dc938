//! What an item holds, and the conditions on it.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{primitives::Blob, types::AttributeValue};
use bytes::Bytes;

use crate::store::Record;

pub(super) type Item = HashMap<String, AttributeValue>;

pub(super) const ID: &str = "id";
pub(super) const VALUE: &str = "val";
/// Unix seconds; Flask-Session's have a fraction.
pub(super) const EXPIRATION: &str = "expiration";
/// Unix seconds. Only on a tombstone, and for as long as the item exists: whatever another program puts
/// into its other attributes, this item never comes back to life.
pub(super) const GONE_UNTIL: &str = "gone_until";

/// The value of a tombstone, `MessagePack`'s nil: stock Flask-Session reads "no session".
pub(super) const NIL: [u8; 1] = [0xC0];

/// The same as [`live`], asked of the server.
pub(super) const IS_LIVE: &str = "attribute_exists(val) AND attribute_not_exists(gone_until) \
    AND (attribute_not_exists(expiration) OR expiration > :now)";
pub(super) const IS_LIVE_AND_EQUAL: &str = "val = :base AND attribute_not_exists(gone_until) \
    AND (attribute_not_exists(expiration) OR expiration > :now)";
/// Whether a new entry may take the place: nothing is there, or nothing that still means anything.
pub(super) const IS_FREE: &str = "attribute_not_exists(id) OR gone_until <= :now \
    OR (attribute_not_exists(gone_until) AND expiration <= :now)";
pub(super) const HAS_NO_LATER_TOMBSTONE: &str =
    "attribute_not_exists(gone_until) OR gone_until <= :until";
/// Whether nothing would be lost without the item.
pub(super) const IS_OVER: &str =
    "gone_until <= :now OR (attribute_not_exists(gone_until) AND expiration <= :now)";

/// The entry that an item is, unless it has expired or is a tombstone.
pub(super) fn live(item: Option<Item>, now: u64) -> Option<Record> {
    let mut item = item?;
    if item.contains_key(GONE_UNTIL) {
        return None;
    }
    let expires_in = match item.get(EXPIRATION) {
        Some(expiration) => Some(left(expiration, now)?),
        None => None,
    };
    let Some(AttributeValue::B(value)) = item.remove(VALUE) else {
        return None;
    };
    let record = Record::new(Bytes::from(value.into_inner()));
    Some(match expires_in {
        Some(expires_in) => record.with_expires_in(expires_in),
        None => record,
    })
}

/// Whether this is a tombstone into which another program has put a session.
pub(super) fn is_overwritten(item: &Item) -> bool {
    item.contains_key(GONE_UNTIL) && item.get(VALUE) != Some(&binary(&NIL))
}

/// How long until an `expiration`, if it is a number that is still to come.
fn left(expiration: &AttributeValue, now: u64) -> Option<Duration> {
    let seconds: f64 = expiration.as_n().ok()?.parse().ok()?;
    #[allow(clippy::cast_precision_loss)] // exact for the next 285 million years
    let left = seconds - now as f64;
    // More than a duration can be is for ever.
    (left > 0.0).then(|| Duration::try_from_secs_f64(left).unwrap_or(Duration::MAX))
}

pub(super) fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

pub(super) fn number(number: u64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

pub(super) fn binary(bytes: &[u8]) -> AttributeValue {
    AttributeValue::B(Blob::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::unnecessary_wraps, reason = "an item as an answer brings it")]
    fn item(attributes: &[(&str, AttributeValue)]) -> Option<Item> {
        let attributes = attributes.iter().cloned();
        Some(
            attributes
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    #[test]
    fn an_item_is_live_until_the_second_it_expires() {
        let at = |expiration: &str, now| {
            let expiration = AttributeValue::N(expiration.to_owned());
            live(
                item(&[(VALUE, binary(b"a")), (EXPIRATION, expiration)]),
                now,
            )
        };
        let record = at("1000", 990).unwrap();
        assert_eq!(record.value, "a");
        assert_eq!(record.expires_in, Some(Duration::from_secs(10)));
        assert!(at("1000", 999).is_some());
        assert!(at("1000", 1000).is_none());
        assert!(at("1000.520658016204833984375", 1000).is_some());
        assert_eq!(at("1e300", 1000).unwrap().expires_in, Some(Duration::MAX));
        // No time at all.
        assert!(at("-1e300", 1000).is_none());
        assert!(at("NaN", 1000).is_none());
        assert!(at("soon", 1000).is_none());
    }

    #[test]
    fn an_item_without_expiration_never_expires_and_a_tombstone_never_lives() {
        let value = (VALUE, binary(b"a"));
        let record = live(item(std::slice::from_ref(&value)), 1000).unwrap();
        assert_eq!(record.expires_in, None);
        assert!(live(item(&[value, (GONE_UNTIL, number(1))]), 1000).is_none());
        assert!(live(item(&[(VALUE, text("a"))]), 1000).is_none());
        assert!(live(None, 1000).is_none());
    }
}
