//! All subjects with their servers, and what went wrong with them.

use std::net::SocketAddr;
use std::process::Command;

use crate::client::HUNG;
use crate::cores::Cores;
use crate::progress::Progress;
use crate::results::Trouble;
use crate::server::Server;
use crate::stores::Stores;
use crate::subject::Subject;

/// The running subjects. A server that ends is started again; one that does not start is left out.
pub(crate) struct Field<'a> {
    pub(crate) cores: Cores,
    pub(crate) stores: &'a Stores,
    pub(crate) progress: &'a Progress,
    entrants: Vec<Entrant>,
    pub(crate) troubles: Vec<Trouble>,
}

struct Entrant {
    subject: Subject,
    command: Launch,
    server: Option<Server>,
}

/// How a subject is started with the URL of its store.
pub(crate) type Launch = Box<dyn Fn(Option<&str>) -> Command>;

impl<'a> Field<'a> {
    pub(crate) fn new(cores: Cores, stores: &'a Stores, progress: &'a Progress) -> Self {
        Self {
            cores,
            stores,
            progress,
            entrants: Vec::new(),
            troubles: Vec::new(),
        }
    }

    /// Starts a subject.
    pub(crate) fn enter(&mut self, subject: Subject, command: Launch) {
        self.entrants.push(Entrant {
            subject,
            command,
            server: None,
        });
        self.start(self.entrants.len() - 1);
    }

    /// Those that run, by name.
    pub(crate) fn running(&self) -> Vec<Subject> {
        self.entrants
            .iter()
            .filter(|entrant| entrant.server.is_some())
            .map(|entrant| entrant.subject.clone())
            .collect()
    }

    pub(crate) fn address(&self, subject: &Subject) -> Result<SocketAddr, String> {
        Ok(self.server(subject)?.address())
    }

    /// Nanoseconds on a core so far: the server's, and its database's.
    pub(crate) fn cpu_nanoseconds(&self, subject: &Subject) -> Result<(u64, Option<u64>), String> {
        let server = self.server(subject)?.cpu_nanoseconds();
        Ok((server, self.stores.cpu_nanoseconds(subject)))
    }

    /// One more server of a subject, with another URL for its store.
    pub(crate) fn start_beside(&self, subject: &Subject, url: &str) -> Result<Server, String> {
        let entrant = self.entrant(subject).ok_or("is not part of this run")?;
        let log = self.stores.folder().join("beside.log");
        Server::start((entrant.command)(Some(url)), self.cores, &log)
    }

    /// Notes what went wrong, once, and starts the server again if it has ended or hangs.
    pub(crate) fn trouble(&mut self, subject: &Subject, at: &str, what: &str) {
        let found = self
            .entrants
            .iter()
            .position(|entrant| entrant.subject == *subject);
        let mut what = what.to_owned();
        if let Some(place) = found
            && let Some(server) = &mut self.entrants[place].server
        {
            if server.has_ended() {
                what = server.failed(&format!("{what}; the server ended"));
                self.start(place);
            } else if what.starts_with(HUNG) {
                self.start(place);
            }
        }
        self.note(&subject.name, at, &what);
    }

    pub(crate) fn note(&mut self, subject: &str, at: &str, what: &str) {
        let trouble = Trouble {
            subject: subject.to_owned(),
            at: at.to_owned(),
            what: what.to_owned(),
        };
        let is_same = |known: &Trouble| known.subject == trouble.subject && known.at == trouble.at;
        if !self.troubles.iter().any(is_same) {
            self.progress.say(&format!("{subject}, {at}: {what}"));
            self.troubles.push(trouble);
        }
    }

    fn start(&mut self, place: usize) {
        let entrant = &mut self.entrants[place];
        entrant.server = None;
        let log = self.stores.folder().join(format!("{place}.log"));
        let started = self
            .stores
            .url(&entrant.subject)
            .and_then(|url| Server::start((entrant.command)(url.as_deref()), self.cores, &log));
        match started {
            Ok(server) => entrant.server = Some(server),
            Err(what) => {
                let name = entrant.subject.name.clone();
                self.note(&name, "start", &what);
            }
        }
    }

    fn entrant(&self, subject: &Subject) -> Option<&Entrant> {
        self.entrants
            .iter()
            .find(|entrant| entrant.subject == *subject)
    }

    fn server(&self, subject: &Subject) -> Result<&Server, String> {
        self.entrant(subject)
            .and_then(|entrant| entrant.server.as_ref())
            .ok_or_else(|| "is not running".to_owned())
    }
}
