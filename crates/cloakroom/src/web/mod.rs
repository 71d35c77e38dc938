//! Doors to web frameworks. Each knows one framework and the manager.

#[cfg(feature = "axum")]
pub(crate) mod axum;
pub(crate) mod clear_site_data;
pub mod csrf;
#[cfg(feature = "inspector")]
pub mod inspector;
mod slot;
#[cfg(feature = "minijinja")]
pub mod template;
pub(crate) mod tower;
