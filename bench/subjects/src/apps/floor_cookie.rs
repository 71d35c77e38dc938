//! The floor of a signed cookie: the same HMAC, base64 and zlib as Flask's and Cloakroom's, called by hand, and nothing around them.

use std::{
    io::Write,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Router, extract::Request, http::StatusCode, routing::get};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use flate2::{Compression, Decompress, FlushDecompress, Status, write::ZlibEncoder};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::floor::{self, Answer, SetCookie, failed};
use crate::{
    Failure,
    content::{self, LIFETIME, MIDDLE, SECRET},
};

/// Opens it.
///
/// # Errors
///
/// None.
pub async fn open(_: &str) -> Result<Router, Failure> {
    Ok(Router::new()
        .route("/plain", get(plain))
        .route("/read", get(read))
        .route("/write", get(write))
        .route("/login", get(login))
        .route("/fill/twenty", get(fill_twenty))
        .route("/fill/large", get(fill_large))
        .route("/read_many", get(read_many)))
}

async fn plain() -> &'static str {
    "ok"
}

async fn read(request: Request) -> String {
    let json = opened(&request).unwrap_or_default();
    floor::visits(&json).to_string()
}

async fn write(request: Request) -> Answer<String> {
    let json = opened(&request).unwrap_or_default();
    let visits = floor::visits(&json) + 1;
    let changed = floor::with_visits(&json, visits);
    Ok((
        sealed(&URL_SAFE_NO_PAD.encode(changed))?,
        visits.to_string(),
    ))
}

async fn login(request: Request) -> Answer<&'static str> {
    let json = opened(&request).unwrap_or_default();
    let changed = floor::with_user(&json);
    Ok((sealed(&URL_SAFE_NO_PAD.encode(changed))?, "ok"))
}

async fn fill_twenty() -> Answer<&'static str> {
    let json = floor::filled(content::twenty());
    Ok((sealed(&URL_SAFE_NO_PAD.encode(json))?, "ok"))
}

async fn fill_large() -> Answer<&'static str> {
    let json = floor::filled(content::large());
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&json).map_err(failed)?;
    let packed = packed.finish().map_err(failed)?;
    let payload = [".", &URL_SAFE_NO_PAD.encode(packed)].concat();
    Ok((sealed(&payload)?, "ok"))
}

async fn read_many(request: Request) -> String {
    let json = opened(&request).unwrap_or_default();
    floor::length(&json, MIDDLE).to_string()
}

/// The key, absorbed once.
static KEY: LazyLock<Hmac<Sha1>> = LazyLock::new(|| {
    // HMAC takes keys of any length.
    #[allow(clippy::expect_used)]
    Hmac::new_from_slice(SECRET.as_bytes()).expect("HMAC takes keys of any length")
});

/// The session's JSON, if the signature holds and the time is not over.
fn opened(request: &Request) -> Option<Vec<u8>> {
    let token = floor::cookie(request.headers())?;
    let (signed, signature) = token.rsplit_once('.')?;
    let mut expected = [0; 20];
    URL_SAFE_NO_PAD
        .decode_slice(signature, &mut expected)
        .ok()?;
    let mut mac = KEY.clone();
    mac.update(signed.as_bytes());
    mac.verify_slice(&expected).ok()?;
    let (payload, time) = signed.rsplit_once('.')?;
    let mut signed_at = [0; 4];
    URL_SAFE_NO_PAD.decode_slice(time, &mut signed_at).ok()?;
    let age = now()?.wrapping_sub(u32::from_be_bytes(signed_at));
    if u64::from(age) > LIFETIME.as_secs() {
        return None;
    }
    match payload.strip_prefix('.') {
        None => URL_SAFE_NO_PAD.decode(payload).ok(),
        Some(packed) => inflated(&URL_SAFE_NO_PAD.decode(packed).ok()?),
    }
}

/// At most a mebibyte.
fn inflated(packed: &[u8]) -> Option<Vec<u8>> {
    let mut json = Vec::with_capacity(packed.len() * 4);
    let mut inflate = Decompress::new(true);
    let status = inflate.decompress_vec(packed, &mut json, FlushDecompress::Finish);
    if matches!(status, Ok(Status::StreamEnd)) {
        return Some(json);
    }
    // There is more than was expected: once more with all the room it may have.
    json = Vec::with_capacity(1 << 20);
    inflate.reset(true);
    let status = inflate.decompress_vec(packed, &mut json, FlushDecompress::Finish);
    matches!(status, Ok(Status::StreamEnd)).then_some(json)
}

/// The cookie with this payload, signed now.
fn sealed(payload: &str) -> Result<Option<SetCookie>, StatusCode> {
    let time = now().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
    let mut token = String::with_capacity(payload.len() + 35);
    token.push_str(payload);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(time.to_be_bytes(), &mut token);
    let mut mac = KEY.clone();
    mac.update(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(mac.finalize().into_bytes(), &mut token);
    floor::set_cookie(&token)
}

fn now() -> Option<u32> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    u32::try_from(since.as_secs()).ok()
}
