//! Cookies for the browser: attributes once, then any number of values and deletions.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, HeaderValue, SET_COOKIE};

use super::{CookieError, PreparedCookie, Rules, SameSite};

/// A cookie's name and attributes, from which values are set and deletions made.
///
/// The defaults are those of Flask's `set_cookie`: `Path=/` and nothing else, so the cookie is readable by scripts, goes over
/// plain HTTP too and ends with the browser. For anything that matters add [`secure`](Self::secure),
/// [`http_only`](Self::http_only) and [`same_site`](Self::same_site).
///
/// ```
/// use cloakroom::cookie::{Cookie, SameSite};
///
/// let cookie = Cookie::new("__Host-theme").secure(true).same_site(SameSite::Lax);
/// let set = cookie.set("dark")?;
/// assert_eq!(set.header_value(), "__Host-theme=dark; Secure; Path=/; SameSite=Lax");
///
/// let delete = cookie.delete()?;
/// assert_eq!(
///     delete.header_value(),
///     "__Host-theme=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure; Path=/; SameSite=Lax",
/// );
/// # Ok::<(), cloakroom::cookie::CookieError>(())
/// ```
#[doc(alias = "set_cookie")]
#[doc(alias = "delete_cookie")]
#[doc(alias = "dump_cookie")]
#[derive(Clone, Debug)]
#[must_use = "a Cookie does nothing until a value is set or deleted with it"]
pub struct Cookie {
    pub(super) name: Cow<'static, str>,
    pub(super) domain: Option<Cow<'static, str>>,
    pub(super) path: Option<Cow<'static, str>>,
    pub(super) max_age: Option<Duration>,
    pub(super) expires: Option<SystemTime>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: Option<SameSite>,
    pub(super) partitioned: bool,
    pub(super) rules: Rules,
}

impl Cookie {
    /// A cookie called `name`, with `Path=/`. The name is checked when the cookie is used.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            domain: None,
            path: Some(Cow::Borrowed("/")),
            max_age: None,
            expires: None,
            secure: false,
            http_only: false,
            same_site: None,
            partitioned: false,
            rules: Rules::Strict,
        }
    }

    /// Sends the cookie to this host and all below it. Without it the cookie stays with the host that set it, which is the
    /// safer choice.
    ///
    /// A port and leading dots are cut off. Names outside ASCII need the feature `idna` (IDNA 2003, as in Werkzeug).
    pub fn domain(mut self, domain: impl Into<Cow<'static, str>>) -> Self {
        self.domain = Some(domain.into());
        self
    }

    /// Sends the cookie to this path and all below it; `/` if not called. Percent-encoded where necessary. This is not a
    /// protection: other paths of the host can read the cookie all the same.
    pub fn path(mut self, path: impl Into<Cow<'static, str>>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Leaves the path out; browsers then take the directory of the page. Werkzeug's `path=None`.
    pub fn no_path(mut self) -> Self {
        self.path = None;
        self
    }

    /// How long the browser keeps the cookie, in whole seconds; fractions are dropped. Written as `Max-Age` and, for
    /// clients that know no better, as `Expires` too, unless [`expires`](Self::expires) gives that.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// When the browser forgets the cookie; fractions of a second are dropped.
    pub fn expires(mut self, expires: SystemTime) -> Self {
        self.expires = Some(expires);
        self
    }

    /// Whether the cookie goes over HTTPS only.
    pub fn secure(mut self, secure: bool) -> Self {
        self.secure = secure;
        self
    }

    /// Whether the cookie is hidden from scripts.
    #[doc(alias = "httponly")]
    pub fn http_only(mut self, http_only: bool) -> Self {
        self.http_only = http_only;
        self
    }

    /// Whether the cookie goes along with requests that another site caused.
    #[doc(alias = "samesite")]
    pub fn same_site(mut self, same_site: SameSite) -> Self {
        self.same_site = Some(same_site);
        self
    }

    /// Whether the cookie, inside another site's page, is kept apart for each such site (CHIPS). Switches `Secure` on.
    pub fn partitioned(mut self, partitioned: bool) -> Self {
        self.partitioned = partitioned;
        self
    }

    /// Which rules the cookie has to keep; [`Rules::Strict`] if not called.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// The name of the cookie.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives the cookie a value, to be sent with a response.
    ///
    /// # Errors
    ///
    /// A [`CookieError`] when no browser would keep such a cookie. A lifetime above [`MAX_LIFETIME`](super::MAX_LIFETIME) is
    /// not an error: it is cut to that, logged as a warning, and told by [`SetCookie::is_lifetime_clamped`].
    pub fn set(&self, value: impl AsRef<str>) -> Result<SetCookie, CookieError> {
        self.set_at(value, SystemTime::now())
    }

    /// The same as [`set`](Self::set), at a given time.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn set_at(
        &self,
        value: impl AsRef<str>,
        now: SystemTime,
    ) -> Result<SetCookie, CookieError> {
        let prepared = self.prepare()?;
        let now = unix_seconds(now);
        let max_age = self.max_age.map(|asked| self.rules.clamp_max_age(asked));
        let expires = match self.expires {
            Some(expires) => Some(unix_seconds(expires)),
            None => max_age.map(|max_age| now.saturating_add_unsigned(max_age.as_secs())),
        };
        let clamped = expires.map(|expires| self.rules.clamp_expires(expires, now));
        let lifetime_clamped = max_age != self.max_age || clamped != expires;
        if lifetime_clamped {
            tracing::warn!(
                cookie = self.name(),
                "browsers keep a cookie for at most 400 days; its lifetime was cut to that"
            );
        }
        Ok(SetCookie {
            name: self.name.clone(),
            header: prepared.set_header(value.as_ref().as_bytes(), clamped)?,
            lifetime_clamped,
        })
    }

    /// Makes the browser forget the cookie. Domain, path and all other attributes are the same as for
    /// [`set`](Self::set), because a browser forgets a cookie only if they match.
    ///
    /// # Errors
    ///
    /// As for [`set`](Self::set).
    pub fn delete(&self) -> Result<SetCookie, CookieError> {
        Ok(SetCookie {
            name: self.name.clone(),
            header: self.prepare()?.delete_header()?,
            lifetime_clamped: false,
        })
    }

    /// The same attributes under another name.
    pub(crate) fn renamed(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name: name.into(),
            ..self
        }
    }

    /// Checks the attributes and writes them down, for a cookie that is set many times.
    pub(crate) fn prepare(&self) -> Result<PreparedCookie, CookieError> {
        PreparedCookie::new(self)
    }
}

