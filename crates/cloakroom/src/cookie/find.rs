//! The values of one cookie: the session's way into a request.

use std::borrow::Cow;

use http::HeaderMap;
use http::header::COOKIE;

use super::scan::{Pair, Scanner, joined};

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

/// Finds the values of the cookies called `name`, at most `max` of them.
pub(crate) fn find_all<'h>(headers: &'h HeaderMap, name: &str, max: usize) -> Candidates<'h> {
    let ours = |pair: &Pair<'_>| pair.name == name.as_bytes();
    let mut found = Candidates::default();
    let mut keep = |value: Cow<'h, str>| {
        let value = match value {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        if found.len() == max {
            found.omitted += 1;
        } else if found.first.is_none() {
            found.first = Some(value);
        } else {
            found.others.push(value);
        }
    };
    if let Some(joined) = joined(headers) {
        for pair in Scanner(&joined).filter(ours) {
            keep(Cow::Owned(pair.value.text().into_owned()));
        }
    } else {
        for header in headers.get_all(COOKIE) {
            for pair in Scanner(header.as_bytes()).filter(ours) {
                keep(pair.value.text());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
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
            let all: Vec<&[u8]> = cookies.get_all(name).map(str::as_bytes).collect();
            let kept = &all[..all.len().min(max)];
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), kept);
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
