//! Any token can be given to a manager of encrypted sessions: as it is, and, to reach what reads the content, sealed.
#![no_main]

use std::sync::LazyLock;

use cloakroom::token::encrypted::{Padding, Purpose, Sealer};
use cloakroom::token::payload::Compression;
use cloakroom::{Clock, Error, SecretKey, Session, SessionConfig, SessionManager, testing};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_700_000_000;

// The key of the vectors, so that their tokens open.
fn key() -> SecretKey {
    SecretKey::new("the key that seals now").expect("it is not empty")
}

static MANAGER: LazyLock<SessionManager> = LazyLock::new(|| {
    let config = SessionConfig::native().clock(Clock::manual(NOW));
    SessionManager::encrypted(key(), config).expect("the settings fit together")
});
static SEALER: LazyLock<Sealer> = LazyLock::new(|| {
    let purpose = Purpose::new("cookie-session").name("__Host-session");
    Sealer::new(key(), &purpose)
});

fuzz_target!(|token: &[u8]| {
    if let Ok(session) = open(token) {
        let _ = session.snapshot();
    }
    let Some((&how, content)) = token.split_first() else {
        return;
    };
    let compression = match how & 1 {
        0 => Compression::Never,
        _ => Compression::Auto,
    };
    let sealer = SEALER.clone().compression(compression);
    let Ok(sealed) = sealer
        .padding(Padding::Blocks(how.into()))
        .seal_at(content, NOW, NOW)
    else {
        return;
    };
    let opened = SEALER.open_at(&sealed, NOW).expect("it was just sealed");
    assert_eq!(opened.content, content);
    let Ok(session) = open(&sealed) else {
        return;
    };
    let before = session.to_tagged_json();
    let _ = session.snapshot();
    let written = MANAGER.cookie_value(&session).expect("it was read");
    let again = open(written).expect("what this library seals it opens");
    assert_eq!(again.to_tagged_json(), before);
    let _ = session.flashes();
});

fn open(token: impl AsRef<[u8]>) -> Result<Session, Error> {
    testing::now(MANAGER.open_value(token)).expect("a cookie never waits")
}
