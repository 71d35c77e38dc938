//! axum-extra's cookie jars: no sessions, but what a small application may use in their place. The session is one cookie with a JSON
//! object, signed or encrypted. Nothing limits its age but the browser.

use axum::{
    Router,
    extract::{FromRef, FromRequestParts},
    http::StatusCode,
    response::IntoResponseParts,
    routing::get,
};
use axum_extra::extract::cookie::{Cookie, Key, PrivateCookieJar, SameSite, SignedCookieJar};
use serde_json::{Map, Value};

use crate::{
    Failure,
    content::{self, LIFETIME, LONGEST_COOKIE, MIDDLE, SECRET},
};

/// A cookie that the browser can read.
///
/// # Errors
///
/// None.
pub async fn signed(_: &str) -> Result<Router, Failure> {
    routes::<SignedCookieJar>()
}

/// A cookie that it cannot.
///
/// # Errors
///
/// None.
pub async fn private(_: &str) -> Result<Router, Failure> {
    routes::<PrivateCookieJar>()
}

/// The two jars have the same methods, but no trait.
trait Jar: FromRequestParts<Application> + IntoResponseParts + Send + 'static {
    fn get(&self, name: &str) -> Option<Cookie<'static>>;
    fn add(self, cookie: Cookie<'static>) -> Self;
}

impl Jar for SignedCookieJar {
    fn get(&self, name: &str) -> Option<Cookie<'static>> {
        self.get(name)
    }

    fn add(self, cookie: Cookie<'static>) -> Self {
        self.add(cookie)
    }
}

impl Jar for PrivateCookieJar {
    fn get(&self, name: &str) -> Option<Cookie<'static>> {
        self.get(name)
    }

    fn add(self, cookie: Cookie<'static>) -> Self {
        self.add(cookie)
    }
}

#[derive(Clone)]
struct Application {
    key: Key,
}

impl FromRef<Application> for Key {
    fn from_ref(application: &Application) -> Self {
        application.key.clone()
    }
}

fn routes<J: Jar>() -> Result<Router, Failure> {
    let key = Key::try_from(SECRET.as_bytes())?;
    Ok(Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read::<J>))
        .route("/write", get(write::<J>))
        .route("/login", get(login::<J>))
        .route("/fill/twenty", get(fill_twenty::<J>))
        .route("/fill/large", get(fill_large::<J>))
        .route("/read_many", get(read_many::<J>))
        .with_state(Application { key }))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read<J: Jar>(jar: J) -> String {
    visits(&session(&jar)).to_string()
}

async fn write<J: Jar>(jar: J) -> Result<(J, String), StatusCode> {
    let mut session = session(&jar);
    let visits = visits(&session) + 1;
    session.insert("visits".to_owned(), visits.into());
    Ok((keep(jar, &session)?, visits.to_string()))
}

async fn login<J: Jar>(jar: J) -> Result<(J, &'static str), StatusCode> {
    let mut session = session(&jar);
    session.insert("user".to_owned(), "alice".into());
    Ok((keep(jar, &session)?, "ok"))
}

async fn fill_twenty<J: Jar>(jar: J) -> Result<(J, &'static str), StatusCode> {
    let mut session = session(&jar);
    session.insert("visits".to_owned(), 1.into());
    session.extend(content::twenty().map(|(key, value)| (key, value.into())));
    Ok((keep(jar, &session)?, "ok"))
}

async fn fill_large<J: Jar>(jar: J) -> Result<(J, &'static str), StatusCode> {
    let mut session = Map::new();
    session.insert("visits".to_owned(), 1.into());
    session.extend(content::large().map(|(key, value)| (key, value.into())));
    let text = serde_json::to_string(&session).map_err(failed)?;
    // The jar takes it, but no browser would, even without the signature.
    if Cookie::new("session", text).encoded().to_string().len() > LONGEST_COOKIE {
        return Err(content::does_not_fit().await);
    }
    Ok((keep(jar, &session)?, "ok"))
}

async fn read_many<J: Jar>(jar: J) -> String {
    let session = session(&jar);
    let value = session.get(MIDDLE).and_then(Value::as_str);
    value.map_or(0, str::len).to_string()
}

fn session<J: Jar>(jar: &J) -> Map<String, Value> {
    let cookie = jar.get("session");
    cookie
        .and_then(|cookie| serde_json::from_str(cookie.value()).ok())
        .unwrap_or_default()
}

fn visits(session: &Map<String, Value>) -> u64 {
    session.get("visits").and_then(Value::as_u64).unwrap_or(0)
}

fn keep<J: Jar>(jar: J, session: &Map<String, Value>) -> Result<J, StatusCode> {
    let text = serde_json::to_string(session).map_err(failed)?;
    let lifetime = LIFETIME.try_into().map_err(failed)?;
    let cookie = Cookie::build(("session", text))
        .path("/")
        .http_only(true)
        .secure(true)
        .same_site(SameSite::Lax)
        .max_age(lifetime);
    Ok(jar.add(cookie.build()))
}

fn failed<E>(_: E) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}
