use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    Extensions, Request, Uri,
    header::{CONTENT_TYPE, REFERER},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_layer::Layer;
use tower_service::Service;

use super::cross_site::{CrossSiteLayer, Origin, Policy, refuse};
use crate::{
    Session,
    csrf_token::{CsrfError, CsrfTokens},
};

/// The largest form in which a token is looked for, in bytes.
pub(super) const FORM_LIMIT: usize = 64 * 1024;

/// Asks for a token with each request that may change something: Flask-WTF's `CSRFProtect`, and before it what
/// [`CrossSiteLayer`] does.
///
/// The token is in the form's field or, for scripts, in a header. To find the field, a form
/// (`application/x-www-form-urlencoded`) is read up to [a limit](Self::form_limit) and handed on as it came.
/// Other bodies, such as JSON and uploads (`multipart/form-data`), are not looked into: their token belongs in a
/// header.
///
/// The session layer must be outside, that is, below it in the router. The handler's [`CsrfToken`](super::CsrfToken)
/// and a template's `csrf_token()` come from this layer, also where it does not check.
///
/// ```
/// use axum::{Router, routing::post};
/// use cloakroom::{SecretKey, SessionLayer, csrf::{CsrfLayer, CsrfTokens}};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let key = SecretKey::generate()?;
/// let tokens = CsrfTokens::new(key.clone()).exempt("/payment/callback");
/// let app: Router = Router::new()
///     .route("/transfer", post(|| async { "Done" }))
///     .layer(CsrfLayer::new(tokens))
///     .layer(SessionLayer::signed(key));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
#[doc(alias = "CSRFProtect")]
pub struct CsrfLayer(Arc<Protection>);

#[derive(Clone, Debug)]
struct Protection {
    tokens: Tokens,
    policy: Policy,
    form_limit: usize,
}

/// The tokens of the layer around a handler, as they travel with the request.
#[derive(Clone, Debug)]
pub(super) struct Tokens(pub(super) Arc<CsrfTokens>);

/// This request's token was checked: Flask-WTF's `g.csrf_valid`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Checked;

impl CsrfLayer {
    /// The layer for the site's own pages only.
    pub fn new(tokens: CsrfTokens) -> Self {
        CrossSiteLayer::new().require_token(tokens)
    }

    pub(super) fn with(cross_site: CrossSiteLayer, tokens: CsrfTokens) -> Self {
        Self(Arc::new(Protection {
            tokens: Tokens(Arc::new(tokens)),
            policy: cross_site.policy,
            form_limit: FORM_LIMIT,
        }))
    }

    /// The largest form in which a token is looked for, in bytes; 64 KiB if not called. A larger one is refused
    /// with 413, unless its token is in a header.
    pub fn form_limit(mut self, bytes: usize) -> Self {
        Arc::make_mut(&mut self.0).form_limit = bytes;
        self
    }
}

impl Protection {
    /// The request as it came, or the answer that refuses it.
    async fn check(&self, mut request: Request<Body>) -> Result<Request<Body>, Response> {
        request.extensions_mut().insert(self.tokens.clone());
        let tokens = &*self.tokens.0;
        if !tokens.enabled || tokens.exempts(request.uri().path()) {
            return Ok(request);
        }
        self.policy.check(&request).map_err(refuse)?;
        if !tokens.methods.contains(request.method()) {
            return Ok(request);
        }
        let session = Session::open(request.headers(), request.extensions())
            .await
            .and_then(Session::known)
            .map_err(IntoResponse::into_response)?;
        let (mut request, token) = self.token(request).await.map_err(refuse)?;
        tokens
            .verify(&session, token.as_deref())
            .and_then(|()| match tokens.strict_referrer {
                true => check_referrer(&request, self.policy.https_origin(&request).as_ref()),
                false => Ok(()),
            })
            .map_err(refuse)?;
        request.extensions_mut().insert(Checked);
        Ok(request)
    }

    /// The token that the request brings: of a header, which costs no reading, else of the form.
    async fn token(
        &self,
        request: Request<Body>,
    ) -> Result<(Request<Body>, Option<String>), CsrfError> {
        let tokens = &*self.tokens.0;
        if let Some(token) = tokens.in_headers(request.headers()) {
            let token = token.to_owned();
            return Ok((request, Some(token)));
        }
        if !is_form(request.headers()) {
            return Ok((request, None));
        }
        let (parts, body) = request.into_parts();
        let form = read(body, self.form_limit).await?;
        let token = token_in_form(&form, &tokens.field);
        Ok((Request::from_parts(parts, Body::from(form)), token))
    }
}

impl CsrfTokens {
    fn exempts(&self, path: &str) -> bool {
        self.exempt
            .iter()
            .any(|exempt| match exempt.strip_suffix('*') {
                Some(folder) if folder.ends_with('/') => path.starts_with(folder),
                _ => exempt == path,
            })
    }
}

/// The tokens of the layer that the request came through.
pub(in crate::web) fn tokens_of(extensions: &Extensions) -> Option<Arc<CsrfTokens>> {
    extensions.get::<Tokens>().map(|tokens| tokens.0.clone())
}

/// Flask-WTF's check of `Referer`, over HTTPS only.
fn check_referrer<B>(request: &Request<B>, own: Option<&Origin>) -> Result<(), CsrfError> {
    let Some(own) = own else { return Ok(()) };
    let referrer = request
        .headers()
        .get(REFERER)
        .ok_or(CsrfError::ReferrerMissing)?;
    let uri: Option<Uri> = referrer.to_str().ok().and_then(|text| text.parse().ok());
    match uri.as_ref().and_then(Origin::of) {
        Some(origin) if origin == *own => Ok(()),
        _ => Err(CsrfError::ReferrerMismatch),
    }
}

pub(in crate::web) fn is_form(headers: &http::HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

pub(in crate::web) async fn read(body: Body, limit: usize) -> Result<bytes::Bytes, CsrfError> {
    match Limited::new(body, limit).collect().await {
        Ok(whole) => Ok(whole.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(CsrfError::FormTooLarge),
        Err(_) => Err(CsrfError::FormUnreadable),
    }
}

/// The field itself, else one of a form with a prefix (`login-csrf_token`), as in Flask-WTF.
pub(super) fn token_in_form(form: &[u8], field: &str) -> Option<String> {
    let pairs = || url::form_urlencoded::parse(form).filter(|(_, value)| !value.is_empty());
    let exact = pairs().find(|(name, _)| name == field);
    exact
        .or_else(|| pairs().find(|(name, _)| name.ends_with(field)))
        .map(|(_, value)| value.into_owned())
}

impl<S> Layer<S> for CsrfLayer {
    type Service = CsrfService<S>;

    fn layer(&self, inner: S) -> CsrfService<S> {
        CsrfService {
            inner,
            protection: self.0.clone(),
        }
    }
}

/// The service that [`CsrfLayer`] makes.
#[derive(Clone, Debug)]
pub struct CsrfService<S> {
    inner: S,
    protection: Arc<Protection>,
}

impl<S> Service<Request<Body>> for CsrfService<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The one that is ready goes with the request.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let protection = self.protection.clone();
        Box::pin(async move {
            match protection.check(request).await {
                Ok(request) => inner.call(request).await,
                Err(refused) => Ok(refused),
            }
        })
    }
}
