use std::hint::black_box;

use actix_http::Request as ActixRequest;
use actix_web::{dev::Service as _, test::TestRequest};
use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{
        StatusCode,
        header::{COOKIE, HOST, SET_COOKIE, USER_AGENT},
    },
};
use plan::Scenario;
use subjects::{
    Entry, Failure, Subject,
    actix::{Called, Running, Ways},
};
use tokio::{
    runtime::{self, Runtime},
    task::unconstrained,
};
use tower::ServiceExt;

use crate::jar::Jar;

/// A subject that is open, called as the server's connections call it.
pub(crate) struct Service {
    application: Application,
    /// Its own: what the subject leaves running in the background ends with it.
    runtime: Runtime,
}

enum Application {
    Axum(Router),
    Actix(Called),
}

/// Requests that are made beforehand and wait to be measured.
pub(crate) enum Requests {
    Axum(Vec<Request>),
    Actix(Vec<ActixRequest>),
}

impl Service {
    pub(crate) fn open(subject: &Subject, store: &str) -> Result<Self, Failure> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let application = match subject.entry {
            Entry::Axum(open) => {
                let router = runtime.block_on(open(store))?;
                // As `axum::serve` does: what else would be made anew for each request is made once.
                let _inside = runtime.enter();
                Application::Axum(router.with_state::<()>(()))
            }
            Entry::Actix(start) => match runtime.block_on(start(store, Ways::Called))? {
                Running::Called(service) => Application::Actix(service),
                Running::Server(_) => return Err("a server was not asked for".into()),
            },
        };
        Ok(Self {
            application,
            runtime,
        })
    }

    /// The requests of a scenario, with the sessions they need. None if this subject cannot hold such a session.
    pub(crate) fn requests(
        &self,
        scenario: Scenario,
        count: u32,
    ) -> Result<Option<Requests>, Failure> {
        let visitors = match scenario == Scenario::Login {
            true => count,
            false => count.min(VISITORS),
        };
        let mut cookies = Vec::new();
        for _ in 0..visitors {
            let mut jar = Jar::default();
            if let Some(path) = scenario.preparation()
                && !self.visit(path, &mut jar)?
            {
                return Ok(None);
            }
            cookies.push(jar.header());
        }
        let path = scenario.measured();
        let each = cookies
            .iter()
            .map(Option::as_deref)
            .cycle()
            .take(count as usize);
        Ok(Some(match self.application {
            Application::Axum(_) => {
                let each = each.map(|cookies| request(path, cookies));
                Requests::Axum(each.collect::<Result<_, _>>()?)
            }
            Application::Actix(_) => {
                Requests::Actix(each.map(|cookies| actix_request(path, cookies)).collect())
            }
        }))
    }

    /// One request of a browser. False if the session is more than this subject can hold.
    pub(crate) fn visit(&self, path: &str, jar: &mut Jar) -> Result<bool, Failure> {
        let cookies = jar.header();
        let status = match &self.application {
            Application::Axum(router) => {
                let request = request(path, cookies.as_deref())?;
                let response = self.runtime.block_on(router.clone().oneshot(request))?;
                let set = response.headers().get_all(SET_COOKIE).iter();
                jar.take(set.filter_map(|value| value.to_str().ok()));
                response.status().as_u16()
            }
            Application::Actix(service) => {
                let request = actix_request(path, cookies.as_deref());
                let response = self
                    .runtime
                    .block_on(service.call(request))
                    .map_err(|error| format!("{path}: {error}"))?;
                let set = response.headers().get_all("set-cookie");
                jar.take(set.filter_map(|value| value.to_str().ok()));
                response.status().as_u16()
            }
        };
        match status {
            200 => Ok(true),
            507 => Ok(false),
            other => Err(format!("{path} was answered with {other}").into()),
        }
    }

    /// Answers the requests one after the other: what is measured. It has a frame of its own so that a profiler can be told to look at
    /// nothing else (`--toggle-collect='*answer_all*'`).
    #[inline(never)]
    pub(crate) fn answer_all(&self, requests: Requests) -> Result<(), Failure> {
        // Unconstrained, because tokio would make one long task of many requests wait for others now and then.
        self.runtime.block_on(unconstrained(async {
            match (&self.application, requests) {
                (Application::Axum(router), Requests::Axum(requests)) => {
                    for request in requests {
                        // As hyper's service for tower's calls it, once for each request of a connection.
                        let response = router.clone().oneshot(request).await?;
                        if black_box(response).status() != StatusCode::OK {
                            return Err(NOT_OK.into());
                        }
                    }
                }
                (Application::Actix(service), Requests::Actix(requests)) => {
                    for request in requests {
                        let response = service.call(request).await;
                        let response = response.map_err(|error| error.to_string())?;
                        if black_box(response).status() != 200 {
                            return Err(NOT_OK.into());
                        }
                    }
                }
                (Application::Axum(_), Requests::Actix(_))
                | (Application::Actix(_), Requests::Axum(_)) => {
                    return Err("the requests are for another framework".into());
                }
            }
            Ok(())
        }))
    }
}

/// How many sessions the requests share: what a random id or an encrypted cookie happens to look like differs.
const VISITORS: u32 = 50;

const NOT_OK: &str = "a measured request was not answered with 200";

/// With the headers that any client sends.
fn request(path: &str, cookies: Option<&str>) -> Result<Request, Failure> {
    let mut request = Request::get(path)
        .header(HOST, "127.0.0.1:8000")
        .header(USER_AGENT, "in-process");
    if let Some(cookies) = cookies {
        request = request.header(COOKIE, cookies);
    }
    Ok(request.body(Body::empty())?)
}

fn actix_request(path: &str, cookies: Option<&str>) -> ActixRequest {
    let mut request = TestRequest::with_uri(path)
        .insert_header(("host", "127.0.0.1:8000"))
        .insert_header(("user-agent", "in-process"));
    if let Some(cookies) = cookies {
        request = request.insert_header(("cookie", cookies));
    }
    request.to_request()
}
