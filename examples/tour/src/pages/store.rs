//! One's own session in both forms: the cookie that it is or would be, and the entry of a store.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use cloakroom::store::{MemoryStore, Store};
use cloakroom::{Keys, Session, SessionManager};
use minijinja::context;

use super::Stop;
use crate::failure::Failure;
use crate::panel::{dump, shortened};
use crate::view::{Page, View};
use crate::{Place, Tour, config};

pub(super) static STOP: Stop = Stop {
    path: "/store",
    label: "Cookie or store?",
    title: "Cookie or store?",
    teaches: Some("your session in both forms, side by side"),
    file: "pages/store.rs",
    rust: include_str!("store.rs"),
    flask: include_str!("../../flask/store.py"),
};

pub(super) fn routes() -> Router<Tour> {
    Router::new().route("/store", get(show))
}

/// How much of a long cookie the page shows.
const MOST: usize = 400;

async fn show(State(tour): State<Tour>, session: Session, view: View) -> Page {
    if session.is_empty() {
        return view.render("store.html", context! {});
    }
    let (cookie, id, entry) = both(tour.keys, tour.place, &session).await?;
    let id = match tour.sessions.store() {
        // Its real one, once it has one.
        Some(_) => tour.sessions.cookie_value(&session).unwrap_or(id),
        None => id,
    };
    let shown: String = cookie.chars().take(MOST).collect();
    let cut = shown.len() < cookie.len();
    let size = |value: &str| "session".len() + value.len();
    let in_cookie =
        context! { shown, cut, size => size(&cookie), holds => session.to_tagged_json() };
    let in_store = context! { id => shortened(&id), size => size(&id), entry => dump(&entry), bytes => entry.len() };
    view.render("store.html", context! { in_cookie, in_store })
}

// shown: begin
/// The same session as a cookie, and as an id and an entry.
async fn both(
    keys: Keys,
    place: Place,
    session: &Session,
) -> Result<(String, String, Vec<u8>), Failure> {
    let store = Store::from(MemoryStore::new());
    let (in_cookie, in_store) = match place {
        Place::SignedCookie | Place::Store => (
            SessionManager::signed(keys, config(Place::SignedCookie))?,
            SessionManager::stored(store.clone(), config(Place::Store))?,
        ),
        Place::EncryptedCookie | Place::SealedStore => (
            SessionManager::encrypted(keys, config(Place::EncryptedCookie))?,
            SessionManager::stored(store.clone(), config(Place::SealedStore))?,
        ),
    };

    let copy = copied(session, &in_cookie)?;
    let cookie = in_cookie.cookie_value(&copy).unwrap_or_default();

    let copy = copied(session, &in_store)?;
    copy.save().await?;
    let id = in_store.cookie_value(&copy).unwrap_or_default();
    let key = in_store.store_key(&copy).unwrap_or_default();
    let record = store.load(&key).await.map_err(|_| Failure::Panel)?;
    let entry = record.map(|record| record.value.to_vec());
    Ok((cookie, id, entry.unwrap_or_default()))
}
// shown: end

fn copied(session: &Session, into: &SessionManager) -> Result<Session, Failure> {
    let copy = into.new_session();
    for (key, value) in &session.snapshot() {
        if let Some(key) = key.as_str() {
            copy.insert(key, value.clone())?;
        }
    }
    Ok(copy)
}
