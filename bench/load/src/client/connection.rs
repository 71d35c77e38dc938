//! One browser on one connection, with one request at a time.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::jar::Jar;
use super::request::{Ask, Request, Visitor};
use super::response::Response;

pub(super) struct Connection {
    pub(super) stream: TcpStream,
    /// When the request under way was to be sent.
    pub(super) planned: Option<Instant>,
    address: SocketAddr,
    jar: Jar,
    /// The last number that this browser saw.
    seen: u64,
    /// The bytes of the last request, as long as they hold.
    bytes: Vec<u8>,
    bytes_are_for: Option<(Request, Visitor)>,
    received: Vec<u8>,
    filled: usize,
}

/// What came back.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// Why it is not the right answer.
    pub(super) wrong: Option<String>,
    pub(super) set_cookie_bytes: u64,
    pub(super) body_bytes: u64,
    pub(super) closes: bool,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> io::Result<Self> {
        Ok(Self {
            stream: connect(address)?,
            planned: None,
            address,
            jar: Jar::default(),
            seen: 0,
            bytes: Vec::with_capacity(1024),
            bytes_are_for: None,
            received: vec![0; 16 * 1024],
            filled: 0,
        })
    }

    /// Takes the cookies of another browser.
    pub(super) fn become_like(&mut self, other: &Self) {
        self.jar = other.jar.clone();
        self.seen = other.seen;
        self.bytes_are_for = None;
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// The same browser on a new connection.
    pub(super) fn open_again(&mut self) -> io::Result<()> {
        self.stream = connect(self.address)?;
        self.filled = 0;
        Ok(())
    }

    pub(super) fn send(&mut self, ask: &Ask) -> io::Result<()> {
        let Ask {
            request, visitor, ..
        } = *ask;
        if self.bytes_are_for != Some((request, visitor)) {
            self.make(request, visitor);
        }
        // Nothing of an earlier request is in the socket, so there is room.
        let sent = self.stream.write(&self.bytes)?;
        if sent < self.bytes.len() {
            return Err(io::Error::other("a request did not fit the socket"));
        }
        Ok(())
    }

    fn make(&mut self, request: Request, visitor: Visitor) {
        self.bytes_are_for = Some((request, visitor));
        self.bytes.clear();
        let out = &mut self.bytes;
        let method = if request.form.is_some() {
            "POST"
        } else {
            "GET"
        };
        let line = format!(
            "{method} {} HTTP/1.1\r\nhost: {}\r\n",
            request.path, self.address
        );
        out.extend_from_slice(line.as_bytes());
        if visitor == Visitor::Returning {
            self.jar.write_header(out);
        }
        let form = request.form.unwrap_or_default();
        if request.form.is_some() {
            let headers = format!(
                "sec-fetch-site: same-origin\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                form.len()
            );
            out.extend_from_slice(headers.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(form.as_bytes());
    }

    /// Reads what is there; None while something is still to come.
    pub(super) fn receive(&mut self, ask: &Ask) -> io::Result<Option<Received>> {
        if self.filled == self.received.len() {
            self.received.resize(self.filled * 2, 0);
        }
        match self.stream.read(&mut self.received[self.filled..]) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "closed by the server",
                ));
            }
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
        let bytes = &self.received[..self.filled];
        let Some(response) = Response::parse(bytes).map_err(io::Error::other)? else {
            return Ok(None);
        };
        if self.filled > response.body.end {
            return Err(io::Error::other("more bytes than the response has"));
        }
        let mut received = Received {
            closes: response.closes,
            body_bytes: response.body.len() as u64,
            ..Received::default()
        };
        for cookie in response.set_cookies(bytes) {
            received.set_cookie_bytes += cookie.len() as u64;
            if ask.visitor == Visitor::Returning {
                self.jar.take(cookie);
                self.bytes_are_for = None;
            }
        }
        let body = &bytes[response.body];
        if !ask.request.leads.fits(response.status) {
            received.wrong = Some(format!("status {}", response.status));
        } else if !ask.answer.is_right(body, &mut self.seen) {
            received.wrong = Some(format!("wrong answer {}", beginning(body)));
        }
        self.filled = 0;
        Ok(Some(received))
    }
}

/// A body in an error, which stays one line.
fn beginning(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(60).collect();
    format!("{text:?}")
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}
