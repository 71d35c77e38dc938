//! `cloakroom inspect`: pages about the sessions of a store, for whoever looks after it.
//!
//! | file | knows |
//! | --- | --- |
//! | `server.rs` | the addresses of the pages, and what all of them share |
//! | `guard.rs` | who may look |
//! | `look.rs`, `timeline.rs` | one way through the store, in the background, and what it counts |
//! | `walk.rs` | ways through the store that go on from page to page |
//! | `overview.rs`, `list.rs`, `session.rs`, `end.rs` | one page each, or what a button does |
//! | `query.rs` | what a browser sends in a query or a form |
//! | `html.rs`, `chart.rs` | the frame of a page, text in it, bars |

mod chart;
mod end;
mod guard;
mod html;
mod list;
mod look;
mod overview;
mod query;
mod server;
mod session;
mod timeline;
mod walk;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use clap::Args;
use tokio::net::TcpListener;

use self::guard::Guard;
use self::server::Inspection;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::sessions::PlaceArguments;
use crate::sessions::filter::Identity;
use crate::sessions::scan::Scan;
use crate::terminal::Lines;

/// Serve pages about the sessions in a store, with buttons to end them, to a browser of this machine
///
/// They show how many there are, how large, how old and which keys take the room, a list with the filters of `sessions
/// list`, each session key by key, and the sessions of a user.
///
/// The server listens on 127.0.0.1, where other machines do not reach it: whoever opens these pages can end everybody's
/// session. The address that it prints holds a token, new in each run, so that no other user of this machine and no page
/// of another site can look or end anything. To look from elsewhere, forward the port:
/// `ssh -L 5001:127.0.0.1:5001 server`.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    identity: Identity,

    /// The port to listen on; 0 takes one that is free
    #[arg(long, value_name = "NUMBER", default_value_t = 5001)]
    port: u16,

    /// Show users, values, and the keys of the entries: in Flask's layout, whoever has such a key has the session
    #[arg(long)]
    reveal: bool,

    /// Offer nothing that ends a session, and refuse it
    #[arg(long)]
    read_only: bool,

    /// How many entries the figures take into account at most
    #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
    limit: u64,
}

pub(crate) fn run(arguments: Arguments, as_json: bool) -> Result<Answer, Failure> {
    if as_json {
        return Err(Failure::Misuse(
            "inspect serves pages and has no answer in JSON; `sessions stats --json` and `sessions list --json` have"
                .to_owned(),
        ));
    }
    wait_for(async {
        let mut scan = Scan::open(&arguments.place).await?;
        // A store that can't be listed, or reached, says so here and not in a browser.
        scan.page().await?;
        scan.rewind();
        let port = arguments.port;
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let cannot_listen = |error: std::io::Error| {
            Failure::Misuse(format!(
                "port {port} can't be listened on: {error}; --port takes another, 0 any that is free"
            ))
        };
        let listener = TcpListener::bind(at).await.map_err(cannot_listen)?;
        let port = listener.local_addr().map_err(cannot_listen)?.port();
        let guard = Guard::generate()?;
        let mut lines = Lines::new();
        lines.line(&guard.address(port));
        lines.flush();
        eprintln!("Open this address in a browser of this machine. Ctrl-C ends it.");
        let inspection = Arc::new(Inspection::new(arguments, scan, guard));
        tokio::select! {
            served = server::serve(listener, inspection) => served.map_err(cannot_listen)?,
            // Whoever is looking has seen enough.
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(Answer::said())
    })
}
