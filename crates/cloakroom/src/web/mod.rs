//! Doors to web frameworks. Each knows one framework and the manager.

#[cfg(feature = "axum")]
pub(crate) mod axum;
mod slot;
#[cfg(feature = "minijinja")]
pub mod template;
pub(crate) mod tower;
