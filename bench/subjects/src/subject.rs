use std::pin::Pin;

use axum::Router;
use serde::Serialize;

use crate::{apps, version};

/// One application that is measured.
#[derive(Debug, Serialize)]
pub struct Subject {
    /// What it is called in tables and on the command line.
    pub name: &'static str,
    /// The subject that does the same work without sessions.
    pub reference: &'static str,
    /// Where its sessions live.
    pub kind: Kind,
    /// The store, if they live in one.
    pub store: Option<&'static str>,
    /// Whose it is.
    pub family: Family,
    /// The version of the crate that is measured.
    pub version: &'static str,
    /// How it is started.
    #[serde(skip)]
    pub entry: Entry,
}

/// Where sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// There are none.
    None,
    /// In the cookie.
    Cookie,
    /// In the process.
    Memory,
    /// In a database, or in files.
    Store,
}

/// Whose subject it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// A framework without sessions.
    Bare,
    /// The least that anyone can do: the crypto, the map or the driver's call, and nothing around it.
    Floor,
    /// Ours.
    Cloakroom,
    /// Another library.
    Peer,
}

/// Why a subject could not be started.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How a subject is started, with the URL of its store.
#[derive(Clone, Copy, Debug)]
pub enum Entry {
    /// On axum.
    Axum(for<'url> fn(&'url str) -> Opening<'url>),
}

/// The router, once the store is there.
pub type Opening<'url> = Pin<Box<dyn Future<Output = Result<Router, Failure>> + 'url>>;

/// Names one line of [`all`]: the function opens the router.
macro_rules! axum {
    ($name:literal, $family:ident, $kind:ident $($store:literal)?, $krate:literal, $open:path) => {
        Subject {
            name: $name,
            reference: "axum",
            kind: Kind::$kind,
            store: axum!(@store $($store)?),
            family: Family::$family,
            version: version::locked($krate),
            entry: Entry::Axum(|url| Box::pin($open(url))),
        }
    };
    (@store) => { None };
    (@store $store:literal) => { Some($store) };
}

/// Every subject.
pub fn all() -> Vec<Subject> {
    vec![
        axum!("axum", Bare, None, "axum", apps::bare_axum::open),
        axum!("layer", Floor, None, "axum", apps::layer::open),
        axum!(
            "cloakroom signed",
            Cloakroom,
            Cookie,
            "cloakroom",
            apps::cloakroom::signed
        ),
        axum!("cloakroom memory", Cloakroom, Memory "memory", "cloakroom", apps::cloakroom::memory),
        axum!("tower-sessions memory", Peer, Memory "memory", "tower-sessions", apps::tower_sessions::memory),
    ]
}

/// The subject of that name.
pub fn find(name: &str) -> Option<Subject> {
    all().into_iter().find(|subject| subject.name == name)
}
