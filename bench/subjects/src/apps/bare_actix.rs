//! actix-web without sessions: what the others on it cost more than is their price.

use actix_web::{App, web};

use crate::{
    Failure,
    actix::{Running, Ways, run},
};

/// Runs it.
///
/// # Errors
///
/// There is no port.
pub async fn open(_: &str, way: Ways) -> Result<Running, Failure> {
    run(way, || App::new().configure(routes)).await
}

fn routes(application: &mut web::ServiceConfig) {
    application
        .route("/plain", web::get().to(plain))
        .route("/read", web::get().to(read))
        .route("/write", web::get().to(write))
        .route("/login", web::get().to(plain))
        .route("/fill/twenty", web::get().to(plain))
        .route("/fill/large", web::get().to(plain))
        .route("/read_many", web::get().to(read_many));
}

async fn plain() -> &'static str {
    "ok"
}

async fn read() -> String {
    0.to_string()
}

async fn write() -> String {
    1.to_string()
}

async fn read_many() -> String {
    7.to_string()
}
