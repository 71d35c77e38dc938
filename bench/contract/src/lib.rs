//! What every subject promises, and what it takes to check it: a server that is started for a test, and a browser that visits it.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use serde_json::Value;

/// What browsers keep of one cookie.
const LONGEST_COOKIE: usize = 4096;

/// A running subject; it ends when this is dropped.
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts what prints `listening on ADDRESS` and ends with its standard input.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let output = child.stdout.take().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ");
        let address = address.unwrap_or_else(|| panic!("{command:?} printed {line:?}"));
        Self {
            address: address.to_owned(),
            child,
        }
    }

    /// Closes its input and waits for its end.
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // If a test failed half way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Keeps cookies.
#[derive(Clone, Default)]
pub struct Browser {
    cookies: BTreeMap<String, String>,
}

/// What a visit showed.
pub struct Page {
    /// The status code.
    pub status: u16,
    /// The text.
    pub body: String,
    /// Whether it has a cookie for the browser.
    pub sets_cookie: bool,
}

impl Browser {
    /// Visits one page.
    pub fn get(&mut self, server: &Server, path: &str) -> Page {
        let mut connection = TcpStream::connect(&server.address).unwrap();
        connection
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let cookies: Vec<String> = self.pairs().collect();
        let cookies = match cookies.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", cookies.join("; ")),
        };
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{cookies}\r\n");
        connection.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        connection.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let set: Vec<&str> = head.lines().filter_map(set_cookie).collect();
        for cookie in &set {
            self.keep(cookie);
        }
        Page {
            status,
            body: body.to_owned(),
            sets_cookie: !set.is_empty(),
        }
    }

    /// Whether it has the same cookies as another.
    pub fn is_like(&self, other: &Self) -> bool {
        self.cookies == other.cookies
    }

    fn pairs(&self) -> impl Iterator<Item = String> {
        self.cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
    }

    fn keep(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap();
        assert!(
            pair.len() <= LONGEST_COOKIE,
            "a browser would drop this cookie"
        );
        let (name, value) = pair.split_once('=').unwrap();
        self.cookies.insert(name.to_owned(), value.to_owned());
    }
}

fn set_cookie(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(": ")?;
    name.eq_ignore_ascii_case("set-cookie").then_some(value)
}

/// The subjects that a program serves, as its `--list` describes them.
pub fn described(program: &mut Command) -> Vec<Value> {
    let listed = program.arg("--list").output().unwrap();
    serde_json::from_slice(&listed.stdout).unwrap()
}

/// Walks through what every subject promises. `subject` is as `--list` describes it.
pub fn walk(subject: &Value, server: &Server) {
    let name = subject["name"].as_str().unwrap();
    match subject["kind"].as_str().unwrap() {
        "none" => walk_without_sessions(name, server),
        kind => walk_with_sessions(name, kind, server),
    }
}

fn walk_without_sessions(name: &str, server: &Server) {
    let mut browser = Browser::default();
    let pages = [
        ("/plain", "ok"),
        ("/read", "0"),
        ("/write", "1"),
        ("/login", "ok"),
        ("/fill/twenty", "ok"),
        ("/fill/large", "ok"),
        ("/read_many", "7"),
    ];
    for (path, body) in pages {
        let page = browser.get(server, path);
        assert_eq!((page.status, &*page.body), (200, body), "{name}: {path}");
        assert!(!page.sets_cookie, "{name}: {path}");
    }
}

fn walk_with_sessions(name: &str, kind: &str, server: &Server) {
    // One library gives everyone a session, and two send the cookie again with each response.
    let sets_to_strangers = name.starts_with("axum_session");
    let sets_again = sets_to_strangers || name.starts_with("flask-session");
    let mut browser = Browser::default();
    let answers = |browser: &mut Browser, path: &str, body: &str| {
        let page = browser.get(server, path);
        assert_eq!((page.status, &*page.body), (200, body), "{name}: {path}");
        page.sets_cookie
    };

    // Who has no session gets none by looking.
    assert_eq!(
        answers(&mut browser, "/plain", "ok"),
        sets_to_strangers,
        "{name}"
    );
    assert_eq!(
        answers(&mut browser, "/read", "0"),
        sets_to_strangers,
        "{name}"
    );

    // It counts, and reading changes nothing.
    assert!(answers(&mut browser, "/write", "1"), "{name}: no cookie");
    assert_eq!(answers(&mut browser, "/plain", "ok"), sets_again, "{name}");
    assert_eq!(answers(&mut browser, "/read", "1"), sets_again, "{name}");
    let sets = answers(&mut browser, "/write", "2");
    assert!(sets || kind != "cookie", "{name}: the new content is lost");
    answers(&mut browser, "/write", "3");
    answers(&mut browser, "/read", "3");
    answers(&mut Browser::default(), "/read", "0");

    // A login keeps what was there, under another id; the old one is worth nothing any more.
    let mut copy = browser.clone();
    assert!(answers(&mut browser, "/login", "ok"), "{name}: no new id");
    assert!(!browser.is_like(&copy), "{name}: the same id");
    answers(&mut browser, "/read", "3");
    answers(&mut browser, "/write", "4");
    if kind != "cookie" {
        answers(&mut copy, "/read", "0");
        answers(&mut browser, "/read", "4");
    }

    let mut browser = Browser::default();
    answers(&mut browser, "/fill/twenty", "ok");
    answers(&mut browser, "/read", "1");
    answers(&mut browser, "/read_many", "7");

    let mut browser = Browser::default();
    let page = browser.get(server, "/fill/large");
    match page.status {
        507 => assert!(TOO_SMALL.contains(&name), "{name} has room"),
        status => {
            assert_eq!((status, &*page.body), (200, "ok"), "{name}: /fill/large");
            assert!(!TOO_SMALL.contains(&name), "{name} has no room");
            let read = |path| Browser::get(&mut browser.clone(), server, path).body;
            assert_eq!(
                (&*read("/read"), &*read("/read_many")),
                ("1", "32"),
                "{name}"
            );
        }
    }
}

/// Whose cookies have no room for 3,500 bytes of JSON.
const TOO_SMALL: [&str; 5] = [
    "cloakroom encrypted",
    "axum-extra signed",
    "axum-extra private",
    "actix-session cookie signed",
    "actix-session cookie private",
];
