//! The `SameSite` attribute.

use std::fmt;
use std::str::FromStr;

use super::CookieError;

/// Whether a browser sends a cookie along with requests that another site caused (RFC 6265bis, section 5.6.7).
///
/// Parses from Flask's spelling in any case (`"lax"`, `"Lax"`, `"LAX"`), as `SESSION_COOKIE_SAMESITE` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SameSite {
    /// Only with requests from the site itself.
    Strict,
    /// Also when a user follows a link from another site; the sensible default.
    Lax,
    /// With every request, also inside another site's page. Browsers want `Secure` with it.
    None,
}

impl SameSite {
    /// The value as it stands in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "Strict",
            Self::Lax => "Lax",
            Self::None => "None",
        }
    }
}

impl fmt::Display for SameSite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for SameSite {
    type Err = CookieError;

    fn from_str(text: &str) -> Result<Self, CookieError> {
        [Self::Strict, Self::Lax, Self::None]
            .into_iter()
            .find(|same_site| same_site.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| CookieError::UnknownSameSite {
                text: text.to_owned(),
            })
    }
}
