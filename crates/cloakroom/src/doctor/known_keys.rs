use std::sync::LazyLock;

use super::session_like::is_signed;
use crate::{
    KeyRing, SecretKey,
    flask_login::remember_token::{self, as_signed},
    secret::published,
    token::signed::{Digest, KeyDerivation, Signer, SignerOptions},
};

/// What signed a cookie's value with a key that everybody knows, if anything did: the proof that anybody can.
pub(super) fn signed_by_published_key(value: &[u8]) -> Option<&'static str> {
    let signers = &*SIGNERS;
    if is_signed(value) {
        return signers
            .session
            .iter()
            .any(|signer| signer.validate(value))
            .then_some("Flask's session");
    }
    if signers.id.validate(value) {
        return Some("Flask-Session's signed id");
    }
    let text = str::from_utf8(value).ok()?;
    if let Some((_, signed)) = as_signed(text) {
        let remembered = signers.remember.validate(signed);
        return remembered.then_some("Flask-Login's remember token");
    }
    let signed = from_express(text)?;
    let express = signers.express.validate(signed);
    express.then_some("Express's signed cookie")
}

/// How many keys are tried.
pub(super) fn count() -> usize {
    published::all().count()
}

struct Signers {
    session: [Signer; 2],
    id: Signer,
    remember: Signer,
    express: Signer,
}

/// The keys are derived once, when the first cookie is looked at.
static SIGNERS: LazyLock<Signers> = LazyLock::new(|| {
    let flask = |digest| SignerOptions::flask().digest(digest);
    let express = SignerOptions::default()
        .digest(Digest::Sha256)
        .key_derivation(KeyDerivation::None);
    let signer = |salt, options| Signer::with_options(ring(), salt, &options);
    Signers {
        session: [
            signer("cookie-session", flask(Digest::Sha1)),
            signer("cookie-session", flask(Digest::Sha256)),
        ],
        id: signer("flask-session", flask(Digest::Sha1)),
        remember: remember_token::signer(&ring()),
        express: signer("", express),
    }
});

fn ring() -> KeyRing {
    let mut keys = published::all().filter_map(|key| SecretKey::new(key).ok());
    #[expect(clippy::expect_used, reason = "the list is not empty")]
    let first = keys.next().expect("there are published keys");
    keys.fold(KeyRing::new(first), KeyRing::fallback)
}

/// npm's cookie-signature has the value, a dot, and its HMAC-SHA256 in padless base64, whose two signs are percent-encoded
/// in a cookie. That is what a signer without a derived key writes, but for those signs.
fn from_express(value: &str) -> Option<String> {
    let signed = value.strip_prefix("s%3A").or(value.strip_prefix("s:"))?;
    let (value, signature) = signed.rsplit_once('.')?;
    let signature = signature.replace("%2B", "-").replace("%2F", "_");
    let signature = signature.replace('+', "-").replace('/', "_");
    Some(format!("{value}.{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::signed::TimestampSigner;

    #[test]
    fn only_what_a_published_key_signed_is_called_so() {
        let key = |text: &str| SecretKey::new(text).unwrap();
        let flask = |text: &str| {
            let signer =
                TimestampSigner::with_options(key(text), "cookie-session", &SignerOptions::flask());
            signer.sign("eyJhIjoxfQ")
        };
        assert_eq!(
            signed_by_published_key(&flask("supersecretkey")),
            Some("Flask's session")
        );
        assert_eq!(
            signed_by_published_key(&flask("a key that nobody has ever published")),
            None
        );
        let id = Signer::with_options(key("secret!"), "flask-session", &SignerOptions::flask());
        assert_eq!(
            signed_by_published_key(&id.sign("kRtasPgzdZBA1SEoclYTR")),
            Some("Flask-Session's signed id")
        );
        // As cookie-signature writes it under `keyboard cat`, and Flask-Login under `secret-key`.
        for (value, what) in [
            (EXPRESS, "Express's signed cookie"),
            (REMEMBER, "Flask-Login's remember token"),
        ] {
            assert_eq!(signed_by_published_key(value.as_bytes()), Some(what));
            let altered = value.replacen("42", "43", 1);
            assert_eq!(signed_by_published_key(altered.as_bytes()), None);
        }
        for value in ["", "s:", "s%3A.", "|", "a.b.c", "v1.x"] {
            assert_eq!(signed_by_published_key(value.as_bytes()), None);
        }
    }

    const EXPRESS: &str =
        "s%3Asid42kRtasPgzdZBA1SE.dtFf%2FIZzf%2BGspbUPKqP2Pd8wmjqwE7YvDLqiUJzhPRM";
    const REMEMBER: &str = "42|3ecc386da4281825813db1b9767434e0e7599e53c8d145d1d1ff29c6c847ec05ed6b61555b275cd5b72735faf0deecb617daca54c7ad213a33f59d31a3409a83";
}
