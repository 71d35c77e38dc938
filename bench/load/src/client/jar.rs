//! The cookies of one browser.

use memchr::memchr;

/// Cookies by name; all of them are sent with each request.
#[derive(Clone, Debug, Default)]
pub(super) struct Jar {
    cookies: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Jar {
    /// Does as a `Set-Cookie` header says: keeps the newest value, or forgets the cookie.
    pub(super) fn take(&mut self, set_cookie: &[u8]) {
        let mut parts = set_cookie.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let Some(equals) = memchr(b'=', pair) else {
            return;
        };
        let (name, value) = (pair[..equals].trim_ascii(), pair[equals + 1..].trim_ascii());
        let place = self.cookies.iter().position(|(known, _)| known == name);
        match (place, parts.any(removes)) {
            (Some(place), true) => {
                self.cookies.swap_remove(place);
            }
            (Some(place), false) => {
                let kept = &mut self.cookies[place].1;
                kept.clear();
                kept.extend_from_slice(value);
            }
            (None, true) => {}
            (None, false) => self.cookies.push((name.to_vec(), value.to_vec())),
        }
    }

    /// Adds the `Cookie` header to a request, unless there is no cookie.
    pub(super) fn write_header(&self, request: &mut Vec<u8>) {
        for (number, (name, value)) in self.cookies.iter().enumerate() {
            let before: &[u8] = if number == 0 { b"cookie: " } else { b"; " };
            for part in [before, name, b"=", value] {
                request.extend_from_slice(part);
            }
        }
        if !self.cookies.is_empty() {
            request.extend_from_slice(b"\r\n");
        }
    }
}

/// Whether an attribute ends the cookie at once.
fn removes(attribute: &[u8]) -> bool {
    let attribute = attribute.trim_ascii();
    attribute.eq_ignore_ascii_case(b"max-age=0")
        || attribute.eq_ignore_ascii_case(b"expires=thu, 01 jan 1970 00:00:00 gmt")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(jar: &Jar) -> String {
        let mut bytes = Vec::new();
        jar.write_header(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn the_newest_value_is_sent_and_a_removed_cookie_is_not() {
        let mut jar = Jar::default();
        assert_eq!(header(&jar), "");
        jar.take(b"session=old; HttpOnly; Path=/");
        jar.take(b"other=1");
        jar.take(b"session=new==; Max-Age=3600");
        assert_eq!(header(&jar), "cookie: session=new==; other=1\r\n");
        jar.take(b"session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/");
        assert_eq!(header(&jar), "cookie: other=1\r\n");
    }
}
