use std::{fmt, net::IpAddr};

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Uri};

use super::{Checkup, caching, cookies};
use crate::Clock;

/// Where a site is served, as far as it matters to browsers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// None if nobody has said.
    transport: Option<Transport>,
    /// In lower case; none if nobody has said.
    host: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Https,
    PlainHttp,
    /// To this machine itself, which most browsers trust as they trust https.
    PlainHttpLoopback,
}

impl Site {
    /// A site of which nothing is known.
    pub fn unknown() -> Self {
        Self::default()
    }

    /// The site of a URL, by its scheme and host.
    pub fn of(uri: &Uri) -> Self {
        let host = uri.host().map(str::to_ascii_lowercase);
        let transport = match uri.scheme_str() {
            Some("https") => Some(Transport::Https),
            Some("http") if host.as_deref().is_some_and(is_loopback) => {
                Some(Transport::PlainHttpLoopback)
            }
            Some("http") => Some(Transport::PlainHttp),
            _ => None,
        };
        Self { transport, host }
    }

    pub(super) fn transport(&self) -> Option<Transport> {
        self.transport
    }

    pub(super) fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(|address| address.is_loopback())
}

/// The address that a host is, if it is no name.
pub(super) fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// A request to a site and what came back. For [`check_site`] to see whether a page depends on the visitor's cookies,
/// ask for it without them, with them, and once more without.
#[derive(Clone)]
pub struct Exchange {
    /// What was asked for.
    pub uri: Uri,
    /// Whether the request had cookies.
    pub with_cookies: bool,
    /// The status of the response.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, or as much of it as was read.
    pub body: Bytes,
}

/// Shows the names of headers and the body's length: what is in them may be a visitor's.
impl fmt::Debug for Exchange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Exchange")
            .field("host", &self.uri.host())
            .field("with_cookies", &self.with_cookies)
            .field("status", &self.status)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &self.body.len())
            .finish()
    }
}

/// What browsers and caches will do with these responses of a running site. `session_cookie` names its session cookie,
/// which is known by its form and by the usual names otherwise.
///
/// ```
/// use cloakroom::doctor::{Exchange, check_site};
/// use http::{HeaderMap, StatusCode, header::SET_COOKIE};
///
/// let mut headers = HeaderMap::new();
/// headers.insert(SET_COOKIE, "sid=1; HttpOnly; SameSite=None; Path=/".parse()?);
/// let page = Exchange {
///     uri: "http://localhost:5000/".parse()?,
///     with_cookies: false,
///     status: StatusCode::OK,
///     headers,
///     body: "Welcome".into(),
/// };
/// let checkup = check_site(&[page], None);
/// assert_eq!(checkup.findings()[0].code, "same_site_none_without_secure");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_site(exchanges: &[Exchange], session_cookie: Option<&str>) -> Checkup {
    let now = i64::try_from(Clock::system().unix_seconds()).unwrap_or(i64::MAX);
    let mut checkup = cookies::check(exchanges, session_cookie, now);
    checkup.extend(caching::check(exchanges, session_cookie, now));
    checkup
}
