//! What a cookie costs at least: the same HMAC from a state keyed before, or the same AEAD with its key expanded before,
//! the same base64, one pass of `serde_json` over the text that takes one number out of it, or the same JSON bytes on the
//! way back, and nothing else.

use aes_gcm_siv::{Aes256GcmSiv, KeyInit as _, Nonce, Tag, aead::AeadInOut};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use cloakroom::token::{
    Leniency,
    payload::{self, Compression},
};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha1::Sha1;

use crate::SECRET;

/// What a handler reads; the rest of the session is passed over.
#[derive(Deserialize)]
struct Content {
    #[serde(default)]
    visits: u64,
}

fn visits(json: &[u8]) -> u64 {
    serde_json::from_slice::<Content>(json).unwrap().visits
}

/// The HMAC that a cookie is signed with, its key absorbed.
pub(crate) struct Signed(Hmac<Sha1>);

impl Signed {
    pub(crate) fn new() -> Self {
        let mut derivation = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
        derivation.update(b"cookie-session");
        Self(Hmac::new_from_slice(&derivation.finalize().into_bytes()).unwrap())
    }

    pub(crate) fn open(&self, token: &[u8]) -> u64 {
        let signature_at = token.len() - 28;
        let mut signature = [0; 20];
        URL_SAFE_NO_PAD
            .decode_slice(&token[signature_at + 1..], &mut signature)
            .unwrap();
        let mut mac = self.0.clone();
        mac.update(&token[..signature_at]);
        mac.verify_slice(&signature).unwrap();
        let payload = &token[..signature_at - 7];
        visits(&match payload[0] {
            b'.' => payload::decode(payload, Leniency::Strict, 1 << 20).unwrap(),
            _ => URL_SAFE_NO_PAD.decode(payload).unwrap(),
        })
    }

    pub(crate) fn save(&self, json: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::with_capacity(json.len() * 4 / 3 + 64);
        match compression {
            Compression::Auto => payload::encode_into(&mut out, json, compression),
            Compression::Never => {
                out.resize(json.len().div_ceil(3) * 4, 0);
                let length = URL_SAFE_NO_PAD.encode_slice(json, &mut out).unwrap();
                out.truncate(length);
            }
        }
        out.extend_from_slice(b".ZVPxAA");
        let mut mac = self.0.clone();
        mac.update(&out);
        out.push(b'.');
        let mut signature = [0; 27];
        URL_SAFE_NO_PAD
            .encode_slice(mac.finalize().into_bytes(), &mut signature)
            .unwrap();
        out.extend_from_slice(&signature);
        out
    }
}

/// The AEAD under any key: it opens what it made itself.
pub(crate) struct Encrypted(Aes256GcmSiv);

/// Times and flags stand before the content, below the encryption.
const BEFORE: usize = 19;

impl Encrypted {
    pub(crate) fn new() -> Self {
        Self(Aes256GcmSiv::new(&[7; 32].into()))
    }

    pub(crate) fn open(&self, token: &[u8]) -> u64 {
        let mut raw = URL_SAFE_NO_PAD.decode(&token[3..]).unwrap();
        let (nonce, rest) = raw.split_first_chunk_mut::<12>().unwrap();
        let (text, tag) = rest.split_last_chunk_mut::<16>().unwrap();
        let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
        self.0
            .decrypt_inout_detached(&nonce, b"v1.", text.into(), &tag)
            .unwrap();
        visits(&raw[12 + BEFORE..raw.len() - 16])
    }

    pub(crate) fn save(&self, json: &[u8]) -> Vec<u8> {
        let mut raw = Vec::with_capacity(12 + BEFORE + json.len() + 16);
        raw.resize(12 + BEFORE, 0);
        getrandom::fill(&mut raw[..12]).unwrap();
        raw.extend_from_slice(json);
        let (nonce, text) = raw.split_first_chunk_mut::<12>().unwrap();
        let nonce = Nonce::from(*nonce);
        let tag = self
            .0
            .encrypt_inout_detached(&nonce, b"v1.", text.into())
            .unwrap();
        raw.extend_from_slice(&tag);
        let mut out = vec![0; 3 + raw.len().div_ceil(3) * 4];
        out[..3].copy_from_slice(b"v1.");
        let length = URL_SAFE_NO_PAD.encode_slice(&raw, &mut out[3..]).unwrap();
        out.truncate(3 + length);
        out
    }
}
