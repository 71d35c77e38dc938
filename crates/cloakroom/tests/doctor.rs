//! What the doctor finds without a network: in headers that no test server can send from this machine, in settings, and
//! at the start of debug builds.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloakroom::{
    SameSite, SecretKey, SessionConfig, SessionManager,
    doctor::{Checkup, Exchange, Severity, Site, check_site},
};
use http::{HeaderMap, HeaderValue, StatusCode, header::SET_COOKIE};
use proptest::prelude::*;

fn page(url: &str, cookies: &[&[u8]]) -> Exchange {
    let mut headers = HeaderMap::new();
    for cookie in cookies {
        headers.append(SET_COOKIE, HeaderValue::from_bytes(cookie).unwrap());
    }
    Exchange {
        uri: url.parse().unwrap(),
        with_cookies: false,
        status: StatusCode::OK,
        headers,
        body: "a page".into(),
    }
}

fn codes(checkup: &Checkup) -> Vec<(&str, Severity)> {
    let findings = checkup.findings().iter();
    findings
        .map(|finding| (finding.code, finding.severity))
        .collect()
}

#[test]
fn domains_are_judged_by_the_page_that_sets_them() {
    let found = |url: &str, domain: &str| {
        let cookie = format!("session=x; Secure; HttpOnly; Path=/; SameSite=Lax; Domain={domain}");
        let checkup = check_site(&[page(url, &[cookie.as_bytes()])], None);
        codes(&checkup).first().map(|(code, _)| (*code).to_owned())
    };
    for (url, domain, code) in [
        (
            "https://shop.example.com/",
            "example.com",
            Some("domain_widens"),
        ),
        (
            "https://shop.example.com/",
            ".Shop.Example.com",
            Some("domain_widens"),
        ),
        ("https://shop.example.com/", "", None),
        (
            "https://shop.example.com/",
            "other.com",
            Some("domain_mismatch"),
        ),
        // No label of its own before it.
        (
            "https://shop.example.com/",
            "ample.com",
            Some("domain_mismatch"),
        ),
        (
            "https://example.com/",
            "shop.example.com",
            Some("domain_mismatch"),
        ),
        (
            "https://shop.local/",
            "local",
            Some("domain_is_public_suffix"),
        ),
        ("https://localhost/", "localhost", None),
        ("https://[::1]/", "::1", Some("domain_is_ip_address")),
        (
            "https://10.0.0.1/",
            "10.0.0.2",
            Some("domain_is_ip_address"),
        ),
    ] {
        assert_eq!(found(url, domain).as_deref(), code, "{url} {domain}");
    }
}

#[test]
fn secure_on_plain_http_is_worst_where_it_is_not_this_machine() {
    let cookie: &[u8] = b"session=x; Secure; HttpOnly; Path=/; SameSite=Lax";
    for (url, severity) in [
        ("http://shop.example/", Severity::Problem),
        ("http://localhost:5000/", Severity::Warning),
        ("http://app.localhost/", Severity::Warning),
        ("http://127.8.8.8/", Severity::Warning),
        ("http://[::1]:5000/", Severity::Warning),
    ] {
        let checkup = check_site(&[page(url, &[cookie])], None);
        assert_eq!(
            codes(&checkup),
            [("secure_on_plain_http", severity)],
            "{url}"
        );
    }
}

#[test]
fn two_pages_that_set_a_cookie_for_different_paths_are_seen_together() {
    let cookie: &[u8] = b"session=x; Secure; HttpOnly; SameSite=Lax";
    // Without a Path it is the page's folder.
    let apart = [
        page("https://a.example/shop/cart", &[cookie]),
        page("https://a.example/account/login", &[cookie]),
    ];
    let two_scopes = ("same_name_two_scopes", Severity::Problem);
    assert_eq!(codes(&check_site(&apart, None)), [two_scopes]);
    let together = [
        page("https://a.example/shop/cart", &[cookie]),
        page("https://a.example/shop/list", &[cookie]),
    ];
    assert_eq!(codes(&check_site(&together, None)), []);
}

proptest! {
    #[test]
    fn no_response_makes_it_panic_or_shows_a_value(
        pair in "[ -~\u{80}-\u{ff}]{0,20}=?SECRETVALUE",
        attributes in "(; ?(Expires|Max-Age|Domain|Path|SameSite|Secure|Partitioned)=?[ -~]{0,30}){0,4}",
    ) {
        let header: Vec<u8> = format!("{pair}{attributes}").chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
        let checkup = check_site(&[page("http://a.example/x/y", &[&header])], None);
        let after = pair.split_once('=').map_or(pair.as_str(), |(_, value)| value);
        if after.contains("SECRETVALUE") {
            let shown = format!("{checkup:?}");
            prop_assert!(!shown.contains("SECRETVALUE"));
        }
    }
}

