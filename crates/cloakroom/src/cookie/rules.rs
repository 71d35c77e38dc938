//! What browsers demand of a cookie and Werkzeug does not check.

use std::time::Duration;

use super::{CookieError, SameSite};

/// The most bytes that browsers keep of a cookie, name and value together (RFC 6265bis, section 5.6).
pub const MAX_COOKIE_SIZE: usize = 4096;

/// The most bytes that browsers read of one attribute value (RFC 6265bis, section 5.6).
pub const MAX_ATTRIBUTE_SIZE: usize = 1024;

/// The longest time that browsers keep a cookie: 400 days (RFC 6265bis, section 5.5).
pub const MAX_LIFETIME: Duration = Duration::from_hours(400 * 24);

/// Which rules a [`Cookie`](super::Cookie) has to keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Rules {
    /// What browsers enforce, checked before they do: legal names, the conditions of the name prefixes (`__Host-`,
    /// `__Secure-`, `__Http-`, `__Host-Http-`), `Secure` beside `SameSite=None`, a usable Domain and Path, the size limits
    /// and the 400-day limit (RFC 6265bis).
    #[default]
    Strict,
    /// What Werkzeug 3.1.9 writes, unchecked. Refused is only what no header can carry, or what would end the attribute
    /// it stands in and begin another (a `;`).
    Werkzeug,
}

/// The attributes that the rules speak about, in their final form.
pub(super) struct Attributes<'a> {
    pub(super) name: &'a str,
    pub(super) domain: Option<&'a str>,
    pub(super) path: Option<&'a str>,
    pub(super) secure: bool,
    pub(super) http_only: bool,
    pub(super) same_site: Option<SameSite>,
}

impl Rules {
    /// Checks all that does not depend on a value or on the time.
    pub(super) fn check(self, attributes: &Attributes<'_>) -> Result<(), CookieError> {
        let name = attributes.name;
        let legal = match self {
            Self::Strict => !name.is_empty() && name.bytes().all(is_token),
            Self::Werkzeug => name
                .bytes()
                .all(|byte| byte != b';' && !byte.is_ascii_control()),
        };
        if !legal {
            return Err(CookieError::IllegalName {
                name: name.to_owned(),
            });
        }
        if self == Self::Werkzeug {
            return Ok(());
        }
        check_prefix(attributes)?;
        if attributes.same_site == Some(SameSite::None) && !attributes.secure {
            return Err(CookieError::SameSiteNoneWithoutSecure);
        }
        if let Some(path) = attributes.path.filter(|path| !path.starts_with('/')) {
            return Err(CookieError::IllegalPath {
                path: path.to_owned(),
            });
        }
        check_length("Domain", attributes.domain)?;
        check_length("Path", attributes.path)
    }

    /// Checks a value, as sent.
    pub(super) fn check_size(self, name: &str, value: &[u8]) -> Result<(), CookieError> {
        let size = name.len() + value.len();
        if self == Self::Strict && size > MAX_COOKIE_SIZE {
            return Err(CookieError::TooLarge {
                name: name.to_owned(),
                size,
                limit: MAX_COOKIE_SIZE,
            });
        }
        Ok(())
    }

    /// The lifetime that may be asked of a browser.
    pub(super) fn clamp_max_age(self, max_age: Duration) -> Duration {
        match self {
            Self::Strict => max_age.min(MAX_LIFETIME),
            Self::Werkzeug => max_age,
        }
    }

    /// The expiry, in Unix seconds, that may be asked of a browser at the time `now`.
    pub(crate) fn clamp_expires(self, expires: i64, now: i64) -> i64 {
        match self {
            Self::Strict => expires.min(now.saturating_add_unsigned(MAX_LIFETIME.as_secs())),
            Self::Werkzeug => expires,
        }
    }
}

/// A name prefix and what browsers want to see beside it.
struct Prefix {
    text: &'static str,
    http_only: bool,
    host: bool,
}

/// The longer prefix comes before the one it begins with.
const PREFIXES: [Prefix; 4] = [
    Prefix {
        text: "__Host-Http-",
        http_only: true,
        host: true,
    },
    Prefix {
        text: "__Host-",
        http_only: false,
        host: true,
    },
    Prefix {
        text: "__Http-",
        http_only: true,
        host: false,
    },
    Prefix {
        text: "__Secure-",
        http_only: false,
        host: false,
    },
];

/// What a prefix asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrefixRule {
    Secure,
    HttpOnly,
    NoDomain,
    RootPath,
}

fn prefix_of(name: &str) -> Option<(&str, &'static Prefix)> {
    PREFIXES.iter().find_map(|prefix| {
        let start = name.get(..prefix.text.len())?;
        start
            .eq_ignore_ascii_case(prefix.text)
            .then_some((start, prefix))
    })
}

/// The first rule that a cookie of such a name breaks, in whatever case the prefix is written.
pub(super) fn broken_prefix(attributes: &Attributes<'_>) -> Option<(&'static str, PrefixRule)> {
    let (_, prefix) = prefix_of(attributes.name)?;
    let rule = if !attributes.secure {
        PrefixRule::Secure
    } else if prefix.http_only && !attributes.http_only {
        PrefixRule::HttpOnly
    } else if prefix.host && attributes.domain.is_some() {
        PrefixRule::NoDomain
    } else if prefix.host && attributes.path != Some("/") {
        PrefixRule::RootPath
    } else {
        return None;
    };
    Some((prefix.text, rule))
}

fn check_prefix(attributes: &Attributes<'_>) -> Result<(), CookieError> {
    if let Some((start, prefix)) = prefix_of(attributes.name)
        && start != prefix.text
    {
        return Err(CookieError::PrefixLookalike {
            name: attributes.name.to_owned(),
            prefix: prefix.text,
        });
    }
    let Some((prefix, rule)) = broken_prefix(attributes) else {
        return Ok(());
    };
    let requirement = match rule {
        PrefixRule::Secure => "Secure: add .secure(true)",
        PrefixRule::HttpOnly => "HttpOnly: add .http_only(true)",
        PrefixRule::NoDomain => "to go without a Domain: remove .domain(…)",
        PrefixRule::RootPath => "Path=/: remove .path(…) and .no_path()",
    };
    Err(CookieError::PrefixRequirement {
        prefix,
        requirement,
    })
}

fn check_length(attribute: &'static str, value: Option<&str>) -> Result<(), CookieError> {
    match value.map(str::len) {
        Some(size) if size > MAX_ATTRIBUTE_SIZE => Err(CookieError::AttributeTooLong {
            attribute,
            size,
            limit: MAX_ATTRIBUTE_SIZE,
        }),
        _ => Ok(()),
    }
}

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
