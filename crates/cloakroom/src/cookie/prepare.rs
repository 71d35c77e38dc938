//! A cookie whose attributes are checked and written once, for any number of values.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;

use super::domain::domain_attribute;
use super::quote::quote;
use super::rules::Attributes;
use super::{Cookie, CookieError, Rules};
use crate::http_date::HttpDate;

/// The finished parts of a `Set-Cookie` header. Setting a value puts them together, in one allocation when the value
/// needs no quotes.
///
/// Werkzeug's order is `name=value; Domain; Expires; Max-Age; Secure; HttpOnly; Path; SameSite; Partitioned`.
#[derive(Clone, Debug)]
pub(crate) struct PreparedCookie {
    name: Cow<'static, str>,
    /// `; Domain=…` or nothing.
    domain: String,
    /// `; Max-Age=…` or nothing.
    max_age: String,
    /// All that stands after Max-Age.
    flags: String,
    rules: Rules,
}

impl PreparedCookie {
    pub(super) fn new(cookie: &Cookie) -> Result<Self, CookieError> {
        let rules = cookie.rules;
        let domain = cookie
            .domain
            .as_deref()
            .map(|domain| domain_attribute(domain, rules))
            .transpose()?;
        let path = cookie.path.as_deref().map(encode_path);
        // Browsers drop a partitioned cookie that is not secure, so one switches the other on, as in Werkzeug.
        let secure = cookie.secure || cookie.partitioned;
        rules.check(&Attributes {
            name: &cookie.name,
            domain: domain.as_deref(),
            path: path.as_deref(),
            secure,
            http_only: cookie.http_only,
            same_site: cookie.same_site,
        })?;

        let mut flags = String::new();
        if secure {
            flags += "; Secure";
        }
        if cookie.http_only {
            flags += "; HttpOnly";
        }
        if let Some(path) = path {
            flags = flags + "; Path=" + &path;
        }
        if let Some(same_site) = cookie.same_site {
            flags = flags + "; SameSite=" + same_site.as_str();
        }
        if cookie.partitioned {
            flags += "; Partitioned";
        }
        let max_age = cookie.max_age.map(|asked| rules.clamp_max_age(asked));
        Ok(Self {
            name: cookie.name.clone(),
            domain: domain.map_or_else(String::new, |domain| format!("; Domain={domain}")),
            max_age: max_age.map_or_else(String::new, max_age_attribute),
            flags,
            rules,
        })
    }

    /// The name of the cookie.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Everything but name, value and expiry, as the header has it.
    pub(crate) fn attributes(&self) -> String {
        let attributes = [self.domain.as_str(), &self.max_age, &self.flags].concat();
        attributes.trim_start_matches("; ").to_owned()
    }

    /// The header that gives the cookie this value, until `expires` (Unix seconds; not clamped here, see
    /// [`Rules::clamp_expires`]) or until the browser ends.
    ///
    /// # Errors
    ///
    /// [`CookieError::TooLarge`] under the strict rules, [`CookieError::ExpiryOutOfRange`].
    pub(crate) fn set_header(
        &self,
        value: &[u8],
        expires: Option<i64>,
    ) -> Result<HeaderValue, CookieError> {
        self.header(value, expires, &self.max_age)
    }

    /// The header that makes a browser forget the cookie.
    ///
    /// # Errors
    ///
    /// [`CookieError::TooLarge`] under the strict rules, for a name that is too long by itself.
    pub(crate) fn delete_header(&self) -> Result<HeaderValue, CookieError> {
        self.header(b"", Some(0), &max_age_attribute(Duration::ZERO))
    }

    fn header(
        &self,
        value: &[u8],
        expires: Option<i64>,
        max_age: &str,
    ) -> Result<HeaderValue, CookieError> {
        let value = quote(value);
        self.rules.check_size(&self.name, &value)?;
        let date = match expires.map(HttpDate::from_unix_seconds) {
            None => None,
            Some(None) => return Err(CookieError::ExpiryOutOfRange),
            Some(date) => date,
        };
        let (label, date) = match &date {
            None => ("", "".as_bytes()),
            Some(date) => ("; Expires=", date.as_bytes()),
        };
        // `concat` counts first, so the buffer fits exactly and becomes the header without a copy.
        let header = [
            self.name.as_bytes(),
            b"=",
            &value,
            self.domain.as_bytes(),
            label.as_bytes(),
            date,
            max_age.as_bytes(),
            self.flags.as_bytes(),
        ]
        .concat();
        // All parts are printable by now: the rules checked the name, and the others are escaped.
        let mut header = HeaderValue::try_from(header).map_err(|_| CookieError::IllegalName {
            name: self.name.clone().into_owned(),
        })?;
        // Keeps the value out of `Debug` output and out of HTTP/2's compression tables.
        header.set_sensitive(true);
        Ok(header)
    }
}

fn max_age_attribute(max_age: Duration) -> String {
    format!("; Max-Age={}", max_age.as_secs())
}

/// Percent-encodes what Werkzeug percent-encodes in a path. A `%` stays, so an encoded path is not encoded again.
fn encode_path(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~%!$&'()*+,/:=@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let hex = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit & 15)]);
            encoded.extend(['%', hex(byte >> 4), hex(byte)]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_cookie_looks_as_flask_writes_it() {
        let cookie = Cookie::new("session").http_only(true).prepare().unwrap();
        assert_eq!(cookie.name(), "session");
        assert_eq!(
            cookie.set_header(b"e30.ZVPxAA.x-_", None).unwrap(),
            "session=e30.ZVPxAA.x-_; HttpOnly; Path=/"
        );
        assert_eq!(
            cookie.set_header(b"e30", Some(1_702_678_400)).unwrap(),
            "session=e30; Expires=Fri, 15 Dec 2023 22:13:20 GMT; HttpOnly; Path=/"
        );
        assert_eq!(
            cookie.delete_header().unwrap(),
            "session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; HttpOnly; Path=/"
        );
        assert_eq!(
            cookie.set_header(b"e30", Some(i64::MAX)),
            Err(CookieError::ExpiryOutOfRange)
        );
    }
}
