//! The text forms of protocol 0.

use crate::value::{Text, TextBuilder};

/// Python's `raw-unicode-escape`: Latin-1, but for `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn raw_unicode(mut line: &[u8]) -> Option<Text> {
    let mut text = TextBuilder::default();
    loop {
        match line {
            [] => return Some(text.finish()),
            [b'\\', kind @ (b'u' | b'U'), rest @ ..] => {
                let (digits, rest) = rest.split_at_checked(if *kind == b'u' { 4 } else { 8 })?;
                let point = hexadecimal(digits)?;
                if point > 0x10_ffff {
                    return None;
                }
                text.push_code_point(point);
                line = rest;
            }
            // A backslash before another one is itself, and so is the other.
            [b'\\', other, rest @ ..] => {
                text.push_code_point(u32::from(b'\\'));
                text.push_code_point(u32::from(*other));
                line = rest;
            }
            [byte, rest @ ..] => {
                text.push_code_point(u32::from(*byte));
                line = rest;
            }
        }
    }
}

/// A quoted string of Python 2, which has to be ASCII.
pub(super) fn quoted(line: &[u8]) -> Option<Text> {
    let (quote @ (b'\'' | b'"'), rest) = line.trim_ascii().split_first()? else {
        return None;
    };
    let mut rest = rest.strip_suffix(&[*quote])?;
    let mut text = String::with_capacity(rest.len());
    loop {
        let (byte, after) = match rest {
            [] => return Some(Text::from(text)),
            [b'\\', b'x', h1, h2, after @ ..] => {
                (u8::try_from(hexadecimal(&[*h1, *h2])?).ok()?, after)
            }
            [b'\\', kind, after @ ..] => (simple_escape(*kind)?, after),
            [b'\\'] => return None,
            [byte, after @ ..] => (*byte, after),
        };
        if !byte.is_ascii() {
            return None;
        }
        text.push(char::from(byte));
        rest = after;
    }
}

/// What Python 2 wrote with one letter.
fn simple_escape(kind: u8) -> Option<u8> {
    Some(match kind {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'\\' | b'\'' | b'"' => kind,
        _ => return None,
    })
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number: u32, digit| {
        Some(number << 4 | char::from(*digit).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use super::{quoted, raw_unicode};

    #[test]
    fn escapes_are_resolved_as_python_does() {
        let raw = |line: &[u8]| raw_unicode(line).map(|text| text.to_string());
        assert_eq!(raw(b"a\xe9\\u2603\\U0001f600").unwrap(), "aé☃😀");
        assert_eq!(raw(br"\\u0041\n").unwrap(), r"\\u0041\n");
        assert_eq!(raw(br"\u004"), None);
        assert_eq!(raw(br"\U00110000"), None);
        assert_eq!(raw(b"\\").unwrap(), "\\");
        let string = |line: &[u8]| quoted(line).map(|text| text.to_string());
        assert_eq!(string(br"'it\'s\x41\n'").unwrap(), "it'sA\n");
        assert_eq!(string(br#""a""#).unwrap(), "a");
        for bad in [&b"'a"[..], b"a'", b"'", b"'\xe9'", br"'\xff'", br"'\'"] {
            assert_eq!(string(bad), None);
        }
    }
}
