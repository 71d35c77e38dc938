use std::{fmt, sync::Arc};

use axum_core::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};
use serde::de::DeserializeOwned;

use super::{
    cross_site::refuse,
    protect::{Checked, FORM_LIMIT, is_form, read, token_in_form, tokens_of},
};
use crate::{
    Error, Session,
    csrf_token::{CsrfError, CsrfTokens},
};

/// The token for this request's page, as an extractor. It shows as the text that belongs in the hidden field;
/// nothing in it needs escaping.
///
/// Needs a [`CsrfLayer`](super::CsrfLayer). Templates call `csrf_token()` instead.
///
/// ```
/// use axum::response::Html;
/// use cloakroom::csrf::CsrfToken;
///
/// async fn page(token: CsrfToken) -> Html<String> {
///     Html(format!(r#"<meta name="csrf-token" content="{token}">"#))
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(page));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// The token as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Never shows the token.
impl fmt::Debug for CsrfToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CsrfToken(redacted)")
    }
}

impl<S: Sync> FromRequestParts<S> for CsrfToken {
    type Rejection = CsrfRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CsrfRejection> {
        let (tokens, session) = both(parts).await?;
        Ok(Self(tokens.token(&session)?))
    }
}

/// Proof that this request's token was checked, as an extractor for handlers of scripts' requests: by the layer,
/// or now, in the request's headers.
///
/// ```
/// use cloakroom::csrf::CsrfChecked;
///
/// async fn delete(_: CsrfChecked) -> &'static str {
///     "Deleted"
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::delete(delete));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CsrfChecked(());

impl<S: Sync> FromRequestParts<S> for CsrfChecked {
    type Rejection = CsrfRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CsrfRejection> {
        let (tokens, session) = both(parts).await?;
        if tokens.enabled && parts.extensions.get::<Checked>().is_none() {
            tokens.verify(&session, tokens.in_headers(&parts.headers))?;
        }
        Ok(Self(()))
    }
}

/// A form whose token was checked, without the token: axum's `Form` for sites with Flask-WTF's tokens.
///
/// If the [`CsrfLayer`](super::CsrfLayer) has not checked it (its methods are none, or the path is exempt), this
/// does, in the headers or the form's field. Forms of more than 64 KiB are refused.
///
/// ```
/// use cloakroom::csrf::CsrfForm;
///
/// #[derive(serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Name {
///     name: String,
/// }
///
/// async fn save(CsrfForm(form): CsrfForm<Name>) -> String {
///     format!("Hello {}", form.name)
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::post(save));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CsrfForm<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for CsrfForm<T> {
    type Rejection = CsrfRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, CsrfRejection> {
        let (mut parts, body) = request.into_parts();
        let (tokens, session) = both(&mut parts).await?;
        if !is_form(&parts.headers) {
            return Err(CsrfRejection::NotAForm);
        }
        let form = read(body, FORM_LIMIT).await?;
        if tokens.enabled && parts.extensions.get::<Checked>().is_none() {
            let in_form = token_in_form(&form, &tokens.field);
            let token = tokens.in_headers(&parts.headers).or(in_form.as_deref());
            tokens.verify(&session, token)?;
        }
        let mut rest = url::form_urlencoded::Serializer::new(String::new());
        let fields = url::form_urlencoded::parse(&form);
        rest.extend_pairs(fields.filter(|(name, _)| *name != *tokens.field));
        serde_urlencoded::from_str(&rest.finish())
            .map(Self)
            .map_err(|error| CsrfRejection::Fields(error.to_string()))
    }
}

async fn both(parts: &mut Parts) -> Result<(Arc<CsrfTokens>, Session), CsrfRejection> {
    let tokens = tokens_of(&parts.extensions).ok_or(CsrfRejection::MissingLayer)?;
    let session = Session::open(&parts.headers, &parts.extensions).await?;
    // Without knowing the session nobody can say whether a token is good.
    Ok((tokens, session.known()?))
}

/// Why an extractor of this module gives nothing.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CsrfRejection {
    /// The request may be forged.
    #[error("{0}")]
    Refused(#[from] CsrfError),
    /// The session could not be opened or changed.
    #[error("{0}")]
    Session(#[from] Error),
    /// The request did not come through a layer that has tokens.
    #[error(
        "this route has no tokens: add `.layer(CsrfLayer::new(tokens))` after (below) the route in the router"
    )]
    MissingLayer,
    /// The body is not a form.
    #[error("the body is not of the type application/x-www-form-urlencoded")]
    NotAForm,
    /// The form's fields do not fit the type asked for.
    #[error("the form does not fit: {0}")]
    Fields(String),
}

impl CsrfRejection {
    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused(reason) => reason.status(),
            Self::Session(error) => error.status(),
            Self::MissingLayer => StatusCode::INTERNAL_SERVER_ERROR,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Fields(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// As the layer refuses; a body or fields that do not fit are answered as axum's `Form` does.
impl IntoResponse for CsrfRejection {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(reason) => refuse(reason),
            Self::Session(error) => error.into_response(),
            Self::MissingLayer => {
                tracing::error!(error = %self, "request failed");
                self.status().into_response()
            }
            Self::NotAForm | Self::Fields(_) => (self.status(), self.to_string()).into_response(),
        }
    }
}

impl IntoResponse for CsrfError {
    fn into_response(self) -> Response {
        refuse(self)
    }
}
