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
