//! `cloakroom inspect`: who may look, what is shown to whom, and what its buttons end.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(
    feature = "file",
    feature = "inspect",
    feature = "memcached",
    feature = "redis",
    feature = "sqlite"
))]

#[path = "support/browser.rs"]
mod browser;
#[path = "support/filled.rs"]
mod filled;
mod support;

use std::collections::HashSet;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use browser::{Inspect, listed, told};
use cloakroom::Layout;
use cloakroom::store::CreateError;
use filled::{Filled, handles};

fn inspect(filled: &Filled, arguments: &[&str]) -> Inspect {
    Inspect::start(&filled.url, &filled.prefix, arguments)
}

/// Every page that there is without a word of somebody who looks.
fn all_pages(inspect: &Inspect) -> String {
    let list = inspect.get("/sessions").good();
    let sessions: Vec<String> = listed(&list)
        .iter()
        .map(|handle| inspect.get(&format!("/sessions/{handle}")).good())
        .collect();
    let keys = inspect.get("/sessions?key=cart&older_than=1h").good();
    [inspect.overview(), list, sessions.concat(), keys].concat()
}

#[tokio::test]
async fn nobody_looks_without_the_token_of_this_run() {
    let filled = Filled::sqlite().await;
    let inspect = inspect(&filled, &[]);
    let (host, alice) = (inspect.host(), filled.alice.to_string());
    let other = "0".repeat(inspect.token.len());
    let name = inspect.cookie.split('=').next().unwrap();
    assert!(name.ends_with(&inspect.port.to_string()));
    let paths = ["/", "/sessions", &format!("/sessions/{alice}"), "/nowhere"];
    for cookie in ["", &format!("{name}={other}"), "session=abc"] {
        for path in paths {
            let refused = inspect.ask("GET", path, &[("Host", &host), ("Cookie", cookie)], "");
            assert_eq!(refused.status, 403, "{path}");
            assert!(refused.body.contains("cloakroom inspect"), "{path}");
            assert!(!refused.body.contains(&alice) && !refused.body.contains("sqlite"));
        }
        for (path, form) in [
            ("/end", format!("session={alice}")),
            ("/end-all", "user=bob-the-builder".to_owned()),
            ("/look", String::new()),
        ] {
            let origin = format!("http://{host}");
            let headers = [("Host", &*host), ("Cookie", cookie), ("Origin", &*origin)];
            let refused = inspect.ask("POST", path, &headers, &form);
            assert_eq!(refused.status, 403, "{path}");
        }
    }
    // Neither the address of another run, nor the cookie's value in its place.
    let value = inspect.cookie.split('=').nth(1).unwrap();
    for token in [&*other, "", value] {
        let path = format!("/?token={token}");
        let refused = inspect.ask("GET", &path, &[("Host", &host)], "");
        assert_eq!(refused.status, 403, "{token}");
        assert_eq!(refused.header("set-cookie"), None);
    }
    assert_ne!(inspect.token, value);
    let opened = inspect.get(&format!("/?token={}", inspect.token));
    assert_eq!(opened.header("location"), Some("/"));
    let cookie = opened.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"));
    assert!(!cookie.contains("Expires") && !cookie.contains("Domain"));
    assert_eq!(listed(&inspect.get("/sessions").good()).len(), 10);
    // Another address of this machine is not listened on.
    assert!(TcpStream::connect(("127.0.0.2", inspect.port)).is_err());
    // Two runs are two doors.
    let second = Inspect::start(&filled.url, &filled.prefix, &[]);
    let stranger = [("Host", &*host), ("Cookie", &*second.cookie)];
    assert_eq!(inspect.ask("GET", "/", &stranger, "").status, 403);
}

