//! What a login costs, and what it costs to ask whether a session was ended from elsewhere.
//!
//! `check` opens a session in a signed cookie whose user's sessions are kept track of: known to be good within the
//! lag, and asked of a memory store at each request. Its floor is the same cookie without the list. `login` is the
//! whole request of somebody who had an anonymous session in a memory store, without a list and with one; its floor
//! is what the store does for it: a load, a new entry, and the end of the old one.

#![allow(missing_docs, clippy::unwrap_used)]

use std::{hint::black_box, time::Duration};

use cloakroom::{
    MaxSessions, SecretKey, SessionConfig, SessionManager, UserSessions,
    store::{MemoryStore, Store},
};
use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, header};
use tokio::runtime::{Builder, Runtime};

const HOUR: Duration = Duration::from_secs(3600);

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

/// The cookie of a session that holds a little, logged in or not.
fn cookie(runtime: &Runtime, manager: &SessionManager, login: bool) -> HeaderMap {
    runtime.block_on(async {
        let session = manager.new_session();
        session.insert("cart", 1).unwrap();
        if login {
            session.login("alice").unwrap();
        }
        session.save().await.unwrap();
        let cookie = format!("session={}", manager.cookie_value(&session).unwrap());
        let cookie = HeaderValue::try_from(cookie).unwrap();
        HeaderMap::from_iter([(header::COOKIE, cookie)])
    })
}

fn check(criterion: &mut Criterion) {
    let runtime = runtime();
    let signed = |list: Option<Duration>| {
        let mut config = SessionConfig::default();
        if let Some(lag) = list {
            config = config.user_sessions(UserSessions::in_store(MemoryStore::new()).lag(lag));
        }
        SessionManager::signed(SecretKey::generate().unwrap(), config).unwrap()
    };
    let mut group = criterion.benchmark_group("check");
    for (name, list) in [
        ("open floor", None),
        ("open", Some(HOUR)),
        ("open asked", Some(Duration::ZERO)),
    ] {
        let manager = signed(list);
        let headers = cookie(&runtime, &manager, true);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                runtime.block_on(async {
                    let session = manager.open(black_box(&headers)).await.unwrap();
                    session.subject()
                })
            });
        });
    }
    group.finish();
}

fn login(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("login");
    group.bench_function("login floor", |bencher| {
        let store = Store::new(MemoryStore::new());
        let mut number = 0_u64;
        let mut key = || {
            number += 1;
            format!("session:{number:043}")
        };
        let value = bytes::Bytes::from_static(&[7; 100]);
        let mut old = key();
        let first = store.create(&old, value.clone(), HOUR);
        runtime.block_on(first).unwrap();
        bencher.iter(|| {
            runtime.block_on(async {
                let new = key();
                let base = store.load(&old).await.unwrap().unwrap();
                store.create(&new, value.clone(), HOUR).await.unwrap();
                store.delete(&old, Some(&base), HOUR).await.unwrap();
                old = new;
            });
        });
    });
    for (name, list) in [("login", false), ("login listed", true)] {
        let mut config = SessionConfig::default();
        if list {
            // At the limit, so that each login also ends the oldest session.
            let limited = UserSessions::new().max_sessions(MaxSessions::EndOldest(5));
            config = config.user_sessions(limited);
        }
        let manager = SessionManager::stored(MemoryStore::new(), config).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || cookie(&runtime, &manager, false),
                |headers| {
                    runtime.block_on(async {
                        let session = manager.open(&headers).await.unwrap();
                        session.login("alice").unwrap();
                        let mut response = HeaderMap::new();
                        manager.close(&session, &mut response).await.unwrap();
                        response
                    })
                },
                criterion::BatchSize::NumIterations(50),
            );
        });
    }
    group.finish();
}

criterion_group!(logins, check, login);
criterion_main!(logins);
