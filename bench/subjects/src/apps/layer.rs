//! A tower layer that does nothing: what having any middleware at all costs in axum.

use std::task::{Context, Poll};

use axum::{Router, extract::Request};
use tower::{Service, layer::layer_fn};

use super::bare_axum;
use crate::Failure;

/// Opens it.
///
/// # Errors
///
/// None.
pub async fn open(_: &str) -> Result<Router, Failure> {
    Ok(bare_axum::routes().layer(layer_fn(Nothing)))
}

#[derive(Clone)]
struct Nothing<S>(S);

impl<S: Service<Request>> Service<Request> for Nothing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        self.0.call(request)
    }
}
