//! A TCP connection that fails when it is told to.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// Passes connections on to a server, and fails in between in the ways that networks do.
///
/// It begins by passing everything on; each fault lasts until [`normal`](Self::normal), but for the cuts,
/// which happen once. Dropped, it closes all its connections.
pub struct Proxy {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    server: u16,
    fault: Fault,
    /// None while connections are refused, and after the drop.
    listener: Option<TcpListener>,
    connections: Vec<Connection>,
    accepted: u64,
    round_trips: u64,
    dropped: bool,
}

/// A connection that is open.
struct Connection {
    number: u64,
    ends: [TcpStream; 2],
    /// Who has sent something last.
    last: From,
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    Refuse,
    BlackHole,
    Cut { from: From, bytes_left: usize },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    Client,
    Server,
}

/// How long a new connection waits to be noticed.
const POLL: Duration = Duration::from_millis(1);

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes on to that port of a server, which may be down.
    ///
    /// # Errors
    ///
    /// No port could be listened on.
    pub fn start(port_of_server: u16) -> io::Result<Self> {
        let port = crate::place::free_port()?;
        let state = Arc::new(Mutex::new(State {
            server: port_of_server,
            fault: Fault::None,
            listener: Some(listen(port)?),
            connections: Vec::new(),
            accepted: 0,
            round_trips: 0,
            dropped: false,
        }));
        let accepting = Arc::clone(&state);
        thread::spawn(move || accept(&accepting));
        Ok(Self { port, state })
    }

    /// Where clients connect instead of to the server.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes everything on again. Connections that lost bytes meanwhile are closed.
    ///
    /// # Errors
    ///
    /// Its port could not be listened on again.
    pub fn normal(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        if matches!(state.fault, Fault::BlackHole) {
            state.cut_all();
        }
        state.fault = Fault::None;
        if state.listener.is_none() {
            state.listener = Some(listen(self.port)?);
        }
        Ok(())
    }

    /// Refuses new connections, as a machine without the server does, and closes those there are.
    pub fn refuse(&self) {
        let mut state = lock(&self.state);
        state.fault = Fault::Refuse;
        state.listener = None;
        state.cut_all();
    }

    /// Takes new connections but answers nothing, as a firewall or a machine without power does; open
    /// connections go silent too.
    ///
    /// # Errors
    ///
    /// Its port could not be listened on again.
    pub fn black_hole(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.fault = Fault::BlackHole;
        if state.listener.is_none() {
            state.listener = Some(listen(self.port)?);
        }
        Ok(())
    }

    /// Closes all connections now; new ones are taken.
    pub fn cut(&self) {
        lock(&self.state).cut_all();
    }

    /// Passes on so many more bytes of what clients send, over all connections, and then closes the one
    /// that the next byte came from: a command that arrives in part. Happens once.
    pub fn cut_request_after(&self, bytes: usize) {
        lock(&self.state).fault = Fault::Cut {
            from: From::Client,
            bytes_left: bytes,
        };
    }

    /// As [`cut_request_after`](Self::cut_request_after), but of what the server answers: with 0, a command
    /// that was carried out and never acknowledged.
    pub fn cut_response_after(&self, bytes: usize) {
        lock(&self.state).fault = Fault::Cut {
            from: From::Server,
            bytes_left: bytes,
        };
    }

    /// How many connections clients have made so far.
    pub fn accepted(&self) -> u64 {
        lock(&self.state).accepted
    }

    /// How often so far a client has asked, on any connection: however much it sends before it waits for an answer,
    /// that is one round trip.
    pub fn round_trips(&self) -> u64 {
        lock(&self.state).round_trips
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.dropped = true;
        state.listener = None;
        state.cut_all();
    }
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Proxy")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl State {
    fn cut_all(&mut self) {
        for connection in self.connections.drain(..) {
            close(&connection.ends);
        }
    }

    /// Notes who sends on a connection.
    fn heard(&mut self, number: u64, from: From) {
        let connection = self.connections.iter_mut().find(|it| it.number == number);
        if let Some(connection) = connection {
            let turns = (connection.last, from) == (From::Server, From::Client);
            self.round_trips += u64::from(turns);
            connection.last = from;
        }
    }

    /// How many of the bytes that came from there to pass on, and whether the connection then ends.
    fn pass(&mut self, from: From, bytes: usize) -> (usize, bool) {
        match &mut self.fault {
            Fault::BlackHole => (0, false),
            Fault::Cut {
                from: cut,
                bytes_left,
            } if *cut == from => {
                if bytes <= *bytes_left {
                    *bytes_left -= bytes;
                    return (bytes, false);
                }
                let last = *bytes_left;
                self.fault = Fault::None;
                (last, true)
            }
            Fault::None | Fault::Refuse | Fault::Cut { .. } => (bytes, false),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // An error means that it is closed.
        let _ = end.shutdown(Shutdown::Both);
    }
}

fn accept(state: &Arc<Mutex<State>>) {
    loop {
        {
            let mut state_now = lock(state);
            if state_now.dropped {
                return;
            }
            let accepted = state_now.listener.as_ref().map(TcpListener::accept);
            if let Some(Ok((client, _))) = accepted {
                state_now.accepted += 1;
                // A connection that could not be made is closed at once: the client sees that.
                let _ = connect(state, &mut state_now, client);
                continue;
            }
        }
        thread::sleep(POLL);
    }
}

fn connect(state: &Arc<Mutex<State>>, now: &mut State, client: TcpStream) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, now.server))?;
    server.set_nodelay(true)?;
    let number = now.accepted;
    now.connections.push(Connection {
        number,
        ends: [client.try_clone()?, server.try_clone()?],
        last: From::Server,
    });
    for (from, source, to) in [
        (From::Client, client.try_clone()?, server.try_clone()?),
        (From::Server, server, client),
    ] {
        let state = Arc::clone(state);
        thread::spawn(move || {
            pump(&state, number, from, source, to);
            // When one direction ends, so does the other.
            let mut state = lock(&state);
            if let Some(position) = state
                .connections
                .iter()
                .position(|connection| connection.number == number)
            {
                close(&state.connections.swap_remove(position).ends);
            }
        });
    }
    Ok(())
}

fn pump(state: &Mutex<State>, number: u64, from: From, mut source: TcpStream, mut to: TcpStream) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = source.read(&mut buffer) {
        let (pass, ends) = {
            let mut state = lock(state);
            state.heard(number, from);
            state.pass(from, length)
        };
        if to.write_all(&buffer[..pass]).is_err() || ends {
            return;
        }
    }
}
