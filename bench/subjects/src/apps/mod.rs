//! One file for each subject, or for those that differ in one line. Each reads from top to bottom: how the sessions are set up, as the
//! library's documentation says, and the handlers.

pub mod actix_session;
pub mod axum_extra;
pub mod axum_session;
pub mod bare_actix;
pub mod bare_axum;
pub mod cloakroom;
pub mod extension;
pub mod floor_cookie;
pub mod floor_memory;
pub mod floor_postgres;
pub mod floor_redis;
pub mod layer;
pub mod tower_sessions;
pub mod tower_sessions_stores;

mod floor;
mod floor_store;
