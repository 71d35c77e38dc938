//! Sessions and cookies for Rust web services, the same as Flask's on the wire.

mod secret;

pub use secret::{KeyRing, SecretKey, SecretKeyError};
pub mod token;