fn key() -> SecretKey {
    SecretKey::generate().unwrap()
}

#[test]
fn settings_are_judged_by_where_they_are_served() {
    let checkup = |config: SessionConfig, key: SecretKey, url: &str| {
        let manager = SessionManager::signed(key, config).unwrap();
        let site = match url {
            "" => Site::unknown(),
            url => Site::of(&url.parse().unwrap()),
        };
        manager.checkup(&site)
    };
    let note = ("readable_session", Severity::Note);
    let https = "https://shop.example";
    let default = SessionConfig::default;
    assert_eq!(codes(&checkup(default(), key(), https)), [note]);
    assert_eq!(codes(&checkup(default(), key(), "")), [note]);
    for (config, key, url, code, severity) in [
        (
            default(),
            key(),
            "http://shop.example",
            "secure_on_plain_http",
            Severity::Problem,
        ),
        (
            default(),
            key(),
            "http://localhost",
            "secure_on_plain_http",
            Severity::Warning,
        ),
        (
            default().secure(false),
            key(),
            https,
            "not_secure_on_https",
            Severity::Problem,
        ),
        (
            default().http_only(false),
            key(),
            "",
            "script_readable",
            Severity::Problem,
        ),
        (
            default().domain("shop.example"),
            key(),
            https,
            "domain_widens",
            Severity::Warning,
        ),
        (
            default().domain("example"),
            key(),
            "",
            "domain_is_public_suffix",
            Severity::Problem,
        ),
        (
            default().lifetime(Duration::from_hours(24 * 401)),
            key(),
            "",
            "lifetime_over_400_days",
            Severity::Warning,
        ),
        (
            default().absolute_lifetime(Duration::from_hours(1)),
            key(),
            "",
            "idle_longer_than_absolute",
            Severity::Warning,
        ),
        (
            default(),
            SecretKey::new("dev").unwrap(),
            "",
            "published_key",
            Severity::Problem,
        ),
        (
            default(),
            SecretKey::new("kbv93hf").unwrap(),
            "",
            "short_key",
            Severity::Problem,
        ),
    ] {
        let checkup = checkup(config, key, url);
        assert_eq!(codes(&checkup), [(code, severity), note]);
        let shown = format!("{checkup:?}");
        assert!(!shown.contains("kbv93hf"));
    }
    let careless = SessionConfig::flask();
    assert_eq!(
        codes(&checkup(careless, key(), "http://localhost")),
        [("same_site_missing", Severity::Note), note]
    );
}

/// What is logged on this thread under `cloakroom::doctor`.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<(tracing::Level, String)>>>);

impl tracing::Subscriber for Told {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "cloakroom::doctor"
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Line(String);
        impl tracing::field::Visit for Line {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                let _ = write!(self.0, "{}={value:?} ", field.name());
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0
            .lock()
            .unwrap()
            .push((*event.metadata().level(), line.0));
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::Id {
        tracing::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::Id, _: &tracing::Id) {}
    fn enter(&self, _: &tracing::Id) {}
    fn exit(&self, _: &tracing::Id) {}
}

#[test]
fn debug_builds_say_once_what_is_wrong_with_the_settings_and_release_builds_do_not() {
    let told = Told::default();
    let config = || {
        SessionConfig::default()
            .cookie_name("told_at_start")
            .http_only(false)
            .same_site(SameSite::Lax)
    };
    tracing::subscriber::with_default(told.clone(), || {
        let quiet = config().checkup_at_start(false);
        SessionManager::signed(key(), quiet).unwrap();
        assert_eq!(told.0.lock().unwrap().len(), 0);
        for _ in 0..3 {
            SessionManager::signed(key(), config()).unwrap();
        }
    });
    let told = told.0.lock().unwrap();
    if !cfg!(debug_assertions) {
        assert_eq!(told.len(), 0);
        return;
    }
    let levels: Vec<_> = told.iter().map(|(level, _)| *level).collect();
    assert_eq!(
        levels,
        [tracing::Level::WARN, tracing::Level::DEBUG],
        "{told:?}"
    );
    assert!(told[0].1.contains("script_readable"), "{told:?}");
    assert!(
        told[0]
            .1
            .contains("cookie `told_at_start`: it has no HttpOnly"),
        "{told:?}"
    );
    assert!(told[1].1.contains("readable_session"), "{told:?}");
}
