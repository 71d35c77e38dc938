//! Opening and saving a cookie session, next to the floor: the same HMAC from a state keyed before,
//! the same base64, the same JSON bytes, and nothing else. For encrypted cookies the floor is the same AEAD, its key
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

#[path = "../tests/support/now.rs"]
#[allow(dead_code)]
mod now;

use std::hint::black_box;

use aes_gcm_siv::{Aes256GcmSiv, Nonce, Tag, aead::AeadInOut};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::{
    Clock, Key, SecretKey, SessionConfig, SessionManager,
    token::{
        encrypted::Padding,
        payload::{self, Compression},
    },
};
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderValue, header};
use now::Now;
use sha1::Sha1;

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

/// The HMAC that the cookie is signed with, its key absorbed.
fn keyed() -> Hmac<Sha1> {
    let mut derivation = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
    derivation.update(b"cookie-session");
    Hmac::new_from_slice(&derivation.finalize().into_bytes()).unwrap()
}

fn floor_open(key: &Hmac<Sha1>, token: &[u8], compressed: bool) -> Vec<u8> {
    let signature_at = token.len() - 28;
    let mut signature = [0; 20];
    URL_SAFE_NO_PAD
        .decode_slice(&token[signature_at + 1..], &mut signature)
        .unwrap();
    let mut mac = key.clone();
    mac.update(&token[..signature_at]);
    mac.verify_slice(&signature).unwrap();
    let payload = &token[..signature_at - 7];
    match compressed {
        false => URL_SAFE_NO_PAD.decode(payload).unwrap(),
        true => payload::decode(payload, cloakroom::token::Leniency::Strict, 1 << 20).unwrap(),
    }
}

fn floor_save(key: &Hmac<Sha1>, json: &[u8], compressed: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(json.len() * 4 / 3 + 64);
    match compressed {
        true => payload::encode_into(&mut out, json, Compression::Auto),
        false => {
            out.resize(json.len().div_ceil(3) * 4, 0);
            let length = URL_SAFE_NO_PAD.encode_slice(json, &mut out).unwrap();
            out.truncate(length);
        }
    }
    out.extend_from_slice(b".ZVPxAA");
    let mut mac = key.clone();
    mac.update(&out);
    out.push(b'.');
    let mut signature = [0; 27];
    URL_SAFE_NO_PAD
        .encode_slice(mac.finalize().into_bytes(), &mut signature)
        .unwrap();
    out.extend_from_slice(&signature);
    out
}

/// Base64 and the AEAD, of a token whose content begins after nonce, times and flags.
fn floor_decrypt(cipher: &Aes256GcmSiv, token: &[u8]) -> Vec<u8> {
    let mut raw = URL_SAFE_NO_PAD.decode(&token[3..]).unwrap();
    let (nonce, rest) = raw.split_first_chunk_mut::<12>().unwrap();
    let (text, tag) = rest.split_last_chunk_mut::<16>().unwrap();
    let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
    cipher
        .decrypt_inout_detached(&nonce, b"v1.", text.into(), &tag)
        .unwrap();
    raw
}

fn floor_encrypt(cipher: &Aes256GcmSiv, json: &[u8]) -> Vec<u8> {
    let mut raw = Vec::with_capacity(12 + 19 + json.len() + 16);
    raw.resize(12 + 19, 0);
    getrandom::fill(&mut raw[..12]).unwrap();
    raw.extend_from_slice(json);
    let (nonce, text) = raw.split_first_chunk_mut::<12>().unwrap();
    let nonce = Nonce::from(*nonce);
    let tag = cipher
        .encrypt_inout_detached(&nonce, b"v1.", text.into())
        .unwrap();
    raw.extend_from_slice(&tag);
    let mut out = vec![0; 3 + raw.len().div_ceil(3) * 4];
    out[..3].copy_from_slice(b"v1.");
    let length = URL_SAFE_NO_PAD.encode_slice(&raw, &mut out[3..]).unwrap();
    out.truncate(3 + length);
    out
}

/// Any key will do: the floor opens what the floor made.
fn cipher() -> Aes256GcmSiv {
    Aes256GcmSiv::new(&[7; 32].into())
}

fn encrypted(criterion: &mut Criterion) {
    let cipher = cipher();
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
        let floor_token = floor_encrypt(&cipher, json);
        group.bench_function("open floor", |bencher| {
            bencher.iter(|| floor_decrypt(&cipher, black_box(&floor_token)));
        });
        group.bench_function("open", |bencher| {
            bencher.iter(|| {
                let session = case.manager.open_value_now(black_box(&case.token)).unwrap();
                let visits = session.get(VISITS).unwrap();
                (session, visits)
            });
        });
        group.bench_function("save floor", |bencher| {
            bencher.iter(|| floor_encrypt(&cipher, black_box(json)));
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
    let key = keyed();
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
        let compressed = token[0] == b'.';
        let mut group = criterion.benchmark_group(format!("{name} ({} bytes of JSON)", json.len()));
        group.bench_function("open floor", |bencher| {
            bencher.iter(|| floor_open(&key, black_box(token), compressed));
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
            bencher.iter(|| floor_save(&key, black_box(json), compressed));
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
