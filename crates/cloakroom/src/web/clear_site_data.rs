use http::{HeaderMap, HeaderName, HeaderValue};

/// What a browser is to forget of this site when somebody logs out: the `Clear-Site-Data` header (W3C Clear
/// Site Data, section 3.1).
///
/// A logout ends the session; this takes what the browser has of it besides: cached pages, everything that scripts
/// have stored, and the other cookies. Browsers heed it over https only.
///
/// ```
/// use cloakroom::{ClearSiteData, Session};
/// # #[cfg(feature = "axum")]
/// use axum::response::Redirect;
///
/// # #[cfg(feature = "axum")]
/// async fn logout(session: Session) -> (ClearSiteData, Redirect) {
///     session.destroy();
///     (ClearSiteData::logout(), Redirect::to("/"))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ClearSiteData {
    cache: bool,
    cookies: bool,
    storage: bool,
}

const NAME: HeaderName = HeaderName::from_static("clear-site-data");

impl ClearSiteData {
    /// For a logout: cached pages, what scripts have stored, and all cookies of the site and its subdomains.
    pub fn logout() -> Self {
        Self {
            cache: true,
            cookies: true,
            storage: true,
        }
    }

    /// Nothing yet, to choose from.
    pub fn nothing() -> Self {
        Self {
            cache: false,
            cookies: false,
            storage: false,
        }
    }

    /// The pages that the browser has kept.
    pub fn cache(mut self, clear: bool) -> Self {
        self.cache = clear;
        self
    }

    /// The cookies of the site and its subdomains, this response's own included.
    pub fn cookies(mut self, clear: bool) -> Self {
        self.cookies = clear;
        self
    }

    /// What scripts have stored: local storage, databases, service workers.
    pub fn storage(mut self, clear: bool) -> Self {
        self.storage = clear;
        self
    }

    /// The header's value; none if nothing is to be cleared.
    pub fn header_value(self) -> Option<HeaderValue> {
        let kinds = [
            (self.cache, "\"cache\""),
            (self.cookies, "\"cookies\""),
            (self.storage, "\"storage\""),
        ];
        let kinds: Vec<&str> = kinds
            .iter()
            .filter_map(|(clear, kind)| clear.then_some(*kind))
            .collect();
        if kinds.is_empty() {
            return None;
        }
        HeaderValue::try_from(kinds.join(", ")).ok()
    }

    /// Puts the header into a response.
    pub fn insert_into(self, headers: &mut HeaderMap) {
        if let Some(value) = self.header_value() {
            headers.insert(NAME, value);
        }
    }
}
