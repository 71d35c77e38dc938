//! A layer that hands each request one shared pointer and does nothing else: what any layer costs that has something for handlers. It is
//! the fourth thing in axum's map of extensions, which grows for it.

use std::sync::Arc;

use axum::{Extension, Router};

use super::bare_axum;
use crate::Failure;

/// Opens it.
///
/// # Errors
///
/// None.
pub async fn open(_: &str) -> Result<Router, Failure> {
    Ok(bare_axum::routes().layer(Extension(Arc::new(()))))
}
