//! The cookies a browser sent.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use http::HeaderMap;
use http::header::COOKIE;

use super::scan::{Scanner, joined};

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
        let headers = headers.get_all(COOKIE);
        match joined(&headers) {
            Some(joined) => cookies.extend(&joined),
            None => {
                for header in headers {
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
