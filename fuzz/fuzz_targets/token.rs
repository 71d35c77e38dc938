//! Any token can be given to the session manager: as it is, and, to reach what reads the payload, with a good signature.
#![no_main]

use std::sync::LazyLock;

use cloakroom::token::Leniency;
use cloakroom::token::signed::{SignerOptions, TimestampSigner, UrlSafeTimedSerializer};
use cloakroom::{Clock, SecretKey, SessionConfig, SessionManager};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_700_000_000;

fn key() -> SecretKey {
    SecretKey::new("secret-key").expect("it is not empty")
}

fn manager(leniency: Leniency) -> SessionManager {
    let config = SessionConfig::flask()
        .leniency(leniency)
        .clock(Clock::manual(NOW));
    SessionManager::signed(key(), config).expect("the settings fit together")
}

static STRICT: LazyLock<SessionManager> = LazyLock::new(|| manager(Leniency::Strict));
static LENIENT: LazyLock<SessionManager> = LazyLock::new(|| manager(Leniency::Lenient));
static SIGNER: LazyLock<TimestampSigner> = LazyLock::new(|| {
    TimestampSigner::with_options(key(), "cookie-session", &SignerOptions::flask())
});
static SERIALIZER: LazyLock<UrlSafeTimedSerializer> =
    LazyLock::new(|| UrlSafeTimedSerializer::new(key(), "itsdangerous"));

fuzz_target!(|token: &[u8]| {
    if open(&STRICT, token).is_ok() {
        assert!(
            open(&LENIENT, token).is_ok(),
            "what is strictly right is right"
        );
    }
    let _ = open(&LENIENT, token);
    let _ = SERIALIZER.loads::<cloakroom::Value>(token, None);

    let payload = token
        .rsplitn(3, |byte| *byte == b'.')
        .nth(2)
        .unwrap_or(token);
    let Ok(session) = open(&LENIENT, SIGNER.sign_at(payload, NOW)) else {
        return;
    };
    let before = session.to_tagged_json();
    let _ = session.snapshot();
    let again = open(
        &STRICT,
        LENIENT.cookie_value(&session).expect("it was read"),
    )
    .expect("what this library signs it opens");
    assert_eq!(again.to_tagged_json(), before);
    let _ = session.flashes();
});

fn open(
    manager: &SessionManager,
    token: impl AsRef<[u8]>,
) -> Result<cloakroom::Session, cloakroom::Error> {
    cloakroom::testing::now(manager.open_value(token)).expect("a cookie never waits")
}
