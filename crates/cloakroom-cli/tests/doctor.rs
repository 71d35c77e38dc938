//! What `cloakroom doctor` finds: each problem in an app that has it and nothing else, and nothing in the tour.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(feature = "doctor", feature = "file", feature = "sqlite"))]

mod support;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::Redirect;
use axum::routing::get;
use cloakroom::SecretKey;
use cloakroom::token::signed::{SignerOptions, TimestampSigner};
use support::{Outcome, TemporaryFile, cloakroom, serve};

const GOOD: &str = "session=opaque; HttpOnly; Path=/; SameSite=Lax";

fn doctor(arguments: &[&str]) -> Outcome {
    cloakroom(&[&["doctor"], arguments].concat(), &[], b"")
}

/// The codes of what is found at a URL, checked with the exit code, and with nothing of a cookie's value shown.
#[track_caller]
fn codes(arguments: &[&str]) -> Vec<String> {
    let outcome = doctor(&[arguments, &["--json", "--verbose"]].concat());
    let json = outcome.json();
    let findings = json["findings"].as_array().unwrap();
    let text =
        |finding: &serde_json::Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let problems = findings
        .iter()
        .any(|finding| finding["severity"] == "problem");
    assert_eq!(outcome.code, i32::from(problems), "{}", outcome.stderr);
    for finding in findings {
        assert!(!text(finding, "happens").is_empty() && !text(finding, "fix").is_empty());
    }
    let people = doctor(&[arguments, &["--verbose"]].concat());
    for shown in [
        &outcome.stdout,
        &outcome.stderr,
        &people.stdout,
        &people.stderr,
    ] {
        assert!(!shown.contains("opaque"), "{shown}");
    }
    findings
        .iter()
        .map(|finding| text(finding, "code"))
        .collect()
}

