use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, IntoResponseParts, Response, ResponseParts},
};
use http::{StatusCode, header::RETRY_AFTER, request::Parts};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    ClearSiteData, Error, PendingUser, Session, Typed, User,
    caches::{keep_private, vary_by_cookie},
    cookie::{CookieError, RequestCookies, SetCookie},
    flask_login::Visitor,
};

/// Opens the request's session, the first time; later extractors of the same request get the same.
impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        open(parts).await
    }
}

/// None on routes without a session layer.
impl<S: Sync> OptionalFromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        match open(parts).await {
            Ok(session) => Ok(Some(session)),
            Err(Error::MissingLayer) => Ok(None),
            // A store that is down is no reason to treat a visitor as a stranger.
            Err(error) => Err(error),
        }
    }
}

impl<S: Sync, T: Serialize + DeserializeOwned> FromRequestParts<S> for Typed<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        open(parts).await.and_then(Self::open)
    }
}

impl<S: Sync> FromRequestParts<S> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        open(parts).await.and_then(Self::of)
    }
}

/// None if nobody is logged in.
impl<S: Sync> OptionalFromRequestParts<S> for User {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Error> {
        match Self::of(open(parts).await?) {
            Ok(user) => Ok(Some(user)),
            Err(Error::LoginRequired) => Ok(None),
            // That nobody knows is not that nobody is there.
            Err(error) => Err(error),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for PendingUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        open(parts).await.and_then(Self::of)
    }
}

async fn open(parts: &Parts) -> Result<Session, Error> {
    Session::open(&parts.headers, &parts.extensions).await
}

/// The cookies that the browser sent, session or not. Never fails: a header that is no cookie holds
/// none.
impl<S: Sync> FromRequestParts<S> for RequestCookies {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(&parts.headers))
    }
}

/// Return it with a response, as in `(cookie.set("John")?, Redirect::to("/"))`.
impl IntoResponseParts for SetCookie {
    type Error = CookieError;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, CookieError> {
        self.insert_into(response.headers_mut())?;
        Ok(response)
    }
}

/// Return it with a logout's response, as in `(ClearSiteData::logout(), Redirect::to("/"))`.
impl IntoResponseParts for ClearSiteData {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, Self::Error> {
        self.insert_into(response.headers_mut());
        Ok(response)
    }
}

/// Return it with a response, as in `(visitor, Redirect::to("/"))`: it sets or removes `remember_token`.
impl IntoResponseParts for Visitor {
    type Error = CookieError;

    fn into_response_parts(
        self,
        mut response: ResponseParts,
    ) -> Result<ResponseParts, CookieError> {
        if let Some(cookie) = self.set_cookie()? {
            cookie.insert_into(response.headers_mut())?;
            // A shared cache that kept it would log others in as this user.
            keep_private(response.headers_mut());
        }
        vary_by_cookie(response.headers_mut());
        Ok(response)
    }
}

/// [`Error::status`] with a generic body and, for a 503, `Retry-After`; in debug builds the body says what
/// to do, unless a store is the reason. The log has it in any case.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let about_a_store = matches!(self, Self::StoreUnavailable { .. } | Self::StoreRefused(_));
        let mut response = failure(
            self.status(),
            &self,
            cfg!(debug_assertions) && !about_a_store,
        );
        if let Some(after) = self.retry_after() {
            response
                .headers_mut()
                .insert(RETRY_AFTER, after.as_secs().into());
        }
        response
    }
}

/// As [`Error`]: a cookie that no browser would keep is the application's doing.
impl IntoResponse for CookieError {
    fn into_response(self) -> Response {
        failure(
            StatusCode::INTERNAL_SERVER_ERROR,
            &self,
            cfg!(debug_assertions),
        )
    }
}

fn failure(status: StatusCode, error: &dyn std::error::Error, explain: bool) -> Response {
    if status.is_server_error() {
        tracing::error!(%error, "request failed");
    }
    (status, body(status, error, explain)).into_response()
}

/// What a visitor reads: nothing about the inside of the site, but for those who build it.
fn body(status: StatusCode, error: &dyn std::error::Error, explain: bool) -> String {
    if explain {
        error.to_string()
    } else {
        status.canonical_reason().unwrap_or_default().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Refusal, store::StoreError};

    #[test]
    fn s66_a_released_site_says_nothing_about_its_inside() {
        let errors = [
            Error::StoreUnavailable {
                source: StoreError::unreachable("redis: no connection"),
                retry_after: Duration::from_secs(2),
            },
            Error::StoreRefused(StoreError::refused("redis answered OOM")),
            Error::Unsendable("a name".to_owned()),
            Error::Refused(Refusal::InsecureTransport),
            Error::MissingLayer,
        ];
        for error in errors {
            let status = error.status();
            let said = body(status, &error, false);
            assert_eq!(Some(said.as_str()), status.canonical_reason());
            assert_eq!(body(status, &error, true), error.to_string());
        }
    }
}
