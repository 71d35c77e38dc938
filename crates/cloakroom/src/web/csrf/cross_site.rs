use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    HeaderMap, HeaderValue, Method, Request, Response, Uri,
    header::{CONTENT_TYPE, HOST, ORIGIN, UPGRADE},
    uri::Authority,
};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use crate::csrf_token::CsrfError;

const FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what another site makes the browser send, by what the browser says of it. It needs no session and
/// no token: a `tower` layer for any server.
///
/// GET, HEAD, OPTIONS and TRACE pass, since they change nothing (but not a WebSocket's handshake). Of other
/// requests:
///
/// 1. an `Origin` on the list of trusted ones passes;
/// 2. `Sec-Fetch-Site`, which every browser sends over HTTPS since 2023, must be `same-origin` or `none`;
/// 3. without it, `Origin` must be this host;
/// 4. with neither, no browser of the last years sent it, so nobody was tricked: it passes, unless
///    [`require_sender`](Self::require_sender) or [`require_token`](Self::require_token) says otherwise.
///
/// A refused request gets 403, the reason in plain words, and [`CsrfError`] among the response's extensions.
/// A proxy in front must leave `Host` and `Origin` as they are, or say the site's own [`origin`](Self::origin).
///
/// ```
/// use axum::{Router, routing::post};
/// use cloakroom::csrf::CrossSiteLayer;
///
/// let app: Router = Router::new()
///     .route("/transfer", post(|| async { "Done" }))
///     .layer(CrossSiteLayer::new());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
#[doc(alias = "CSRF")]
#[doc(alias = "CSRFProtect")]
pub struct CrossSiteLayer {
    pub(in crate::web) policy: Policy,
}

impl CrossSiteLayer {
    /// Only the site itself.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether other hosts of the same site (`blog.example.com` for `www.example.com`) may send requests too;
    /// no if not called. Only if all of them are yours.
    pub fn allow_same_site(mut self, allow: bool) -> Self {
        self.policy.allow_same_site = allow;
        self
    }

    /// Another origin whose pages may send requests, such as `https://admin.example.com`.
    ///
    /// # Errors
    ///
    /// [`OriginError`] if it is not a scheme, a host and at most a port.
    pub fn trusted_origin(mut self, origin: &str) -> Result<Self, OriginError> {
        self.policy.trusted.push(Origin::configured(origin)?);
        Ok(self)
    }

    /// The origin under which browsers know this site, such as `https://www.example.com`. Without it, the
    /// request's own host is taken and either scheme. Say it behind a proxy that changes `Host`.
    ///
    /// # Errors
    ///
    /// [`OriginError`] if it is not a scheme, a host and at most a port.
    pub fn origin(mut self, origin: &str) -> Result<Self, OriginError> {
        self.policy.own = Some(Origin::configured(origin)?);
        Ok(self)
    }

    /// Whether a request with neither header is refused as well; no if not called. No browser of the last years
    /// sends one, and a program can add `Origin`, so for pages alone this is the safer choice.
    pub fn require_sender(mut self, require: bool) -> Self {
        self.policy.require_sender = require;
        self
    }

    /// Asks for a token besides: see [`CsrfLayer`](super::CsrfLayer).
    #[cfg(feature = "axum")]
    pub fn require_token(self, tokens: crate::csrf_token::CsrfTokens) -> super::CsrfLayer {
        super::CsrfLayer::with(self, tokens)
    }
}

/// An origin that no browser would send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not an origin; write a scheme, a host and at most a port, as in `https://www.example.com`"
)]
pub struct OriginError(String);

/// Which requests pass.
#[derive(Clone, Debug, Default)]
pub(in crate::web) struct Policy {
    allow_same_site: bool,
    require_sender: bool,
    trusted: Vec<Origin>,
    own: Option<Origin>,
}

impl Policy {
    pub(in crate::web) fn check<B>(&self, request: &Request<B>) -> Result<(), CsrfError> {
        let headers = request.headers();
        if changes_nothing(request.method(), headers) {
            return Ok(());
        }
        let origin = headers.get(ORIGIN).map(Origin::sent);
        if let Some(Some(origin)) = &origin
            && self.trusted.contains(origin)
        {
            return Ok(());
        }
        let mut said = headers.get_all(FETCH_SITE).iter().peekable();
        if said.peek().is_some() {
            return match said.all(|site| self.passes(site)) {
                true => Ok(()),
                false => Err(CsrfError::CrossSite),
            };
        }
        match origin {
            None if self.require_sender => Err(CsrfError::SenderUnknown),
            None => Ok(()),
            Some(Some(origin)) if self.is_own(&origin, request) => Ok(()),
            Some(_) => Err(CsrfError::CrossOrigin),
        }
    }

