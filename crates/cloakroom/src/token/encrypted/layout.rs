//! What is inside a token: two times, flags, and the content with its padding.

use super::error::OpenError;

/// How much a token's length tells of what is in it.
///
/// Encryption hides the content, not its length: without padding, the cookie of a visitor with a long name is longer, and
/// so is the cookie of one who is logged in. In blocks, all contents that fill the same number of blocks give tokens of
/// one length. Blocks of 64 bytes cost 32 bytes on average, which are 43 of the 4096 characters that a browser keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Padding {
    /// None: the length tells how many bytes the content has.
    None,
    /// To a multiple of so many bytes, with the 19 for times and flags counted. 0 and 1 add nothing.
    Blocks(u16),
}

impl Default for Padding {
    /// Blocks of 64 bytes.
    fn default() -> Self {
        Self::Blocks(64)
    }
}

impl Padding {
    /// How many bytes to add to so many.
    fn after(self, length: usize) -> u16 {
        match self {
            Self::None | Self::Blocks(0) => 0,
            Self::Blocks(block) => match u16::try_from(length % usize::from(block)) {
                Ok(0) | Err(_) => 0,
                Ok(over) => block - over,
            },
        }
    }
}

/// What stands before the content: issued at (8 bytes), expires at (8 bytes), flags (1 byte), how many bytes of padding
/// follow the content (2 bytes); numbers with the highest byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// In unix seconds, as is the next.
    pub(super) issued_at: u64,
    pub(super) expires_at: u64,
    /// Whether the content is a zlib stream: bit 0 of the flags. The others are zero.
    pub(super) compressed: bool,
}

impl Header {
    pub(super) const LENGTH: usize = 19;

    /// Puts the header before the content `out[start + LENGTH..]`, and the padding after it.
    pub(super) fn frame(self, out: &mut Vec<u8>, start: usize, padding: Padding) {
        let added = padding.after(out.len().saturating_sub(start));
        let fields = (self.issued_at.to_be_bytes().into_iter())
            .chain(self.expires_at.to_be_bytes())
            .chain([u8::from(self.compressed)])
            .chain(added.to_be_bytes());
        for (place, byte) in out.iter_mut().skip(start).zip(fields) {
            *place = byte;
        }
        out.resize(out.len() + usize::from(added), 0);
    }

    /// The header of what was decrypted, and the content.
    pub(super) fn read(plaintext: &[u8]) -> Result<(Self, &[u8]), OpenError> {
        let unknown = OpenError::UnknownLayout;
        let (&issued_at, rest) = plaintext.split_first_chunk().ok_or(unknown)?;
        let (&expires_at, rest) = rest.split_first_chunk().ok_or(unknown)?;
        let (&[flags], rest) = rest.split_first_chunk().ok_or(unknown)?;
        let (&padding, rest) = rest.split_first_chunk().ok_or(unknown)?;
        let end = rest.len().checked_sub(u16::from_be_bytes(padding).into());
        let (content, padding) = end
            .and_then(|end| rest.split_at_checked(end))
            .ok_or(unknown)?;
        if flags > 1 || padding.iter().any(|byte| *byte != 0) {
            return Err(unknown);
        }
        let header = Self {
            issued_at: u64::from_be_bytes(issued_at),
            expires_at: u64::from_be_bytes(expires_at),
            compressed: flags == 1,
        };
        Ok((header, content))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn a_frame_is_read_back_and_full(
            content in vec(any::<u8>(), 0..300), before in vec(any::<u8>(), 0..5), block: u16,
            issued_at: u64, expires_at: u64, compressed: bool,
        ) {
            let header = Header { issued_at, expires_at, compressed };
            let mut out = before.clone();
            out.resize(before.len() + Header::LENGTH, 0xff);
            out.extend_from_slice(&content);
            header.frame(&mut out, before.len(), Padding::Blocks(block));
            prop_assert_eq!(&out[..before.len()], &before);
            let framed = &out[before.len()..];
            prop_assert!(block == 0 || framed.len() % usize::from(block) == 0);
            prop_assert!(framed.len() < Header::LENGTH + content.len() + usize::from(block).max(1));
            prop_assert_eq!(Header::read(framed), Ok((header, &content[..])));
        }

        #[test]
        fn anything_can_be_read(plaintext in vec(any::<u8>(), 0..64)) {
            let _ = Header::read(&plaintext);
        }
    }

    #[test]
    fn a_layout_of_later_is_refused() {
        let header = Header {
            issued_at: 1,
            expires_at: 2,
            compressed: false,
        };
        let mut framed = vec![0; Header::LENGTH];
        header.frame(&mut framed, 0, Padding::Blocks(32));
        assert_eq!(Header::read(&framed), Ok((header, &[][..])));
        for (place, byte) in [(16, 2), (16, 0x81), (17, 1), (18, 14), (31, 1)] {
            let mut other = framed.clone();
            other[place] = byte;
            assert_eq!(
                Header::read(&other),
                Err(OpenError::UnknownLayout),
                "{place}"
            );
        }
        assert_eq!(
            Header::read(&framed[..Header::LENGTH - 1]),
            Err(OpenError::UnknownLayout)
        );
    }
}
