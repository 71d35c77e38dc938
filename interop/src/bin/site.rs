//! A web server with sessions in a store, for tests beside Flask-Session.
//!
//! `SITE` holds its settings as JSON and `PORT` says where it listens. Requests say what to do to the session:
//! `/do/OPERATION` at once, `/slow/GATE/OPERATION` after the session was opened and the gate too.
//! `flask_session_app.py` answers to the same.

use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use cloakroom::format::{Serialization, TaggedJson};
use cloakroom::store::{
    DynamoDbStore, FileStore, MemcachedStore, MySqlStore, PostgresStore, RedisStore, SqliteStore,
    Store,
};
use cloakroom::{KeyRing, Layout, Refresh, SecretKey, Session, SessionConfig, SessionLayer, Value};
use serde::Deserialize;
use tokio::sync::Semaphore;

#[derive(Deserialize)]
struct Settings {
    store: Kind,
    /// Where the store is; a folder for files.
    url: String,
    table: Option<String>,
    /// Whether this server makes the table.
    make_table: bool,
    serialization: String,
    key_prefix: String,
    /// Signs ids if given.
    secret_key: Option<String>,
    fallback_keys: Vec<String>,
    /// In seconds.
    lifetime: u64,
    permanent: bool,
    profile: Profile,
    refresh_each_request: bool,
    cookie_path: String,
    /// What entries look like, and what they may look like as well; Flask's unless given.
    #[serde(default)]
    layouts: Vec<EntryLayout>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EntryLayout {
    Flask,
    Native,
    Sealed,
}

impl From<EntryLayout> for Layout {
    fn from(layout: EntryLayout) -> Self {
        match layout {
            EntryLayout::Flask => Self::Flask,
            EntryLayout::Native => Self::Native,
            EntryLayout::Sealed => Self::Sealed,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Redis,
    Memcached,
    Filesystem,
    Cachelib,
    Sqlite,
    Postgres,
    Mysql,
    Dynamodb,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Profile {
    Flask,
    /// Cloakroom's own defaults, but for `Secure`: the tests have no TLS.
    Default,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings: Settings = serde_json::from_str(&env::var("SITE")?)?;
    let port: u16 = env::var("PORT")?.parse()?;
    let sessions = SessionLayer::stored_with(settings.store().await?, settings.config()?)?;
    let site = Router::new()
        .route("/do/{*operation}", any(act))
        .route("/slow/{gate}/{*operation}", any(act_slowly))
        .layer(sessions)
        .route("/gate/{gate}/{action}", post(gate))
        .with_state(Gates::default());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, site).await?;
    Ok(())
}

impl Settings {
    fn config(&self) -> Result<SessionConfig, Box<dyn Error>> {
        let refresh = if self.refresh_each_request {
            Refresh::EachRequest
        } else {
            Refresh::OnChange
        };
        let profile = match self.profile {
            Profile::Flask => SessionConfig::flask(),
            Profile::Default => SessionConfig::default().secure(false),
        };
        let config = profile
            .key_prefix(&self.key_prefix)
            .serialization(self.serialization.parse::<Serialization>()?)
            .path(&self.cookie_path)
            .lifetime(Duration::from_secs(self.lifetime))
            .permanent_by_default(self.permanent)
            .refresh(refresh);
        let config = match self.layouts[..] {
            [] => config,
            [layout] => config.layout(layout.into()),
            [layout, accepted, ..] => config.layout(layout.into()).accept_layout(accepted.into()),
        };
        Ok(match &self.secret_key {
            Some(key) => {
                let signing = KeyRing::new(SecretKey::new(key)?);
                let keys = self.fallback_keys.iter().try_fold(signing, |keys, old| {
                    SecretKey::new(old).map(|old| keys.fallback(old))
                })?;
                config.sign_ids(keys)
            }
            None => config,
        })
    }

    async fn store(&self) -> Result<Store, Box<dyn Error>> {
        let url = &self.url;
        let table = self.table.as_deref().unwrap_or("sessions");
        let store: Store = match self.store {
            Kind::Redis => RedisStore::connect(url).await?.into(),
            Kind::Memcached => MemcachedStore::connect(url).await?.into(),
            Kind::Filesystem | Kind::Cachelib => FileStore::cachelib(url)?.into(),
            Kind::Sqlite => {
                let store = SqliteStore::connect(url).await?.table(table)?;
                if self.make_table {
                    store.migrate().await?;
                }
                store.into()
            }
            Kind::Postgres => {
                let store = PostgresStore::connect(url).await?.table(table)?;
                if self.make_table {
                    store.migrate().await?;
                }
                store.into()
            }
            Kind::Mysql => {
                let store = MySqlStore::connect(url).await?.table(table)?;
                if self.make_table {
                    store.migrate().await?;
                }
                store.into()
            }
            Kind::Dynamodb => {
                let url = format!("dynamodb://test:test@us-west-2/{table}?endpoint={url}");
                let store = DynamoDbStore::connect(&url).await?;
                if self.make_table {
                    store.create_table().await?;
                }
                store.into()
            }
        };
        // A busy machine is no outage.
        Ok(store.timeout(Duration::from_secs(10)))
    }
}

/// Where slow requests wait, by name.
#[derive(Clone, Default)]
struct Gates(Arc<Mutex<HashMap<String, Arc<Gate>>>>);

struct Gate {
    /// A permit for each request that has come to the gate.
    reached: Semaphore,
    /// A permit for each that may go on.
    open: Semaphore,
}

impl Gates {
    fn named(&self, name: String) -> Arc<Gate> {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        gates.entry(name).or_default().clone()
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            reached: Semaphore::new(0),
            open: Semaphore::new(0),
        }
    }
}

/// Waits until a slow request has come to the gate, or lets one go on.
async fn gate(
    State(gates): State<Gates>,
    Path((name, action)): Path<(String, String)>,
) -> Result<(), Failure> {
    let gate = gates.named(name);
    match action.as_str() {
        "reached" => gate.reached.acquire().await?.forget(),
        "open" => gate.open.add_permits(1),
        _ => return Err(Failure::unknown(&action)),
    }
    Ok(())
}

async fn act(
    session: Session,
    Path(operation): Path<String>,
    body: String,
) -> Result<String, Failure> {
    perform(&session, &operation, &body)
}

async fn act_slowly(
    State(gates): State<Gates>,
    session: Session,
    Path((name, operation)): Path<(String, String)>,
    body: String,
) -> Result<String, Failure> {
    let gate = gates.named(name);
    gate.reached.add_permits(1);
    gate.open.acquire().await?.forget();
    perform(&session, &operation, &body)
}

fn perform(session: &Session, operation: &str, body: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = operation.split('/').collect();
    match parts.as_slice() {
        ["nothing"] => {}
        ["session"] => return Ok(session.to_tagged_json()),
        ["permanent"] => return Ok(session.permanent().to_string()),
        ["permanent", switch] => session.set_permanent(*switch == "on"),
        ["set"] => {
            let content = TaggedJson::new().from_slice(body.as_bytes())?;
            for (key, value) in content.as_dict().ok_or("a session is an object")? {
                session.insert(key.as_str().ok_or("keys of a session are text")?, value)?;
            }
        }
        ["copy"] => {
            for key in session.keys() {
                let value: Value = session.get(key.as_str())?.ok_or("a key has a value")?;
                session.insert(format!("{key} copied"), value)?;
            }
        }
        ["delete", key] => drop(session.remove(*key)),
        ["count"] => {
            let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
            return Ok(visits.to_string());
        }
        ["flash", category] => session.flash(*category, body),
        ["flashes"] => {
            let flashes = session.flashes();
            let shown: Vec<_> = flashes
                .iter()
                .map(|flash| [flash.category(), flash.message()])
                .collect();
            return Ok(serde_json::to_string(&shown)?);
        }
        ["login", user] => {
            session.regenerate();
            session.insert("user", *user)?;
        }
        ["regenerate"] => session.regenerate(),
        ["logout"] => session.clear(),
        _ => return Err(Failure::unknown(operation)),
    }
    Ok(String::new())
}

/// A response that says what went wrong.
struct Failure(Box<Response>);

impl Failure {
    fn unknown(what: &str) -> Self {
        (StatusCode::NOT_FOUND, format!("{what} is unknown"))
            .into_response()
            .into()
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Failure {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// A session's own error is the response that an application would give.
impl From<cloakroom::Error> for Failure {
    fn from(error: cloakroom::Error) -> Self {
        error.into_response().into()
    }
}

macro_rules! internal {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response().into()
            }
        }
    )*};
}
internal!(
    &str,
    cloakroom::json::JsonError,
    serde_json::Error,
    tokio::sync::AcquireError
);
