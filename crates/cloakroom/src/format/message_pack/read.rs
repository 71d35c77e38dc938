use super::{MAX_DEPTH, TIMESTAMP};
use crate::{
    format::{FormatError, cursor::Cursor},
    value::{DateTime, Dict, Extension, Value},
};

/// The value of a whole document.
pub(in crate::format) fn from_slice(bytes: &[u8]) -> Result<Value, FormatError> {
    let mut reader = Reader::new(bytes);
    let value = reader.value(MAX_DEPTH)?;
    reader.end()?;
    Ok(value)
}

/// The start of a value: a scalar whole, or how many items follow.
pub(in crate::format) enum Header<'a> {
    Nil,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Array(usize),
    Map(usize),
    Timestamp(DateTime),
    Extension(i8, &'a [u8]),
}

pub(in crate::format) struct Reader<'a> {
    cursor: Cursor<'a>,
}

impl<'a> Reader<'a> {
    pub(in crate::format) fn new(bytes: &'a [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
        }
    }

    pub(in crate::format) fn position(&self) -> usize {
        self.cursor.position()
    }

    /// Nothing may be left.
    pub(in crate::format) fn end(&self) -> Result<(), FormatError> {
        match self.cursor.remaining() {
            0 => Ok(()),
            _ => self.cursor.error("the end"),
        }
    }

    #[inline]
    pub(in crate::format) fn header(&mut self) -> Result<Header<'a>, FormatError> {
        let cursor = &mut self.cursor;
        Ok(match cursor.byte()? {
            number @ 0x00..=0x7f => Header::Unsigned(number.into()),
            map @ 0x80..=0x8f => Header::Map(usize::from(map & 0x0f)),
            array @ 0x90..=0x9f => Header::Array(usize::from(array & 0x0f)),
            text @ 0xa0..=0xbf => return self.text(usize::from(text & 0x1f)),
            0xc0 => Header::Nil,
            0xc2 => Header::Bool(false),
            0xc3 => Header::Bool(true),
            size @ 0xc4..=0xc6 => {
                let length = self.length(size - 0xc4)?;
                Header::Bytes(self.cursor.take(length)?)
            }
            size @ 0xc7..=0xc9 => {
                let length = self.length(size - 0xc7)?;
                return self.extension(length);
            }
            0xca => Header::Float(f32::from_be_bytes(cursor.array()?).into()),
            0xcb => Header::Float(f64::from_be_bytes(cursor.array()?)),
            0xcc => Header::Unsigned(cursor.byte()?.into()),
            0xcd => Header::Unsigned(u16::from_be_bytes(cursor.array()?).into()),
            0xce => Header::Unsigned(u32::from_be_bytes(cursor.array()?).into()),
            0xcf => Header::Unsigned(u64::from_be_bytes(cursor.array()?)),
            0xd0 => Header::Signed(i8::from_be_bytes(cursor.array()?).into()),
            0xd1 => Header::Signed(i16::from_be_bytes(cursor.array()?).into()),
            0xd2 => Header::Signed(i32::from_be_bytes(cursor.array()?).into()),
            0xd3 => Header::Signed(i64::from_be_bytes(cursor.array()?)),
            size @ 0xd4..=0xd8 => return self.extension(1 << (size - 0xd4)),
            size @ 0xd9..=0xdb => {
                let length = self.length(size - 0xd9)?;
                return self.text(length);
            }
            size @ 0xdc..=0xdd => Header::Array(self.length(size - 0xdb)?),
            size @ 0xde..=0xdf => Header::Map(self.length(size - 0xdd)?),
            negative @ 0xe0..=0xff => Header::Signed(i8::from_be_bytes([negative]).into()),
            0xc1 => return self.cursor.error("a value"),
        })
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, size: u8) -> Result<usize, FormatError> {
        let length = match size {
            0 => self.cursor.byte()?.into(),
            1 => u16::from_be_bytes(self.cursor.array()?).into(),
            _ => u32::from_be_bytes(self.cursor.array()?),
        };
        Ok(usize::try_from(length).unwrap_or(usize::MAX))
    }

    #[inline]
    fn text(&mut self, length: usize) -> Result<Header<'a>, FormatError> {
        let position = self.position();
        match str::from_utf8(self.cursor.take(length)?) {
            Ok(text) => Ok(Header::Text(text)),
            Err(_) => Err(FormatError::Utf8 { position }),
        }
    }

    fn extension(&mut self, length: usize) -> Result<Header<'a>, FormatError> {
        let code = i8::from_be_bytes(self.cursor.array()?);
        let data = self.cursor.take(length)?;
        if code != TIMESTAMP {
            return Ok(Header::Extension(code, data));
        }
        match timestamp(data) {
            Some(moment) => Ok(Header::Timestamp(moment)),
            None => self.cursor.error("a timestamp before"),
        }
    }

    /// Each item takes at least one byte, so a longer array or map than that is a lie.
    pub(super) fn check_count(&self, count: usize) -> Result<(), FormatError> {
        if count > self.cursor.remaining() {
            return self.cursor.error("as many items as announced");
        }
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Value, FormatError> {
        let header = self.header()?;
        Ok(match header {
            Header::Array(count) => Value::List(self.items(count, depth)?),
            Header::Map(count) => {
                let depth = deeper(depth)?;
                self.check_count(count)?;
                let mut pairs = Vec::with_capacity(count.min(256));
                for _ in 0..count {
                    pairs.push((self.key(depth)?, self.value(depth)?));
                }
                Value::Dict(pairs.into_iter().collect::<Dict>())
            }
            scalar => value_of(scalar),
        })
    }

    fn items(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, FormatError> {
        let depth = deeper(depth)?;
        self.check_count(count)?;
        let mut items = Vec::with_capacity(count.min(256));
        for _ in 0..count {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    /// What Python can hash; an array is a tuple here.
    fn key(&mut self, depth: usize) -> Result<Value, FormatError> {
        let header = self.header()?;
        Ok(match header {
            Header::Map(_) => return Err(FormatError::Key("dict")),
            Header::Extension(..) => return Err(FormatError::Key("Ext")),
            Header::Array(count) => {
                let depth = deeper(depth)?;
                self.check_count(count)?;
                let mut items = Vec::with_capacity(count.min(256));
                for _ in 0..count {
                    items.push(self.key(depth)?);
                }
                Value::Tuple(items)
            }
            scalar => value_of(scalar),
        })
    }
}

pub(super) fn deeper(depth: usize) -> Result<usize, FormatError> {
    depth
        .checked_sub(1)
        .ok_or(FormatError::TooDeep { limit: MAX_DEPTH })
}

fn value_of(scalar: Header<'_>) -> Value {
    match scalar {
        Header::Bool(value) => Value::Bool(value),
        Header::Unsigned(value) => Value::from(value),
        Header::Signed(value) => Value::from(value),
        Header::Float(value) => Value::Float(value),
        Header::Text(text) => Value::from(text),
        Header::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
        Header::Timestamp(moment) => Value::DateTime(moment),
        Header::Extension(code, data) => Value::Extension(Extension::new(code, data)),
        // Arrays and maps are read where they are met.
        Header::Nil | Header::Array(_) | Header::Map(_) => Value::None,
    }
}

/// The moment in one of MessagePack's three timestamps, rounded to the nearest microsecond.
fn timestamp(data: &[u8]) -> Option<DateTime> {
    let (seconds, nanoseconds) = match data.len() {
        4 => (u32::from_be_bytes(data.try_into().ok()?).into(), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            let seconds = i64::try_from(both & 0x3_ffff_ffff).ok()?;
            (seconds, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_first_chunk()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, u32::from_be_bytes(*nanoseconds))
        }
        _ => return None,
    };
    if nanoseconds > 999_999_999 {
        return None;
    }
    let (seconds, microsecond) = match (nanoseconds + 500) / 1000 {
        1_000_000 => (seconds.checked_add(1)?, 0),
        microsecond => (seconds, microsecond),
    };
    DateTime::from_parts(seconds, microsecond, Some(0)).ok()
}
