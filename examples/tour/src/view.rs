//! Templates: parsed once, rendered with Flask's own names in them.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Response};
use cloakroom::store::Store;
use cloakroom::template::Globals;
use minijinja::{Environment, Value, context};

use crate::Tour;
use crate::failure::Failure;
use crate::pages::{STOPS, Stop};

/// What a page answers.
pub(crate) type Page = Result<Html<String>, Failure>;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../templates/", $name)))),*]
    };
}

/// All templates of the tour.
#[derive(Clone)]
pub(crate) struct Templates(Arc<Environment<'static>>);

impl Templates {
    pub(crate) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        for (name, source) in templates![
            "account.html",
            "answer.html",
            "base.html",
            "cookies.html",
            "counter.html",
            "devices.html",
            "error.html",
            "flash.html",
            "home.html",
            "login.html",
            "name.html",
            "panel.html",
            "remember.html",
            "store.html",
            "tamper.html",
            "todo.html",
        ] {
            environment.add_template(name, source)?;
        }
        let stops: Vec<Value> = STOPS.iter().map(|stop| Stop::outline(stop)).collect();
        environment.add_global("pages", stops);
        Ok(Self(Arc::new(environment)))
    }

    pub(crate) fn render(&self, name: &str, context: Value) -> Result<String, minijinja::Error> {
        self.0.get_template(name)?.render(context)
    }

    /// A page that has no session to look into.
    pub(crate) fn error_page(
        &self,
        status: StatusCode,
        title: &str,
        explanation: &str,
    ) -> Response {
        let context = context! {
            page => context! { title },
            request => context! { cookies => context! {} },
            explanation,
        };
        match self.render("error.html", context) {
            Ok(html) => (status, Html(html)).into_response(),
            Err(_) => (status, explanation.to_owned()).into_response(),
        }
    }
}

/// Renders a page of the tour. As in Flask, its template has `session`, `get_flashed_messages` and `request.cookies`.
pub(crate) struct View {
    templates: Templates,
    globals: Globals,
    page: Value,
    /// What the store is called; none if sessions live in the cookie.
    store: Option<&'static str>,
    encrypted: bool,
}

impl View {
    pub(crate) fn render(self, template: &str, context: Value) -> Page {
        let globals = context! { page => self.page, store => self.store, encrypted => self.encrypted, ..self.globals.into_value() };
        let html = self
            .templates
            .render(template, context! { ..context, ..globals })?;
        Ok(Html(html))
    }
}

impl FromRequestParts<Tour> for View {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, tour: &Tour) -> Result<Self, Response> {
        let globals = Globals::from_request_parts(parts, tour)
            .await
            .map_err(IntoResponse::into_response)?;
        let OriginalUri(uri) = OriginalUri::from_request_parts(parts, tour)
            .await
            .unwrap_or_else(|never| match never {});
        let page = Stop::at(uri.path()).map_or_else(Value::default, Stop::describe);
        Ok(Self {
            templates: tour.templates.clone(),
            globals,
            page,
            store: tour.sessions.store().map(Store::name),
            encrypted: tour.place.is_encrypted(),
        })
    }
}