#[tokio::test]
async fn no_other_site_looks_or_ends_anything() {
    let filled = Filled::sqlite().await;
    let inspect = inspect(&filled, &[]);
    let (host, cookie) = (inspect.host(), &*inspect.cookie);
    // A name that somebody else has pointed here.
    let rebound = format!("evil.example:{}", inspect.port);
    for host in [
        &rebound,
        "127.0.0.1.evil.example",
        "0.0.0.0",
        "192.168.1.1",
        "",
    ] {
        for path in ["/", "/style.css", &format!("/?token={}", inspect.token)] {
            let refused = inspect.ask("GET", path, &[("Host", host), ("Cookie", cookie)], "");
            assert_ne!(refused.status, 200, "{host}");
            assert_eq!(refused.header("set-cookie"), None, "{host}");
        }
    }
    let name = format!("localhost:{}", inspect.port);
    let there = inspect.ask("GET", "/", &[("Host", &name), ("Cookie", cookie)], "");
    assert_eq!(there.status, 200);

    let form = format!("session={}", filled.alice);
    let (own, elsewhere) = (format!("http://{host}"), format!("http://127.0.0.1:{}", 1));
    let senders: [&[(&str, &str)]; 6] = [
        &[],
        &[("Origin", "https://evil.example")],
        &[("Origin", &elsewhere)],
        &[("Origin", "null")],
        &[("Origin", &own), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", &own), ("Sec-Fetch-Site", "same-site")],
    ];
    for sender in senders {
        let headers = [&[("Host", &*host), ("Cookie", cookie)], sender].concat();
        for path in ["/end", "/end-all", "/look"] {
            let refused = inspect.ask("POST", path, &headers, &form);
            assert_eq!(refused.status, 403, "{sender:?}");
        }
    }
    let shown = inspect.get(&format!("/sessions/{}", filled.alice));
    assert_eq!(shown.status, 200);
    for reply in [shown, inspect.get("/nowhere"), inspect.post("/end", "")] {
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        let policy = reply.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        assert_eq!(reply.header("x-frame-options"), Some("DENY"));
        assert_eq!(reply.header("referrer-policy"), Some("same-origin"));
        assert!(!reply.body.contains("<script") && !reply.body.contains("style="));
    }
}

#[tokio::test]
async fn the_figures_are_those_of_sessions_stats() {
    for filled in Filled::all().await {
        let inspect = inspect(&filled, &[]);
        let page = inspect.overview();
        let stats = filled.run("stats", &["--json"]).json();
        let count = stats["sessions"].as_u64().unwrap();
        let told = |name: &str| told(&page, name);
        assert!(told("sessions").starts_with(&format!("sessions {count} ")));
        assert!(told("users").starts_with(&format!("users {} with", stats["users"])));
        assert!(told("permanent").starts_with(&format!("permanent {} ", stats["permanent"])));
        assert!(
            told("progress").contains("all that are there"),
            "{}",
            filled.url
        );
        for layout in stats["layouts"].as_object().unwrap() {
            let row = format!("{} {}", layout.0, layout.1);
            assert!(told("layouts").contains(&row), "{row}: {}", told("layouts"));
        }
        for key in stats["largest_keys"].as_array().unwrap() {
            assert!(told("keys").contains(key["name"].as_str().unwrap()));
        }
        let known = stats["age"]["known"].as_u64().unwrap();
        assert!(told("times").contains(&format!("in which {known} of them began")));
        assert!(told("sizes").contains("1 has more than the 4096 bytes"));
        let never = &stats["ending"]["never"];
        assert!(told("ending").contains(&format!("{never} never")));

        // What comes meanwhile counts when somebody looks again.
        let manager = filled.manager(Layout::Flask);
        let session = manager.new_session();
        session.login("one-more").unwrap();
        session.save().await.unwrap();
        assert_eq!(inspect.post("/look", "").header("location"), Some("/"));
        let again = browser::told(&inspect.overview(), "sessions");
        assert!(again.starts_with(&format!("sessions {} ", count + 1)));
    }
}

#[tokio::test]
async fn figures_of_a_part_say_that_they_are() {
    let filled = Filled::files().await;
    let page = inspect(&filled, &["--limit", "4"]).overview();
    assert!(told(&page, "progress").contains("the first 4 entries. There are more"));
    assert!(told(&page, "sessions").ends_with("among these entries"));
    let nobody = Filled::redis().await;
    let page = Inspect::start(&nobody.url, "nobody-has-this:", &[]).overview();
    assert!(page.contains("No session is in this store."));
}

#[tokio::test]
async fn p10_pages_tell_nothing_of_a_visitor_to_those_who_do_not_ask() {
    for filled in Filled::all().await {
        let inspect = inspect(&filled, &["--lifetime", "31d"]);
        let list = inspect.get("/sessions").good();
        let named = listed(&list);
        let told = named
            .iter()
            .fold(all_pages(&inspect), |told, handle| told.replace(handle, ""));
        assert!(told.contains("cart") && told.contains("str of 17"));
        for secret in &filled.secrets {
            assert!(!told.contains(secret), "a page tells {secret}");
        }
        // What somebody types is theirs, and nothing else comes with it.
        let page = inspect.get("/sessions?user=bob-the-builder").good();
        assert_eq!(listed(&page).len(), 2);
        assert!(!page.contains("yellow-spade"));

        let revealed = all_pages(&self::inspect(&filled, &["--reveal"]));
        for word in [
            "alice@example.org",
            "blue-teapot",
            "471100815",
            "yellow-spade",
        ] {
            assert!(revealed.contains(word), "{word}");
        }
    }
}

#[tokio::test]
async fn what_visitors_wrote_stays_text() {
    let filled = Filled::sqlite().await;
    let manager = filled.manager(Layout::Flask);
    let session = manager.new_session();
    let script = "<script>alert('1')</script>\"><i>";
    session.login(script).unwrap();
    session.insert("<script>key", script).unwrap();
    session.insert("\u{202e}&amp;", "\u{0}\u{1b}[2J").unwrap();
    session.save().await.unwrap();
    for arguments in [&[][..], &["--reveal"]] {
        let inspect = inspect(&filled, arguments);
        let asked = inspect
            .get("/sessions?user=%3Cscript%3Ealert%28%271%27%29%3C%2Fscript%3E%22%3E%3Ci%3E")
            .good();
        assert_eq!(listed(&asked).len(), 1);
        for page in [all_pages(&inspect), asked] {
            assert!(!page.contains("<script") && !page.contains("\"><i>"));
            assert!(!page.contains(['\u{0}', '\u{1b}', '\u{202e}']));
        }
        let all = all_pages(&inspect);
        assert!(all.contains("&lt;script&gt;key") && all.contains("\\u{202e}&amp;amp;"));
        assert_eq!(
            all.contains("&lt;script&gt;alert(&#39;1"),
            !arguments.is_empty()
        );
    }
    // A handle that is none, and text in every field.
    let inspect = inspect(&filled, &[]);
    for path in [
        "/sessions/%3Cscript%3E",
        "/sessions/..%2F..",
        "/%3Cscript%3E",
    ] {
        let page = inspect.get(path);
        assert_eq!(page.status, 404);
        assert!(!page.body.contains("<script"));
    }
    let wrong = inspect.get("/sessions?older_than=%3Cscript%3E");
    assert_eq!(wrong.status, 400);
    assert!(wrong.body.contains("Older than: a time is written"));
    assert!(!wrong.body.contains("<script"));
}

#[tokio::test]
async fn filters_leave_what_they_say() {
    let filled = Filled::files().await;
    let inspect = inspect(&filled, &[]);
    for (query, count) in [
        ("", 10),
        ("user=alice%40example.org", 1),
        ("key=cart", 1),
        ("key=cart&key=tool", 0),
        ("older_than=2d", 2),
        ("newer_than=+2d+", 2),
        ("expires_within=1h", 0),
        ("larger_than=4k", 1),
        ("user=&key=&older_than=&larger_than=", 10),
    ] {
        let page = inspect.get(&format!("/sessions?{query}")).good();
        assert_eq!(listed(&page).len(), count, "{query}");
        assert!(told(&page, "extent").contains("This is the end"), "{query}");
    }
    // The form has all that the address had.
    let page = inspect.get("/sessions?key=cart&key=tool").good();
    for (id, value) in [("key", "cart"), ("key-2", "tool")] {
        let input = format!(r#"<input id="{id}" name="key" data-testid="{id}" value="{value}""#);
        assert!(page.contains(&input), "{id}");
    }
}

#[tokio::test]
async fn a_long_list_goes_on_from_page_to_page_and_says_so() {
    let filled = Filled::sqlite().await;
    let hour = Duration::from_secs(3600);
    for number in 0..1200 {
        let key = format!("{}many-{number}", filled.prefix);
        let value = b"\x81\xa1k\x01".as_slice().into();
        filled.store.create(&key, value, hour).await.unwrap();
    }
    let inspect = inspect(&filled, &[]);
    let (mut seen, mut pages, mut path) = (HashSet::new(), 0, "/sessions?key=k".to_owned());
    loop {
        let page = inspect.get(&path).good();
        let sessions = listed(&page);
        assert!(sessions.len() < 200);
        assert!(
            sessions.into_iter().all(|session| seen.insert(session)),
            "{path}"
        );
        pages += 1;
        let Some((_, next)) = page.split_once(r#"data-testid="go-on" href=""#) else {
            assert!(told(&page, "extent").contains("This is the end"));
            break;
        };
        assert!(told(&page, "extent").contains("This is not all"));
        path = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 1200);
    assert!(pages >= 6, "{pages}");
    // Whoever goes back sees the same again, as long as it is kept.
    let again = inspect.get(&path).good();
    assert!(listed(&again).iter().all(|session| seen.contains(session)));
    for unknown in ["from=9999", "from=x"] {
        assert_eq!(inspect.get(&format!("/sessions?{unknown}")).status, 410);
    }
}

#[tokio::test]
async fn a_button_ends_its_session_and_nothing_else() {
    for filled in Filled::all().await {
        let inspect = inspect(&filled, &[]);
        let sorted = |mut handles: Vec<_>| {
            handles.sort_unstable();
            handles
        };
        let before = sorted(handles(&filled.run("list", &["--json"])));
        // One that a page has named, and one that none has.
        let mut left = before.clone();
        for (bob, looks) in filled.bobs.iter().zip([true, false]) {
            if looks {
                assert_eq!(listed(&inspect.get("/sessions").good()).len(), left.len());
            }
            let form = format!("session={bob}&back=key%3Dtool%26ended%3D7");
            let ended = inspect.post("/end", &form);
            assert_eq!(ended.status, 303, "{}", ended.body);
            assert_eq!(ended.header("location"), Some("/sessions?key=tool&ended=1"));
            left.retain(|handle| handle != bob);
            assert_eq!(sorted(handles(&filled.run("list", &["--json"]))), left);
            let again = inspect.post("/end", &form);
            assert_eq!(again.status, 404);
            assert!(again.body.contains("it has ended"));
            assert_eq!(inspect.get(&format!("/sessions/{bob}")).status, 404);
        }
        assert_eq!(before.len() - left.len(), 2);
        let native = if filled.is_cachelib() {
            Layout::Flask
        } else {
            Layout::Native
        };
        let manager = filled.manager(native);
        let listed = manager.sessions_of("bob-the-builder").await.unwrap();
        assert!(listed.is_empty(), "{}", filled.url);
        let page = inspect.get("/sessions?key=tool&ended=1").good();
        assert_eq!(told(&page, "ended"), "1 session has ended.");
        for form in ["", "session=", "session=abc", "user="] {
            assert_eq!(inspect.post("/end", form).status, 400);
        }
        let large = inspect.post("/end", &format!("session={}", "x".repeat(20_000)));
        assert_eq!(large.status, 413);
    }
}

#[tokio::test]
async fn p5_what_a_button_ended_is_not_brought_back() {
    let filled = Filled::redis().await;
    let inspect = inspect(&filled, &[]);
    let manager = filled.manager(Layout::Flask);
    let session = manager.new_session();
    session.login("slow-sally").unwrap();
    session.save().await.unwrap();
    let cookie = manager.cookie_value(&session).unwrap();
    let key = manager.store_key(&session).unwrap();
    let slow = manager.open_value(&cookie).await.unwrap();
    let page = inspect.get("/sessions?user=slow-sally").good();
    let form = format!("session={}", listed(&page)[0]);
    assert_eq!(inspect.post("/end", &form).status, 303);
    slow.insert("late", true).unwrap();
    let _ = slow.save().await;
    assert!(manager.open_value(&cookie).await.is_err());
    let (value, minute) = (b"\x80".as_slice().into(), Duration::from_secs(60));
    let again = filled.store.create(&key, value, minute).await;
    assert!(matches!(again, Err(CreateError::Exists)));
}

#[tokio::test]
async fn all_sessions_of_a_user_end_at_once() {
    for filled in Filled::all().await {
        let inspect = inspect(&filled, &[]);
        let before = handles(&filled.run("list", &["--json"]));
        let page = inspect.get("/sessions?user=bob-the-builder").good();
        assert_eq!(listed(&page).len(), 2);
        assert!(page.contains(r#"data-testid="end-all""#));
        let ended = inspect.post(
            "/end-all",
            "user=bob-the-builder&back=user%3Dbob-the-builder",
        );
        let location = "/sessions?user=bob-the-builder&ended=2";
        assert_eq!(ended.header("location"), Some(location), "{}", filled.url);
        assert!(
            inspect
                .get(location)
                .good()
                .contains("None whose content can be read.")
        );
        let mut after = handles(&filled.run("list", &["--json"]));
        after.extend(&filled.bobs);
        let [before, after] = [before, after].map(|all| all.into_iter().collect::<HashSet<_>>());
        assert_eq!(before, after, "{}", filled.url);
    }
}

#[tokio::test]
async fn nothing_ends_where_looking_is_all() {
    let filled = Filled::sqlite().await;
    let inspect = inspect(&filled, &["--read-only"]);
    let alice = filled.alice.to_string();
    let pages = all_pages(&inspect) + &inspect.get("/sessions?user=bob-the-builder").good();
    assert!(!pages.contains("action=\"/end"));
    for (path, form) in [
        ("/end", format!("session={alice}")),
        ("/end-all", "user=bob-the-builder".to_owned()),
    ] {
        let refused = inspect.post(path, &form);
        assert_eq!(refused.status, 403);
        assert!(refused.body.contains("--read-only") && refused.body.contains("Overview"));
    }
    assert_eq!(handles(&filled.run("list", &["--json"])).len(), 10);
    assert_eq!(inspect.post("/look", "").status, 303);
}

#[tokio::test]
async fn a_session_says_of_itself_what_sessions_show_says() {
    for filled in Filled::all().await {
        let inspect = inspect(&filled, &[]);
        let named = filled
            .bobs
            .iter()
            .chain(&filled.carol)
            .chain([&filled.alice]);
        for handle in named {
            let page = inspect.get(&format!("/sessions/{handle}")).good();
            let shown = filled.run("show", &["--json", &handle.to_string()]).json();
            let facts = told(&page, "facts");
            let layout = shown["layout"].as_str().unwrap();
            assert!(facts.contains(&format!("layout {layout} bytes {}", shown["bytes"])));
            for key in shown["content"].as_array().into_iter().flatten() {
                let (name, kind) = (key["name"].as_str().unwrap(), key["type"].as_str().unwrap());
                assert!(
                    page.contains(&format!("<bdi>{name}</bdi></th><td class=\"kind\">{kind}")),
                    "{name}"
                );
            }
            if layout == "sealed" {
                assert!(
                    page.contains("only the visitor&#39;s cookie") || page.contains("It is sealed")
                );
            } else {
                assert!(told(&page, "time-left").contains("left unless it is used or ended"));
            }
        }
    }
}

#[tokio::test]
async fn p9_a_store_that_goes_away_is_said_to_be_away_and_nobody_is_said_to_be_gone() {
    let server = servers::redis::start().unwrap();
    let proxy = servers::proxy::Proxy::start(server.port()).unwrap();
    let url = format!("redis://127.0.0.1:{}", proxy.port());
    let store = cloakroom::store::Store::from_url(&url).await.unwrap();
    let (value, hour) = (b"\x80".as_slice().into(), Duration::from_secs(3600));
    store.create("session:one", value, hour).await.unwrap();
    let inspect = Inspect::start(&url, "session:", &[]);
    assert!(inspect.overview().contains("all that are there"));
    let handle = listed(&inspect.get("/sessions").good()).remove(0);
    proxy.refuse();
    for path in ["/sessions", &format!("/sessions/{handle}")] {
        let page = inspect.get(path);
        assert_eq!(page.status, 502, "{path}");
        assert!(page.body.contains("The store could not be asked"));
        assert!(!page.body.contains("session:one"));
    }
    assert_eq!(
        inspect.post("/end", &format!("session={handle}")).status,
        502
    );
    assert_eq!(inspect.post("/look", "").status, 303);
    let progress = told(&inspect.overview(), "progress");
    assert!(
        progress.contains("then the store could not be asked"),
        "{progress}"
    );
    proxy.normal().unwrap();
    let mut tries = (0..20_000).map(|_| inspect.get(&format!("/sessions/{handle}")).status);
    assert!(tries.any(|status| status == 200));
}

#[tokio::test]
async fn what_cannot_be_is_said_before_anything_is_served() {
    let filled = Filled::sqlite().await;
    let run = |arguments: &[&str], url: &str| {
        let all = [&["inspect"], arguments].concat();
        support::cloakroom(&all, &[("SESSION_STORE", url)], b"")
    };
    let json = run(&["--json"], &filled.url);
    assert_eq!((json.code, &*json.stdout), (2, ""));
    assert!(json.stderr.contains("sessions stats --json"));
    let taken = Inspect::start(&filled.url, &filled.prefix, &[]);
    let refused = run(&["--port", &taken.port.to_string()], &filled.url);
    assert_eq!((refused.code, &*refused.stdout), (2, ""));
    assert!(refused.stderr.contains("--port takes another"));
    let memcached = run(&["--port", "0"], servers::memcached::shared());
    assert_eq!(memcached.refused(), "cannot_list");
    assert_eq!(run(&[], "memory:").code, 2);
    assert_eq!(
        run(&["--store", "redis://:pass@localhost"], &filled.url).code,
        2
    );
}

#[tokio::test]
async fn ctrl_c_ends_it_in_peace() {
    let filled = Filled::sqlite().await;
    let mut inspect = inspect(&filled, &[]);
    let id = inspect.child.id().to_string();
    let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(sent.success());
    assert_eq!(inspect.child.wait().unwrap().code(), Some(0));
}