/// An app whose one page has these headers.
fn app(headers: &[(&'static str, String)]) -> String {
    let headers = headers.to_vec();
    let page = move || {
        let mut response = Response::builder();
        for (name, value) in &headers {
            response = response.header(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let response = response.body(Body::from("a page")).unwrap();
        async move { response }
    };
    serve(Router::new().route("/", get(page)))
}

fn setting(cookies: &[&str]) -> String {
    let headers: Vec<(&str, String)> = cookies
        .iter()
        .map(|cookie| ("set-cookie", (*cookie).to_owned()))
        .collect();
    app(&headers)
}

#[test]
fn each_problem_of_a_cookie_is_found_in_an_app_that_has_it_and_nothing_else_is() {
    assert_eq!(codes(&[&setting(&[GOOD])]), [""; 0]);
    let weak = TimestampSigner::with_options(
        SecretKey::new("supersecretkey").unwrap(),
        "cookie-session",
        &SignerOptions::flask(),
    );
    let weak = String::from_utf8(weak.sign("eyJvcGFxdWUiOjF9")).unwrap();
    let weak = format!("session={weak}; HttpOnly; Path=/; SameSite=Lax");
    let large = format!(
        "session={}; HttpOnly; Path=/; SameSite=Lax",
        "opaque".repeat(700)
    );
    let long = format!("theme=opaque; Path=/{}", "x".repeat(1024));
    for (code, cookies) in [
        (
            "secure_on_plain_http",
            &["session=opaque; Secure; HttpOnly; Path=/; SameSite=Lax"][..],
        ),
        (
            "same_site_none_without_secure",
            &["session=opaque; HttpOnly; Path=/; SameSite=None"],
        ),
        ("same_site_missing", &["session=opaque; HttpOnly; Path=/"]),
        (
            "prefix_rules",
            &["__Host-session=opaque; HttpOnly; Path=/; SameSite=Lax"],
        ),
        (
            "prefix_rules",
            &["__host-theme=opaque; Secure; Path=/themes; SameSite=Lax"],
        ),
        (
            "partitioned_without_secure",
            &["session=opaque; Partitioned; HttpOnly; Path=/; SameSite=Lax"],
        ),
        ("too_large", &[&large]),
        ("attribute_too_long", &[&long]),
        (
            "domain_mismatch",
            &["session=opaque; Domain=example.com; HttpOnly; Path=/; SameSite=Lax"],
        ),
        (
            "domain_is_ip_address",
            &["session=opaque; Domain=127.0.0.1; HttpOnly; Path=/; SameSite=Lax"],
        ),
        (
            "same_name_twice",
            &[GOOD, "session=opaque2; HttpOnly; Path=/; SameSite=Lax"],
        ),
        (
            "same_name_two_scopes",
            &[GOOD, "session=opaque2; HttpOnly; Path=/admin; SameSite=Lax"],
        ),
        ("script_readable", &["session=opaque; Path=/; SameSite=Lax"]),
        (
            "script_readable",
            &["who=kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA; Path=/; SameSite=Lax"],
        ),
        (
            "lifetime_over_400_days",
            &["session=opaque; Max-Age=34646400; HttpOnly; Path=/; SameSite=Lax"],
        ),
        (
            "expiry_contradictory",
            &[
                "session=opaque; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=3600; HttpOnly; Path=/; SameSite=Lax",
            ],
        ),
        ("published_key", &[&weak]),
        ("not_ascii", &["name=opaqu\u{e9}"]),
        ("unreadable_set_cookie", &["=; Path=/"]),
    ] {
        assert_eq!(codes(&[&setting(cookies)]), [code], "{cookies:?}");
    }
}

#[test]
fn what_is_harmless_is_left_alone() {
    for cookies in [
        // What deletes a cookie has nothing to protect.
        &["session=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax"][..],
        &[
            "theme=dark; Path=/",
            "csrftoken=kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDA; Path=/",
        ],
        &["a=1; Path=/", "b=2; Path=/shop"],
        &[],
    ] {
        assert_eq!(codes(&[&setting(cookies)]), [""; 0], "{cookies:?}");
    }
    // Unless it is said to be the session.
    let url = setting(&["basket=opaque; Path=/; SameSite=Lax"]);
    assert_eq!(
        codes(&[&url, "--cookie-name", "basket"]),
        ["script_readable"]
    );
}

#[test]
fn a_shared_cache_that_may_store_the_cookie_is_found() {
    let cookie = || ("set-cookie", GOOD.to_owned());
    let with = |name, value: &str| codes(&[&app(&[cookie(), (name, value.to_owned())])]);
    for control in ["public", "max-age=600", "s-maxage=1", "Public, Max-Age=0"] {
        assert_eq!(
            with("cache-control", control),
            ["cacheable_set_cookie"],
            "{control}"
        );
    }
    assert_eq!(
        with("expires", "Fri, 31 Dec 2100 23:59:59 GMT"),
        ["cacheable_set_cookie"]
    );
    assert_eq!(
        with("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ["cacheable_set_cookie"]
    );
    for control in [
        "private",
        "no-store",
        "public, private",
        "no-cache, max-age=600",
        "max-age=0",
    ] {
        assert_eq!(with("cache-control", control), [""; 0], "{control}");
    }
    assert_eq!(with("expires", "0"), [""; 0]);
}

/// A page that greets who comes back.
fn greeting(cache_header: Option<(&'static str, &'static str)>) -> String {
    let page = move |request: Request| async move {
        let known = request.headers().contains_key(header::COOKIE);
        let mut response = Response::builder().header("set-cookie", GOOD);
        if let Some((name, value)) = cache_header {
            response = response.header(name, value);
        }
        let text = if known { "Welcome back" } else { "Welcome" };
        response.body(Body::from(text)).unwrap()
    };
    serve(Router::new().route("/", get(page)))
}

#[test]
fn a_page_that_depends_on_the_cookie_and_does_not_say_so_is_found() {
    assert_eq!(codes(&[&greeting(None)]), ["vary_missing"]);
    assert_eq!(
        codes(&[&greeting(Some(("vary", "Accept-Language")))]),
        ["vary_missing"]
    );
    for told in [
        ("vary", "Accept, cookie"),
        ("vary", "*"),
        ("cache-control", "private"),
    ] {
        assert_eq!(codes(&[&greeting(Some(told))]), [""; 0], "{told:?}");
    }
    // A page that is another one each time does not depend on the cookie for all that anybody can see.
    let count = Arc::new(AtomicUsize::new(0));
    let page = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { ([(header::SET_COOKIE, GOOD)], number.to_string()) }
    };
    assert_eq!(
        codes(&[&serve(Router::new().route("/", get(page)))]),
        [""; 0]
    );
}

#[test]
fn each_hop_of_a_redirect_is_looked_at_and_no_other_host_is_asked() {
    let asked = Arc::new(AtomicUsize::new(0));
    let other = {
        let asked = asked.clone();
        let page = move || {
            asked.fetch_add(1, Ordering::Relaxed);
            async { "another site" }
        };
        serve(Router::new().route("/", get(page)))
    };
    let elsewhere = other.replace("127.0.0.1", "localhost");
    let url = serve(
        Router::new()
            .route(
                "/",
                get(|| async { (StatusCode::FOUND, [(header::LOCATION, "/login")]) }),
            )
            .route(
                "/login",
                get(move || async move {
                    (
                        [(header::SET_COOKIE, "session=opaque; Path=/; SameSite=Lax")],
                        Redirect::to(&elsewhere),
                    )
                }),
            )
            .route("/round", get(|| async { Redirect::to("/round") })),
    );
    assert_eq!(codes(&[&url]), ["script_readable"]);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    // It ends, too.
    assert_eq!(codes(&[&format!("{url}/round")]), [""; 0]);
    // Other pages of the site, on request.
    assert_eq!(
        codes(&[&format!("{url}/round"), "--path", "/login"]),
        ["script_readable"]
    );
}

#[test]
fn nothing_is_found_in_the_tour() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = support::runtime();
    let data = folder.path();
    for mode in ["cookie", "encrypted", "file", "sealed"] {
        let kept = runtime.block_on(async {
            let store = format!("file:{}/{mode}", data.display());
            match mode {
                "cookie" => tour::cookie(data, false).await,
                "encrypted" => tour::cookie(data, true).await,
                "file" => tour::store(&store, false).await,
                _ => tour::store(&store, true).await,
            }
        });
        let kept = kept.unwrap();
        let todos = runtime.block_on(tour::todos(data)).unwrap();
        let app = tour::app(SecretKey::generate().unwrap(), &kept, todos).unwrap();
        let url = serve(app);
        let outcome = doctor(&[
            &url,
            "--path",
            "/counter",
            "--path",
            "/flash",
            "--path",
            "/cookies",
            "--path",
            "/name",
            "--path",
            "/login",
            "--verbose",
        ]);
        assert_eq!(
            outcome.good().lines().last(),
            Some("nothing found"),
            "{mode}"
        );
        assert!(
            outcome
                .stdout
                .contains("fine     page /name: caches know that it depends on the cookies"),
            "{mode}: {}",
            outcome.stdout
        );
    }
}

#[test]
fn p10_logins_in_urls_are_refused_and_never_shown() {
    for url in [
        "http://alice:hunter2@127.0.0.1:1/",
        "ftp://hunter2/",
        "hunter2",
    ] {
        let outcome = doctor(&[url]);
        assert_eq!(outcome.code, 2);
        assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    }
    let outcome = doctor(&["http://127.0.0.1:1/secret-page"]);
    assert_eq!(outcome.refused(), "site_unreachable");
    assert!(!outcome.stderr.contains("secret-page"));
    assert_eq!(doctor(&[]).code, 2);
}

#[test]
fn flask_settings_are_looked_over() {
    const KEY: &str = "SECRET_KEY = '9c1185a5c5e9fc54612808977ee8f548'";
    let found = |settings: &str, arguments: &[&str]| {
        let file = TemporaryFile::with(settings.as_bytes());
        codes(&[&["--flask-config", &file.path()], arguments].concat())
    };
    let safe = format!("{KEY}\nSESSION_COOKIE_SAMESITE = 'Lax'\n");
    let secure = format!("{safe}SESSION_COOKIE_SECURE = true\n");
    let https = ["--served-at", "https://shop.example"];
    assert_eq!(found(&secure, &https), ["readable_session"]);
    assert_eq!(
        found(&safe, &https),
        ["not_secure_on_https", "readable_session"]
    );
    assert_eq!(
        found(&secure, &["--served-at", "http://shop.example"]),
        ["secure_on_plain_http", "readable_session"]
    );
    for (setting, code) in [
        (
            "PERMANENT_SESSION_LIFETIME = 34646400",
            "lifetime_over_400_days",
        ),
        ("SESSION_COOKIE_HTTPONLY = false", "script_readable"),
        ("SESSION_COOKIE_DOMAIN = 'shop.example'", "domain_widens"),
        (
            "SESSION_COOKIE_DOMAIN = 'example'",
            "domain_is_public_suffix",
        ),
        ("SESSION_COOKIE_DOMAIN = 'other.example'", "domain_mismatch"),
    ] {
        let codes = found(&format!("{secure}{setting}\n"), &https);
        assert_eq!(codes, [code, "readable_session"], "{setting}");
    }
    // What Flask takes without a word.
    for (settings, code) in [
        ("SECRET_KEY = 'dev'", "published_key"),
        ("SECRET_KEY = 'kbv93hf'", "short_key"),
        (KEY, "same_site_missing"),
        ("", "settings_refused"),
        (
            &format!("{KEY}\nSESSION_COOKIE_SAMESITE = 'None'"),
            "same_site_none_without_secure",
        ),
        (
            &format!("{KEY}\nSESSION_COOKIE_NAME = '__Host-session'"),
            "prefix_rules",
        ),
        (
            &format!("{KEY}\nSESSION_COOKIE_SECRUE = true"),
            "settings_refused",
        ),
    ] {
        assert!(
            found(settings, &[]).contains(&code.to_owned()),
            "{settings}"
        );
    }
    // Sessions in a store have nothing to read in the cookie, and need no key.
    let stored =
        "SESSION_TYPE = 'redis'\nSESSION_COOKIE_SAMESITE = 'Lax'\nSESSION_COOKIE_SECURE = true\n";
    assert_eq!(found(stored, &https), [""; 0]);
    let outcome = cloakroom(
        &["doctor", "--env", "--json"],
        &[("FLASK_SECRET_KEY", "dev")],
        b"",
    );
    assert_eq!(outcome.json()["findings"][0]["code"], "published_key");
    assert_eq!(outcome.code, 1);
}

/// What SQLAlchemy makes for Flask-Session's model.
const FLASK_TABLE: &str = "CREATE TABLE sessions (id INTEGER NOT NULL, session_id VARCHAR(255), data BLOB, \
                           expiry DATETIME, PRIMARY KEY (id), UNIQUE (session_id))";

#[test]
fn a_store_without_an_index_of_expiry_is_found() {
    use sqlx::{ConnectOptions, Executor, sqlite::SqliteConnectOptions};
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("app.db");
    support::runtime().block_on(async {
        let options = SqliteConnectOptions::new()
            .filename(&database)
            .create_if_missing(true);
        options
            .connect()
            .await
            .unwrap()
            .execute(FLASK_TABLE)
            .await
            .unwrap();
    });
    let url = format!("sqlite:{}", database.display());
    assert_eq!(codes(&["--store", &url]), ["store_without_expiry_index"]);
    cloakroom(&["sessions", "prepare", "--store", &url], &[], b"").good();
    assert_eq!(codes(&["--store", &url]), [""; 0]);

    let files = format!("file:{}/sessions", folder.path().display());
    assert_eq!(codes(&["--store", &files]), [""; 0]);
    let empty = format!("sqlite:{}/empty.db", folder.path().display());
    fs::write(folder.path().join("empty.db"), "").unwrap();
    assert_eq!(codes(&["--store", &empty]), ["store_unusable"]);
}

#[test]
fn over_https_a_cookie_has_to_be_secure_and_the_certificate_good() {
    let folder = tempfile::tempdir().unwrap();
    let url = support::serve_tls(folder.path(), GOOD);
    let outcome = doctor(&[&url]);
    assert_eq!(outcome.refused(), "site_unreachable");
    assert!(
        outcome.stderr.to_lowercase().contains("certificate"),
        "{}",
        outcome.stderr
    );
    assert_eq!(codes(&[&url, "--insecure"]), ["not_secure_on_https"]);
    // The same with a certificate that this machine trusts.
    let certificate = folder.path().join("server.crt");
    let trusted = [("SSL_CERT_FILE", certificate.to_str().unwrap())];
    let outcome = cloakroom(&["doctor", &url, "--json"], &trusted, b"");
    assert_eq!(outcome.json()["findings"][0]["code"], "not_secure_on_https");
    let secure = "__Host-session=opaque; Secure; HttpOnly; Path=/; SameSite=Lax";
    let url = support::serve_tls(folder.path(), secure);
    assert_eq!(codes(&[&url, "--insecure"]), [""; 0]);
}

/// Fails if a visitor's pages are looked at as a stranger's, or if what was lent shows.
#[test]
fn what_only_a_visitor_gets_is_seen_with_their_cookies() {
    let page = |request: Request| async move {
        let cookies = request.headers().get(header::COOKIE);
        let cookies = cookies.map_or("", |value| value.to_str().unwrap());
        let mut response = Response::builder();
        if cookies.split("; ").any(|pair| pair == "session=opaque") {
            response = response.header(header::SET_COOKIE, "session=opaque; Path=/; SameSite=Lax");
        } else {
            response = response.header(
                header::SET_COOKIE,
                "session=stranger; HttpOnly; Path=/; SameSite=Lax",
            );
        }
        response.body(Body::from("a page")).unwrap()
    };
    let url = serve(Router::new().route("/", get(page)));
    assert_eq!(codes(&[&url]), [""; 0]);
    for lent in [
        "theme=dark; session=opaque\n",
        "Cookie: session=opaque; theme=\r\n",
    ] {
        let seen = cloakroom(
            &["doctor", &url, "--with-cookies", "--json"],
            &[],
            lent.as_bytes(),
        );
        assert!(!seen.stdout.contains("opaque") && !seen.stderr.contains("opaque"));
        let json = seen.json();
        assert_eq!(json["findings"][0]["code"], "script_readable", "{json}");
    }
    for wrong in ["opaque", "session=opaque\ntheme=dark"] {
        let refused = cloakroom(&["doctor", &url, "--with-cookies"], &[], wrong.as_bytes());
        assert_eq!(refused.code, 2);
        assert!(refused.stderr.contains("no Cookie header") && !refused.stderr.contains("opaque"));
    }
}
