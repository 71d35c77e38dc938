//! zlib, with one compressor and one decompressor per thread that are reset instead of rebuilt.
//!
//! Compressed text is byte for byte what stock zlib writes at level 6, so that both sides of a migration write the same
//! cookie.

use std::{cell::Cell, thread::LocalKey};

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

/// A buffer that grew beyond this is given back instead of kept for the thread's next token.
const KEPT_CAPACITY: usize = 16 * 1024;

struct Deflater {
    state: Compress,
    output: Vec<u8>,
}

thread_local! {
    static DEFLATER: Cell<Option<Box<Deflater>>> = const { Cell::new(None) };
    static INFLATER: Cell<Option<Box<Decompress>>> = const { Cell::new(None) };
}

/// Calls `use_compressed` with the zlib stream of the text, if that has at most `limit` bytes.
pub(super) fn deflate_within<T>(
    text: &[u8],
    limit: usize,
    use_compressed: impl FnOnce(&[u8]) -> T,
) -> Option<T> {
    let mut deflater = take(&DEFLATER).unwrap_or_else(|| {
        Box::new(Deflater {
            state: Compress::new(Compression::new(6), true),
            output: Vec::new(),
        })
    });
    deflater.state.reset();
    deflater.output.clear();
    deflater.output.resize(limit, 0);
    let Deflater { state, output } = &mut *deflater;
    let result = match state.compress(text, output, FlushCompress::Finish) {
        // It fitted if the stream is complete; a stream that needs more room is of no use.
        Ok(Status::StreamEnd) => usize::try_from(state.total_out())
            .ok()
            .and_then(|length| output.get(..length))
            .map(use_compressed),
        _ => None,
    };
    if deflater.output.capacity() > KEPT_CAPACITY {
        deflater.output = Vec::new();
    }
    put(&DEFLATER, deflater);
    result
}

/// Why a zlib stream cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// Not a zlib stream, or not all of it.
    Broken,
    /// More than the limit would come out.
    TooLarge,
}

/// What a zlib stream holds. Bytes after its end are ignored, as Python's `zlib.decompress` caller in itsdangerous does.
pub(super) fn inflate(stream: &[u8], limit: usize) -> Result<Vec<u8>, InflateError> {
    let mut inflater = take(&INFLATER).unwrap_or_else(|| Box::new(Decompress::new(true)));
    inflater.reset(true);
    let result = inflate_with(&mut inflater, stream, limit);
    put(&INFLATER, inflater);
    result
}

fn inflate_with(
    inflater: &mut Decompress,
    stream: &[u8],
    limit: usize,
) -> Result<Vec<u8>, InflateError> {
    let most = limit.saturating_add(1);
    let mut output =
        Vec::with_capacity(stream.len().saturating_mul(3).saturating_add(64).min(most));
    loop {
        let (read, written) = (inflater.total_in(), output.len());
        let rest = usize::try_from(read)
            .ok()
            .and_then(|read| stream.get(read..))
            .unwrap_or_default();
        let status = inflater
            .decompress_vec(rest, &mut output, FlushDecompress::None)
            .map_err(|_| InflateError::Broken)?;
        if output.len() > limit {
            return Err(InflateError::TooLarge);
        }
        if status == Status::StreamEnd {
            return Ok(output);
        }
        if output.len() < output.capacity()
            && inflater.total_in() == read
            && output.len() == written
        {
            // Room to write and nothing left to read: the stream stops in the middle.
            return Err(InflateError::Broken);
        }
        if output.len() == output.capacity() {
            output.reserve_exact(output.capacity().max(64).min(most - output.len()));
        }
    }
}

fn take<T>(slot: &'static LocalKey<Cell<Option<T>>>) -> Option<T> {
    // While the thread ends the slot may be gone already; then a fresh one serves.
    slot.try_with(Cell::take).ok().flatten()
}

fn put<T>(slot: &'static LocalKey<Cell<Option<T>>>, value: T) {
    let _ = slot.try_with(|slot| slot.set(Some(value)));
}
