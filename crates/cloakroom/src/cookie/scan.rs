//! The grammar of the `Cookie` header, as Werkzeug 3.1.9 has it.

use std::borrow::Cow;

use http::HeaderValue;
use http::header::GetAll;

use super::quote::unquote;

/// Walks over the pairs of a `Cookie` header and passes over what is not a pair.
///
/// The walk is linear. Only quoted values look further than the next `;`, and two of them never look at the same bytes:
/// the quote that opens the later one ends the earlier one.
pub(super) struct Scanner<'h>(pub(super) &'h [u8]);

impl<'h> Iterator for Scanner<'h> {
    type Item = Pair<'h>;

    fn next(&mut self) -> Option<Pair<'h>> {
        while !self.0.is_empty() {
            if let Some((pair, rest)) = scan_pair(self.0) {
                self.0 = rest;
                return Some(pair);
            }
            self.0 = match self.0.iter().position(|&byte| byte == b';') {
                Some(semicolon) => &self.0[semicolon + 1..],
                None => &[],
            };
        }
        None
    }
}

/// One well-formed pair of a `Cookie` header.
pub(super) struct Pair<'h> {
    /// Never empty.
    pub(super) name: &'h [u8],
    pub(super) value: RawValue<'h>,
}

/// A value as it stands in the header.
pub(super) enum RawValue<'h> {
    Plain(&'h [u8]),
    /// What stands between the quotes.
    Quoted(&'h [u8]),
}

impl<'h> RawValue<'h> {
    /// The value as text, without quotes and escapes; borrowed where the header holds it as it is.
    pub(super) fn text(&self) -> Cow<'h, str> {
        match self {
            Self::Quoted(quoted) if quoted.contains(&b'\\') => {
                let bytes = unquote(decode(quoted).as_bytes());
                Cow::Owned(match String::from_utf8(bytes) {
                    Ok(text) => text,
                    Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
                })
            }
            Self::Quoted(text) | Self::Plain(text) => decode(text),
        }
    }
}

/// Header bytes as text: UTF-8, else Latin-1.
fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(bytes.iter().copied().map(char::from).collect()),
    }
}

/// The `Cookie` headers as one, where that makes a difference.
///
/// Several headers mean the same as one with `;` between. Reading them one by one gives the same cookies, unless a quoted
/// value runs from one into the next.
pub(super) fn joined(values: &GetAll<'_, HeaderValue>) -> Option<Vec<u8>> {
    let several = values.iter().nth(1).is_some();
    let quoted = |value: &HeaderValue| value.as_bytes().contains(&b'"');
    (several && values.iter().any(quoted)).then(|| {
        let values: Vec<&[u8]> = values.iter().map(HeaderValue::as_bytes).collect();
        values.join(&b';')
    })
}

/// The pair at the very start of `header`, and what follows its `;`.
fn scan_pair(header: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (name, rest) = split_run(skip_blanks(header), |byte| {
        matches!(byte, b' ' | b'\t' | b'=' | b'"' | b';')
    });
    if name.is_empty() {
        return None;
    }
    let (value, rest) = match skip_blanks(rest) {
        [b'=', rest @ ..] => scan_value(skip_blanks(rest))?,
        rest => (RawValue::Plain(&[]), rest),
    };
    match skip_blanks(rest) {
        [] => Some((Pair { name, value }, &[])),
        [b';', rest @ ..] => Some((Pair { name, value }, rest)),
        _ => None,
    }
}

/// The value at the very start of `text`, quoted or not, and what follows it. `None` for a quote that is never closed.
fn scan_value(text: &[u8]) -> Option<(RawValue<'_>, &[u8])> {
    let [b'"', quoted @ ..] = text else {
        let (value, rest) = split_run(text, |byte| matches!(byte, b' ' | b'\t' | b'"' | b';'));
        return Some((RawValue::Plain(value), rest));
    };
    let mut position = 0;
    loop {
        position += match quoted.get(position..)? {
            [b'"', rest @ ..] => return Some((RawValue::Quoted(&quoted[..position]), rest)),
            [b'\\', b'\n', ..] | [b'\\'] | [] => return None,
            [b'\\', ..] => 2,
            _ => 1,
        };
    }
}

/// Splits before the first byte that ends the run.
fn split_run(text: &[u8], ends: impl Fn(u8) -> bool) -> (&[u8], &[u8]) {
    let length = text.iter().position(|&byte| ends(byte));
    text.split_at(length.unwrap_or(text.len()))
}

fn skip_blanks(text: &[u8]) -> &[u8] {
    split_run(text, |byte| !matches!(byte, b' ' | b'\t')).1
}
