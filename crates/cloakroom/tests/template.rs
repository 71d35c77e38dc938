//! Templates have what Flask's have.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(feature = "minijinja")]

mod support;

use axum::{Router, response::Html, routing::get};
use cloakroom::{
    Session, SessionConfig, Value,
    template::Globals,
    value::{DateTime, Markup, Uuid},
};
use minijinja::{Environment, context};
use support::app::App;
use support::now::SessionNow;

/// Renders a template for a browser, whose session the first function fills.
async fn render(template: &'static str, fill: impl Fn(&Session)) -> (String, App) {
    let page = move |globals: Globals| async move {
        let mut environment = Environment::new();
        environment.add_template("page.html", template).unwrap();
        let page = environment.get_template("page.html").unwrap();
        Html(
            page.render(context! { title => "own", ..globals.into_value() })
                .unwrap(),
        )
    };
    let mut app = App::new(
        Router::new().route("/", get(page)),
        SessionConfig::default(),
    );
    app.browser.session_now(&app.manager.clone(), fill).unwrap();
    app.browser.set_cookie("theme", "\"dark blue\"");
    (app.get_text("/").await, app)
}

#[tokio::test]
async fn templates_reach_the_session_in_all_of_flasks_ways() {
    let template = "{{ title }}|{% if 'firstName' in session %}{{ session['firstName'] }} {{ session.firstName }}{% endif %}|\
        {% if 'lastName' in session %}wrong{% endif %}{{ session.lastName is undefined }}|{{ session|length }}|\
        {% for key in session %}{{ key }} {% endfor %}|{{ session.permanent }}";
    let (page, _) = render(template, |session| {
        session.insert("firstName", "Ada").unwrap();
        session.insert("age", 36).unwrap();
    })
    .await;
    assert_eq!(page, "own|Ada Ada|True|2|age firstName |False");
}

#[tokio::test]
async fn only_markup_goes_into_html_as_it_is() {
    let (page, _) = render(
        "{{ session.text }} {{ session.safe }} {{ session.list }}",
        |session| {
            session.insert("text", "<b>&").unwrap();
            session.insert("safe", Markup::new("<b>bold</b>")).unwrap();
            session.insert("list", vec!["<i>"]).unwrap();
        },
    )
    .await;
    assert_eq!(page, "&lt;b&gt;&amp; <b>bold</b> [&#x27;&lt;i&gt;&#x27;]");
}

#[tokio::test]
async fn every_type_has_a_form_in_templates() {
    let template = "{{ session.none }} {{ session.int + 1 }} {{ session.float }} {{ session.pair[1] }} {{ session.dict.key }} {{ session.id }} {{ session.at }} {{ session.big }}";
    let (page, _) = render(template, |session| {
        session.insert("none", Value::None).unwrap();
        session.insert("int", 41).unwrap();
        session.insert("float", 1.5).unwrap();
        session.insert("pair", ("a", "b")).unwrap();
        session
            .insert("dict", std::collections::HashMap::from([("key", true)]))
            .unwrap();
        session.insert("id", Uuid::from_bytes([0x12; 16])).unwrap();
        session
            .insert("at", DateTime::from_unix(0).unwrap())
            .unwrap();
        session.insert("big", u128::MAX).unwrap();
    })
    .await;
    assert_eq!(
        page,
        "None 42 1.5 b True 12121212-1212-1212-1212-121212121212 1970-01-01T00:00:00+00:00 340282366920938463463374607431768211455"
    );
}

#[tokio::test]
async fn flashed_messages_are_used_up_wherever_the_page_asks_for_them() {
    let template = "{% for category, message in get_flashed_messages(with_categories=true) %}[{{ category }}] {{ message }} {% endfor %}|\
        {{ get_flashed_messages()|length }}|{{ get_flashed_messages(category_filter=['error']) }}";
    let (page, mut app) = render(template, |session| {
        session.flash("success", "Saved");
        session.flash("error", Markup::new("<em>No</em>"));
    })
    .await;
    assert_eq!(
        page,
        "[success] Saved [error] <em>No</em> |2|[&#x27;&lt;em&gt;No&lt;&#x2f;em&gt;&#x27;]"
    );
    assert_eq!(app.get_text("/").await, "|0|[]");
}

#[tokio::test]
async fn templates_see_the_cookies_of_the_request() {
    let (page, _) = render("{{ request.cookies.theme }} {{ request.cookies['theme'] }} {{ 'other' in request.cookies }}", |_| {}).await;
    assert_eq!(page, "dark blue dark blue False");
}

#[tokio::test]
async fn csrf_token_is_that_of_the_layer_and_the_same_wherever_it_stands() {
    use cloakroom::csrf::{CsrfLayer, CsrfToken, CsrfTokens};
    let page = |token: CsrfToken, globals: Globals| async move {
        let mut environment = Environment::new();
        let template = "{{ csrf_token() }} {{ csrf_token() }} {{ csrf_meta_tag() }}";
        environment.add_template("page.html", template).unwrap();
        let page = environment.get_template("page.html").unwrap();
        let page = page.render(globals.into_value()).unwrap();
        Html(page.replace(token.as_str(), "TOKEN"))
    };
    let tokens = CsrfTokens::new(support::app::key());
    let routes = Router::new()
        .route("/", get(page))
        .layer(CsrfLayer::new(tokens.meta_name("a\"b")));
    let mut app = App::new(routes, SessionConfig::default());
    let expected = "TOKEN TOKEN <meta name=\"a&quot;b\" content=\"TOKEN\">";
    assert_eq!(app.get_text("/").await, expected);
    // Without the layer, a page that asks for a token is an error and no form without one.
    let page = |globals: Globals| async move {
        let mut environment = Environment::new();
        environment
            .add_template("page.html", "{{ csrf_token() }}")
            .unwrap();
        let page = environment.get_template("page.html").unwrap();
        page.render(globals.into_value()).unwrap_err().to_string()
    };
    let mut app = App::new(
        Router::new().route("/", get(page)),
        SessionConfig::default(),
    );
    assert!(app.get_text("/").await.contains("csrf_token is unknown"));
}
