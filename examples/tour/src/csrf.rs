//! No other site may post our forms.
//!
//! A browser says in `Sec-Fetch-Site` where a request comes from; an old one says at least its `Origin`, which must then
//! be our own host. A post with neither is refused too, as OWASP's cheat sheet on request forgery recommends: no browser
//! of the last years sends one, and a script can add the header.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use cloakroom::csrf::{CrossSiteLayer, CsrfError};

use crate::view::Templates;

/// The same pages, closed to posts from elsewhere.
pub(crate) fn protect(pages: Router, templates: Templates) -> Router {
    pages
        .layer(CrossSiteLayer::new())
        .layer(middleware::from_fn_with_state(templates, sender_known))
}

/// `CrossSiteLayer` lets a post pass that says nothing about its sender; this does not. What either of them refuses, or
/// the layer that asks for a token, becomes a page.
async fn sender_known(
    State(templates): State<Templates>,
    request: Request,
    next: Next,
) -> Response {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    let headers = request.headers();
    if safe || headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN) {
        let response = next.run(request).await;
        match response.extensions().get::<CsrfError>() {
            Some(reason) => refuse(&templates, reason.status(), &reason.to_string()),
            None => response,
        }
    } else {
        refuse(
            &templates,
            StatusCode::FORBIDDEN,
            "The request says neither Sec-Fetch-Site nor Origin, so nobody knows who sent it. \
             A script may add the header “Origin” with this site’s address.",
        )
    }
}

fn refuse(templates: &Templates, status: StatusCode, reason: &str) -> Response {
    templates.error_page(status, "Not from here", reason)
}
