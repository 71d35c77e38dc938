//! Any bytes can be given to the reader of tagged JSON. What it takes is written in a form that stays as it is, and a
//! session, which reads its entries only when they are asked for, holds the same.
#![no_main]

use std::sync::LazyLock;

use cloakroom::format::TaggedJson;
use cloakroom::token::payload::{self, Compression};
use cloakroom::token::signed::{SignerOptions, TimestampSigner};
use cloakroom::{SecretKey, SessionConfig, SessionManager, Value};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_700_000_000;

fn key() -> SecretKey {
    SecretKey::new("secret-key").expect("it is not empty")
}

static FORMAT: LazyLock<TaggedJson> = LazyLock::new(TaggedJson::new);
static SIGNER: LazyLock<TimestampSigner> = LazyLock::new(|| {
    TimestampSigner::with_options(key(), "cookie-session", &SignerOptions::flask())
});
static MANAGER: LazyLock<SessionManager> = LazyLock::new(|| {
    let config = SessionConfig::flask().clock(cloakroom::Clock::manual(NOW));
    SessionManager::signed(key(), config).expect("the settings fit together")
});

fuzz_target!(|json: &[u8]| {
    let mut token = Vec::new();
    payload::encode_into(&mut token, json, Compression::Never);
    SIGNER.sign_into(&mut token, 0, NOW);
    let session = open(&MANAGER, token);

    let Ok(value) = FORMAT.from_slice(json) else {
        assert!(session.is_err(), "a session held what can't be read");
        return;
    };
    // A date that its offset moves out of the years 1 to 9999 can be read, but has no text.
    let Ok(written) = FORMAT.to_bytes(&value) else {
        return;
    };
    assert!(written.iter().all(|byte| matches!(byte, b' '..=b'~')));
    let again = FORMAT
        .from_slice(&written)
        .expect("what was written can be read");
    assert_eq!(FORMAT.to_bytes(&again).expect("and written again"), written);

    if let Value::Dict(_) = value {
        let session = session.expect("a dictionary is a session");
        let held = Value::Dict(session.snapshot());
        assert_eq!(
            FORMAT.to_bytes(&held).expect("each entry can be written"),
            written
        );
    }
});

fn open(
    manager: &SessionManager,
    token: impl AsRef<[u8]>,
) -> Result<cloakroom::Session, cloakroom::Error> {
    cloakroom::testing::now(manager.open_value(token)).expect("a cookie never waits")
}
