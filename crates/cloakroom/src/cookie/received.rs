//! A `Set-Cookie` header as a browser takes it apart.

use super::{
    MAX_ATTRIBUTE_SIZE, MAX_COOKIE_SIZE, SameSite,
    date::cookie_date,
    find::trim_blanks,
    rules::{Attributes, PrefixRule, broken_prefix},
};

/// What a browser makes of a `Set-Cookie` header (RFC 6265bis, sections 5.6 and 5.7), before it decides whether to keep
/// the cookie. Where an attribute comes twice, the last one counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Received<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) value: &'a [u8],
    /// In lower case and without the dot that may stand before it; none if it is absent or empty.
    pub(crate) domain: Option<String>,
    /// None if it is absent, or does not begin with a slash: browsers then take the folder of the page.
    pub(crate) path: Option<&'a [u8]>,
    pub(crate) secure: bool,
    pub(crate) http_only: bool,
    pub(crate) partitioned: bool,
    pub(crate) same_site: Option<SameSite>,
    /// In seconds, negative ones included.
    pub(crate) max_age: Option<i64>,
    /// In Unix seconds.
    pub(crate) expires: Option<i64>,
    /// The attributes that are ignored for their length.
    pub(crate) overlong: Vec<&'static str>,
}

/// Why a browser drops the header whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// It holds a control character.
    ControlCharacter,
    /// There is neither a name nor a value.
    Empty,
}

