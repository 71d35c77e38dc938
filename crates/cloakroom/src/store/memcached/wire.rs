use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::request;
use crate::store::StoreError;

/// The most bytes of a line that is no value: memcached's own are far shorter.
const MAX_LINE: usize = 2048;
/// The most bytes that a value may announce: memcached's `-I` goes no higher.
const MAX_VALUE: usize = 1 << 30;

/// An answer of memcached's meta protocol.
pub(super) enum Reply {
    /// `VA`
    Value(Value),
    /// `HD`
    Done(Flags),
    /// `EN` and `NF`: there is nothing.
    Missing,
    /// `NS`: something is there that should not be.
    NotStored,
    /// `EX`: another version is there.
    Differs,
}

/// An item.
pub(super) struct Value {
    pub(super) bytes: Bytes,
    pub(super) version: Option<u64>,
    /// None if it never expires.
    pub(super) seconds_left: Option<u64>,
}

/// What comes along with an answer.
#[derive(Default)]
pub(super) struct Flags {
    pub(super) version: Option<u64>,
    /// -1 if it never expires.
    seconds_left: Option<i64>,
}

/// Why there is no answer.
pub(super) enum Broken {
    /// The connection.
    Connection,
    /// The server says no, and what.
    Refusal(StoreError),
    /// Not an answer of memcached.
    Nonsense,
}

impl From<io::Error> for Broken {
    fn from(_: io::Error) -> Self {
        Self::Connection
    }
}

impl Flags {
    /// Whether the item lasts as long as a new one with this expiry.
    pub(super) fn outlasts(&self, expiry: i64) -> bool {
        match self.seconds_left {
            Some(seconds) => match u64::try_from(seconds) {
                Ok(seconds) => seconds >= request::seconds_until(expiry),
                Err(_) => true,
            },
            None => false,
        }
    }

    fn parse<'a>(words: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut flags = Self::default();
        for word in words {
            match word.split_first() {
                Some((b'c', number)) => flags.version = parse(number),
                Some((b't', number)) => flags.seconds_left = parse(number),
                _ => {}
            }
        }
        flags
    }
}

/// Reads one answer; what has arrived of the next ones stays in the buffer.
pub(super) async fn reply(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Reply, Broken> {
    let line = line(stream, buffer).await?;
    let mut words = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty());
    Ok(match words.next() {
        Some(b"VA") => {
            let size: usize = words
                .next()
                .and_then(parse)
                .filter(|size| *size <= MAX_VALUE)
                .ok_or(Broken::Nonsense)?;
            let flags = Flags::parse(words);
            let bytes = block(stream, buffer, size).await?;
            Reply::Value(Value {
                bytes,
                version: flags.version,
                seconds_left: flags
                    .seconds_left
                    .and_then(|seconds| seconds.try_into().ok()),
            })
        }
        Some(b"HD") => Reply::Done(Flags::parse(words)),
        Some(b"EN" | b"NF") => Reply::Missing,
        Some(b"NS") => Reply::NotStored,
        Some(b"EX") => Reply::Differs,
        Some(b"SERVER_ERROR") => return Err(Broken::Refusal(server_error(&line))),
        // The server did not understand us, or quotes what it did not understand.
        Some(b"ERROR" | b"CLIENT_ERROR") => {
            return Err(Broken::Refusal(StoreError::refused(
                "memcached did not understand the command; is it 1.6 or later?",
            )));
        }
        _ => return Err(Broken::Nonsense),
    })
}

/// One line without its end.
pub(super) async fn line(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> Result<Bytes, Broken> {
    loop {
        if let Some(end) = memchr::memchr(b'\n', buffer) {
            let line = buffer.split_to(end + 1).freeze();
            return match line.strip_suffix(b"\r\n") {
                Some(content) => Ok(line.slice_ref(content)),
                None => Err(Broken::Nonsense),
            };
        }
        if buffer.len() > MAX_LINE {
            return Err(Broken::Nonsense);
        }
        more(stream, buffer).await?;
    }
}

/// So many bytes and the end of line behind them.
async fn block(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    size: usize,
) -> Result<Bytes, Broken> {
    // Memory is taken as bytes arrive, not as they are announced.
    while buffer.len() < size + 2 {
        more(stream, buffer).await?;
    }
    let block = buffer.split_to(size).freeze();
    if !buffer.starts_with(b"\r\n") {
        return Err(Broken::Nonsense);
    }
    buffer.advance(2);
    Ok(block)
}

async fn more(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> Result<(), Broken> {
    buffer.reserve(4096);
    match stream.read_buf(buffer).await? {
        0 => Err(Broken::Connection),
        _ => Ok(()),
    }
}

/// Memcached's messages here are fixed texts; they are told in our own words all the same.
fn server_error(line: &[u8]) -> StoreError {
    let says = |words: &[u8]| memchr::memmem::find(line, words).is_some();
    if says(b"too large") {
        too_large()
    } else if says(b"out of memory") {
        StoreError::refused("memcached has no memory left for this item (its -m)")
    } else {
        StoreError::refused("memcached answered SERVER_ERROR")
    }
}

pub(super) fn too_large() -> StoreError {
    StoreError::refused("the value is larger than memcached takes (its -I, a megabyte unless set)")
}

pub(super) fn parse<T: std::str::FromStr>(number: &[u8]) -> Option<T> {
    std::str::from_utf8(number).ok()?.parse().ok()
}
