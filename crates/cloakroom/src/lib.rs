//! Sessions and cookies for Rust web services, the same as Flask's on the wire.

pub mod cookie;
mod http_date;
pub mod json;
pub mod value;
