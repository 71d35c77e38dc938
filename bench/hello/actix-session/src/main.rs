//! The smallest application that counts visits with actix-session, which has no store unless a feature brings one: in an encrypted
//! cookie.

use actix_session::{Session, SessionMiddleware, storage::CookieSessionStore};
use actix_web::{App, HttpServer, Result, cookie::Key, web};

async fn counter(session: Session) -> Result<String> {
    let visits = session.get("visits")?.unwrap_or(0) + 1;
    session.insert("visits", visits)?;
    Ok(format!("Number of visits: {visits}"))
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let key = Key::generate();
    let app = move || {
        let sessions = SessionMiddleware::new(CookieSessionStore::default(), key.clone());
        App::new().wrap(sessions).route("/", web::get().to(counter))
    };
    HttpServer::new(app).bind(("127.0.0.1", 3000))?.run().await
}