impl<'a> Received<'a> {
    pub(crate) fn read(header: &'a [u8]) -> Result<Self, Dropped> {
        if header
            .iter()
            .any(|byte| byte.is_ascii_control() && *byte != b'\t')
        {
            return Err(Dropped::ControlCharacter);
        }
        let mut parts = header.split(|byte| *byte == b';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = split(pair).unwrap_or((b"", pair));
        let mut cookie = Self {
            name: trim_blanks(name),
            value: trim_blanks(value),
            ..Self::default()
        };
        if cookie.name.is_empty() && cookie.value.is_empty() {
            return Err(Dropped::Empty);
        }
        for attribute in parts {
            let (name, value) = split(attribute).unwrap_or((attribute, b""));
            cookie.take(trim_blanks(name), trim_blanks(value));
        }
        Ok(cookie)
    }

    fn take(&mut self, name: &[u8], value: &'a [u8]) {
        let Some(known) = KNOWN
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        else {
            return;
        };
        if value.len() > MAX_ATTRIBUTE_SIZE {
            self.overlong.push(known);
            return;
        }
        match known {
            "Expires" => self.expires = cookie_date(value).or(self.expires),
            "Max-Age" => self.max_age = seconds(value).or(self.max_age),
            "Domain" => {
                let domain = value.strip_prefix(b".").unwrap_or(value);
                let domain = String::from_utf8_lossy(domain).to_ascii_lowercase();
                self.domain = Some(domain).filter(|domain| !domain.is_empty());
            }
            "Path" => self.path = Some(value).filter(|path| path.starts_with(b"/")),
            "SameSite" => {
                let text = str::from_utf8(value).ok();
                self.same_site = text.and_then(|text| text.parse().ok());
            }
            "Secure" => self.secure = true,
            "HttpOnly" => self.http_only = true,
            _ => self.partitioned = true,
        }
    }

    /// The rule of its name's prefix that it breaks, and the prefix.
    pub(crate) fn broken_prefix(&self) -> Option<(&'static str, PrefixRule)> {
        broken_prefix(&Attributes {
            name: str::from_utf8(self.name).ok()?,
            domain: self.domain.as_deref(),
            path: self.path.and_then(|path| str::from_utf8(path).ok()),
            secure: self.secure,
            http_only: self.http_only,
            same_site: self.same_site,
        })
    }

    /// Name and value together, as browsers count.
    pub(crate) fn size(&self) -> usize {
        self.name.len() + self.value.len()
    }

    pub(crate) fn is_too_large(&self) -> bool {
        self.size() > MAX_COOKIE_SIZE
    }

    /// How many seconds from now on the browser keeps it; none: until the browser ends. `Max-Age` comes before
    /// `Expires`, whichever stands first.
    pub(crate) fn lives(&self, now: i64) -> Option<i64> {
        self.max_age
            .or_else(|| self.expires.map(|expires| expires.saturating_sub(now)))
    }

    /// Whether it makes the browser forget the cookie.
    pub(crate) fn is_deletion(&self, now: i64) -> bool {
        self.lives(now).is_some_and(|left| left <= 0)
    }
}

const KNOWN: [&str; 8] = [
    "Expires",
    "Max-Age",
    "Domain",
    "Path",
    "Secure",
    "HttpOnly",
    "SameSite",
    "Partitioned",
];

fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b'=', text)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Digits, with a minus before them or not; anything else is ignored. What is too large for a number is for ever.
fn seconds(value: &[u8]) -> Option<i64> {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let limit = match value.starts_with(b"-") {
        true => i64::MIN,
        false => i64::MAX,
    };
    let number = str::from_utf8(value).ok()?.parse();
    Some(number.unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str) -> Received<'_> {
        Received::read(header.as_bytes()).unwrap()
    }

    #[test]
    fn a_header_is_taken_apart_as_browsers_do() {
        let cookie = read(
            "a = b=c ;Path=/x; SECURE ; httponly=yes;samesite=lax; Max-Age=60; Domain=.Example.COM;\
             Expires=Sun, 06 Nov 1994 08:49:37 GMT; Partitioned; Priority=High",
        );
        assert_eq!(
            cookie,
            Received {
                name: b"a",
                value: b"b=c",
                domain: Some("example.com".to_owned()),
                path: Some(b"/x"),
                secure: true,
                http_only: true,
                partitioned: true,
                same_site: Some(SameSite::Lax),
                max_age: Some(60),
                expires: Some(784_111_777),
                overlong: Vec::new(),
            }
        );
        assert_eq!(cookie.lives(0), Some(60));
        assert_eq!(read("alone").name, b"");
        assert_eq!(read("alone").value, b"alone");
        assert_eq!(read("a=").name, b"a");
        assert_eq!(Received::read(b" = ; Path=/"), Err(Dropped::Empty));
        assert_eq!(Received::read(b"a=b\0"), Err(Dropped::ControlCharacter));
        assert_eq!(
            read("a=b; Path=x; Max-Age=1x; Expires=soon; SameSite=Any; Domain=."),
            read("a=b")
        );
        assert_eq!(read("a=b; Path=/a; Path=/b").path, Some(&b"/b"[..]));
        assert_eq!(
            read("a=b; Max-Age=99999999999999999999").max_age,
            Some(i64::MAX)
        );
        assert!(read("a=b; Max-Age=-5; Expires=Sun, 06 Nov 2094 08:49:37 GMT").is_deletion(0));
    }

    #[test]
    fn an_attribute_that_is_too_long_is_as_if_it_were_not_there() {
        let long = format!("a=b; Path=/{}; Secure", "x".repeat(1024));
        let cookie = read(&long);
        assert_eq!((cookie.path, cookie.secure), (None, true));
        assert_eq!(cookie.overlong, ["Path"]);
        let name = "n".repeat(96);
        for (length, too_large) in [(4000, false), (4001, true)] {
            let header = format!("{name}={}", "v".repeat(length));
            assert_eq!(read(&header).is_too_large(), too_large);
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in prop::collection::vec(any::<u8>(), 0..200), now in any::<i64>()) {
            if let Ok(cookie) = Received::read(&header) {
                let _ = (cookie.lives(now), cookie.is_deletion(now));
                prop_assert!(cookie.size() <= header.len());
            }
        }

        #[test]
        fn no_attribute_makes_it_panic(
            header in "[a-z]{0,3}=?[a-z]{0,3}(;[ ]?(Expires|Max-Age|Domain|Path|SameSite|Secure)=?[-0-9A-Za-z:, ./]{0,40}){0,5}"
        ) {
            let _ = Received::read(header.as_bytes());
        }
    }
}
