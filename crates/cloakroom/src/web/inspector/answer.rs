use std::net::IpAddr;

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{
    HeaderName, HeaderValue, Method, Request, StatusCode,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION,
        REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    request,
    uri::Authority,
};
use subtle::ConstantTimeEq;

use super::{
    ICON, Inspector, STYLE_SHEET,
    page::{self, Devices, View},
    side::Side,
    viewer::Viewer,
};
use crate::{
    Handle,
    web::csrf::{CrossSiteLayer, is_form, read},
};

/// The page and what belongs to it.
impl Inspector {
    /// What a path has below the inspector's own, if it is there.
    pub(super) fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix(&self.settings.path)?;
        (below.is_empty() || below.starts_with('/')).then_some(below)
    }

    pub(super) async fn answer(&self, below: &str, request: Request<Body>) -> Response {
        let mut response = match self.admit(&request) {
            Ok(()) => self.route(below, request).await,
            Err(reason) => (StatusCode::FORBIDDEN, reason).into_response(),
        };
        for (name, value) in HEADERS {
            response
                .headers_mut()
                .insert(name, HeaderValue::from_static(value));
        }
        response
    }

    /// Refuses what comes from elsewhere: a name that somebody else's page has pointed to this machine, or a proxy.
    fn admit(&self, request: &Request<Body>) -> Result<(), &'static str> {
        if self.settings.exposed {
            return Ok(());
        }
        let headers = request.headers();
        if PROXIED.iter().any(|name| headers.contains_key(name)) {
            return Err(
                "The inspector answers this machine only, and this request came through a proxy.\n",
            );
        }
        let host = match request.uri().authority() {
            Some(authority) => Some(authority.clone()),
            None => headers
                .get(HOST)
                .and_then(|host| host.to_str().ok())
                .and_then(|host| host.parse().ok()),
        };
        match host.as_ref().is_some_and(is_this_machine) {
            true => Ok(()),
            false => Err(
                "The inspector answers this machine only: open it as http://127.0.0.1 or http://localhost.\n",
            ),
        }
    }

    async fn route(&self, below: &str, request: Request<Body>) -> Response {
        let wanted = match below {
            "/end" => Method::POST,
            _ => Method::GET,
        };
        let is_head = request.method() == Method::HEAD && wanted == Method::GET;
        if *request.method() != wanted && !is_head {
            let allowed = match wanted {
                Method::POST => "POST",
                _ => "GET, HEAD",
            };
            return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, allowed)]).into_response();
        }
        match below {
            "" | "/now" => {
                let (parts, _) = request.into_parts();
                self.page(below, &parts).await
            }
            "/end" => self.end_session(request).await,
            "/style.css" => file("text/css; charset=utf-8", STYLE_SHEET),
            "/script.js" => file("text/javascript; charset=utf-8", include_str!("script.js")),
            "/icon.svg" => file("image/svg+xml", ICON),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    async fn page(&self, below: &str, request: &request::Parts) -> Response {
        let mut glance = self.manager.glance(&request.headers).await;
        if let Ok(glance) = &mut glance {
            self.manager.glance_expiry(glance).await;
        }
        let name = self.manager.cookie_name();
        let now = Side::of(&glance, name, &self.book.salt);
        let seen = self.book.read();
        let viewer = Viewer::new(&now, &seen, self.settings.reveal);
        let asked = self.asked_for(request.uri.query());
        let session = glance.ok().and_then(|glance| glance.session);
        let devices = match (
            self.manager.config().user_sessions.is_some(),
            asked,
            session,
        ) {
            (false, ..) => Devices::NotTracked,
            (true, Some(subject), _) => match self.manager.sessions_of(&subject).await {
                Ok(sessions) => Devices::Of { subject, sessions },
                Err(_) => Devices::Failed,
            },
            (true, None, None) => Devices::Nobody,
            (true, None, Some(session)) => match session.subject() {
                None => Devices::Nobody,
                Some(subject) => match session.user_sessions().await {
                    Ok(sessions) => Devices::Of { subject, sessions },
                    Err(_) => Devices::Failed,
                },
            },
        };
        let view = View {
            settings: &self.settings,
            cookie_name: name,
            place: self.manager.place(),
            in_store: self.manager.store().is_some(),
            at: self.book.clock.unix_seconds(),
            now: &now,
            viewer: &viewer,
            seen: &seen,
            devices,
        };
        let rendered = match below {
            "" => page::page(&view),
            _ => page::fragment(&view),
        };
        match rendered {
            Ok(html) => ([(CONTENT_TYPE, "text/html; charset=utf-8")], html).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }

    /// The user whose sessions somebody asks for who may see all.
    fn asked_for(&self, query: Option<&str>) -> Option<String> {
        let query = query.filter(|_| self.settings.reveal)?;
        field(query.as_bytes(), "user").filter(|user| !user.is_empty())
    }

    /// Ends a session of the viewer's own user, or of any user where all is revealed.
    async fn end_session(&self, request: Request<Body>) -> Response {
        let policy = CrossSiteLayer::new().require_sender(true).policy;
        if let Err(reason) = policy.check(&request) {
            return (reason.status(), format!("{reason}\n")).into_response();
        }
        if !is_form(request.headers()) {
            return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
        }
        let (parts, body) = request.into_parts();
        let form = match read(body, MOST_FORM).await {
            Ok(form) => form,
            Err(reason) => return (reason.status(), format!("{reason}\n")).into_response(),
        };
        let token = field(&form, "token").unwrap_or_default();
        if !bool::from(token.as_bytes().ct_eq(self.settings.form_token.as_bytes())) {
            return (
                StatusCode::FORBIDDEN,
                "The server was started again since. Open the inspector again.\n",
            )
                .into_response();
        }
        let handle: Option<Handle> = field(&form, "session").and_then(|text| text.parse().ok());
        let Some(handle) = handle else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        let glance = self.manager.glance(&parts.headers).await;
        let own = glance.ok().and_then(|glance| glance.session?.subject());
        let named = field(&form, "user").filter(|user| self.settings.reveal && !user.is_empty());
        let elsewhere = named.clone().filter(|user| own.as_ref() != Some(user));
        let Some(subject) = named.or(own) else {
            return (
                StatusCode::FORBIDDEN,
                "Nobody is logged in here any more. Open the inspector again.\n",
            )
                .into_response();
        };
        if let Err(error) = self.manager.end_session_of(&subject, &handle).await {
            return error.into_response();
        }
        let query: String = elsewhere
            .map(|user| {
                let mut query = url::form_urlencoded::Serializer::new("?".to_owned());
                query.append_pair("user", &user).finish()
            })
            .unwrap_or_default();
        let page = format!("{}{query}#devices", self.settings.path);
        (StatusCode::SEE_OTHER, [(LOCATION, page)]).into_response()
    }
}

/// No form of ours is longer.
const MOST_FORM: usize = 8 * 1024;

/// What proxies add. Whoever comes through one is somewhere else.
const PROXIED: [HeaderName; 3] = [
    http::header::FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-forwarded-host"),
];

/// What every answer carries. The policy on referrers lets a form's `Origin` through, which says where it is from.
const HEADERS: [(HeaderName, &str); 7] = [
    (CACHE_CONTROL, "no-store"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (X_FRAME_OPTIONS, "DENY"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

fn file(kind: &'static str, content: &'static str) -> Response {
    ([(CONTENT_TYPE, kind)], content).into_response()
}

fn field(form: &[u8], name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(form);
    let found = pairs.find(|(key, _)| key == name);
    found.map(|(_, value)| value.into_owned())
}

/// Whether a host can only be this machine.
fn is_this_machine(authority: &Authority) -> bool {
    let host = authority.host().to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host.ends_with(".localhost")
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}