/// A finished `Set-Cookie` header. `Debug` shows the name, never the value.
#[derive(Clone, PartialEq, Eq)]
#[must_use = "the browser learns of it only if it is sent with a response"]
pub struct SetCookie {
    name: Cow<'static, str>,
    header: HeaderValue,
    lifetime_clamped: bool,
}

impl SetCookie {
    /// The name of the cookie.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The content of the header, marked sensitive.
    pub fn header_value(&self) -> &HeaderValue {
        &self.header
    }

    /// The same, for keeps.
    pub fn into_header_value(self) -> HeaderValue {
        self.header
    }

    /// Whether the lifetime asked for was longer than browsers allow and was cut to [`MAX_LIFETIME`](super::MAX_LIFETIME).
    pub fn is_lifetime_clamped(&self) -> bool {
        self.lifetime_clamped
    }

    /// Whether the whole header is longer than `max_size` bytes. Werkzeug's `max_cookie_size` and Flask's
    /// `MAX_COOKIE_SIZE` warn above 4093; 0 switches the check off there and here.
    #[doc(alias = "max_cookie_size")]
    #[doc(alias = "MAX_COOKIE_SIZE")]
    pub fn exceeds(&self, max_size: usize) -> bool {
        max_size != 0 && self.header.len() > max_size
    }

    /// Puts the cookie into the headers of a response. An earlier `Set-Cookie` for the same cookie (same name, domain and
    /// path) is replaced, since browsers may read the two in either order (RFC 6265, section 4.1.1).
    ///
    /// # Errors
    ///
    /// [`CookieError::TooManyHeaders`].
    pub fn insert_into(self, headers: &mut HeaderMap) -> Result<(), CookieError> {
        insert_set_cookie(headers, self.header)
    }
}

impl fmt::Debug for SetCookie {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SetCookie")
            .field("name", &self.name)
            .field("bytes", &self.header.len())
            .field("lifetime_clamped", &self.lifetime_clamped)
            .finish()
    }
}

/// Adds a `Set-Cookie` header in place of any other for the same cookie.
pub(crate) fn insert_set_cookie(
    headers: &mut HeaderMap,
    header: HeaderValue,
) -> Result<(), CookieError> {
    if !headers.contains_key(SET_COOKIE) {
        return append(headers, header);
    }
    let target = Target::of(&header);
    let is_ours = |other: &&HeaderValue| Target::of(other) == target;
    if headers
        .get_all(SET_COOKIE)
        .iter()
        .any(|other| is_ours(&other))
    {
        let others = headers.get_all(SET_COOKIE).iter();
        let others: Vec<HeaderValue> = others.filter(|other| !is_ours(other)).cloned().collect();
        headers.remove(SET_COOKIE);
        for other in others {
            append(headers, other)?;
        }
    }
    append(headers, header)
}

fn append(headers: &mut HeaderMap, header: HeaderValue) -> Result<(), CookieError> {
    match headers.try_append(SET_COOKIE, header) {
        Ok(_) => Ok(()),
        Err(_) => Err(CookieError::TooManyHeaders),
    }
}

/// What a browser tells cookies apart by (RFC 6265, section 5.3), as written in a `Set-Cookie` header.
struct Target<'a> {
    name: &'a [u8],
    domain: &'a [u8],
    path: &'a [u8],
}

impl<'a> Target<'a> {
    fn of(header: &'a HeaderValue) -> Self {
        let mut parts = header.as_bytes().split(|&byte| byte == b';');
        let mut target = Self {
            name: split_pair(parts.next().unwrap_or_default()).0,
            domain: b"",
            path: b"",
        };
        for (attribute, value) in parts.map(split_pair) {
            if attribute.eq_ignore_ascii_case(b"domain") {
                target.domain = value;
            } else if attribute.eq_ignore_ascii_case(b"path") {
                target.path = value;
            }
        }
        target
    }
}

impl PartialEq for Target<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
            && self.domain.eq_ignore_ascii_case(other.domain)
            && self.path == other.path
    }
}

fn split_pair(part: &[u8]) -> (&[u8], &[u8]) {
    let mut halves = part.splitn(2, |&byte| byte == b'=');
    let mut half = || halves.next().unwrap_or_default().trim_ascii();
    (half(), half())
}

/// Whole seconds since the epoch, rounded down.
fn unix_seconds(time: SystemTime) -> i64 {
    match time.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(error) => {
            let before = error.duration();
            let rounded = before.as_secs() + u64::from(before.subsec_nanos() > 0);
            i64::try_from(rounded).map_or(i64::MIN, |seconds| -seconds)
        }
    }
}
