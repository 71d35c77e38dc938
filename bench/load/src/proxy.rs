//! Counts how often a client waits for a server.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};

/// Passes on what a client of a store and the store say to each other, and counts the round trips: the times that the
/// client speaks after the store has spoken. Commands sent together are one.
pub(crate) struct Proxy {
    port: u16,
    trips: Arc<AtomicU64>,
}

impl Proxy {
    /// Listens on a free port for as long as this process lives.
    pub(crate) fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let trips = Arc::new(AtomicU64::new(0));
        let counting = Arc::clone(&trips);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let trips = Arc::clone(&counting);
                thread::spawn(move || {
                    // An error ends the connection, which both sides see.
                    let _ = pass(&client, server, &trips);
                });
            }
        });
        Ok(Self { port, trips })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Those of all connections since the start.
    pub(crate) fn trips(&self) -> u64 {
        self.trips.load(Ordering::SeqCst)
    }
}

#[derive(PartialEq, Eq)]
enum Speaker {
    Client,
    Server,
}

/// One thread for both directions, so that what is said has one order.
fn pass(client: &TcpStream, server: u16, trips: &AtomicU64) -> io::Result<()> {
    let server = &TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
    for side in [client, server] {
        side.set_nodelay(true)?;
    }
    let mut last = Speaker::Server;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut sides = [
            PollFd::new(client, PollFlags::IN),
            PollFd::new(server, PollFlags::IN),
        ];
        match poll(&mut sides, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [client_spoke, server_spoke] = sides.map(|side| !side.revents().is_empty());
        // The client first: what it says now, it says without having heard what the server says now.
        if client_spoke {
            let Some(length) = hear(client, &mut buffer)? else {
                return server.shutdown(Shutdown::Both);
            };
            if last == Speaker::Server {
                trips.fetch_add(1, Ordering::SeqCst);
                last = Speaker::Client;
            }
            tell(server, &buffer[..length])?;
        }
        if server_spoke {
            let Some(length) = hear(server, &mut buffer)? else {
                return client.shutdown(Shutdown::Both);
            };
            last = Speaker::Server;
            tell(client, &buffer[..length])?;
        }
    }
}

/// None at the end.
fn hear(mut side: &TcpStream, buffer: &mut [u8]) -> io::Result<Option<usize>> {
    loop {
        match side.read(buffer) {
            Ok(0) => return Ok(None),
            Ok(length) => return Ok(Some(length)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn tell(mut side: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    side.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A server that answers each line with itself, in two pieces.
    fn echo() -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    let mut byte = [0];
                    let mut line = Vec::new();
                    while let Ok(1) = stream.read(&mut byte) {
                        line.push(byte[0]);
                        if byte[0] == b'\n' {
                            let (first, second) = line.split_at(1);
                            stream.write_all(first).unwrap();
                            thread::sleep(Duration::from_millis(2));
                            stream.write_all(second).unwrap();
                            line.clear();
                        }
                    }
                });
            }
        });
        port
    }

    struct Client(TcpStream);

    impl Client {
        fn of(proxy: &Proxy) -> Self {
            let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).unwrap();
            stream.set_nodelay(true).unwrap();
            Self(stream)
        }

        fn say(&mut self, text: &str) {
            self.0.write_all(text.as_bytes()).unwrap();
        }

        fn hear(&mut self, length: usize) {
            self.0.read_exact(&mut vec![0; length]).unwrap();
        }
    }

    #[test]
    fn an_answer_in_pieces_is_one_trip_and_so_are_commands_sent_together() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut client = Client::of(&proxy);
        for expected in 1..=5 {
            client.say("get\n");
            client.hear(4);
            assert_eq!(proxy.trips(), expected);
        }
        client.say("multi\nset\nexec\n");
        client.hear(15);
        assert_eq!(proxy.trips(), 6);
        // A command that comes in two pieces.
        client.say("ge");
        thread::sleep(Duration::from_millis(20));
        client.say("t\n");
        client.hear(4);
        assert_eq!(proxy.trips(), 7);
    }

    #[test]
    fn all_connections_count() {
        let proxy = Proxy::start(echo()).unwrap();
        let (mut one, mut other) = (Client::of(&proxy), Client::of(&proxy));
        one.say("a\n");
        other.say("b\n");
        one.hear(2);
        other.hear(2);
        assert_eq!(proxy.trips(), 2);
    }

    #[test]
    fn a_store_that_closes_is_seen_by_the_client() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap().port()).unwrap();
        let mut client = Client::of(&proxy);
        drop(listener.accept().unwrap());
        let read = client.0.read(&mut [0]);
        assert!(matches!(read, Ok(0) | Err(_)));
    }
}
