//! `cloakroom inspect`, started, and what a browser would ask of it, header by header.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A run of the command that ends with the test.
pub(crate) struct Inspect {
    pub(crate) child: Child,
    pub(crate) port: u16,
    pub(crate) token: String,
    /// The cookie that the token was exchanged for.
    pub(crate) cookie: String,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: String,
    pub(crate) body: String,
}

impl Inspect {
    /// Starts it and opens the address that it prints.
    pub(crate) fn start(url: &str, prefix: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_cloakroom"))
            .args(["inspect", "--port", "0", "--prefix", prefix])
            .args(arguments)
            .env_clear()
            .env("SESSION_STORE", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut address)
            .unwrap();
        let rest = address.trim().strip_prefix("http://127.0.0.1:").unwrap();
        let (port, token) = rest.split_once("/?token=").unwrap();
        let mut inspect = Self {
            child,
            port: port.parse().unwrap(),
            token: token.to_owned(),
            cookie: String::new(),
        };
        let opened = inspect.get(&format!("/?token={}", inspect.token));
        assert_eq!(opened.status, 303, "{}", opened.body);
        let cookie = opened.header("set-cookie").unwrap();
        cookie
            .split(';')
            .next()
            .unwrap()
            .clone_into(&mut inspect.cookie);
        inspect
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        let (host, cookie) = (self.host(), self.cookie.clone());
        self.ask("GET", path, &[("Host", &host), ("Cookie", &cookie)], "")
    }

    /// Sends a form as a browser would.
    pub(crate) fn post(&self, path: &str, form: &str) -> Reply {
        let (host, cookie) = (self.host(), self.cookie.clone());
        let origin = format!("http://{host}");
        let headers = [
            ("Host", &*host),
            ("Cookie", &*cookie),
            ("Origin", &*origin),
            ("Sec-Fetch-Site", "same-origin"),
        ];
        self.ask("POST", path, &headers, form)
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Asks with exactly these headers.
    pub(crate) fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Reply {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let mut request = vec![
            format!("{method} {path} HTTP/1.1"),
            "Connection: close".to_owned(),
        ];
        let headers = headers.iter();
        request.extend(headers.map(|(name, value)| format!("{name}: {value}")));
        if method == "POST" {
            request.push("Content-Type: application/x-www-form-urlencoded".to_owned());
            request.push(format!("Content-Length: {}", form.len()));
        }
        request.extend([String::new(), form.to_owned()]);
        stream.write_all(request.join("\r\n").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        let (headers, body) = reply.split_once("\r\n\r\n").unwrap();
        Reply {
            status: headers.split(' ').nth(1).unwrap().parse().unwrap(),
            headers: headers.to_owned(),
            body: body.to_owned(),
        }
    }

    /// The first page, once the whole store has been looked at.
    pub(crate) fn overview(&self) -> String {
        // Some thousand times as often as it takes.
        let mut pages = (0..20_000).map(|_| self.get("/").good());
        let whole = pages.find(|page| !page.contains("Looking:"));
        whole.unwrap()
    }
}

impl Drop for Inspect {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Reply {
    #[track_caller]
    pub(crate) fn good(self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self
            .headers
            .lines()
            .filter_map(|line| line.split_once(": "));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value)
    }
}

/// The handles of the sessions that a page lists, in its order.
pub(crate) fn listed(page: &str) -> Vec<String> {
    let links = page.split(r#"<th scope="row"><a href="/sessions/"#).skip(1);
    links
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

/// The text of the element with this name for tests, without its tags.
pub(crate) fn told(page: &str, name: &str) -> String {
    let place = page.find(&format!(r#"data-testid="{name}""#));
    let place = place.unwrap_or_else(|| panic!("there is no {name}"));
    let tag = &page[page[..place].rfind('<').unwrap() + 1..];
    let end = format!("</{}>", tag.split(' ').next().unwrap());
    let rest = page[place..].split_once('>').unwrap().1;
    let end = rest.find(&end).unwrap();
    let mut text = String::new();
    for part in rest[..end].split('<') {
        let outside = part.split_once('>').map_or(part, |(_, outside)| outside);
        text.push_str(outside);
        text.push(' ');
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
