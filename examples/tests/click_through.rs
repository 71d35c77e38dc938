//! Each example, started as a newcomer starts it and used over HTTP as a browser uses it.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a test that panics has failed"
)]

mod program;

use std::fs;
use std::io::Read;
use std::net::TcpListener;

use http::StatusCode;
use program::{Program, Visitor};

#[test]
fn counter_counts_for_each_visitor_and_starts_again_for_a_changed_cookie() {
    let program = Program::example("counter").start();
    let (mut alice, mut bob) = (program.visitor(), program.visitor());
    assert_eq!(alice.get("/").body, "Number of visits: 1\n");
    assert_eq!(alice.get("/").body, "Number of visits: 2\n");
    assert_eq!(bob.get("/").body, "Number of visits: 1\n");

    let cookie = alice.cookie("session");
    assert!(
        cookie.starts_with("eyJ2aXNpdHMiOjJ9."),
        "readable: visits is 2"
    );
    let signature = cookie.rfind('.').unwrap() + 1;
    let other = match cookie.as_bytes()[signature] {
        b'A' => 'B',
        _ => 'A',
    };
    let changed = format!(
        "{}{other}{}",
        &cookie[..signature],
        &cookie[signature + 1..]
    );
    alice.browser.set_cookie("session", changed);
    assert_eq!(alice.get("/").body, "Number of visits: 1\n");
}

#[test]
fn login_knows_who_is_there_until_the_logout() {
    let program = Program::example("login").start();
    let mut alice = program.visitor();
    assert!(alice.get("/").body.contains("You are not logged in"));
    assert_eq!(alice.get("/account").status, StatusCode::UNAUTHORIZED);

    let page = alice.submit("/login", "username=alice+%3Cb%3E");
    assert!(
        page.body.contains("Logged in as alice &lt;b&gt;"),
        "{}",
        page.body
    );
    assert_eq!(alice.get("/account").body, "The account of alice <b>\n");

    let page = alice.submit("/logout", "");
    assert!(page.body.contains("You are not logged in"));
    assert_eq!(alice.get("/account").status, StatusCode::UNAUTHORIZED);
    let forged = alice.post_from("https://elsewhere.example", "/login", "username=mallory");
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
}

