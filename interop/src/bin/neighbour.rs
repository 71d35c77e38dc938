//! A web server with Flask-WTF's tokens and Flask-Login's logins, for tests beside the real ones.
//!
//! All settings are Flask's, in `FLASK_…`; `PORT` says where it listens. `neighbours_app.py` answers to the same.

use std::env;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use cloakroom::csrf::{CsrfForm, CsrfLayer};
use cloakroom::flask_login::{Client, FlaskLogin, Remember, Visitor};
use cloakroom::template::Globals;
use cloakroom::{Cookies, FlaskSettings, Session, SessionLayer};
use minijinja::Environment;
use serde::Deserialize;

const TEMPLATE: &str = include_str!("../../templates/form.html");

#[derive(Clone)]
struct App {
    login: FlaskLogin,
    templates: Arc<Environment<'static>>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = FlaskSettings::from_env();
    let mut templates = Environment::new();
    templates.add_template("form.html", TEMPLATE)?;
    let app = App {
        login: settings.flask_login()?,
        templates: Arc::new(templates),
    };
    let site = Router::new()
        .route("/form", get(form).post(save))
        .route("/api", post(|| async { "Done" }))
        .route("/hook", post(|| async { "Done" }))
        .route("/who", get(who))
        .route("/login", post(login))
        .route("/private", get(private))
        .route("/next", get(wanted))
        .route("/confirm", post(confirm))
        .route("/logout", post(logout))
        .route(
            "/session",
            get(|session: Session| async move { session.to_tagged_json() }),
        )
        .layer(CsrfLayer::new(settings.csrf()?.exempt("/hook")))
        .layer(SessionLayer::from_flask(&settings).await?)
        .with_state(app);
    let port: u16 = env::var("PORT")?.parse()?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(
        listener,
        site.into_make_service_with_connect_info::<SocketAddr>(),
    )
    .await?;
    Ok(())
}

async fn form(State(app): State<App>, globals: Globals) -> Result<Html<String>, String> {
    let page = app
        .templates
        .get_template("form.html")
        .map_err(|error| error.to_string())?;
    let page = page
        .render(globals.into_value())
        .map_err(|error| error.to_string())?;
    Ok(Html(page))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Name {
    name: String,
}

async fn save(CsrfForm(form): CsrfForm<Name>) -> String {
    form.name
}

/// The visitor of a request, as an extractor of this application.
struct Current(Visitor);

impl FromRequestParts<App> for Current {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let peer: Option<IpAddr> = parts
            .extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(peer)| peer.ip());
        let session = Session::open(&parts.headers, &parts.extensions)
            .await
            .map_err(IntoResponse::into_response)?;
        let cookies = Cookies::parse(&parts.headers);
        app.login
            .visitor(&session, &cookies, &Client::of(&parts.headers, peer))
            .map(Self)
            .map_err(IntoResponse::into_response)
    }
}

/// The visitor as an answer, and the visitor's cookie with it.
fn answer(visitor: Visitor) -> Response {
    let shown = serde_json::json!({"user": visitor.user_id(), "fresh": visitor.is_fresh()});
    (visitor, shown.to_string()).into_response()
}

async fn who(Current(visitor): Current) -> Response {
    answer(visitor)
}

#[derive(Deserialize)]
struct Login {
    user: String,
    #[serde(default)]
    remember: bool,
    /// For so many seconds.
    seconds: Option<u64>,
}

async fn login(
    Current(mut visitor): Current,
    CsrfForm(form): CsrfForm<Login>,
) -> Result<Response, cloakroom::Error> {
    let remember = match (form.remember, form.seconds) {
        (false, _) => Remember::No,
        (true, None) => Remember::Yes,
        (true, Some(seconds)) => Remember::For(Duration::from_secs(seconds)),
    };
    visitor.login(form.user.as_str(), remember)?;
    Ok(answer(visitor))
}

async fn private(
    Current(visitor): Current,
    uri: Uri,
) -> Result<Response, cloakroom::Error> {
    if visitor.user_id().is_some() {
        return Ok((visitor, "Private").into_response());
    }
    visitor.keep_next(&uri.to_string())?;
    Ok((visitor, Redirect::to("/who")).into_response())
}

async fn wanted(Current(visitor): Current) -> Response {
    let next = visitor.take_next().unwrap_or_default();
    (visitor, next).into_response()
}

async fn confirm(Current(mut visitor): Current) -> Result<Response, cloakroom::Error> {
    visitor.confirm()?;
    Ok(answer(visitor))
}

async fn logout(Current(mut visitor): Current) -> Response {
    visitor.logout();
    answer(visitor)
}
