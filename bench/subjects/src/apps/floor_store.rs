//! The floor of sessions in a database: the driver's calls and nothing around them. The calls are those that Cloakroom makes for the
//! same request, with what makes them safe (a write compares, an id that was given up stays buried), so that its own work is what is
//! left.

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    routing::get,
};

use super::floor::{self, Answer};
use crate::content::{self, MIDDLE};

/// A database's calls.
pub(super) trait Driver: Clone + Send + Sync + 'static {
    /// The session that lives under this id.
    fn load(&self, id: &str) -> impl Future<Output = Result<Option<Vec<u8>>, StatusCode>> + Send;
    /// Puts a session under an id that nobody has.
    fn create(&self, id: &str, json: &[u8]) -> impl Future<Output = Result<(), StatusCode>> + Send;
    /// Puts `json` in the place of `base`. False if something else is there.
    fn replace(
        &self,
        id: &str,
        base: &[u8],
        json: &[u8],
    ) -> impl Future<Output = Result<bool, StatusCode>> + Send;
    /// Ends it, so that no request that is under way brings it back.
    fn delete(&self, id: &str) -> impl Future<Output = Result<(), StatusCode>> + Send;
}

pub(super) fn routes<D: Driver>(driver: D) -> Router {
    Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read::<D>))
        .route("/write", get(write::<D>))
        .route("/login", get(login::<D>))
        .route("/fill/twenty", get(fill_twenty::<D>))
        .route("/fill/large", get(fill_large::<D>))
        .route("/read_many", get(read_many::<D>))
        .with_state(driver)
}

async fn plain() -> &'static str {
    "ok"
}

async fn read<D: Driver>(State(driver): State<D>, request: Request) -> Result<String, StatusCode> {
    let json = load(&driver, floor::cookie(request.headers())).await?;
    Ok(floor::visits(&json.unwrap_or_default()).to_string())
}

async fn write<D: Driver>(State(driver): State<D>, request: Request) -> Answer<String> {
    let id = floor::cookie(request.headers());
    while let (Some(id), Some(json)) = (id, load(&driver, id).await?) {
        let visits = floor::visits(&json) + 1;
        let changed = floor::with_visits(&json, visits);
        if driver.replace(id, &json, &changed).await? {
            return Ok((None, visits.to_string()));
        }
    }
    add(&driver, &floor::with_visits(b"", 1), "1".to_owned()).await
}

async fn login<D: Driver>(State(driver): State<D>, request: Request) -> Answer<&'static str> {
    let old = floor::cookie(request.headers());
    let json = load(&driver, old).await?;
    let answer = add(&driver, &floor::with_user(&json.unwrap_or_default()), "ok").await;
    if let Some(old) = old {
        driver.delete(old).await?;
    }
    answer
}

async fn fill_twenty<D: Driver>(State(driver): State<D>) -> Answer<&'static str> {
    add(&driver, &floor::filled(content::twenty()), "ok").await
}

async fn fill_large<D: Driver>(State(driver): State<D>) -> Answer<&'static str> {
    add(&driver, &floor::filled(content::large()), "ok").await
}

async fn read_many<D: Driver>(
    State(driver): State<D>,
    request: Request,
) -> Result<String, StatusCode> {
    let json = load(&driver, floor::cookie(request.headers())).await?;
    Ok(floor::length(&json.unwrap_or_default(), MIDDLE).to_string())
}

async fn load<D: Driver>(driver: &D, id: Option<&str>) -> Result<Option<Vec<u8>>, StatusCode> {
    match id {
        Some(id) => driver.load(id).await,
        None => Ok(None),
    }
}

async fn add<D: Driver, B>(driver: &D, json: &[u8], body: B) -> Answer<B> {
    let id = floor::new_id()?;
    driver.create(&id, json).await?;
    Ok((floor::set_cookie(&id)?, body))
}
