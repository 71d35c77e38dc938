//! A whole application: the pages of the tour beside those of its Flask twin.

use std::path::Path;
use std::process::Command;

use plan::Shuffle;

use crate::client::{Answer, Ask, Request, Visitor};
use crate::closed::{Contest, Load};
use crate::field::{Field, Launch};
use crate::options::Options;
use crate::results::Cell;
use crate::script::Script;
use crate::subject::{Family, Kind, Subject};

/// A page that both have.
struct Page {
    name: &'static str,
    path: &'static str,
    /// What stands on it.
    shows: &'static str,
    logged_in: bool,
}

const PAGES: [Page; 4] = [
    Page {
        name: "start page",
        path: "/",
        shows: "</html>",
        logged_in: false,
    },
    Page {
        name: "login form",
        path: "/login",
        shows: "username",
        logged_in: false,
    },
    Page {
        name: "account, logged in",
        path: "/account",
        shows: "alice",
        logged_in: true,
    },
    Page {
        name: "visit counter, which writes",
        path: "/counter",
        shows: "</html>",
        logged_in: true,
    },
];

/// The one that both others are measured beside.
const TWIN: &str = "Flask, signed cookie";
const TWIN_STORED: &str = "Flask-Session, Redis";
const TOUR: &str = "tour, signed cookie";
const TOUR_STORED: &str = "tour, Redis";

/// A key for both.
const SECRET_KEY: &str = "the bench's key, which signs nothing else";

/// The pages of all four, with their sessions in the cookie and in Redis.
pub(crate) fn run(
    field: &mut Field<'_>,
    shuffle: &mut Shuffle,
    options: &Options,
    bench: &Path,
    load: Load,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    let Some(tour) = &options.tour else {
        return cells;
    };
    let mut pairs = Vec::new();
    for (tour_name, twin_name, store) in [
        (TOUR, TWIN, None),
        (TOUR_STORED, TWIN_STORED, Some("redis")),
    ] {
        let own = subject(tour_name, twin_name, store, false);
        field.enter(own.clone(), start_tour(tour, field.stores.folder()));
        if let (Some(python), false) = (&options.python, options.no_flask) {
            let twin = subject(twin_name, twin_name, store, true);
            field.enter(
                twin.clone(),
                start_twin(python, bench, field.stores.folder()),
            );
            pairs.push((own, twin));
        }
    }
    for page in &PAGES {
        field
            .progress
            .say(&format!("whole application: {}", page.name));
        for (own, twin) in &pairs {
            let contest = Contest {
                scenario: page.name,
                reference: twin,
                others: std::slice::from_ref(own),
                script: &|_| page.script(),
                load,
            };
            cells.extend(contest.run(field, shuffle));
        }
    }
    cells
}

impl Page {
    fn script(&self) -> Script {
        let get = |path| Ask::preparing(Request::get(path));
        let log_in = Ask::preparing(Request::post("/login", "username=alice"));
        let prepare = match self.logged_in {
            // Showing the page once takes the greeting off it.
            true => vec![log_in, get("/account"), get(self.path)],
            false => vec![],
        };
        Script {
            prepare,
            measured: Ask {
                request: Request::get(self.path),
                visitor: Visitor::Returning,
                answer: Answer::Page(self.shows),
            },
        }
    }
}

fn subject(name: &str, reference: &str, store: Option<&str>, python: bool) -> Subject {
    Subject {
        name: name.to_owned(),
        reference: reference.to_owned(),
        kind: match store {
            None => Kind::Cookie,
            Some(_) => Kind::Store,
        },
        store: store.map(str::to_owned),
        family: match python {
            true => Family::Peer,
            false => Family::Cloakroom,
        },
        version: String::new(),
        python,
    }
}

fn start_tour(tour: &Path, folder: &Path) -> Launch {
    let (tour, folder) = (tour.to_owned(), folder.to_owned());
    Box::new(move |url| {
        let mut command = Command::new(&tour);
        let data = folder.join(if url.is_some() { "tour-stored" } else { "tour" });
        command
            .args(["--port", "0", "--data"])
            .arg(data)
            .env("SECRET_KEY", SECRET_KEY);
        if let Some(url) = url {
            command.args(["--sessions", url]);
        }
        command
    })
}

fn start_twin(python: &Path, bench: &Path, folder: &Path) -> Launch {
    let (python, folder) = (python.to_owned(), folder.to_owned());
    let script = bench.join("load/twin.py");
    Box::new(move |url| {
        let mut command = Command::new(&python);
        command
            .arg(&script)
            .args(url)
            .current_dir(&folder)
            .env("SECRET_KEY", SECRET_KEY)
            .env("DATABASE", folder.join("twin.sqlite"));
        command
    })
}