    fn passes(&self, fetch_site: &HeaderValue) -> bool {
        match fetch_site.as_bytes() {
            b"same-origin" | b"none" => true,
            b"same-site" => self.allow_same_site,
            _ => false,
        }
    }

    fn is_own<B>(&self, origin: &Origin, request: &Request<B>) -> bool {
        match &self.own {
            Some(own) => own == origin,
            None => host(request).is_some_and(|host| {
                Origin::new(origin.https, &host).is_some_and(|own| own == *origin)
            }),
        }
    }

    /// Whether the request came over HTTPS, as far as that is known, and then the site's own origin.
    #[cfg(feature = "axum")]
    pub(super) fn https_origin<B>(&self, request: &Request<B>) -> Option<Origin> {
        match &self.own {
            Some(own) => own.https.then(|| own.clone()),
            None if request.uri().scheme() == Some(&http::uri::Scheme::HTTPS) => {
                Origin::new(true, &host(request)?)
            }
            None => None,
        }
    }
}

/// RFC 9110, section 9.2.1. A WebSocket begins with a GET, and any page may open one to anywhere.
fn changes_nothing(method: &Method, headers: &HeaderMap) -> bool {
    let websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
    ) && !headers.get_all(UPGRADE).iter().any(websocket)
}

/// The host that was asked: from the request's target, else from `Host` (RFC 9112, section 3.2.2).
fn host<B>(request: &Request<B>) -> Option<Authority> {
    match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => request.headers().get(HOST)?.to_str().ok()?.parse().ok(),
    }
}

/// Scheme, host and port (RFC 6454, section 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    https: bool,
    host: String,
    port: u16,
}

impl Origin {
    fn new(https: bool, authority: &Authority) -> Option<Self> {
        // What is neither host nor port (a user, a port that is no number) would not be compared.
        let host = authority.host();
        let port = match authority.as_str().strip_prefix(host)? {
            "" if https => 443,
            "" => 80,
            port => digits(port.strip_prefix(':')?)?,
        };
        Some(Self {
            https,
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The origin of an address; none for an address without scheme or host.
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        let https = match uri.scheme()?.as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Self::new(https, uri.authority()?)
    }

    /// What the header says; none for `null` and for what is no origin.
    fn sent(header: &HeaderValue) -> Option<Self> {
        Self::of(&header.to_str().ok()?.parse().ok()?)
    }

    fn configured(text: &str) -> Result<Self, OriginError> {
        let error = || OriginError(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| error())?;
        // A path would be compared with nothing, and so mean less than it says.
        if uri.path() != "/" || text.ends_with('/') || uri.query().is_some() {
            return Err(error());
        }
        Self::of(&uri).ok_or_else(error)
    }
}

/// A port as browsers write it, without the sign that Rust would take.
fn digits(port: &str) -> Option<u16> {
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    port.parse().ok().filter(|_| is_number)
}

impl<S> Layer<S> for CrossSiteLayer {
    type Service = CrossSiteService<S>;

    fn layer(&self, inner: S) -> CrossSiteService<S> {
        CrossSiteService {
            inner,
            policy: Arc::new(self.policy.clone()),
        }
    }
}

/// The service that [`CrossSiteLayer`] makes.
#[derive(Clone, Debug)]
pub struct CrossSiteService<S> {
    inner: S,
    policy: Arc<Policy>,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for CrossSiteService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: From<String>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = CrossSiteFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let passed = self.policy.check(&request);
        CrossSiteFuture {
            inner: passed.is_ok().then(|| self.inner.call(request)),
            passed,
        }
    }
}

pin_project! {
    /// The response of [`CrossSiteService`].
    #[derive(Debug)]
    pub struct CrossSiteFuture<F> {
        // None if the request goes no further.
        #[pin]
        inner: Option<F>,
        passed: Result<(), CsrfError>,
    }
}

impl<F, ResponseBody, E> Future for CrossSiteFuture<F>
where
    F: Future<Output = Result<Response<ResponseBody>, E>>,
    ResponseBody: From<String>,
{
    type Output = Result<Response<ResponseBody>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match (&*this.passed, this.inner.as_pin_mut()) {
            (Ok(()), Some(inner)) => inner.poll(context),
            (Ok(()), None) => Poll::Pending,
            (Err(reason), _) => Poll::Ready(Ok(refuse(*reason))),
        }
    }
}

/// The answer to a request that is refused. No shared cache may keep it.
pub(super) fn refuse<Body: From<String>>(reason: CsrfError) -> Response<Body> {
    tracing::warn!(code = reason.code(), "request refused: it may be forged");
    let mut response = Response::new(Body::from(reason.body()));
    *response.status_mut() = reason.status();
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    response.extensions_mut().insert(reason);
    response
}
