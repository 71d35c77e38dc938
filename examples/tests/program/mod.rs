//! An example as a process of its own on a free port, and somebody who visits it.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command};

use cloakroom::testing::Browser;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, header};

/// The folder of the examples.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program that is about to be started.
pub(crate) struct Program(Command);

impl Program {
    /// An example of this package, as cargo built it.
    pub(crate) fn example(name: &str) -> Self {
        let test = env::current_exe().unwrap();
        let built = test.ancestors().nth(2).unwrap().join("examples").join(name);
        let source = folder().join(name).with_extension("rs");
        let age = |file: &Path| fs::metadata(file).and_then(|file| file.modified()).ok();
        assert!(
            age(&built) >= age(&source),
            "{} is not built: `cargo build --package examples --all-features --examples` does it",
            built.display()
        );
        Self::new(Command::new(built))
    }

    /// A Python script in this folder, run by the Python that has Flask.
    pub(crate) fn python(script: &str) -> Self {
        let mut command = Command::new(servers::python().unwrap());
        command.arg("-u").arg(folder().join(script));
        Self::new(command)
    }

    fn new(mut command: Command) -> Self {
        // Nothing of what the developer's own shell says, and a free port.
        command.env_remove("SECRET_KEY").env("PORT", "0");
        Self(command)
    }

    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.0.env(variable, value);
        self
    }

    /// Starts it and waits until it says where it listens.
    pub(crate) fn start(mut self) -> Running {
        // Flask tells on the other stream.
        let (read, write) = std::io::pipe().unwrap();
        self.0.stdout(write.try_clone().unwrap()).stderr(write);
        let child = self.0.spawn().unwrap();
        // With it goes the last writer's end that is ours: when the program ends, so does what it says.
        drop(self.0);
        let mut said = String::new();
        let mut lines = BufReader::new(read);
        let address = loop {
            let from = said.len();
            let read = lines.read_line(&mut said).unwrap();
            assert!(read > 0, "it ended without listening: {said}");
            if let Some((_, address)) = said[from..].split_once(" on http://") {
                break address.trim().to_owned();
            }
        };
        // What it says later is read, so that it never waits for a reader.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Running { child, address }
    }

    /// What it says when it does not start.
    pub(crate) fn fails(mut self) -> String {
        let output = self.0.output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A program that listens; it ends when this goes.
pub(crate) struct Running {
    child: Child,
    pub(crate) address: String,
}

impl Running {
    /// Somebody without a cookie.
    pub(crate) fn visitor(&self) -> Visitor {
        Visitor {
            address: self.address.clone(),
            browser: Browser::new(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser in front of one of the servers.
pub(crate) struct Visitor {
    pub(crate) address: String,
    pub(crate) browser: Browser,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn set_cookie(&self) -> &str {
        self.headers[header::SET_COOKIE].to_str().unwrap()
    }
}

impl Visitor {
    pub(crate) fn cookie(&self, name: &str) -> String {
        self.browser.cookie(name).unwrap().to_owned()
    }

    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path).body(String::new()).unwrap())
    }

    /// Posts a form of the site's own.
    pub(crate) fn post(&mut self, path: &str, form: &str) -> Answer {
        let own = format!("http://{}", self.address);
        self.post_from(&own, path, form)
    }

    /// Posts a form of a page of this origin.
    pub(crate) fn post_from(&mut self, origin: &str, path: &str, form: &str) -> Answer {
        let request = Request::post(path)
            .header(header::ORIGIN, origin)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form.to_owned());
        self.send(request.unwrap())
    }

    /// Posts a form and goes where the answer sends.
    pub(crate) fn submit(&mut self, path: &str, form: &str) -> Answer {
        let answer = self.post(path, form);
        assert!(answer.status.is_redirection(), "{path}: {}", answer.status);
        let location = answer.headers[header::LOCATION]
            .to_str()
            .unwrap()
            .to_owned();
        self.get(&location)
    }

    fn send(&mut self, request: Request<String>) -> Answer {
        let (parts, body) = self.browser.request(request).into_parts();
        let mut text = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n",
            parts.method,
            parts.uri,
            self.address,
            body.len()
        );
        for (name, value) in &parts.headers {
            text.extend([name.as_str(), ": ", value.to_str().unwrap(), "\r\n"]);
        }
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "{text}\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let answer = parsed(&answer);
        self.browser.store(&response(&answer));
        answer
    }
}

fn parsed(text: &str) -> Answer {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    assert!(
        !headers.contains_key(header::TRANSFER_ENCODING),
        "not understood here"
    );
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: body.to_owned(),
    }
}

fn response(answer: &Answer) -> Response<()> {
    let mut response = Response::new(());
    response.headers_mut().clone_from(&answer.headers);
    response
}
