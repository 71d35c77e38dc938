//! The primitives that tokens rest on, against the vectors of RFC 8452 and of Project Wycheproof.

#![cfg(feature = "encrypted")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce, Tag,
    aead::{AeadInOut, KeyInit},
};
use hkdf::Hkdf;
use hmac::{EagerHash, Hmac, Mac};
use serde_json::Value as Json;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use support::{rows, text, unhex};

struct Aead {
    cipher: Aes256GcmSiv,
    nonce: Nonce,
    aad: Vec<u8>,
    plaintext: Vec<u8>,
    ciphertext: Vec<u8>,
    tag: [u8; 16],
}

impl Aead {
    fn new(row: &Json) -> Self {
        let field = |name| unhex(text(row, name));
        let sealed = field("ciphertext_hex");
        let (ciphertext, tag) = sealed.split_last_chunk().unwrap();
        Self {
            cipher: Aes256GcmSiv::new_from_slice(&field("key_hex")).unwrap(),
            nonce: Nonce::try_from(&field("nonce_hex")[..]).unwrap(),
            aad: field("aad_hex"),
            plaintext: field("plaintext_hex"),
            ciphertext: ciphertext.to_vec(),
            tag: *tag,
        }
    }

    /// What it decrypts to, or what a failure leaves in the buffer.
    fn decrypt(&self, ciphertext: &[u8], tag: [u8; 16], aad: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
        let mut buffer = ciphertext.to_vec();
        let tag = Tag::from(tag);
        match self
            .cipher
            .decrypt_inout_detached(&self.nonce, aad, (&mut buffer[..]).into(), &tag)
        {
            Ok(()) => Ok(buffer),
            Err(_) => Err(buffer),
        }
    }
}

#[test]
fn s51_aes_256_gcm_siv_is_that_of_rfc_8452() {
    let rows = [
        rows("primitives", "aes_256_gcm_siv_rfc8452"),
        rows("primitives", "aes_256_gcm_siv_wycheproof"),
    ];
    for row in rows.iter().flatten() {
        let aead = Aead::new(row);
        let mut buffer = aead.plaintext.clone();
        let tag = aead
            .cipher
            .encrypt_inout_detached(&aead.nonce, &aead.aad, (&mut buffer[..]).into())
            .unwrap();
        assert_eq!(buffer, aead.ciphertext, "{row}");
        assert_eq!(<[u8; 16]>::from(tag), aead.tag, "{row}");
        assert_eq!(
            aead.decrypt(&aead.ciphertext, aead.tag, &aead.aad),
            Ok(aead.plaintext.clone())
        );
        // Any bit of it changed, and it is refused.
        for bit in 0..128 {
            let mut tag = aead.tag;
            tag[bit / 8] ^= 1 << (bit % 8);
            assert!(aead.decrypt(&aead.ciphertext, tag, &aead.aad).is_err());
        }
        for bit in 0..8 * aead.ciphertext.len() {
            let mut ciphertext = aead.ciphertext.clone();
            ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert!(aead.decrypt(&ciphertext, aead.tag, &aead.aad).is_err());
        }
        let mut aad = aead.aad.clone();
        aad.push(0);
        assert!(aead.decrypt(&aead.ciphertext, aead.tag, &aad).is_err());
    }
}

#[test]
fn s50_a_failed_decryption_leaves_the_ciphertext() {
    for row in rows("primitives", "aes_256_gcm_siv_wycheproof_invalid") {
        let aead = Aead::new(&row);
        assert_eq!(
            aead.decrypt(&aead.ciphertext, aead.tag, &aead.aad),
            Err(aead.ciphertext.clone()),
            "{row}"
        );
    }
}

fn hmac<H: EagerHash>(section: &str) {
    for row in rows("primitives", section) {
        let tag = unhex(text(&row, "tag_hex"));
        let mac = Hmac::<H>::new_from_slice(&unhex(text(&row, "key_hex")))
            .unwrap()
            .chain_update(unhex(text(&row, "message_hex")));
        assert!(mac.clone().verify_truncated_left(&tag).is_ok(), "{row}");
        for bit in 0..8 * tag.len() {
            let mut other = tag.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(mac.clone().verify_truncated_left(&other).is_err(), "{row}");
        }
    }
}

#[test]
fn s51_hmac_is_that_of_rfc_2104_with_every_hash() {
    hmac::<Sha1>("hmac_sha1_wycheproof");
    hmac::<Sha256>("hmac_sha256_wycheproof");
    hmac::<Sha384>("hmac_sha384_wycheproof");
    hmac::<Sha512>("hmac_sha512_wycheproof");
}

#[test]
fn s53_hkdf_is_that_of_rfc_5869() {
    for row in rows("primitives", "hkdf_sha256_wycheproof") {
        let [ikm, salt, info, okm] =
            ["ikm_hex", "salt_hex", "info_hex", "okm_hex"].map(|field| unhex(text(&row, field)));
        let mut derived = vec![0; okm.len()];
        Hkdf::<Sha256>::new(Some(&salt), &ikm)
            .expand(&info, &mut derived)
            .unwrap();
        assert_eq!(derived, okm, "{row}");
    }
}
