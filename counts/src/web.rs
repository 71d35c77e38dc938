//! A request's way through the layer, around a handler that does what its name says and nothing else.

use std::convert::Infallible;

use cloakroom::{Session, SessionConfig, SessionLayer, SessionManager, store::MemoryStore};
use http::{Request, Response, header::COOKIE};
use tower::{Layer, Service, service_fn};

use crate::{Cases, VISITS, clock, now, secret, visitor};

#[derive(Clone, Copy, PartialEq)]
enum Handler {
    Untouched,
    Read,
    ReadAndWrite,
    Login,
}

use Handler::{Login, Read, ReadAndWrite, Untouched};

/// What is asked, and whether the browser has a session.
const REQUESTS: [(&str, Handler, bool); 7] = [
    ("untouched, no cookie", Untouched, false),
    ("untouched", Untouched, true),
    ("read one key", Read, true),
    ("read and write", ReadAndWrite, true),
    ("login", Login, true),
    ("first visit", ReadAndWrite, false),
    // Nobody comes back with a cookie, so nothing may be kept for it.
    ("crawler", Read, false),
];

pub(crate) fn count(cases: &mut Cases) {
    let bare = SessionManager::signed(secret(), SessionConfig::default().clock(clock())).unwrap();
    for (name, handler, cookie) in REQUESTS {
        if handler == Untouched {
            let name = format!("web without the layer: {name}");
            one(
                cases,
                &name,
                &bare,
                cookie,
                service_fn(move |request| handle(handler, request)),
            );
        }
    }
    let native = SessionConfig::native().cookie_name("session");
    let store = MemoryStore::new().clock(clock());
    for (kind, manager) in [
        (
            "signed",
            SessionManager::signed(secret(), SessionConfig::default().clock(clock())),
        ),
        (
            "encrypted",
            SessionManager::encrypted(secret(), native.clock(clock())),
        ),
        (
            "memory",
            SessionManager::stored(store, SessionConfig::default().clock(clock())),
        ),
    ] {
        let manager = manager.unwrap();
        inhabit(&manager);
        let layer = SessionLayer::new(manager.clone());
        for (name, handler, cookie) in REQUESTS {
            let name = format!("web {kind}: {name}");
            let service = layer.layer(service_fn(move |request| handle(handler, request)));
            one(cases, &name, &manager, cookie, service);
        }
    }
}

/// A store that others use too: it does not grow its tables at each new session.
fn inhabit(manager: &SessionManager) {
    for _ in 0..manager.store().map_or(0, |_| 1500) {
        let session = manager.new_session();
        visitor(&session);
        now(session.save()).unwrap();
    }
}

fn one<S>(cases: &mut Cases, name: &str, manager: &SessionManager, cookie: bool, mut service: S)
where
    S: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let prepare = || {
        let mut request = Request::new(());
        // Servers and routers have put something into a request before a layer sees it.
        request.extensions_mut().insert(());
        if cookie {
            let session = manager.new_session();
            visitor(&session);
            now(session.save()).unwrap();
            let value = manager.cookie_value(&session).unwrap();
            let value = format!("session={value}").try_into().unwrap();
            request.headers_mut().insert(COOKIE, value);
        }
        request
    };
    cases.case(name, prepare, |request| now(service.call(request)));
}

async fn handle(handler: Handler, request: Request<()>) -> Result<Response<()>, Infallible> {
    if handler != Untouched {
        let opened = Session::open(request.headers(), request.extensions()).await;
        let session = opened.unwrap();
        let visits = session.get(VISITS).unwrap();
        match handler {
            Untouched | Read => {}
            ReadAndWrite => session.insert(VISITS, visits.unwrap_or(100) + 1).unwrap(),
            Login => session.login("bob").unwrap(),
        }
    }
    Ok(Response::new(()))
}
