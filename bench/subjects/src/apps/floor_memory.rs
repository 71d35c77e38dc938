//! The floor of sessions in memory: a map behind a lock, and nothing around it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use axum::{
    Router,
    extract::{Request, State},
    routing::get,
};

use super::floor::{self, Answer};
use crate::{
    Failure,
    content::{self, LIFETIME, MIDDLE},
};

/// Opens it.
///
/// # Errors
///
/// None.
pub async fn open(_: &str) -> Result<Router, Failure> {
    Ok(Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/login", get(login))
        .route("/fill/twenty", get(fill_twenty))
        .route("/fill/large", get(fill_large))
        .route("/read_many", get(read_many))
        .with_state(Sessions::default()))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read(State(sessions): State<Sessions>, request: Request) -> String {
    let mut map = sessions.lock();
    let visits = entry(&mut map, &request).map(|entry| floor::visits(&entry.json));
    visits.unwrap_or_default().to_string()
}

async fn write(State(sessions): State<Sessions>, request: Request) -> Answer<String> {
    if let Some(entry) = entry(&mut sessions.lock(), &request) {
        let visits = floor::visits(&entry.json) + 1;
        *entry = Entry::new(floor::with_visits(&entry.json, visits));
        return Ok((None, visits.to_string()));
    }
    sessions.add(floor::with_visits(b"", 1), "1".to_owned())
}

async fn login(State(sessions): State<Sessions>, request: Request) -> Answer<&'static str> {
    let old = floor::cookie(request.headers()).and_then(|id| sessions.lock().remove(id));
    let json = old.filter(Entry::is_alive).map(|entry| entry.json);
    sessions.add(floor::with_user(&json.unwrap_or_default()), "ok")
}

async fn fill_twenty(State(sessions): State<Sessions>) -> Answer<&'static str> {
    sessions.add(floor::filled(content::twenty()), "ok")
}

async fn fill_large(State(sessions): State<Sessions>) -> Answer<&'static str> {
    sessions.add(floor::filled(content::large()), "ok")
}

async fn read_many(State(sessions): State<Sessions>, request: Request) -> String {
    let mut map = sessions.lock();
    let length = entry(&mut map, &request).map(|entry| floor::length(&entry.json, MIDDLE));
    length.unwrap_or_default().to_string()
}

#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<Map>>);

type Map = HashMap<String, Entry>;

struct Entry {
    json: Vec<u8>,
    expires: Instant,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Map> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a session under a new id.
    fn add<B>(&self, json: Vec<u8>, body: B) -> Answer<B> {
        let id = floor::new_id()?;
        let cookie = floor::set_cookie(&id)?;
        self.lock().insert(id, Entry::new(json));
        Ok((cookie, body))
    }
}

impl Entry {
    fn new(json: Vec<u8>) -> Self {
        let expires = Instant::now() + LIFETIME;
        Self { json, expires }
    }

    fn is_alive(&self) -> bool {
        self.expires > Instant::now()
    }
}

fn entry<'map>(map: &'map mut Map, request: &Request) -> Option<&'map mut Entry> {
    let id = floor::cookie(request.headers())?;
    map.get_mut(id).filter(|entry| entry.is_alive())
}
