//! Sessions and cookies for Rust web services, the same as Flask's on the wire.

mod clock;
mod config;
pub mod cookie;
mod error;
pub mod format;
mod http_date;
pub mod json;
mod manager;
mod secret;
mod session;
pub mod testing;
pub mod token;
pub mod value;
mod web;

pub use clock::Clock;
pub use config::{ConfigError, CookieLimit, FlaskSettings, Refresh, SessionConfig};
pub use cookie::{Cookie, RequestCookies as Cookies, SameSite, SetCookie};
pub use error::Error;
pub use manager::SessionManager;
pub use secret::{KeyRing, SecretKey, SecretKeyError};
pub use session::{Flash, Key, Refusal, Session, SessionKey, Status, Typed, TypedKey};
pub use value::Value;
#[cfg(feature = "minijinja")]
pub use web::template;
pub use web::tower::{SessionFuture, SessionLayer, SessionService};
