//! Two visitors behind one shared cache walk through all pages: neither sees anything of the other's session.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

// The library's own simulator of RFC 9111.
#[path = "../../../crates/cloakroom/tests/support/shared_cache.rs"]
mod shared_cache;
mod visitor;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use cloakroom::testing::Browser;
use shared_cache::SharedCache;
use visitor::{Site, form_request};

/// All pages, and what one visitor does on them. `{}` is a word of the visitor's own.
const WALK: &[(&str, Option<&str>)] = &[
    // First a name: signed cookies of the same content and the same second are the same, whoever has them.
    ("/name", Some("first_name={}")),
    ("/", None),
    ("/counter", None),
    ("/name", None),
    ("/name", Some("first_name={}")),
    ("/name", None),
    ("/login", None),
    ("/login", Some("username={}&remember=yes")),
    ("/account", None),
    ("/devices", None),
    ("/remember", None),
    ("/flash", Some("title=note-{}&category=success&hold=1")),
    ("/flash", None),
    ("/flash/messages", None),
    ("/cookies/set", Some("name=colour&value=blue-{}")),
    ("/cookies", None),
    ("/todo", Some("title=buy-{}")),
    ("/todo", None),
    ("/devices", None),
    ("/devices/end-others", Some("")),
    ("/devices", None),
    ("/tamper", None),
    ("/store", None),
    ("/panel", None),
    ("/session.json", None),
    ("/static/style.css", None),
    ("/static/tour.js", None),
    ("/healthz", None),
    ("/no-such-page", None),
    ("/counter", None),
    ("/account", None),
];

/// A browser behind the cache.
struct Behind<'a> {
    site: &'a Site,
    cache: &'a SharedCache,
    browser: Browser,
    word: &'static str,
}

struct Answer {
    headers: HeaderMap,
    text: String,
}

impl Behind<'_> {
    async fn step(&mut self, path: &str, form: Option<&str>) -> Answer {
        let request = match form {
            None => Request::get(path).body(Body::empty()).unwrap(),
            Some(form) => form_request(path)
                .header("sec-fetch-site", "same-origin")
                .body(Body::from(form.replace("{}", self.word)))
                .unwrap(),
        };
        let request = self.browser.request(request);
        let response = self.cache.send(self.site.router(), request).await;
        self.browser.store(&response);
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 1 << 22).await.unwrap();
        Answer {
            headers: parts.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }
}

/// What went wrong: pages on which one visitor saw a word or a cookie of the other's.
async fn leaks(site: &Site, cache: &SharedCache) -> Vec<String> {
    let behind = |word| Behind {
        site,
        cache,
        browser: Browser::new(),
        word,
    };
    let mut visitors = [
        behind("alicesword"),
        behind("bobsword"),
        behind("carolsword"),
    ];
    let mut leaks = Vec::new();
    // Each page by all of them, one after the other, in a different order each time.
    for round in 0..2 {
        for (step, (path, form)) in WALK.iter().enumerate() {
            for turn in 0..visitors.len() {
                let who = (turn + step + round) % visitors.len();
                // The third gives a name and then only looks.
                let form = if who == 2 && step > 0 { None } else { *form };
                let answer = visitors[who].step(path, form).await;
                let whole = format!("{:?}{}", answer.headers, answer.text);
                for other in (0..visitors.len()).filter(|other| *other != who) {
                    let cookie = visitors[other]
                        .browser
                        .cookie("session")
                        .unwrap_or_default();
                    let seen = whole.contains(visitors[other].word)
                        || (!cookie.is_empty() && whole.contains(cookie));
                    let set = answer.headers.get_all(header::SET_COOKIE).iter();
                    let given = set
                        .filter_map(|cookie| cookie.to_str().ok())
                        .any(|set| !cookie.is_empty() && set.contains(cookie));
                    if seen || given {
                        leaks.push(format!("{path} shows {who} what is {other}'s"));
                    }
                }
            }
        }
    }
    // Nothing of anybody's session lies in the cache for whoever looks into it, but what varies by the cookie.
    leaks
}

#[tokio::test]
async fn s45_s46_two_visitors_behind_one_cache_see_nothing_of_each_other() {
    for site in [
        Site::open().await,
        Site::encrypted().await,
        Site::stored("memory:").await,
    ] {
        let cache = SharedCache::default();
        let leaks = leaks(&site, &cache).await;
        assert!(leaks.is_empty(), "{leaks:#?}");
        assert!(cache.hits() > 0, "the cache has served what is everybody's");
        // No cookie lies in it.
        let stored = String::from_utf8_lossy(&cache.content()).into_owned();
        assert!(!stored.contains("set-cookie:session="), "{stored}");
    }
}

/// Without `Vary` the same walk leaks: the simulator sees it, so the walk above means something.
#[tokio::test]
async fn s45_without_vary_the_same_walk_leaks() {
    let site = Site::open().await;
    let leaks = leaks(&site, &SharedCache::ignoring(&["vary", "cache-control"])).await;
    assert!(!leaks.is_empty());
}
