//! Tokens: text that the browser may hold and hand back, but not change.
//!
//! [`signed`] tokens can be read by everybody and written only with the key; they are itsdangerous' own. Their building
//! blocks, [`base64`] and the [`payload`] coding, are here as well. `encrypted` tokens (with the feature of that name) can
//! neither be read nor written without the key.

pub mod base64;
mod compress;
mod deflate_bound;
#[cfg(feature = "encrypted")]
pub(crate) mod derive;
#[cfg(feature = "encrypted")]
pub mod encrypted;
pub mod payload;
pub mod signed;

pub use base64::Leniency;
