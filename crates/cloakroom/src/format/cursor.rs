use super::FormatError;

/// A place in bytes that came from outside; nothing is taken that is not there.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    #[cold]
    pub(super) fn error<T>(&self, expected: &'static str) -> Result<T, FormatError> {
        Err(FormatError::Malformed {
            expected,
            position: self.position,
        })
    }

    #[inline]
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], FormatError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(taken) = rest.get(..length) else {
            return self.error("as many bytes as announced");
        };
        self.position += length;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(taken) = rest.first_chunk() else {
            return self.error("more bytes");
        };
        self.position += N;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, FormatError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// The bytes up to the next line feed, which is passed over.
    pub(super) fn line(&mut self) -> Result<&'a [u8], FormatError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            return self.error("the end of a line");
        };
        self.position += length + 1;
        Ok(&rest[..length])
    }
}
