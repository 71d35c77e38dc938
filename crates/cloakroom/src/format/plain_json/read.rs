use crate::{
    format::{
        FormatError, IndexedKey,
        document::{
            IndexedContent, IndexedEntry, check_length, content_of, keys_are_distinct, short,
        },
    },
    json::{self, JsonError, Limits, MAX_DEPTH, RawText, Scanner, Token},
    value::Value,
};

/// The value of a whole document.
pub(in crate::format) fn from_slice(bytes: &[u8]) -> Result<Value, FormatError> {
    let text = json::utf8(bytes)?;
    let mut scanner = Scanner::new(text, MAX_DEPTH);
    scanner.skip_space();
    skip(&mut scanner)?;
    scanner.end()?;
    Ok(json::from_slice(bytes, Limits::default())?)
}

/// Checks the whole document and hands out where the entries of the top level are.
pub(in crate::format) fn index(document: &[u8]) -> Result<IndexedContent, FormatError> {
    check_length(document)?;
    let text = json::utf8(document)?;
    let mut scanner = Scanner::new(text, MAX_DEPTH);
    scanner.skip_space();
    if scanner.peek() != Some(b'{') {
        return content_of(from_slice(document)?);
    }
    scanner.token()?;
    let mut entries = Vec::with_capacity((text.len() / 32).clamp(4, 64));
    let mut key = scanner.first_key()?;
    while let Some(raw) = key {
        check_text(&raw, &scanner)?;
        let start = scanner.position();
        skip(&mut scanner)?;
        entries.push(IndexedEntry {
            key: Some(IndexedKey::new(&raw, &scanner)),
            // The quotes are part of it.
            key_bytes: short(&(raw.range.start - 1..raw.range.end + 1)),
            value_bytes: short(&(start..scanner.position())),
        });
        key = scanner.next_key()?;
    }
    scanner.end()?;
    if keys_are_distinct(document, &entries) {
        Ok(IndexedContent::Entries(entries))
    } else {
        content_of(from_slice(document)?)
    }
}

/// Passes over one value and checks it. What Python's `json` reads and msgspec does not is refused: NaN,
/// the infinities, floats beyond the range of doubles, lone surrogates.
fn skip(scanner: &mut Scanner<'_>) -> Result<(), JsonError> {
    let start = scanner.position();
    match scanner.token()? {
        Token::Null | Token::Bool(_) | Token::Int => {}
        Token::Float => {
            let number = str::from_utf8(scanner.slice(start..scanner.position()));
            let finite = number.is_ok_and(|number| number.parse::<f64>().is_ok_and(f64::is_finite));
            if !finite {
                return scanner.error("a number within the range of doubles before");
            }
        }
        Token::Text { escaped } => {
            let range = start + 1..scanner.position() - 1;
            check_text(&RawText { range, escaped }, scanner)?;
        }
        Token::Array => {
            let mut more = scanner.first_item();
            while more {
                skip(scanner)?;
                more = scanner.next_item()?;
            }
        }
        Token::Object => {
            let mut key = scanner.first_key()?;
            while let Some(raw) = key {
                check_text(&raw, scanner)?;
                skip(scanner)?;
                key = scanner.next_key()?;
            }
        }
    }
    Ok(())
}

fn check_text(raw: &RawText, scanner: &Scanner<'_>) -> Result<(), JsonError> {
    if raw.escaped && raw.to_text(scanner).as_str().is_none() {
        return scanner.error("text without lone surrogates before");
    }
    Ok(())
}
