//! Responses: as much of HTTP/1.1 as servers of the bench speak.

use std::ops::Range;

use memchr::{memchr, memmem};

/// Where things are in the bytes of a response that has arrived in full.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) head: usize,
    pub(super) body: Range<usize>,
    pub(super) sets_cookies: bool,
    /// The server will close the connection.
    pub(super) closes: bool,
}

impl Response {
    /// None while something is still to come.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, &'static str> {
        let Some(end) = memmem::find(bytes, b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = end + 2;
        let mut response = Self {
            status: status(bytes).ok_or("no HTTP/1.1 status line")?,
            head,
            body: 0..0,
            sets_cookies: false,
            closes: false,
        };
        let mut length = None;
        for (name, value) in headers(&bytes[..head]) {
            if name.eq_ignore_ascii_case(b"content-length") {
                length = Some(number(value).ok_or("a content-length that is no number")?);
            } else if name.eq_ignore_ascii_case(b"set-cookie") {
                response.sets_cookies = true;
            } else if name.eq_ignore_ascii_case(b"connection") {
                response.closes = value.eq_ignore_ascii_case(b"close");
            }
        }
        let length = usize::try_from(length.ok_or("no content-length")?)
            .map_err(|_| "a content-length that is too long")?;
        let start = head + 2;
        response.body = start..start.saturating_add(length);
        Ok((bytes.len() >= response.body.end).then_some(response))
    }

    /// The values of its `Set-Cookie` headers.
    pub(super) fn set_cookies<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let head = if self.sets_cookies { self.head } else { 0 };
        headers(&bytes[..head])
            .filter(|(name, _)| name.eq_ignore_ascii_case(b"set-cookie"))
            .map(|(_, value)| value)
    }
}

/// Digits and nothing else.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 19 {
        return None;
    }
    text.iter().try_fold(0, |number: u64, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u64::from(digit - b'0'))
    })
}

fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.1 ")?;
    u16::try_from(number(rest.get(..3)?)?).ok()
}

/// Each header of a head, without the status line.
fn headers(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = head;
    std::iter::from_fn(move || {
        let end = memchr(b'\n', rest)?;
        let (line, after) = rest.split_at(end + 1);
        rest = after;
        Some(line)
    })
    .filter_map(|line| {
        let colon = memchr(b':', line)?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nset-cookie: a=1; Path=/\r\n\
        Set-Cookie:b=2\r\ndate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\nok";

    #[test]
    fn a_response_in_pieces_is_whole_with_its_last_byte_and_not_before() {
        for split in 0..WHOLE.len() {
            assert_eq!(Response::parse(&WHOLE[..split]), Ok(None), "{split}");
        }
        let response = Response::parse(WHOLE).unwrap().unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(&WHOLE[response.body.clone()], b"ok");
        assert!(!response.closes);
        let cookies: Vec<_> = response.set_cookies(WHOLE).collect();
        assert_eq!(cookies, [&b"a=1; Path=/"[..], b"b=2"]);
    }

    #[test]
    fn what_is_not_http_is_an_error_and_not_an_answer() {
        for bad in [
            &b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
            b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert!(Response::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_server_that_closes_says_so() {
        let bytes = b"HTTP/1.1 503 Busy\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n";
        let response = Response::parse(bytes).unwrap().unwrap();
        assert!(response.closes);
        assert_eq!((response.status, response.body.len()), (503, 0));
    }
}
