//! The values of one cookie: the session's way into a request.

use std::borrow::Cow;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::scan::{Scanner, joined};

/// The values of all cookies with one name: what [`get_all`](super::RequestCookies::get_all) gives, without reading the other cookies'
/// values and, for one plain value, without allocating.
#[derive(Default)]
pub(crate) struct Candidates<'h> {
    first: Option<Cow<'h, [u8]>>,
    others: Vec<Cow<'h, [u8]>>,
    omitted: usize,
}

impl Candidates<'_> {
    /// The values, in the order they were sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.first.iter().chain(&self.others).map(AsRef::as_ref)
    }

    /// How many values there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// How many more cookies of the name there were than the caller wanted to see.
    pub(crate) fn omitted(&self) -> usize {
        self.omitted
    }
}

/// Finds the values of the cookies called `name`, at most `max` of them. Unquoted values are the bytes as sent.
pub(crate) fn find_all<'h>(headers: &'h HeaderMap, name: &str, max: usize) -> Candidates<'h> {
    let mut found = Candidates::default();
    let mut keep = |value: Cow<'h, [u8]>| {
        if found.len() == max {
            found.omitted += 1;
        } else if found.first.is_none() {
            found.first = Some(value);
        } else {
            found.others.push(value);
        }
    };
    let bytes = |value: Cow<'h, str>| match value {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    };
    let name = name.as_bytes();
    let headers = headers.get_all(COOKIE);
    if let Some(joined) = joined(&headers) {
        for pair in Scanner(&joined).filter(|pair| pair.name == name) {
            keep(Cow::Owned(pair.value.text().into_owned().into_bytes()));
        }
        return found;
    }
    for header in headers.iter().map(HeaderValue::as_bytes) {
        if memchr::memchr(b'"', header).is_some() {
            Scanner(header)
                .filter(|pair| pair.name == name)
                .for_each(|pair| keep(bytes(pair.value.text())));
        } else {
            unquoted(header, name).for_each(|value| keep(Cow::Borrowed(value)));
        }
    }
    found
}

/// The values of one name in a header without quotes, where every pair ends at its `;`.
fn unquoted<'h>(header: &'h [u8], name: &[u8]) -> impl Iterator<Item = &'h [u8]> {
    split(header).filter_map(move |pair| {
        let rest = trim_blanks(pair)
            .strip_prefix(name)
            .filter(|_| !name.is_empty())?;
        let value = match trim_blanks(rest) {
            // A name alone is a cookie without a value.
            [] => rest,
            [b'=', value @ ..] => trim_blanks(value),
            _ => return None,
        };
        // A blank inside spoils the pair.
        memchr::memchr2(b' ', b'\t', value)
            .is_none()
            .then_some(value)
    })
}

/// The header's parts between semicolons. A signed cookie is long, hence the fast search.
fn split(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut ends = memchr::memchr_iter(b';', header).chain([header.len()]);
    let mut start = 0;
    std::iter::from_fn(move || {
        let end = ends.next()?;
        let part = header.get(start..end)?;
        start = end + 1;
        Some(part)
    })
}

pub(super) fn trim_blanks(text: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = text.iter().position(is_text).unwrap_or(text.len());
    let end = text
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &text[start..end]
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::cookie::RequestCookies;

    /// Header bytes made of the pieces that decide how a header is read, so that quotes, escapes and names meet often.
    fn hostile_header() -> impl Strategy<Value = Vec<u8>> {
        let pieces: [&[u8]; 17] = [
            b"A=",
            b"a",
            b"b",
            b"=",
            b";",
            b"\"",
            b"\\",
            b" ",
            b"\t",
            b"a=",
            b"a=\"",
            b"; ",
            b"\\054",
            b"\\377",
            b"\xC3\xA9",
            b"\xFF",
            b"abc=",
        ];
        let piece = prop_oneof![
            9 => proptest::sample::select(pieces.to_vec()).prop_map(<[u8]>::to_vec),
            1 => vec(prop_oneof![Just(b'\t'), 0x20..0x7F_u8, 0x80..=0xFF_u8], 0..3),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    fn header_map(headers: &[Vec<u8>]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(COOKIE, HeaderValue::from_bytes(header).unwrap());
        }
        map
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn find_all_finds_what_the_full_reader_finds(
            headers in vec(hostile_header(), 0..4),
            name in prop_oneof![Just("a"), Just("b"), Just("abc"), Just("é"), Just("")],
            max in 0..9_usize,
        ) {
            let map = header_map(&headers);
            let found = find_all(&map, name, max);
            let cookies = RequestCookies::parse(&map);
            let all: Vec<&str> = cookies.get_all(name).collect();
            let kept = &all[..all.len().min(max)];
            // The full reader takes bytes that are not UTF-8 for Latin-1; here they stay as they are.
            let latin_1 = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect();
            let text = |bytes: &[u8]| str::from_utf8(bytes).map_or_else(|_| latin_1(bytes), str::to_owned);
            prop_assert_eq!(found.iter().map(text).collect::<Vec<_>>(), kept);
            prop_assert_eq!(found.len(), kept.len());
            prop_assert_eq!(found.omitted(), all.len() - kept.len());
        }

        #[test]
        fn several_headers_are_read_as_one(headers in vec(hostile_header(), 0..4)) {
            let apart = RequestCookies::parse(&header_map(&headers));
            let together = RequestCookies::parse_header(headers.join(&b';'));
            prop_assert!(apart.iter().eq(together.iter()));
        }
    }

    #[test]
    fn one_plain_value_is_found_without_allocating() {
        for headers in [
            vec![b"theme=\"dark blue\"; session=abc.def".to_vec()],
            vec![b"theme=dark".to_vec(), b"session=abc.def".to_vec()],
        ] {
            let map = header_map(&headers);
            let found = find_all(&map, "session", 8);
            assert!(matches!(found.first, Some(Cow::Borrowed(b"abc.def"))));
            assert_eq!(found.others.capacity(), 0);
        }
    }
}
