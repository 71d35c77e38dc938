//! The addresses of the pages, and what all of them share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY, SET_COOKIE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use cloakroom::csrf::CrossSiteLayer;
use cloakroom::inspector::{ICON, STYLE_SHEET};
use tokio::net::TcpListener;

use super::guard::{Guard, Verdict};
use super::html::Page;
use super::look::Look;
use super::walk::Memory;
use super::{Arguments, end, list, look, overview, session};
use crate::output::Failure;
use crate::sessions::filter::Identity;
use crate::sessions::scan::Scan;

/// What all pages know.
pub(super) struct Inspection {
    /// At its beginning; each way through the store is a clone.
    pub(super) scan: Scan,
    pub(super) prefix: String,
    pub(super) identity: Identity,
    pub(super) limit: u64,
    pub(super) settings: Settings,
    guard: Guard,
    look: Mutex<Look>,
    memory: Mutex<Memory>,
}

/// What every page says.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) store: &'static str,
    pub(super) reveal: bool,
    pub(super) read_only: bool,
}

impl Inspection {
    pub(super) fn new(arguments: Arguments, scan: Scan, guard: Guard) -> Self {
        Self {
            settings: Settings {
                store: scan.store().name(),
                reveal: arguments.reveal,
                read_only: arguments.read_only,
            },
            scan,
            prefix: arguments.place.prefix,
            identity: arguments.identity,
            limit: arguments.limit,
            guard,
            look: Mutex::new(Look::new()),
            memory: Mutex::default(),
        }
    }

    // What is counted halfway when something panics is still worth showing.

    pub(super) fn look(&self) -> MutexGuard<'_, Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn page(&self, title: &'static str) -> Page {
        Page::new(self.settings, title)
    }

    pub(super) fn refusal(&self, status: StatusCode, title: &'static str, reason: &str) -> Page {
        Page::refusal(self.settings, status, title, reason)
    }

    /// The store did not answer as it should.
    pub(super) fn failure(&self, failure: &Failure) -> Page {
        let title = "The store could not be asked";
        self.refusal(StatusCode::BAD_GATEWAY, title, failure.reason())
    }

    /// There is no session of this name.
    pub(super) fn gone(&self) -> Page {
        let reason = "There is no session of this handle any more: it has ended, by itself or because somebody ended it.";
        self.refusal(StatusCode::NOT_FOUND, "This session is gone", reason)
    }
}

/// What pages are made with, for everybody: path, kind and content.
pub(super) const FILES: [(&str, &str, &str); 3] = [
    ("/style.css", "text/css; charset=utf-8", STYLE_SHEET),
    (
        "/inspect.css",
        "text/css; charset=utf-8",
        include_str!("inspect.css"),
    ),
    ("/icon.svg", "image/svg+xml", ICON),
];

/// What every answer carries. No script runs. The policy on referrers lets a form's `Origin` through, which says where
/// it is from; nothing goes to another origin.
const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (REFERRER_POLICY, "same-origin"),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// No form of ours is longer.
const MOST_FORM: usize = 16 * 1024;

/// Looks at the store and answers until the program ends.
pub(super) async fn serve(
    listener: TcpListener,
    inspection: Arc<Inspection>,
) -> std::io::Result<()> {
    look::begin(inspection.clone());
    let mut pages = Router::new()
        .route("/", get(overview::page))
        .route("/look", post(overview::look_again))
        .route("/sessions", get(list::page))
        .route("/sessions/{handle}", get(session::page))
        .route("/end", post(end::one))
        .route("/end-all", post(end::all))
        .fallback(nowhere);
    for (path, kind, content) in FILES {
        pages = pages.route(path, get(async move || ([(CONTENT_TYPE, kind)], content)));
    }
    let pages = pages
        .layer(DefaultBodyLimit::max(MOST_FORM))
        .layer(CrossSiteLayer::new().require_sender(true))
        .layer(middleware::from_fn_with_state(inspection.clone(), admit))
        .with_state(inspection);
    axum::serve(listener, pages).await
}

async fn admit(
    State(inspection): State<Arc<Inspection>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match inspection.guard.judge(&request) {
        Verdict::Admitted => next.run(request).await,
        // The address without the token is what the browser goes on with.
        Verdict::Exchanged(cookie) => {
            let headers = [
                (SET_COOKIE, cookie),
                (LOCATION, HeaderValue::from_static("/")),
            ];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Verdict::Refused(reason) => {
            let title = "Not for everybody";
            let mut page = inspection.refusal(StatusCode::FORBIDDEN, title, reason);
            page.for_stranger = true;
            // A browser that came from another site leaves the cookie out, once.
            page.body.push_str(
                r#"<p>You have, and came here by a link? <a href="/">Look again.</a></p>"#,
            );
            page.into_response()
        }
    };
    for (name, value) in HEADERS {
        let value = HeaderValue::from_static(value);
        response.headers_mut().insert(name, value);
    }
    response
}

async fn nowhere(State(inspection): State<Arc<Inspection>>) -> Page {
    let reason = "There is no such page here.";
    inspection.refusal(StatusCode::NOT_FOUND, "Nothing here", reason)
}

/// Where a form leads.
pub(super) fn to(path: &str) -> Response {
    Redirect::to(path).into_response()
}
