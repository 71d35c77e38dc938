//! Many browsers at once, on one thread.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::thread::set_current_timer_slack;

use super::connection::{Connection, Received};
use super::request::Ask;

/// Browsers that ask one server, each on a connection of its own.
pub(crate) struct Crowd {
    poll: OwnedFd,
    connections: Vec<Connection>,
    events: Vec<epoll::Event>,
}

/// When a closed loop ends; requests under way are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    Time(Duration),
    /// So many requests of all together.
    Requests(u64),
    /// So many, or as many as there is time for.
    RequestsWithin(u64, Duration),
}

/// What came back in a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Right answers.
    pub(crate) answered: u64,
    /// Wrong answers, and connections that broke.
    pub(crate) failed: u64,
    pub(crate) first_failure: Option<String>,
    pub(crate) set_cookie_bytes: u64,
    pub(crate) body_bytes: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) tally: Tally,
    pub(crate) elapsed: Duration,
}

/// How the error begins that says so.
pub(crate) const HUNG: &str = "no answer";

/// A server that lets one request wait for so long is taken for dead.
const STALLED: Duration = Duration::from_secs(10);

impl Crowd {
    pub(crate) fn connect(address: SocketAddr, size: usize) -> io::Result<Self> {
        let mut crowd = Self {
            poll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            connections: Vec::with_capacity(size),
            events: Vec::with_capacity(size),
        };
        for place in 0..size {
            crowd.connections.push(Connection::open(address)?);
            crowd.watch(place)?;
        }
        Ok(crowd)
    }

    /// The browsers that came, as if all of them were one: their cookies are those of the first.
    pub(crate) fn share_first_jar(&mut self) {
        if let Some((first, others)) = self.connections.split_first_mut() {
            for other in others {
                other.become_like(first);
            }
        }
    }

    /// The last number that the first browser saw.
    pub(crate) fn seen_by_first(&self) -> u64 {
        self.connections.first().map_or(0, Connection::seen)
    }

    /// Each browser asks once.
    pub(crate) fn each(&mut self, ask: &Ask) -> io::Result<Tally> {
        let all = self.connections.len() as u64;
        Ok(self.closed_loop(ask, Until::Requests(all))?.tally)
    }

    /// The first browser asks once.
    pub(crate) fn one(&mut self, ask: &Ask) -> io::Result<Tally> {
        Ok(self.closed_loop(ask, Until::Requests(1))?.tally)
    }

    /// Each browser asks again as soon as it has its answer.
    pub(crate) fn closed_loop(&mut self, ask: &Ask, until: Until) -> io::Result<Window> {
        let mut tally = Tally::default();
        let begin = Instant::now();
        let (deadline, most) = match until {
            Until::Time(time) => (Some(begin + time), u64::MAX),
            Until::Requests(most) => (None, most),
            Until::RequestsWithin(most, time) => (Some(begin + time), most),
        };
        let (mut sent, mut waiting) = (0, 0);
        for connection in &mut self.connections {
            if sent < most {
                connection.send(ask)?;
                sent += 1;
                waiting += 1;
            }
        }
        let mut ready = Vec::with_capacity(self.connections.len());
        let mut last_answer = Instant::now();
        while waiting > 0 {
            self.wait(Duration::from_secs(1), &mut ready)?;
            let now = Instant::now();
            if ready.is_empty() && now - last_answer > STALLED {
                return Err(stalled(waiting));
            }
            for place in ready.drain(..) {
                if !self.finish(place, ask, &mut tally)? {
                    continue;
                }
                last_answer = now;
                if sent < most && deadline.is_none_or(|deadline| now < deadline) {
                    self.connections[place].send(ask)?;
                    sent += 1;
                } else {
                    waiting -= 1;
                }
            }
        }
        Ok(Window {
            tally,
            elapsed: begin.elapsed(),
        })
    }

    /// Asks at a fixed rate, whether answers come or not, and hands back the nanoseconds from when each
    /// request was to be sent to its answer: a server that halts makes all those late that came meanwhile.
    pub(crate) fn open_loop(
        &mut self,
        ask: &Ask,
        per_second: u32,
        time: Duration,
    ) -> io::Result<(Tally, Vec<u64>)> {
        let slack = TimerSlack::least()?;
        let result = self.at_fixed_rate(ask, per_second, time);
        drop(slack);
        result
    }

