//! The panel beside each page: the ticket that the browser holds once this answer has arrived, and what the server will
//! read from it at the next request.

mod entry;
mod ticket;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE, VARY};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use cloakroom::{Cookies, Session, SessionManager, Status};
use minijinja::{Value, context};

use crate::Place;
use crate::failure::Failure;
use crate::view::Templates;
pub(crate) use entry::{dump, shortened};
use ticket::{Ticket, describe_encrypted};

/// No page is longer; the to-do list of an eager visitor is the longest.
const MAX_PAGE: usize = 4 << 20;

/// What draws the panel.
#[derive(Clone)]
pub(crate) struct Panel {
    pub(crate) templates: Templates,
    pub(crate) place: Place,
    pub(crate) sessions: SessionManager,
}

/// Puts the panel into every page, after the session has written its cookie.
pub(crate) async fn attach(State(panel): State<Panel>, request: Request, next: Next) -> Response {
    if request.method() != Method::GET {
        return next.run(request).await;
    }
    let sent = request.headers().clone();
    let (mut parts, body) = next.run(request).await.into_parts();
    if !parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"))
    {
        return Response::from_parts(parts, body);
    }
    let held = held_after(&sent, &parts.headers);
    let filled = async {
        let page = to_bytes(body, MAX_PAGE).await.ok()?;
        let set_cookie = panel.set_cookie(&parts.headers);
        let panel_html = panel.html(&held, set_cookie.is_some()).await.ok()?;
        let answer_html = panel.answer(set_cookie).ok()?;
        let page = String::from_utf8_lossy(&page);
        let page = page.replacen("<!--answer-->", &answer_html, 1);
        Some(page.replacen("<!--panel-->", &panel_html, 1))
    };
    match filled.await {
        Some(page) => {
            parts.headers.remove(CONTENT_LENGTH);
            // A page with the panel is the visitor's own, even one that did not look at the session.
            if !parts.headers.contains_key(VARY) {
                parts
                    .headers
                    .insert(VARY, HeaderValue::from_static("Cookie"));
            }
            if !parts.headers.contains_key(CACHE_CONTROL) {
                let own = HeaderValue::from_static("private");
                parts.headers.insert(CACHE_CONTROL, own);
            }
            Response::from_parts(parts, Body::from(page))
        }
        None => Failure::Panel.into_response(),
    }
}

/// The panel alone, for the script that draws it anew.
pub(crate) async fn show(
    State(panel): State<Panel>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let own = [(VARY, "Cookie"), (CACHE_CONTROL, "no-store")];
    Ok((own, Html(panel.html(&headers, false).await?)).into_response())
}

impl Panel {
    /// The panel for a browser that would send these headers; `fresh` if its ticket was handed out just now.
    async fn html(&self, headers: &HeaderMap, fresh: bool) -> Result<String, Failure> {
        let cookies = Cookies::parse(headers);
        let name = self.sessions.cookie_name();
        let session = self.sessions.open(headers).await?;
        let status = session.status();
        let refusal = match &status {
            Status::Refused(refusal) => {
                Some(context! { code => refusal.code(), reason => refusal.to_string() })
            }
            _ => None,
        };
        let others: Vec<Value> = cookies
            .iter()
            .filter(|(other, _)| *other != name)
            .map(|(name, value)| context! { name, value })
            .collect();
        let ticket = cookies
            .get(name)
            .filter(|value| !value.is_empty())
            .map(|value| match self.place {
                Place::SignedCookie => Ticket::read(name, value).describe(&status),
                Place::EncryptedCookie => describe_encrypted(name, value, &status),
                Place::Store | Place::SealedStore => entry::describe_id(name, value, &status),
            });
        let entry = self.stored(&session).await?;
        let (entries, json) = (entries(&session), session.to_tagged_json());
        let page = self.templates.render(
            "panel.html",
            context! { ticket, entry, fresh, refusal, others, entries, json },
        )?;
        Ok(page)
    }

    /// What the store holds for this session; none if there is none, or it lives in the cookie.
    async fn stored(&self, session: &Session) -> Result<Option<Value>, Failure> {
        let place = self.sessions.store().zip(self.sessions.store_key(session));
        let Some((store, key)) = place else {
            return Ok(None);
        };
        let record = store.load(&key).await.map_err(|_| Failure::Panel)?;
        Ok(record.map(|record| entry::describe(store.name(), &key, &record)))
    }

    /// What this answer did to the session cookie.
    fn answer(&self, set_cookie: Option<&str>) -> Result<String, minijinja::Error> {
        let deleted = set_cookie.is_some_and(|header| header.contains("Max-Age=0"));
        self.templates.render(
            "answer.html",
            context! { set_cookie => set_cookie.map(cut), deleted },
        )
    }

    /// The header that sets or deletes the session cookie.
    fn set_cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|header| header.to_str().ok())
            .find(|header| {
                let value = header.strip_prefix(self.sessions.cookie_name());
                value.is_some_and(|value| value.starts_with('='))
            })
    }
}

/// The entries of a session, with Python's names for their types.
fn entries(session: &Session) -> Vec<Value> {
    session
        .snapshot()
        .iter()
        .map(|(key, value)| {
            context! { key => key.to_string(), value => value.to_string(), type => value.type_name() }
        })
        .collect()
}

/// A Set-Cookie header with the long value cut; the ticket shows all of it.
fn cut(header: &str) -> String {
    let (cookie, attributes) = header.split_at(header.find(';').unwrap_or(header.len()));
    match cookie.get(..28) {
        Some(start) => format!("{start}…{attributes}"),
        None => header.to_owned(),
    }
}

/// The `Cookie` header that the browser will send after this answer.
fn held_after(sent: &HeaderMap, answer: &HeaderMap) -> HeaderMap {
    let mut jar: Vec<Bytes> = sent
        .get_all(COOKIE)
        .iter()
        .flat_map(|header| header.as_bytes().split(|byte| *byte == b';'))
        .map(|pair| Bytes::copy_from_slice(pair.trim_ascii()))
        .filter(|pair| !pair.is_empty())
        .collect();
    for header in answer.get_all(SET_COOKIE) {
        let mut parts = header
            .as_bytes()
            .split(|byte| *byte == b';')
            .map(<[u8]>::trim_ascii);
        let pair = parts.next().unwrap_or_default();
        let name = pair
            .split_inclusive(|byte| *byte == b'=')
            .next()
            .unwrap_or_default();
        jar.retain(|held| !held.starts_with(name));
        if !parts.any(|attribute| attribute.eq_ignore_ascii_case(b"max-age=0")) {
            jar.push(Bytes::copy_from_slice(pair));
        }
    }
    // What came in headers fits in one.
    let header = HeaderValue::from_maybe_shared(Bytes::from(jar.join(&b"; "[..])));
    header.map(|header| (COOKIE, header)).into_iter().collect()
}
