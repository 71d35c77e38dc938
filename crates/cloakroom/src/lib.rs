//! Sessions and cookies for Rust web services, the same as Flask's on the wire.

pub mod cookie;
mod error;
pub mod format;
mod http_date;
pub mod json;
mod secret;
pub mod token;
pub mod value;

pub use secret::{KeyRing, SecretKey, SecretKeyError};
