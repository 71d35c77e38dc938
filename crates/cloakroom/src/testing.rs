//! Help for the tests of applications: a browser that keeps cookies and can look into its session.

use std::collections::BTreeMap;

use http::{
    HeaderMap, HeaderValue, Request, Response,
    header::{COOKIE, SET_COOKIE},
};

use crate::{Error, Session, SessionManager, at_once::at_once, cookie::RequestCookies};

/// The cookies of one visitor across the requests of a test.
///
/// It keeps names and values and forgets what a response deletes; domain, path and time are not looked
/// at. [`session`](Self::session) is Flask's `session_transaction`.
///
/// ```
/// use cloakroom::{SecretKey, SessionConfig, SessionManager, testing::Browser};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
/// let mut browser = Browser::new();
/// browser.session(&manager, |session| session.insert("username", "alice")).await??;
///
/// // Send a request as alice:
/// let request = browser.request(http::Request::get("/account").body(())?);
/// // let response = app.oneshot(request).await?;
/// # let response = http::Response::new(());
/// browser.store(&response);
///
/// let name = browser.session(&manager, |session| session.get::<String>("username")).await??;
/// assert_eq!(name.as_deref(), Some("alice"));
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
#[doc(alias = "session_transaction")]
#[doc(alias = "FlaskClient")]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// A browser without cookies.
    pub fn new() -> Self {
        Self::default()
    }

    /// The raw value of a cookie, as the browser would send it.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.get(name).map(String::as_str)
    }

    /// Sets the raw value of a cookie.
    pub fn set_cookie(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.cookies.insert(name.into(), value.into());
    }

    /// Forgets a cookie.
    pub fn remove_cookie(&mut self, name: &str) {
        self.cookies.remove(name);
    }

    /// The content of the `Cookie` header.
    pub fn cookie_header(&self) -> Option<HeaderValue> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            None
        } else {
            HeaderValue::try_from(pairs.join("; ")).ok()
        }
    }

    /// The request with the cookies that the browser has.
    pub fn request<B>(&self, mut request: Request<B>) -> Request<B> {
        request.headers_mut().remove(COOKIE);
        if let Some(header) = self.cookie_header() {
            request.headers_mut().insert(COOKIE, header);
        }
        request
    }

    /// Keeps what the response sets and forgets what it deletes.
    pub fn store<B>(&mut self, response: &Response<B>) {
        for header in response.headers().get_all(SET_COOKIE) {
            let text = String::from_utf8_lossy(header.as_bytes());
            let mut parts = text.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let deleted = parts.any(|attribute| attribute.eq_ignore_ascii_case("max-age=0"));
            if deleted {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Opens the session between two requests, and keeps what `with` does to it.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], if the cookie that the browser has is not good, and whatever saving gives.
    pub async fn session<R>(
        &mut self,
        manager: &SessionManager,
        with: impl FnOnce(&Session) -> R,
    ) -> Result<R, Error> {
        let mut headers = HeaderMap::new();
        headers.extend(self.cookie_header().map(|header| (COOKIE, header)));
        let value = RequestCookies::parse(&headers)
            .get(manager.cookie_name())
            .map(str::to_owned);
        let session = match value {
            Some(value) if !value.is_empty() => manager.open_value(value).await?,
            _ => manager.new_session(),
        };
        let result = with(&session);
        if session.is_modified() {
            session.save().await?;
            let value = if session.is_empty() {
                None
            } else {
                manager.cookie_value(&session)
            };
            match value {
                Some(value) => self.set_cookie(manager.cookie_name(), value),
                None => self.remove_cookie(manager.cookie_name()),
            }
        }
        Ok(result)
    }
}

/// Shows the names of the cookies, never their values.
impl std::fmt::Debug for Browser {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.cookies.keys()).finish()
    }
}

/// What a future gives that need not wait, as those of sessions in the cookie: for tests and tools without
/// a runtime. None if it has to wait, as those of sessions in most stores.
///
/// ```
/// use cloakroom::{SecretKey, SessionConfig, SessionManager, testing};
/// use http::HeaderMap;
///
/// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
/// let session = testing::now(manager.open(&HeaderMap::new())).ok_or("it has to wait")??;
/// assert!(session.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    at_once(future)
}
