//! Quoted cookie values, as Werkzeug writes and reads them.
//!
//! A value that holds anything but plain characters goes out in double quotes, with the characters that a header cannot carry
//! as a backslash and three octal digits. Both directions live here, so that they stay each other's inverse.

use std::borrow::Cow;

/// Whether a byte needs no quotes: letters, digits and the punctuation that Werkzeug 3.1.9 leaves alone.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() & !matches!(byte, b'"' | b',' | b';' | b'\\')
}

/// The value as it goes into the header: itself when every byte is plain, in quotes otherwise. Empty stays empty.
///
/// Werkzeug lets the bytes 1A to 1F (hexadecimal) through inside the quotes. No HTTP stack carries those, so they are
/// escaped here like the other control characters; readers see the same value.
pub(super) fn quote(value: &[u8]) -> Cow<'_, [u8]> {
    // Looking at every byte goes many at a time; stopping at the first would go one by one.
    if value
        .iter()
        .fold(true, |plain, &byte| plain & is_plain(byte))
    {
        return Cow::Borrowed(value);
    }
    let mut quoted = Vec::with_capacity(value.len() + value.len() / 2 + 2);
    quoted.push(b'"');
    for &byte in value {
        match byte {
            b'"' | b'\\' => quoted.extend([b'\\', byte]),
            b',' | b';' | ..0x20 | 0x7F.. => quoted.extend([
                b'\\',
                b'0' + (byte >> 6),
                b'0' + (byte >> 3 & 7),
                b'0' + (byte & 7),
            ]),
            _ => quoted.push(byte),
        }
    }
    quoted.push(b'"');
    Cow::Owned(quoted)
}

/// What stands between the quotes, unescaped: a backslash with three octal digits (up to 377) is that byte, a backslash with
/// anything else is the thing itself.
pub(super) fn unquote(quoted: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(quoted.len());
    let mut rest = quoted;
    loop {
        rest = match rest {
            [
                b'\\',
                a @ b'0'..=b'3',
                b @ b'0'..=b'7',
                c @ b'0'..=b'7',
                rest @ ..,
            ] => {
                value.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest
            }
            [b'\\', escaped, rest @ ..] => {
                value.push(*escaped);
                rest
            }
            [byte, rest @ ..] => {
                value.push(*byte);
                rest
            }
            [] => return value,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn unquote_undoes_quote(value: Vec<u8>) {
            match quote(&value) {
                Cow::Borrowed(plain) => assert_eq!(plain, value),
                Cow::Owned(quoted) => {
                    assert_eq!((quoted.first(), quoted.last()), (Some(&b'"'), Some(&b'"')));
                    assert_eq!(unquote(&quoted[1..quoted.len() - 1]), value);
                    assert!(http::HeaderValue::from_bytes(&quoted).is_ok());
                }
            }
        }
    }
}
