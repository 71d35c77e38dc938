//! A session's entry in the native layouts: a MessagePack array of a magic word, the layout's version, the SHA-256 of the
//! ticket's secret half, three times, subject, metadata and the content.

mod header;
#[cfg(feature = "encrypted")]
mod seal;

pub use header::RecordHeader;

#[cfg(feature = "encrypted")]
pub(crate) use seal::SealKey;

use super::{
    FormatError,
    message_pack::{
        Header, Reader, write_array_header, write_bytes, write_bytes_header,
        write_extension_header, write_str, write_u64,
    },
};

/// The first item of each record.
const MAGIC: &str = "cloakroom";
/// The version of this layout, the second item.
const VERSION: u64 = 1;
/// The items of a record.
const ITEMS: usize = 9;
/// The extension type of sealed content.
const SEALED: i8 = 1;

/// A record, taken apart.
pub(crate) struct Envelope<'a> {
    pub(crate) header: RecordHeader,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) kind: Kind,
    /// The session's entries as their format writes them, or sealed.
    pub(crate) content: &'a [u8],
    /// Everything before the content, which a seal covers as well.
    #[cfg_attr(not(feature = "encrypted"), allow(dead_code))]
    head: &'a [u8],
}

/// How the content stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As the session's format writes it.
    Readable,
    /// Under a key that is derived from the ticket.
    Sealed,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Sealed => "sealed",
        }
    }
}

impl<'a> Envelope<'a> {
    /// Whether an entry is a record of some version, and not one in Flask's layout.
    pub(crate) fn begins(record: &[u8]) -> bool {
        let mut reader = Reader::new(record);
        matches!(reader.header(), Ok(Header::Array(_)))
            && matches!(reader.header(), Ok(Header::Text(MAGIC)))
    }

    /// Takes a record apart. Each has one spelling: no longer form of a number, no key twice, nothing after its end.
    pub(crate) fn read(record: &'a [u8]) -> Result<Self, FormatError> {
        let mut reader = Reader::new(record);
        let Header::Array(count) = reader.header()? else {
            return expected("a record", &reader);
        };
        let Header::Text(MAGIC) = reader.header()? else {
            return expected("a record", &reader);
        };
        match reader.header()? {
            Header::Unsigned(VERSION) if count == ITEMS => {}
            // Of another version nothing is guessed.
            Header::Unsigned(version) if version != VERSION => {
                return Err(FormatError::RecordVersion(version));
            }
            _ => return expected("the version of a record", &reader),
        }
        let secret_hash = match reader.header()? {
            Header::Bytes(bytes) => bytes.try_into().ok(),
            _ => None,
        };
        let Some(secret_hash) = secret_hash else {
            return expected("a SHA-256", &reader);
        };
        let header = RecordHeader::read(&mut reader)?;
        let (kind, content) = match reader.header()? {
            Header::Bytes(content) => (Kind::Readable, content),
            Header::Extension(SEALED, content) => (Kind::Sealed, content),
            _ => return expected("the content of a record", &reader),
        };
        reader.end()?;
        let head = &record[..record.len() - content.len()];
        if write_head(&header, &secret_hash, kind, content.len())? != head {
            return expected("the one spelling of a record", &reader);
        }
        Ok(Self {
            header,
            secret_hash,
            kind,
            content,
            head,
        })
    }
}

/// A record with readable content.
pub(crate) fn write(
    header: &RecordHeader,
    secret_hash: &[u8; 32],
    content: &[u8],
) -> Result<Vec<u8>, FormatError> {
    let mut record = write_head(header, secret_hash, Kind::Readable, content.len())?;
    record.extend_from_slice(content);
    Ok(record)
}

/// Everything before the content.
fn write_head(
    header: &RecordHeader,
    secret_hash: &[u8; 32],
    kind: Kind,
    content_length: usize,
) -> Result<Vec<u8>, FormatError> {
    let mut out = Vec::with_capacity(128 + content_length);
    write_array_header(&mut out, ITEMS)?;
    write_str(&mut out, MAGIC)?;
    write_u64(&mut out, VERSION);
    write_bytes(&mut out, secret_hash)?;
    header.write(&mut out)?;
    match kind {
        Kind::Readable => write_bytes_header(&mut out, content_length)?,
        Kind::Sealed => write_extension_header(&mut out, SEALED, content_length)?,
    }
    Ok(out)
}

