//! P2: pickles of older Flask-Session and of cachelib are read, and nothing that a pickle could do is done.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;
#[path = "support/values.rs"]
mod values;

use cloakroom::{
    format::Serialization,
    value::{Dict, Text, Value},
};
use proptest::prelude::*;
use serde_json::Value as Json;
use support::{
    differences::{Differences, unless},
    python_value, rows, same, text, unhex,
};
use values::any_value;

fn read(bytes: &[u8]) -> Result<Value, cloakroom::format::FormatError> {
    Serialization::Pickle.from_slice(bytes)
}

/// Bytes of a row, which may be given by what repeats in them.
fn bytes_of(hex: &Json) -> Vec<u8> {
    match hex {
        Json::String(hex) => unhex(hex),
        parts => {
            let times = usize::try_from(parts["times"].as_u64().unwrap()).unwrap();
            [
                unhex(text(parts, "prefix")),
                unhex(text(parts, "repeat")).repeat(times),
                unhex(text(parts, "suffix")),
            ]
            .concat()
        }
    }
}

#[test]
fn p2_pickles_of_all_protocols_are_read() {
    let mut differences = Differences::new([]);
    for row in rows("pickle", "load") {
        let read = read(&bytes_of(&row["hex"]));
        let right = read
            .as_ref()
            .is_ok_and(|read| same(read, &python_value(&row["value"])));
        let label = format!("{} {}", text(&row, "note"), row["protocol"]);
        differences.check(&label, &row, unless(right, &read));
    }
    differences.finish();
}

#[test]
fn s59_what_a_pickle_could_do_is_refused() {
    for row in rows("pickle", "refuse") {
        let bytes = bytes_of(&row["hex"]);
        assert!(read(&bytes).is_err(), "{row}");
        assert!(
            Serialization::MessagePack.from_slice(&bytes).is_err(),
            "{row}"
        );
    }
}

#[test]
fn p2_cachelibs_files_are_read() {
    for row in rows("cachelib_file", "files") {
        // Four bytes say when the file expires.
        let read = read(&unhex(text(&row, "file_hex"))[4..]);
        assert!(
            read.as_ref()
                .is_ok_and(|read| same(read, &python_value(&row["value"]))),
            "{read:?}: {row}"
        );
    }
    for row in rows("cachelib_file", "count_file") {
        let read = read(&unhex(text(&row, "file_hex"))[4..]).unwrap();
        assert_eq!(read, python_value(&row["count"]));
    }
}

#[test]
fn s59_bombs_do_not_go_off() {
    // Each tuple holds the one before twice: the first stands below, the second comes from the memo.
    let mut nested = b"\x80\x04]\x94".to_vec();
    for memo in 0..27 {
        nested.extend_from_slice(&[b'h', memo, 0x86, 0x94]);
    }
    nested.push(b'.');
    assert!(read(&nested).is_err(), "two to the power of 27 lists");

    // One long text a million times.
    let mut copies = b"\x80\x04](X\x00\x00\x10\x00".to_vec();
    copies.extend(std::iter::repeat_n(b'x', 1 << 20));
    copies.push(0x94);
    copies.extend(b"h\x00".repeat(1_000_000));
    copies.extend_from_slice(b"e.");
    assert!(read(&copies).is_err());

    // A list and a dictionary that hold themselves.
    assert!(read(b"\x80\x04]\x94h\x00a.").is_err());
    assert!(read(b"\x80\x04}\x94K\x01h\x00s.").is_err());

    // Lengths and numbers that are lies or too much.
    assert!(read(b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff.").is_err());
    assert!(read(b"\x80\x04\x8b\xff\xff\xff\xff.").is_err());
    let huge = [
        &b"\x80\x04\x8b\x00\x00\x01\x00"[..],
        &[1].repeat(1 << 16),
        b".",
    ]
    .concat();
    assert!(read(&huge).is_err());
    let digits = [&b"L"[..], &b"9".repeat(100_000), b"L\n."].concat();
    assert!(read(&digits).is_err());
}

#[test]
fn p2_odd_pickles_are_read_as_python_reads_them() {
    let set = |items: &[i32]| items.iter().copied().map(Value::from).collect::<Vec<_>>();
    let table: [(&[u8], Value); 10] = [
        // What follows is ignored.
        (b"\x80\x04K\x01.garbage", Value::from(1)),
        (b"(lp0\nI1\naI-2\na.", Value::List(set(&[1, -2]))),
        (b"S'it\\'s'\n.", Value::from("it's")),
        (b"F1.5\n.", Value::from(1.5)),
        (b"I01\n.", Value::from(true)),
        (
            b"L-36893488147419103232L\n.",
            Value::Int(cloakroom::value::Int::from_decimal("-36893488147419103232").unwrap()),
        ),
        (
            b"\x80\x04\x8f(K\x01K\x01K\x02\x90.",
            Value::Set(set(&[1, 2])),
        ),
        (b"\x80\x04(K\x03\x91.", Value::FrozenSet(set(&[3]))),
        (
            b"\x80\x02c__builtin__\nbytes\n)R.",
            Value::Bytes(Vec::new()),
        ),
        (
            b"\x80\x04\x8c\x03\xed\xa0\x80.",
            Value::Text(Text::from_code_points([0xd800])),
        ),
    ];
    for (pickle, value) in table {
        assert_eq!(read(pickle).unwrap(), value, "{}", pickle.escape_ascii());
    }
    let refused: [&[u8]; 11] = [
        b"",
        b"\x80\x06K\x01.",
        b"\x80\x04K\x01",
        b"\x80\x04K\x01K\x02.",
        b"\x80\x04(K\x01.",
        b"\x80\x04}(K\x01u.",
        b"\x80\x04}]Ns.",
        b"\x80\x04\x8f(]\x90.",
        b"\x80\x04K\x010.",
        b"\x80\x02cuuid\nUUID\n)\x81.",
        b"\x80\x02cdatetime\ndate\nC\x04\x07\xe8\x0d\x01\x85R.",
    ];
    for pickle in refused {
        assert!(read(pickle).is_err(), "{}", pickle.escape_ascii());
    }
}

#[test]
fn p2_what_python_cannot_hash_is_no_key() {
    let by_list: Dict = [(Value::List(Vec::new()), Value::None)]
        .into_iter()
        .collect();
    for format in [
        Serialization::MessagePack,
        Serialization::Json,
        Serialization::Pickle,
    ] {
        assert!(format.to_bytes(&Value::Dict(by_list.clone())).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn p2_every_value_survives_a_pickle(value in any_value()) {
        let written = Serialization::Pickle.to_bytes(&value).unwrap();
        let back = read(&written).unwrap();
        prop_assert!(same(&back, &value), "{:?} became {:?}", value, back);
    }

    #[test]
    fn p2_every_value_survives_serde(value in any_value()) {
        let through = cloakroom::value::to_value(&value).unwrap();
        prop_assert!(same(&through, &value));
        let back: Value = cloakroom::value::from_value(through).unwrap();
        prop_assert!(same(&back, &value), "{:?} became {:?}", value, back);
    }

    #[test]
    fn s59_arbitrary_operations_never_panic(
        operations in prop::collection::vec(
            prop::sample::select(b"(.012FGIJKLMNRSTUVX]abcdeghjlopqrstu})\x80\x81\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x93\x94\n\x00\x01Cdatetime".to_vec()),
            0..60,
        ),
        bytes in any::<Vec<u8>>(),
    ) {
        let _ = read(&operations);
        let _ = read(&bytes);
    }
}