    fn at_fixed_rate(
        &mut self,
        ask: &Ask,
        per_second: u32,
        time: Duration,
    ) -> io::Result<(Tally, Vec<u64>)> {
        let step = Duration::from_secs(1) / per_second;
        let requests = usize::try_from(time.as_nanos() / step.as_nanos()).unwrap_or(usize::MAX);
        let size = self.connections.len();
        // Requests that came due while their connection was busy, by when they were to be sent.
        let mut late = vec![VecDeque::new(); size];
        let mut taken = Vec::with_capacity(requests);
        let mut tally = Tally::default();
        let mut ready = Vec::with_capacity(size);
        let begin = Instant::now();
        let (mut due, mut next, mut waiting) = (begin, 0, 0);
        let mut last_answer = begin;
        while next < requests || waiting > 0 {
            let now = Instant::now();
            while next < requests && due <= now {
                let place = next % size;
                let connection = &mut self.connections[place];
                if connection.planned.is_some() {
                    late[place].push_back(due);
                } else {
                    connection.planned = Some(due);
                    connection.send(ask)?;
                }
                waiting += 1;
                next += 1;
                due += step;
            }
            let pause = match next < requests {
                true => due.saturating_duration_since(now),
                false => Duration::from_secs(1),
            };
            self.wait(pause, &mut ready)?;
            for place in ready.drain(..) {
                if !self.finish(place, ask, &mut tally)? {
                    continue;
                }
                last_answer = Instant::now();
                waiting -= 1;
                let connection = &mut self.connections[place];
                if let Some(planned) = connection.planned.take() {
                    let nanoseconds = (last_answer - planned).as_nanos();
                    taken.push(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
                }
                if let Some(planned) = late[place].pop_front() {
                    connection.planned = Some(planned);
                    connection.send(ask)?;
                }
            }
            if waiting > 0 && last_answer.elapsed() > STALLED {
                return Err(stalled(waiting));
            }
        }
        Ok((tally, taken))
    }

    /// Waits until something can be read, at most for so long.
    fn wait(&mut self, most: Duration, ready: &mut Vec<usize>) -> io::Result<()> {
        let timeout = Timespec::try_from(most).map_err(io::Error::other)?;
        match epoll::wait(&self.poll, spare_capacity(&mut self.events), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        ready.extend(
            self.events
                .drain(..)
                .filter_map(|event| usize::try_from(event.data.u64()).ok()),
        );
        Ok(())
    }

    /// Whether the request of a connection has come to its end, good or bad.
    fn finish(&mut self, place: usize, ask: &Ask, tally: &mut Tally) -> io::Result<bool> {
        let received = match self.connections[place].receive(ask) {
            Ok(None) => return Ok(false),
            Ok(Some(received)) => received,
            Err(error) => Received {
                wrong: Some(format!("connection: {error}")),
                closes: true,
                ..Received::default()
            },
        };
        if received.closes {
            self.connections[place].open_again()?;
            self.watch(place)?;
        }
        tally.add(received);
        Ok(true)
    }

    /// A connection that was closed is watched no longer, by itself.
    fn watch(&self, place: usize) -> io::Result<()> {
        epoll::add(
            &self.poll,
            &self.connections[place].stream,
            epoll::EventData::new_u64(place as u64),
            epoll::EventFlags::IN,
        )?;
        Ok(())
    }
}

impl Tally {
    fn add(&mut self, received: Received) {
        self.set_cookie_bytes += received.set_cookie_bytes;
        self.body_bytes += received.body_bytes;
        match received.wrong {
            None => self.answered += 1,
            Some(what) => {
                self.failed += 1;
                self.first_failure.get_or_insert(what);
            }
        }
    }

    /// Adds what went wrong at another time.
    pub(crate) fn note_failures(&mut self, other: &Self) {
        self.failed += other.failed;
        if self.first_failure.is_none() {
            self.first_failure.clone_from(&other.first_failure);
        }
    }

    /// All answers were right, or what the first wrong one was.
    pub(crate) fn all_right(&self) -> Result<(), String> {
        match &self.first_failure {
            None => Ok(()),
            Some(what) => Err(format!(
                "{} of {} answers wrong, the first: {what}",
                self.failed,
                self.answered + self.failed
            )),
        }
    }
}

/// While it lives, this thread is woken when it asked to be, and not up to 50 µs later.
struct TimerSlack;

impl TimerSlack {
    fn least() -> io::Result<Self> {
        set_current_timer_slack(NonZeroU64::new(1))?;
        Ok(Self)
    }
}

impl Drop for TimerSlack {
    fn drop(&mut self) {
        // None is what the process began with; an error leaves the timers more exact than needed.
        let _ = set_current_timer_slack(None);
    }
}

fn stalled(waiting: usize) -> io::Error {
    io::Error::other(format!(
        "{HUNG} for {} s, {waiting} requests waiting",
        STALLED.as_secs()
    ))
}
