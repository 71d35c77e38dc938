//! How applications on actix-web are run: as a server, or as a service that is called without a network. The type of such an application
//! says which middleware it has, so each is handed to [`run`] as what makes it.

use std::{fmt::Debug, net::Ipv4Addr};

use actix_http::Request;
use actix_service::{IntoServiceFactory, Service, ServiceExt, ServiceFactory, boxed};
use actix_web::{
    Error, HttpServer,
    body::{BoxBody, MessageBody},
    dev::{AppConfig, Server, ServiceResponse},
};

use crate::Failure;

/// The two ways to run an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ways {
    /// On a free port of 127.0.0.1.
    Server,
    /// In this process.
    Called,
}

/// An application that runs.
pub enum Running {
    /// It answers once this is awaited.
    Server(Server),
    /// Its service, in a box because its type says which middleware it has: one more allocation for each request, the same for all
    /// that are compared with each other.
    Called(Called),
}

/// What answers one request.
pub type Called = boxed::BoxService<Request, ServiceResponse<BoxBody>, Error>;

/// Runs an application. A server prints where it listens.
///
/// # Errors
///
/// There is no port.
pub(crate) async fn run<F, I, S, B>(way: Ways, application: F) -> Result<Running, Failure>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error>
        + 'static,
    S::InitError: Debug,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    match way {
        Ways::Server => {
            let server = HttpServer::new(application)
                .workers(1)
                .tcp_nodelay(true)
                .disable_signals()
                .bind((Ipv4Addr::LOCALHOST, 0))?;
            for address in server.addrs() {
                println!("listening on {address}");
            }
            Ok(Running::Server(server.run()))
        }
        Ways::Called => {
            let service = application()
                .into_factory()
                .new_service(AppConfig::default());
            let service = service.await.map_err(|error| format!("{error:?}"))?;
            let service = service.map(ServiceResponse::map_into_boxed_body);
            Ok(Running::Called(boxed::service(service)))
        }
    }
}
