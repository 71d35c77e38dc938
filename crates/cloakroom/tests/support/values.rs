//! Any value that Python can hold.

#![allow(dead_code, reason = "each test file uses a part of it")]

use cloakroom::value::{Date, DateTime, Decimal, Int, Markup, Text, Time, TimeDelta, Uuid, Value};
use proptest::{collection::vec, prelude::*};

/// What every format of a store can write, or become text in.
fn common() -> impl Strategy<Value = Value> {
    let offset = || proptest::option::of(-86_399i32..86_400);
    prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-300i32..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~é☃😀\u{0}-\u{1f}]{0,40}".prop_map(Value::from),
        vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
        any::<[u8; 16]>().prop_map(|bytes| Uuid::from_bytes(bytes).into()),
        // A day from either end, so that no offset leaves the calendar.
        (
            -62_135_510_400i64..253_402_214_400,
            0u32..1_000_000,
            offset()
        )
            .prop_map(|(seconds, microsecond, offset)| {
                DateTime::from_parts(seconds, microsecond, offset)
                    .unwrap()
                    .into()
            }),
        (1u16..10_000, 1u8..13, 1u8..29)
            .prop_map(|(year, month, day)| Date::new(year, month, day).unwrap().into()),
        (0u32..86_400, 0u32..1_000_000, offset()).prop_map(|(second, microsecond, offset)| {
            Time::from_parts(second, microsecond, offset)
                .unwrap()
                .into()
        }),
        any::<i64>().prop_map(|span| TimeDelta::from_microseconds(span.into()).unwrap().into()),
        "-?[0-9]{1,5}(\\.[0-9]{1,5})?"
            .prop_map(|number| Value::Decimal(number.parse::<Decimal>().unwrap())),
    ]
}

/// What only a pickle can write.
fn only_in_pickles() -> impl Strategy<Value = Value> {
    prop_oneof![
        "-?[1-9][0-9]{20,60}".prop_map(|digits| Value::Int(Int::from_decimal(&digits).unwrap())),
        vec(any::<u32>().prop_map(|point| point % 0x11_0000), 0..6)
            .prop_map(|points| Value::Text(Text::from_code_points(points))),
        "[a-z<>&]{0,8}".prop_map(|text| Value::Markup(Markup::new(text))),
    ]
}

fn nested(leaf: impl Strategy<Value = Value> + 'static) -> impl Strategy<Value = Value> {
    leaf.prop_recursive(4, 48, 18, |inner| {
        let member = prop_oneof![
            "[a-z]{0,3}".prop_map(Value::from),
            any::<i16>().prop_map(Value::from)
        ];
        let pairs = vec((".{0,3}", inner.clone()), 0..18);
        prop_oneof![
            vec(inner.clone(), 0..18).prop_map(Value::List),
            vec(inner, 0..5).prop_map(Value::Tuple),
            proptest::collection::btree_set("[a-z]{0,3}", 0..5)
                .prop_map(|items| Value::Set(items.into_iter().map(Value::from).collect())),
            proptest::collection::btree_set("[a-z]{0,3}", 0..5)
                .prop_map(|items| Value::FrozenSet(items.into_iter().map(Value::from).collect())),
            pairs.prop_map(|pairs| Value::Dict(pairs.into_iter().collect())),
            vec((member, Just(Value::None)), 0..5)
                .prop_map(|pairs| Value::Dict(pairs.into_iter().collect())),
        ]
    })
}

/// A value that MessagePack and JSON can write.
pub(crate) fn plain_value() -> impl Strategy<Value = Value> {
    nested(common())
}

/// A value that a pickle can write.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    nested(prop_oneof![4 => common(), 1 => only_in_pickles()])
}
