use super::{
    MAX_DEPTH, from_slice,
    read::{Header, Reader, deeper},
};
use crate::format::{
    FormatError, IndexedKey,
    document::{IndexedContent, IndexedEntry, check_length, content_of, keys_are_distinct, short},
};

/// Checks the whole document and hands out where the entries of the top level are.
pub(in crate::format) fn index(document: &[u8]) -> Result<IndexedContent, FormatError> {
    check_length(document)?;
    let mut reader = Reader::new(document);
    let Header::Map(count) = reader.header()? else {
        return content_of(from_slice(document)?);
    };
    reader.check_count(count)?;
    let depth = deeper(MAX_DEPTH)?;
    let mut entries = Vec::with_capacity(count.min(64));
    for _ in 0..count {
        let start = reader.position();
        let key = reader.skip_key(depth)?;
        let middle = reader.position();
        reader.skip(depth)?;
        entries.push(IndexedEntry {
            // The text is the end of the key.
            key: key.map(|text| IndexedKey::Plain(short(&(middle - text.len()..middle)))),
            key_bytes: short(&(start..middle)),
            value_bytes: short(&(middle..reader.position())),
        });
    }
    reader.end()?;
    if keys_are_distinct(document, &entries) {
        Ok(IndexedContent::Entries(entries))
    } else {
        content_of(from_slice(document)?)
    }
}

impl<'a> Reader<'a> {
    /// Passes over one value and checks it.
    fn skip(&mut self, depth: usize) -> Result<(), FormatError> {
        let (count, is_map) = match self.header()? {
            Header::Array(count) => (count, false),
            Header::Map(count) => (count, true),
            _ => return Ok(()),
        };
        let depth = deeper(depth)?;
        self.check_count(count)?;
        for _ in 0..count {
            if is_map {
                self.skip_key(depth)?;
            }
            self.skip(depth)?;
        }
        Ok(())
    }

    /// Passes over a key; hands it out if it is text.
    fn skip_key(&mut self, depth: usize) -> Result<Option<&'a str>, FormatError> {
        match self.header()? {
            Header::Text(text) => Ok(Some(text)),
            Header::Map(_) => Err(FormatError::Key("dict")),
            Header::Extension(..) => Err(FormatError::Key("Ext")),
            Header::Array(count) => {
                let depth = deeper(depth)?;
                self.check_count(count)?;
                for _ in 0..count {
                    self.skip_key(depth)?;
                }
                Ok(None)
            }
            _ => Ok(None),
        }
    }
}
