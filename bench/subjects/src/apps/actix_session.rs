//! actix-session, set up as its README does it.

use ::actix_session::{
    Session, SessionInsertError, SessionMiddleware,
    config::{CookieContentSecurity, PersistentSession},
    storage::{CookieSessionStore, RedisSessionStore, SessionStore},
};
use actix_web::{
    App, HttpResponse,
    cookie::{Key, time::Duration},
    web,
};

use crate::{
    Failure,
    actix::{Running, Ways, run},
    content::{self, LIFETIME, MIDDLE, SECRET},
};

/// Sessions in a signed cookie.
///
/// # Errors
///
/// There is no port.
pub async fn signed(_: &str, way: Ways) -> Result<Running, Failure> {
    in_cookie(way, CookieContentSecurity::Signed).await
}

/// Sessions in an encrypted cookie.
///
/// # Errors
///
/// There is no port.
pub async fn private(_: &str, way: Ways) -> Result<Running, Failure> {
    in_cookie(way, CookieContentSecurity::Private).await
}

async fn in_cookie(way: Ways, security: CookieContentSecurity) -> Result<Running, Failure> {
    run(way, move || {
        App::new()
            .wrap(sessions(CookieSessionStore::default(), security))
            .configure(|application| routes(application, web::get().to(does_not_fit)))
    })
    .await
}

/// Sessions in Redis. The cookie with their id is encrypted, as the library does unless told otherwise.
///
/// # Errors
///
/// There is no port, or no server at this URL.
pub async fn redis(url: &str, way: Ways) -> Result<Running, Failure> {
    let store = RedisSessionStore::new(url).await?;
    run(way, move || {
        App::new()
            .wrap(sessions(store.clone(), CookieContentSecurity::Private))
            .configure(|application| routes(application, web::get().to(fill_large)))
    })
    .await
}

fn sessions<S: SessionStore>(store: S, security: CookieContentSecurity) -> SessionMiddleware<S> {
    let lifetime = Duration::try_from(LIFETIME).unwrap_or(Duration::HOUR);
    SessionMiddleware::builder(store, Key::from(SECRET.as_bytes()))
        .cookie_content_security(security)
        .session_lifecycle(PersistentSession::default().session_ttl(lifetime))
        .build()
}

fn routes(application: &mut web::ServiceConfig, fill_large: actix_web::Route) {
    application
        .route("/plain", web::get().to(plain))
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/login", web::get().to(login))
        .route("/fill/twenty", web::get().to(fill_twenty))
        .route("/fill/large", fill_large)
        .route("/read_many", web::get().to(read_many));
}

async fn plain() -> &'static str {
    "ok"
}

async fn read(session: Session) -> actix_web::Result<String> {
    let visits: u64 = session.get("visits")?.unwrap_or(0);
    Ok(visits.to_string())
}

async fn write(session: Session) -> actix_web::Result<String> {
    let visits: u64 = session.get("visits")?.unwrap_or(0);
    session.insert("visits", visits + 1)?;
    Ok((visits + 1).to_string())
}

async fn login(session: Session) -> actix_web::Result<&'static str> {
    session.renew();
    session.insert("user", "alice")?;
    Ok("ok")
}

async fn fill_twenty(session: Session) -> actix_web::Result<&'static str> {
    Ok(fill(&session, content::twenty())?)
}

async fn fill_large(session: Session) -> actix_web::Result<&'static str> {
    Ok(fill(&session, content::large())?)
}

/// As JSON with JSON in it, and escaped in the cookie, the large session is larger than browsers take.
async fn does_not_fit() -> HttpResponse {
    HttpResponse::InsufficientStorage().finish()
}

fn fill(
    session: &Session,
    entries: impl Iterator<Item = (String, String)>,
) -> Result<&'static str, SessionInsertError> {
    session.insert("visits", 1)?;
    for (key, value) in entries {
        session.insert(key, value)?;
    }
    Ok("ok")
}

async fn read_many(session: Session) -> actix_web::Result<String> {
    let value: String = session.get(MIDDLE)?.unwrap_or_default();
    Ok(value.len().to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use actix_web::cookie::Cookie;

    use crate::content::{self, LONGEST_COOKIE};

    #[test]
    fn the_large_session_does_not_fit() {
        let state: HashMap<String, String> = content::large()
            .map(|(key, value)| (key, format!("{value:?}")))
            .collect();
        let text = serde_json::to_string(&state).unwrap();
        // The content alone, without the signature and before encryption.
        assert!(text.len() * 4 / 3 > LONGEST_COOKIE);
        assert!(Cookie::new("id", text).encoded().to_string().len() > LONGEST_COOKIE);
    }
}
