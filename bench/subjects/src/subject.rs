use std::pin::Pin;

use axum::Router;
use serde::Serialize;

use crate::{
    actix::{Running, Ways},
    apps,
    version::{newest, oldest},
};

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
    /// On actix-web.
    Actix(for<'url> fn(&'url str, Ways) -> Starting<'url>),
}

/// The router, once the store is there.
pub type Opening<'url> = Pin<Box<dyn Future<Output = Result<Router, Failure>> + 'url>>;
/// The application, once it runs.
pub type Starting<'url> = Pin<Box<dyn Future<Output = Result<Running, Failure>> + 'url>>;

/// Every subject.
pub fn all() -> Vec<Subject> {
    use Family::{Bare, Cloakroom, Floor, Peer};
    use apps::{
        actix_session, axum_extra, axum_session, bare_actix, bare_axum, cloakroom, extension,
        floor_cookie, floor_memory, floor_postgres, floor_redis, layer, tower_sessions,
        tower_sessions_stores,
    };

    /// One line of the list: name, whose, where its sessions live, the crate that is measured, what opens it.
    macro_rules! subject {
        ($framework:ident $name:literal, $family:ident, $kind:ident $(($store:literal))?, $version:expr, $open:path) => {
            Subject {
                name: $name,
                reference: subject!(@reference $framework),
                kind: Kind::$kind,
                store: None$(.or(Some($store)))?,
                family: $family,
                version: $version,
                entry: subject!(@entry $framework $open),
            }
        };
        (@reference axum) => { "axum" };
        (@reference actix) => { "actix" };
        (@entry axum $open:path) => { Entry::Axum(|url| Box::pin($open(url))) };
        (@entry actix $open:path) => { Entry::Actix(|url, way| Box::pin($open(url, way))) };
    }

    let axum = newest("axum");
    let ours = newest("cloakroom");
    let tower = newest("tower-sessions");
    let tower_before = oldest("tower-sessions");
    let axum_session = newest("axum_session");
    let axum_extra = newest("axum-extra");
    let actix = newest("actix-web");
    let actix_session = newest("actix-session");
    vec![
        subject!(axum "axum", Bare, None, axum, bare_axum::open),
        subject!(axum "layer", Floor, None, axum, layer::open),
        subject!(axum "extension", Floor, None, axum, extension::open),
        subject!(axum "floor cookie", Floor, Cookie, newest("hmac"), floor_cookie::open),
        subject!(axum "floor memory", Floor, Memory ("memory"), axum, floor_memory::open),
        subject!(axum "floor redis", Floor, Store ("redis"), newest("redis"), floor_redis::open),
        subject!(axum "floor postgres", Floor, Store ("postgres"), newest("sqlx"), floor_postgres::open),
        subject!(axum "cloakroom signed", Cloakroom, Cookie, ours, cloakroom::signed),
        subject!(axum "cloakroom encrypted", Cloakroom, Cookie, ours, cloakroom::encrypted),
        subject!(axum "cloakroom memory", Cloakroom, Memory ("memory"), ours, cloakroom::memory),
        subject!(axum "cloakroom file", Cloakroom, Store ("file"), ours, cloakroom::elsewhere),
        subject!(axum "cloakroom sqlite", Cloakroom, Store ("sqlite"), ours, cloakroom::elsewhere),
        subject!(axum "cloakroom redis", Cloakroom, Store ("redis"), ours, cloakroom::elsewhere),
        subject!(axum "cloakroom postgres", Cloakroom, Store ("postgres"), ours, cloakroom::elsewhere),
        subject!(axum "tower-sessions memory", Peer, Memory ("memory"), tower, tower_sessions::memory),
        subject!(axum "tower-sessions redis", Peer, Store ("redis"), tower_before, tower_sessions_stores::redis),
        subject!(axum "tower-sessions sqlite", Peer, Store ("sqlite"), tower_before, tower_sessions_stores::sqlite),
        subject!(axum "tower-sessions postgres", Peer, Store ("postgres"), tower_before, tower_sessions_stores::postgres),
        subject!(axum "axum_session memory", Peer, Memory ("memory"), axum_session, axum_session::memory),
        subject!(axum "axum_session redis", Peer, Store ("redis"), axum_session, axum_session::redis),
        subject!(axum "axum_session postgres", Peer, Store ("postgres"), axum_session, axum_session::postgres),
        subject!(axum "axum-extra signed", Peer, Cookie, axum_extra, axum_extra::signed),
        subject!(axum "axum-extra private", Peer, Cookie, axum_extra, axum_extra::private),
        subject!(actix "actix", Bare, None, actix, bare_actix::open),
        subject!(actix "actix-session cookie signed", Peer, Cookie, actix_session, actix_session::signed),
        subject!(actix "actix-session cookie private", Peer, Cookie, actix_session, actix_session::private),
        subject!(actix "actix-session redis", Peer, Store ("redis"), actix_session, actix_session::redis),
    ]
}

/// The subject of that name.
pub fn find(name: &str) -> Option<Subject> {
    all().into_iter().find(|subject| subject.name == name)
}
