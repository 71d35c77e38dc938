//! Who may look: whoever has this run's token, from a page of this server, on this machine.

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};
use cloakroom::{Cookie, Cookies, SameSite, SecretKey};
use subtle::ConstantTimeEq;

use super::query::Fields;
use crate::output::Failure;

/// The secrets of one run.
pub(super) struct Guard {
    /// In the address that is printed.
    token: SecretKey,
    /// What a browser gets for it, so that no bookmark and no list of visited pages goes on letting anybody in.
    cookie: SecretKey,
}

/// What becomes of a request.
pub(super) enum Verdict {
    Admitted,
    /// It brings the token, and gets this cookie for it.
    Exchanged(HeaderValue),
    /// The reason, for people.
    Refused(&'static str),
}

impl Guard {
    pub(super) fn generate() -> Result<Self, Failure> {
        let generate = || SecretKey::generate().map_err(|error| Failure::Misuse(error.to_string()));
        Ok(Self {
            token: generate()?,
            cookie: generate()?,
        })
    }

    /// Where to look.
    pub(super) fn address(&self, port: u16) -> String {
        let token = String::from_utf8_lossy(self.token.expose_secret());
        format!("http://127.0.0.1:{port}/?token={token}")
    }

    pub(super) fn judge(&self, request: &Request) -> Verdict {
        let Some(host) = host(request).filter(is_this_machine) else {
            return Verdict::Refused(
                "This server answers under the names 127.0.0.1 and localhost only, so that no other site can point its \
                 own name here.",
            );
        };
        if is_public(request.uri().path()) {
            return Verdict::Admitted;
        }
        let name = cookie_name(&host);
        let given = Fields::of_query(request.uri().query());
        if request.uri().path() == "/"
            && let Some(token) = given.get("token")
        {
            return match (same(token, &self.token), self.cookie(&name)) {
                (true, Some(cookie)) => Verdict::Exchanged(cookie),
                _ => Verdict::Refused(STALE),
            };
        }
        match self.has_cookie(request.headers(), &name) {
            true => Verdict::Admitted,
            false => Verdict::Refused(
                "Only whoever has the address that cloakroom inspect printed may look. Open that address, with its \
                 token, in this browser.",
            ),
        }
    }

    fn has_cookie(&self, headers: &HeaderMap, name: &str) -> bool {
        let cookies = Cookies::parse(headers);
        let mut values = cookies.get_all(name);
        values.any(|value| same(value, &self.cookie))
    }

    /// For as long as the browser runs.
    fn cookie(&self, name: &str) -> Option<HeaderValue> {
        let cookie = Cookie::new(name.to_owned())
            .http_only(true)
            .same_site(SameSite::Strict);
        let value = String::from_utf8_lossy(self.cookie.expose_secret());
        cookie
            .set(value)
            .ok()
            .map(cloakroom::SetCookie::into_header_value)
    }
}

const STALE: &str = "This address is of another run of cloakroom inspect: each has a token of its own. Open the \
                     address that the one that runs now has printed.";

/// The look of the pages, which the page that refuses has too.
fn is_public(path: &str) -> bool {
    super::server::FILES.iter().any(|(name, ..)| *name == path)
}

/// Cookies do not know ports, so their name does: as the browser sees it, which a forwarded one may be.
fn cookie_name(host: &Authority) -> String {
    format!("cloakroom-inspect-{}", host.port_u16().unwrap_or(80))
}

fn same(given: &str, key: &SecretKey) -> bool {
    given.as_bytes().ct_eq(key.expose_secret()).into()
}

fn host(request: &Request) -> Option<Authority> {
    match request.uri().authority() {
        Some(authority) => Some(authority.clone()),
        None => request.headers().get(HOST)?.to_str().ok()?.parse().ok(),
    }
}

/// Whether nobody else's name server can have named it.
fn is_this_machine(host: &Authority) -> bool {
    ["127.0.0.1", "localhost", "[::1]"]
        .iter()
        .any(|name| host.host().eq_ignore_ascii_case(name))
}
