//! Opening and saving a cookie session, next to the floor: the same HMAC from a state keyed before,
//! the same base64, one number taken out of the JSON or the same JSON bytes, and nothing else. For encrypted cookies the floor is the same AEAD, its key
//! expanded before, with the same random nonces.
//!
//! `open` verifies the cookie, indexes the session and reads one value. `save` writes a session with
//! one changed value and signs it. `request` is the whole way in: it finds the cookie among the
//! request's headers first. `respond` is the whole way out: it changes the value, saves and puts the
//! headers into the response. For these two there is no floor. `cargo xtask bench` sets real
//! itsdangerous beside it.
//!
//! `open`, `save` and their floors also drop within the measured time what they make.

#![allow(missing_docs, clippy::unwrap_used)]

/// `cargo xtask counts` counts beside the same floor.
#[path = "../../../counts/src/floor.rs"]
mod floor;
#[path = "../tests/support/now.rs"]
#[allow(dead_code)]
mod now;

use std::hint::black_box;

use cloakroom::{
    Clock, Key, SecretKey, SessionConfig, SessionManager,
    token::{encrypted::Padding, payload::Compression},
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use http::{HeaderMap, HeaderValue, header};
use now::Now;

const NOW: u64 = 1_700_000_000;
const VISITS: Key<u64> = Key::new("visits");
/// Few enough that the sessions made beforehand stay in the processor's cache.
const BATCH: BatchSize = BatchSize::NumIterations(50);
const SECRET: &str = "a secret key for the benches only";

struct Case {
    name: &'static str,
    manager: SessionManager,
    headers: HeaderMap,
    token: Vec<u8>,
    json: Vec<u8>,
}

/// A session of a visitor with a cart that brings the JSON to about `size` bytes.
fn case(name: &'static str, size: usize, compression: Compression) -> Case {
    let config = SessionConfig::flask()
        .clock(Clock::manual(NOW))
        .compression(compression);
    let manager = SessionManager::signed(SecretKey::new(SECRET).unwrap(), config).unwrap();
    filled(name, size, manager)
}

/// The same session, encrypted.
fn encrypted_case(name: &'static str, size: usize, padding: Padding) -> Case {
    let config = SessionConfig::native()
        .cookie_name("session")
        .clock(Clock::manual(NOW))
        .padding(padding);
    let manager = SessionManager::encrypted(SecretKey::new(SECRET).unwrap(), config).unwrap();
    filled(name, size, manager)
}

fn filled(name: &'static str, size: usize, manager: SessionManager) -> Case {
    let session = manager.new_session();
    session.insert("username", "alice").unwrap();
    session.insert(VISITS, 3).unwrap();
    let mut item = 0_u64;
    while session.to_tagged_json().len() + 60 < size {
        // Unlike each other, as ids and names are: text that repeats itself would compress to nothing.
        let id = item.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        session
            .insert(
                format!("item_{item:03}"),
                (id, format!("{:016x}", id.rotate_left(29))),
            )
            .unwrap();
        item += 1;
    }
    let json = session.to_tagged_json().into_bytes();
    let token = manager.cookie_value(&session).unwrap().into_bytes();
    let mut cookie = b"session=".to_vec();
    cookie.extend_from_slice(&token);
    let headers =
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_bytes(&cookie).unwrap())]);
    Case {
        name,
        manager,
        headers,
        token,
        json,
    }
}

fn encrypted(criterion: &mut Criterion) {
    let floor = floor::Encrypted::new();
    let cases = [
        encrypted_case("small", 0, Padding::default()),
        encrypted_case("1 KB", 1024, Padding::default()),
        encrypted_case("2.6 KB", 2600, Padding::default()),
    ];
    for case in &cases {
        let json = &case.json;
        let length = json.len();
        let mut group =
            criterion.benchmark_group(format!("encrypted {} ({length} bytes of JSON)", case.name));
        let floor_token = floor.save(json);
        group.bench_function("open floor", |bencher| {
            bencher.iter(|| floor.open(black_box(&floor_token)));
        });
        group.bench_function("open", |bencher| {
            bencher.iter(|| {
                let session = case.manager.open_value_now(black_box(&case.token)).unwrap();
                let visits = session.get(VISITS).unwrap();
                (session, visits)
            });
        });
        group.bench_function("save floor", |bencher| {
            bencher.iter(|| floor.save(black_box(json)));
        });
        let changed = case.manager.open_now(&case.headers);
        changed.insert(VISITS, 4).unwrap();
        group.bench_function("save", |bencher| {
            bencher.iter(|| case.manager.cookie_value(black_box(&changed)));
        });
        group.finish();
    }
}

fn benches(criterion: &mut Criterion) {
    let floor = floor::Signed::new();
    let cases = [
        case("small", 0, Compression::Auto),
        case("1 KB", 1024, Compression::Never),
        case("3.5 KB", 2600, Compression::Never),
        case("1 KB compressed", 1024, Compression::Auto),
        case("3.5 KB compressed", 3584, Compression::Auto),
    ];
    for Case {
        name,
        manager,
        headers,
        token,
        json,
    } in &cases
    {
        let compression = match token[0] {
            b'.' => Compression::Auto,
            _ => Compression::Never,
        };
        let mut group = criterion.benchmark_group(format!("{name} ({} bytes of JSON)", json.len()));
        group.bench_function("open floor", |bencher| {
            bencher.iter(|| floor.open(black_box(token)));
        });
        group.bench_function("open", |bencher| {
            bencher.iter(|| {
                let session = manager.open_value_now(black_box(token)).unwrap();
                let visits = session.get(VISITS).unwrap();
                (session, visits)
            });
        });
        group.bench_function("request", |bencher| {
            bencher.iter(|| {
                let session = manager.open_now(black_box(headers));
                let visits = session.get(VISITS).unwrap();
                (session, visits)
            });
        });
        group.bench_function("save floor", |bencher| {
            bencher.iter(|| floor.save(black_box(json), compression));
        });
        let changed = manager.open_now(headers);
        changed.insert(VISITS, 4).unwrap();
        group.bench_function("save", |bencher| {
            bencher.iter(|| manager.cookie_value(black_box(&changed)));
        });
        group.bench_function("respond", |bencher| {
            bencher.iter_batched(
                || manager.open_now(headers),
                |session| {
                    session.insert(VISITS, black_box(4)).unwrap();
                    let mut response = HeaderMap::new();
                    manager.close_now(&session, &mut response).unwrap();
                    (session, response)
                },
                BATCH,
            );
        });
        group.finish();
    }
}

criterion_group!(cookie_session, benches, encrypted);
criterion_main!(cookie_session);
