//! The cookies a browser sent.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use http::HeaderMap;
use http::header::COOKIE;

use super::quote::unquote;

/// The cookies of one request, read as Werkzeug 3.1.9 reads them.
///
/// A name may come more than once (browsers send the cookies of every path and domain that fit): [`get`](Self::get) answers
/// with the first, [`get_all`](Self::get_all) with all of them, in the order they were sent. That order proves nothing about
/// who set a cookie, so nothing that matters should rest on it.
///
/// - Several `Cookie` headers, which HTTP/2 makes of one, count as one.
/// - Quoted values lose their quotes, and their escapes are undone.
/// - Values are UTF-8. One that is not is taken as Latin-1, without touching its neighbours.
/// - Names are compared byte by byte: upper and lower case differ, nothing is percent-decoded. A cookie without a name, or
///   with a name that is not UTF-8, is left out.
/// - A pair that is not well-formed (white space inside a value, a stray quote) is left out, the others stay.
///
/// Reading takes time in proportion to the header, whatever is in it. `Debug` shows names, never values.
///
/// ```
/// use cloakroom::cookie::RequestCookies;
///
/// let cookies = RequestCookies::parse_header(b"a=1; b=\"x\\073y\"; a=2");
/// assert_eq!(cookies.get("a"), Some("1"));
/// assert_eq!(cookies.get("b"), Some("x;y"));
/// assert_eq!(cookies.get_all("a").collect::<Vec<_>>(), ["1", "2"]);
/// ```
#[doc(alias = "parse_cookie")]
#[doc(alias = "request.cookies")]
#[derive(Clone, Default)]
pub struct RequestCookies {
    /// All names and values, one after the other: two allocations hold any number of cookies.
    text: String,
    pairs: Vec<(Range<usize>, Range<usize>)>,
}

impl RequestCookies {
    /// Reads every `Cookie` header of a request. Never fails: what cannot be read is left out.
    pub fn parse(headers: &HeaderMap) -> Self {
        let mut cookies = Self::default();
        match joined(headers) {
            Some(joined) => cookies.extend(&joined),
            None => {
                for header in headers.get_all(COOKIE) {
                    cookies.extend(header.as_bytes());
                }
            }
        }
        cookies
    }

    /// Reads the content of one `Cookie` header, given as bytes.
    pub fn parse_header(header: impl AsRef<[u8]>) -> Self {
        let mut cookies = Self::default();
        cookies.extend(header.as_ref());
        cookies
    }

    /// The value of the first cookie called `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.get_all(name).next()
    }

    /// The values of all cookies called `name`, in the order they were sent.
    #[doc(alias = "getlist")]
    pub fn get_all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.iter()
            .filter(move |(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
    }

    /// All cookies as (name, value), in the order they were sent, with every repetition.
    pub fn iter(&self) -> Iter<'_> {
        Iter {
            text: &self.text,
            pairs: self.pairs.iter(),
        }
    }

    /// The different names, each once, in the order of their first appearance.
    #[doc(alias = "keys")]
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let mut seen = HashSet::new();
        self.iter()
            .map(|(name, _)| name)
            .filter(move |name| seen.insert(*name))
    }

    /// How many cookies were sent, repetitions included.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether no cookie was sent.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    fn extend(&mut self, header: &[u8]) {
        for pair in Scanner(header) {
            if let Ok(name) = str::from_utf8(pair.name) {
                let name = self.push(name);
                let value = self.push(&pair.value.text());
                self.pairs.push((name, value));
            }
        }
    }

    fn push(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

impl fmt::Debug for RequestCookies {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RequestCookies ")?;
        formatter.debug_list().entries(self.names()).finish()
    }
}

impl<'a> IntoIterator for &'a RequestCookies {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The iterator of [`RequestCookies::iter`]: (name, value) in the order they were sent.
#[derive(Clone)]
pub struct Iter<'a> {
    text: &'a str,
    pairs: std::slice::Iter<'a, (Range<usize>, Range<usize>)>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.pairs.next()?;
        Some((&self.text[name.clone()], &self.text[value.clone()]))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pairs.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.clone().map(|(name, _)| name))
            .finish()
    }
}

/// The values of all cookies with one name: what [`RequestCookies::get_all`] gives, without reading the other cookies'
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
        for pair in Scanner(&joined).filter(|pair| pair.name == name.as_bytes()) {
            keep(Cow::Owned(pair.value.text().into_owned()));
        }
    } else {
        for header in headers.get_all(COOKIE) {
            for pair in Scanner(header.as_bytes()).filter(|pair| pair.name == name.as_bytes()) {
                keep(pair.value.text());
            }
        }
    }
    found
}

/// The `Cookie` headers as one, where that makes a difference.
///
/// Several headers mean the same as one with `;` between. Reading them one by one gives the same cookies, unless a quoted
/// value runs from one into the next.
fn joined(headers: &HeaderMap) -> Option<Vec<u8>> {
    let values = headers.get_all(COOKIE);
    let several = values.iter().nth(1).is_some();
    let quoted = |value: &http::HeaderValue| value.as_bytes().contains(&b'"');
    (several && values.iter().any(quoted)).then(|| {
        let values: Vec<&[u8]> = values.iter().map(http::HeaderValue::as_bytes).collect();
        values.join(&b';')
    })
}

/// One well-formed pair of a `Cookie` header.
struct Pair<'h> {
    /// Never empty.
    name: &'h [u8],
    value: RawValue<'h>,
}

/// A value as it stands in the header.
enum RawValue<'h> {
    Plain(&'h [u8]),
    /// What stands between the quotes.
    Quoted(&'h [u8]),
}

impl<'h> RawValue<'h> {
    fn text(&self) -> Cow<'h, str> {
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

/// Walks over the pairs of a `Cookie` header and passes over what is not a pair.
///
/// The walk is linear. Only quoted values look further than the next `;`, and two of them never look at the same bytes:
/// the quote that opens the later one ends the earlier one.
struct Scanner<'h>(&'h [u8]);

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

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Header bytes made of the pieces that decide how a header is read, so that quotes, escapes and names meet often.
    fn hostile_header() -> impl Strategy<Value = Vec<u8>> {
        let pieces: [&[u8]; 16] = [
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
