//! Why a cookie cannot be written.

/// Why a cookie was refused before it could reach a browser that would drop it, or change what it means, without a word.
///
/// Names and attributes may appear in the text of an error; a value never does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is empty or holds a character that no cookie name may hold (RFC 6265, section 4.1.1: a token).
    #[error(
        "{name:?} is not a cookie name: use letters, digits and !#$%&'*+-.^_`|~, at least one of them"
    )]
    IllegalName {
        /// The name as given.
        name: String,
    },

    /// The name begins with a prefix that browsers attach conditions to, and a condition is not met
    /// (RFC 6265bis, section 4.1.3).
    #[error("a cookie whose name begins with {prefix} needs {requirement}")]
    PrefixRequirement {
        /// The prefix, such as `__Host-`.
        prefix: &'static str,
        /// What has to change.
        requirement: &'static str,
    },

    /// The name looks like one of the prefixes in another case. Browsers treat it as the prefix, servers do not.
    #[error(
        "the cookie name {name:?} imitates a reserved prefix: write {prefix} exactly so, or choose another name"
    )]
    PrefixLookalike {
        /// The name as given.
        name: String,
        /// The prefix it looks like.
        prefix: &'static str,
    },

    /// `SameSite=None` without `Secure`: browsers drop such a cookie (RFC 6265bis, section 5.7).
    #[error("SameSite=None needs Secure: add .secure(true), or use SameSite::Lax")]
    SameSiteNoneWithoutSecure,

    /// The text is none of the three values of `SameSite`.
    #[error("{text:?} is not a SameSite value: use Strict, Lax or None")]
    UnknownSameSite {
        /// The text as given.
        text: String,
    },

    /// Name and value together, as sent, exceed [`MAX_COOKIE_SIZE`](super::MAX_COOKIE_SIZE): browsers drop such a cookie
    /// (RFC 6265bis, section 5.6).
    #[error(
        "the cookie {name:?} is too large: name and value take {size} bytes, browsers keep at most {limit}; store less in it"
    )]
    TooLarge {
        /// The name of the cookie.
        name: String,
        /// Bytes of the name and of the value as sent, quotes and escapes included.
        size: usize,
        /// The most that browsers keep.
        limit: usize,
    },

    /// An attribute value exceeds [`MAX_ATTRIBUTE_SIZE`](super::MAX_ATTRIBUTE_SIZE): browsers ignore such an attribute
    /// (RFC 6265bis, section 5.6), which would change where the cookie is sent.
    #[error("the cookie's {attribute} is too long: {size} bytes, browsers ignore it above {limit}")]
    AttributeTooLong {
        /// `Domain` or `Path`.
        attribute: &'static str,
        /// Its bytes, as sent.
        size: usize,
        /// The most that browsers read.
        limit: usize,
    },

    /// The domain cannot be written.
    #[error("{domain:?} cannot be a cookie's Domain: {reason}")]
    IllegalDomain {
        /// The domain as given.
        domain: String,
        /// What is wrong and what to do.
        reason: &'static str,
    },

    /// The path does not begin with `/`: browsers would put another in its place (RFC 6265, section 5.2.4).
    #[error(
        "{path:?} cannot be a cookie's Path: it has to begin with '/'; .no_path() leaves Path out"
    )]
    IllegalPath {
        /// The path as given.
        path: String,
    },

    /// The expiry lies outside the years 1 to 9999.
    #[error("a cookie's expiry has to lie in the years 1 to 9999")]
    ExpiryOutOfRange,

    /// The response holds so many headers that no further one fits.
    #[error("no Set-Cookie header can be added: the response has too many headers")]
    TooManyHeaders,
}
