//! Sessions and cookies for Rust web services, the same as Flask's on the wire.

mod http_date;
pub mod json;
pub mod value;