fn expected<T>(expected: &'static str, reader: &Reader<'_>) -> Result<T, FormatError> {
    Err(FormatError::Malformed {
        expected,
        position: reader.position(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;
    use crate::value::Value;

    const HASH: [u8; 32] = [9; 32];

    fn header() -> impl Strategy<Value = RecordHeader> {
        let time = || 0..4_000_000_000_u64;
        let metadata = btree_map("[a-z]{0,64}", "\\PC{0,60}", 0..=RecordHeader::MAX_METADATA);
        (
            time(),
            time(),
            option::of(time()),
            option::of("\\PC{0,60}"),
            metadata,
        )
            .prop_map(
                |(created, written, deadline, subject, metadata)| RecordHeader {
                    created,
                    written,
                    deadline,
                    subject,
                    metadata,
                },
            )
    }

    fn refused(record: &[u8]) -> FormatError {
        Envelope::read(record).map(|_| ()).unwrap_err()
    }

    /// What is written to disks and databases, byte for byte: it has to be readable for ever.
    #[test]
    fn a_record_of_version_1_is_this() {
        let header = RecordHeader {
            created: 1_800_000_000,
            written: 1_800_000_060,
            deadline: None,
            subject: Some("alice".to_owned()),
            metadata: BTreeMap::from([("device".to_owned(), "Firefox".to_owned())]),
        };
        let record = write(&header, &HASH, b"\x81\xa1n\x01").unwrap();
        let mut expected = b"\x99\xa9cloakroom\x01\xc4\x20".to_vec();
        expected.extend_from_slice(&HASH);
        expected.extend_from_slice(b"\xce\x6b\x49\xd2\x00\xce\x6b\x49\xd2\x3c\xc0\xa5alice");
        expected.extend_from_slice(b"\x81\xa6device\xa7Firefox\xc4\x04\x81\xa1n\x01");
        assert_eq!(record, expected);
    }

    #[test]
    fn s59_a_record_has_one_spelling() {
        let good = write(&RecordHeader::default(), &HASH, b"\x80").unwrap();
        assert_eq!(good.len(), 54);
        assert!(Envelope::read(&good).is_ok());
        let with = |place: usize, length: usize, bytes: &[u8]| {
            [&good[..place], bytes, &good[place + length..]].concat()
        };
        for other in [
            with(0, 1, b"\xdc\x00\x09"),
            with(0, 1, b"\x98"),
            with(0, 1, b"\x9a"),
            with(1, 1, b"\xd9\x09"),
            with(2, 1, b"C"),
            with(11, 1, b"\xcc\x01"),
            with(11, 1, b"\xcb\x3f\xf0\0\0\0\0\0\0"),
            with(12, 2, b"\xc5\x00\x20"),
            with(12, 34, b"\xc4\x00"),
            with(46, 1, b"\xcc\x00"),
            with(46, 1, b"\xff"),
            with(46, 1, b"\xc0"),
            with(46, 1, b"\xcf\0\0\x7f\xff\xff\xff\xff\xff"),
            with(48, 1, b"\xc2"),
            with(49, 1, b"\xc4\x00"),
            with(50, 1, b"\xc0"),
            with(50, 1, b"\xde\x00\x00"),
            with(50, 1, b"\x81\xa1a\x01"),
            with(50, 1, b"\x82\xa1b\xa0\xa1a\xa0"),
            with(50, 1, b"\x82\xa1a\xa0\xa1a\xa0"),
            with(50, 1, b"\xdf\xff\xff\xff\xff"),
            with(51, 2, b"\xc5\x00\x01"),
            with(51, 3, b"\xa1a"),
            with(51, 3, b"\xc0"),
            with(51, 3, b"\xd4\x02\x80"),
            with(54, 0, b"\x00"),
        ] {
            assert!(
                matches!(refused(&other), FormatError::Malformed { .. }),
                "{other:?}"
            );
        }
        for length in 0..good.len() {
            refused(&good[..length]);
        }
    }

    #[test]
    fn of_a_later_version_nothing_is_guessed() {
        let good = write(&RecordHeader::default(), &HASH, b"\x80").unwrap();
        for count in [0x91, 0x99, 0x9f] {
            let mut later = good.clone();
            (later[0], later[11]) = (count, 2);
            assert_eq!(refused(&later), FormatError::RecordVersion(2));
        }
    }

    #[test]
    fn s59_a_header_has_limits() {
        let read = |subject: usize, metadata: &[(usize, usize)]| {
            let pairs = metadata.iter().enumerate();
            let header = RecordHeader {
                subject: Some("a".repeat(subject)),
                metadata: pairs
                    .map(|(n, &(key, value))| (format!("{n:0key$}"), "b".repeat(value)))
                    .collect(),
                ..RecordHeader::default()
            };
            Envelope::read(&write(&header, &HASH, b"\x80").unwrap()).is_ok()
        };
        assert!(read(256, &[(64, 256); 16]));
        assert!(!read(257, &[]));
        assert!(!read(0, &[(1, 0); 17]));
        assert!(!read(0, &[(65, 0)]));
        assert!(!read(0, &[(64, 257)]));
    }

    #[test]
    fn s52_no_format_of_flasks_is_a_record_and_no_record_one_of_them() {
        use crate::format::Serialization;

        let record = write(&RecordHeader::default(), &HASH, b"\x80").unwrap();
        for format in [
            Serialization::MessagePack,
            Serialization::Json,
            Serialization::Pickle,
        ] {
            assert!(format.index(&record).is_err(), "{format}");
            let session = Value::Dict(crate::value::Dict::from_iter([("cloakroom", 1)]));
            let flasks = format.to_bytes(&session).unwrap();
            assert!(Envelope::read(&flasks).is_err(), "{format}");
        }
    }

    #[cfg(feature = "encrypted")]
    #[test]
    fn s53_each_place_has_a_key_of_its_own() {
        let secret = [3; 32];
        let header = RecordHeader::default();
        let places = [
            ["session:", "session", "one"],
            ["session:", "session", "two"],
            ["session:", "sessio", "none"],
            ["session:s", "ession", "one"],
            ["", "session:session", "one"],
            ["session:session", "", "one"],
        ];
        for place in places {
            let key = SealKey::derive(&secret, place);
            let record = key.write(&header, &HASH, b"\x80", [5; 12]).unwrap();
            let envelope = Envelope::read(&record).unwrap();
            for other in places {
                let opened = SealKey::derive(&secret, other).open(&envelope);
                match other == place {
                    true => assert_eq!(opened.unwrap(), b"\x80"),
                    false => assert_eq!(opened, Err(FormatError::RecordSeal)),
                }
            }
            let other = SealKey::derive(&[4; 32], place).open(&envelope);
            assert_eq!(other, Err(FormatError::RecordSeal));
        }
    }

    /// Made once by Python's `cryptography` with the same inputs.
    #[cfg(feature = "encrypted")]
    #[test]
    fn a_sealed_record_is_what_others_make_of_it() {
        let key = SealKey::derive(&[3; 32], ["session:", "session", "AAAAAAAAAAAAAAAAAAAAAA"]);
        let header = RecordHeader {
            created: 1_800_000_000,
            written: 1_800_000_060,
            deadline: Some(1_800_086_400),
            ..RecordHeader::default()
        };
        let record = key
            .write(&header, &HASH, b"\x81\xa1n\x01", [5; 12])
            .unwrap();
        let digits = |place| u8::from_str_radix(&SEALED_BY_PYTHON[place..place + 2], 16);
        let places = (0..SEALED_BY_PYTHON.len()).step_by(2);
        let expected: Vec<u8> = places.map(|place| digits(place).unwrap()).collect();
        assert_eq!(record, expected);
    }

    #[cfg(feature = "encrypted")]
    const SEALED_BY_PYTHON: &str = "99a9636c6f616b726f6f6d01c4200909090909090909090909090909090909090909090909090909090909090909ce6b\
         49d200ce6b49d23cce6b4b2380c080c7200105050505050505050505050535f5e0947b2ec2bc4296a09654f10fcd2790\
         96c2";

    proptest! {
        #[test]
        fn what_is_written_is_read(header in header(), content: Vec<u8>) {
            let record = write(&header, &HASH, &content).unwrap();
            let envelope = Envelope::read(&record).unwrap();
            prop_assert_eq!(&envelope.header, &header);
            prop_assert_eq!((envelope.secret_hash, envelope.kind), (HASH, Kind::Readable));
            prop_assert_eq!(envelope.content, &content[..]);
            prop_assert_eq!(RecordHeader::from_slice(&record), Ok(header));
        }

        #[test]
        fn s59_what_is_read_is_what_was_written(header in header(), place: prop::sample::Index, byte: u8) {
            let mut record = write(&header, &HASH, b"\x80").unwrap();
            let place = place.index(record.len());
            record[place] = byte;
            if let Ok(envelope) = Envelope::read(&record) {
                let again = write(&envelope.header, &envelope.secret_hash, envelope.content);
                prop_assert_eq!(again.unwrap(), record);
            }
        }

        #[test]
        fn s59_any_bytes_can_be_given(bytes: Vec<u8>) {
            let _ = Envelope::read(&bytes);
            let _ = Envelope::read(&[b"\x99\xa9cloakroom\x01".as_slice(), &bytes].concat());
        }
    }
}
