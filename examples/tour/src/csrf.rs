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
use tower_http::csrf::{CsrfLayer, ProtectionError, ProtectionErrorKind};

use crate::view::Templates;

/// The same pages, closed to posts from elsewhere.
pub(crate) fn protect(pages: Router, templates: Templates) -> Router {
    let refusing = templates.clone();
    let layer = CsrfLayer::new().with_rejection_response(move |error: ProtectionError| {
        refuse(
            &refusing,
            match error.kind() {
                ProtectionErrorKind::CrossOriginRequest => {
                    "Your browser says that this form was sent by another site (Sec-Fetch-Site)."
                }
                _ => "This form was sent from another address than this site’s (Origin).",
            },
        )
    });
    pages
        .layer(layer)
        .layer(middleware::from_fn_with_state(templates, sender_known))
}

/// `CsrfLayer` lets a post pass that says nothing about its sender; this does not.
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
        next.run(request).await
    } else {
        refuse(
            &templates,
            "The request says neither Sec-Fetch-Site nor Origin, so nobody knows who sent it. \
             A script may add the header “Origin” with this site’s address.",
        )
    }
}

fn refuse(templates: &Templates, reason: &str) -> Response {
    templates.error_page(StatusCode::FORBIDDEN, "Not from here", reason)
}
