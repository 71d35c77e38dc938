//! Cookies: the `Cookie` header in, `Set-Cookie` out.
//!
//! A service that shares a site with a Flask application has to read and write cookies exactly as Flask does, or the two
//! lose each other's values. This module speaks the dialect of Werkzeug 3.1.9, the library under Flask, and by default adds
//! the rules that browsers enforce silently and Werkzeug does not check, so that a cookie which no browser would keep is an
//! error here and not a mystery there.
//!
//! - [`RequestCookies`] is what the browser sent.
//! - [`Cookie`] is a name with its attributes, written once; [`Cookie::set`] and [`Cookie::delete`] both use them, so a
//!   deletion always hits the cookie that was set.
//! - [`Rules`] chooses between the strict rules and Werkzeug's own.
//!
//! ```
//! use std::time::Duration;
//! use cloakroom::cookie::{Cookie, RequestCookies};
//!
//! let cookie = Cookie::new("username").max_age(Duration::from_secs(3600)).secure(true);
//! let set = cookie.set("Ada Lovelace")?;
//! assert!(set.header_value().to_str()?.starts_with(r#"username="Ada Lovelace"; Expires="#));
//!
//! let mut headers = http::HeaderMap::new();
//! headers.insert(http::header::COOKIE, r#"theme=dark; username="Ada Lovelace""#.parse()?);
//! assert_eq!(RequestCookies::parse(&headers).get("username"), Some("Ada Lovelace"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod date;
mod domain;
mod error;
mod find;
mod prepare;
#[cfg(feature = "idna")]
mod punycode;
mod quote;
mod read;
mod received;
mod rules;
mod same_site;
mod scan;
mod write;

pub use error::CookieError;
pub use read::{Iter, RequestCookies};
pub use rules::{MAX_ATTRIBUTE_SIZE, MAX_COOKIE_SIZE, MAX_LIFETIME, Rules};
pub use same_site::SameSite;
pub use write::{Cookie, SetCookie};

pub(crate) use find::find_all;
pub(crate) use prepare::PreparedCookie;
pub(crate) use received::{Dropped, Received};
pub(crate) use rules::PrefixRule;
pub(crate) use write::insert_set_cookie;