#[test]
fn flash_says_a_message_once() {
    let program = Program::example("flash").start();
    let mut alice = program.visitor();
    let page = alice.submit("/", "title=Tea+%26+cake");
    assert!(
        page.body
            .contains(r#"<p class="success">Saved: Tea &amp; cake</p>"#),
        "{}",
        page.body
    );
    assert!(!alice.get("/").body.contains("Saved"));
    let page = alice.submit("/", "title=");
    assert!(
        page.body
            .contains(r#"<p class="error">Title is required!</p>"#)
    );
    assert!(!alice.get("/").body.contains("required!"));
}

#[test]
fn remember_me_gives_the_cookie_an_expiry_only_where_it_was_ticked() {
    let program = Program::example("remember_me").start();
    let mut alice = program.visitor();
    let answer = alice.post("/", "username=alice");
    assert!(
        !answer.set_cookie().contains("Expires="),
        "{}",
        answer.set_cookie()
    );
    assert!(alice.get("/").body.contains("alice, until you leave"));
    let answer = alice.post("/", "username=alice&remember=on");
    assert!(
        answer.set_cookie().contains("Expires="),
        "{}",
        answer.set_cookie()
    );
    assert!(alice.get("/").body.contains("alice, remembered"));
}

#[test]
fn cookies_are_set_read_and_deleted() {
    let program = Program::example("cookies").start();
    let mut alice = program.visitor();
    assert!(alice.get("/").body.contains("There is no cookie"));
    let answer = alice.get("/set");
    // As Werkzeug writes it: quoted, with UTF-8 in octal.
    assert!(
        answer
            .set_cookie()
            .starts_with(r#"username="Zo\303\253 M\303\274ller"; Expires="#),
        "{}",
        answer.set_cookie()
    );
    assert_eq!(alice.get("/").body, "The cookie says: Zoë Müller\n");
    alice.get("/delete");
    assert!(alice.get("/").body.contains("There is no cookie"));
}

#[test]
fn first_name_is_in_the_template_and_escaped() {
    let program = Program::example("first_name").start();
    let mut alice = program.visitor();
    assert!(alice.get("/").body.contains("first_name"));
    let page = alice.submit("/", "first_name=Al%3Ci%3Ece");
    assert!(page.body.contains("Hello, Al&lt;i&gt;ce!"), "{}", page.body);
    assert!(alice.submit("/clear", "").body.contains("first_name"));
    assert!(alice.browser.cookie("session").is_none());
}

#[test]
fn todo_keeps_a_list_in_the_session() {
    let program = Program::example("todo").start();
    let mut alice = program.visitor();
    alice.submit("/", "title=Milk");
    let page = alice.submit("/", "title=Bread+%26+butter");
    assert!(page.body.contains("Milk") && page.body.contains("Bread &amp; butter"));
    let page = alice.submit("/done", "number=0");
    assert!(!page.body.contains("Milk") && page.body.contains("Bread"));
    let page = alice.submit("/done", "number=7");
    assert!(page.body.contains("Bread"), "there is no such number");
}

#[test]
fn server_side_keeps_the_basket_in_a_file_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("file:{}", folder.path().join("sessions").display());
    let start = || {
        Program::example("server_side")
            .with("SESSION_STORE", &url)
            .start()
    };
    let program = start();
    let mut alice = program.visitor();
    alice.submit("/", "name=tea");
    let id = alice.cookie("session");
    assert!(alice.submit("/", "name=cake").body.contains("tea, cake"));
    assert_eq!(alice.cookie("session"), id, "the id stays");
    assert!(!files_below(folder.path()).is_empty());
    drop(program);

    let program = start();
    let mut alice = Visitor {
        address: program.address.clone(),
        ..alice
    };
    assert!(alice.get("/").body.contains("tea, cake"));
    let mut copy = Visitor {
        address: program.address.clone(),
        browser: alice.browser.clone(),
    };
    alice.submit("/empty", "");
    assert!(
        !copy.get("/").body.contains("tea"),
        "a copy of the cookie is worth nothing"
    );
}

#[test]
fn redis_counts_in_one_session_from_two_servers() {
    let redis = servers::redis::start().unwrap();
    let start = || {
        Program::example("redis")
            .with("REDIS_URL", redis.url())
            .start()
    };
    let (one, two) = (start(), start());
    let mut alice = one.visitor();
    assert_eq!(alice.get("/").body, "Number of visits: 1\n");
    let clicks: Vec<_> = (0..20)
        .map(|click| {
            let server = if click % 2 == 0 { &one } else { &two };
            let mut tab = Visitor {
                address: server.address.clone(),
                browser: alice.browser.clone(),
            };
            std::thread::spawn(move || tab.get("/").status)
        })
        .collect();
    for click in clicks {
        assert_eq!(click.join().unwrap(), StatusCode::OK);
    }
    assert_eq!(
        alice.get("/").body,
        "Number of visits: 22\n",
        "none is lost"
    );

    redis.kill().unwrap();
    let down = alice.get("/");
    assert_eq!(down.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        down.headers.get("set-cookie").is_none(),
        "and nobody is logged out"
    );
}

#[test]
fn encrypted_shows_the_note_to_the_visitor_and_to_nobody_who_has_the_cookie() {
    let program = Program::example("encrypted").start();
    let mut alice = program.visitor();
    assert!(
        alice
            .submit("/", "note=to+be+kept")
            .body
            .contains("Your note: to be kept")
    );
    let first = alice.cookie("session");
    alice.submit("/", "note=to+be+kept+");
    alice.submit("/", "note=to+be+kept");
    assert_ne!(
        alice.cookie("session"),
        first,
        "the same note looks different"
    );
    let mut stranger = program.visitor();
    assert!(!stranger.get("/").body.contains("kept"));
}

#[test]
fn shared_with_flask_is_one_login_and_one_count_in_both() {
    const KEY: &str = "of this test alone, and long enough";
    let rust = Program::example("shared_with_flask")
        .with("SECRET_KEY", KEY)
        .start();
    let flask = Program::python("shared_with_flask.py")
        .with("SECRET_KEY", KEY)
        .start();
    let mut alice = rust.visitor();
    let page = alice.submit("/login", "username=alice");
    assert!(
        page.body.contains("Rust: logged in as alice, 1 visits"),
        "{}",
        page.body
    );

    let mut alice = Visitor {
        address: flask.address.clone(),
        ..alice
    };
    let page = alice.get("/");
    assert!(
        page.body.contains("Flask: logged in as alice, 2 visits"),
        "{}",
        page.body
    );
    alice.submit("/login", "username=bob");

    let mut alice = Visitor {
        address: rust.address.clone(),
        ..alice
    };
    let page = alice.get("/");
    assert!(
        page.body.contains("Rust: logged in as bob, 4 visits"),
        "{}",
        page.body
    );
}

#[test]
fn shared_with_flask_says_in_one_line_that_the_key_is_missing() {
    let said = Program::example("shared_with_flask").fails();
    assert!(said.contains("SECRET_KEY is not set"), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
}

#[test]
fn observability_counts_for_prometheus_and_sends_spans_to_a_collector() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let program = Program::example("observability")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
        .with("OTEL_BSP_SCHEDULE_DELAY", "10")
        .start();
    let mut alice = program.visitor();
    for visits in 1..=3 {
        let counted = format!("Number of visits: {visits}\n");
        assert_eq!(alice.get("/").body, counted);
    }
    let numbers = alice.get("/metrics").body;
    for line in [
        r#"cloakroom_sessions_opened_total{place="sqlite",outcome="new"} 1"#,
        r#"cloakroom_sessions_opened_total{place="sqlite",outcome="loaded"} 2"#,
        r#"cloakroom_sessions_saved_total{place="sqlite",outcome="written"} 3"#,
        r#"cloakroom_store_available{store="sqlite"} 1"#,
    ] {
        assert!(numbers.contains(line), "{line} is missing in\n{numbers}");
    }
    // The first spans that arrive, in protocol buffers: names stand in them as they are.
    let (mut stream, _) = collector.accept().unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !contains(&received, b"cloakroom.open") {
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the collector got no span");
        received.extend_from_slice(&buffer[..read]);
    }
    assert!(received.starts_with(b"POST /v1/traces HTTP/1.1"));
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|part| part == wanted)
}

#[test]
fn every_example_is_in_these_tests_and_tells_how_to_start_it() {
    let tests = fs::read_to_string(program::folder().join("tests/click_through.rs")).unwrap();
    let mut names = Vec::new();
    for file in fs::read_dir(program::folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            assert!(
                text.contains(&format!("`cargo run --example {name}`")),
                "{name}"
            );
            assert!(
                tests.contains(&format!("Program::example(\"{name}\")")),
                "{name}"
            );
            assert!(
                text.lines().count() <= 80,
                "{name} is no small example any more"
            );
            names.push(name);
        }
    }
    assert_eq!(names.len(), 12, "{names:?}");
}

fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files_below(&path)),
            false => found.push(path),
        }
    }
    found
}
