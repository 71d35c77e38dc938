//! Opening a cookie and reading one value of it, and changing one value and writing the cookie, each beside its floor.

use cloakroom::{
    Session, SessionConfig, SessionManager,
    token::payload::Compression::{self, Auto, Never},
};

use crate::{Cases, VISITS, clock, floor, now, secret, visitor};

pub(crate) fn count(cases: &mut Cases) {
    for (name, compression, fill) in [
        ("small", Auto, visitor as fn(&Session)),
        ("1 KB", Never, |session| items(session, 1024)),
        ("3.5 KB", Never, |session| items(session, 2600)),
        ("3.5 KB compressed", Auto, |session| items(session, 3584)),
        ("twenty keys", Never, twenty_keys),
        ("3.5 KB in many keys", Never, many_keys),
        ("3.5 KB in one key", Never, one_key),
    ] {
        signed(cases, name, compression, fill);
    }
    for (name, fill) in [
        ("small", visitor as fn(&Session)),
        ("1 KB", |session| items(session, 1024)),
        ("2.6 KB", |session| items(session, 2600)),
    ] {
        encrypted(cases, name, fill);
    }
}

fn signed(cases: &mut Cases, name: &str, compression: Compression, fill: fn(&Session)) {
    let config = SessionConfig::flask()
        .clock(clock())
        .compression(compression);
    let manager = SessionManager::signed(secret(), config).unwrap();
    let (token, json) = ours(cases, &format!("signed {name}"), &manager, fill);
    // Nothing tries to compress what is known to stay as it is.
    let compression = match token.starts_with('.') {
        true => Auto,
        false => Never,
    };
    let floor = floor::Signed::new();
    let opened = format!("signed {name}: open, floor");
    cases.case(
        &opened,
        || token.as_str(),
        |token| floor.open(token.as_bytes()),
    );
    let saved = format!("signed {name}: save, floor");
    cases.case(
        &saved,
        || json.as_str(),
        |json| floor.save(json.as_bytes(), compression),
    );
}

fn encrypted(cases: &mut Cases, name: &str, fill: fn(&Session)) {
    let config = SessionConfig::native()
        .cookie_name("session")
        .clock(clock());
    let manager = SessionManager::encrypted(secret(), config).unwrap();
    let (_, json) = ours(cases, &format!("encrypted {name}"), &manager, fill);
    let floor = floor::Encrypted::new();
    let token = floor.save(json.as_bytes());
    let opened = format!("encrypted {name}: open, floor");
    cases.case(&opened, || token.as_slice(), |token| floor.open(token));
    let saved = format!("encrypted {name}: save, floor");
    cases.case(&saved, || json.as_str(), |json| floor.save(json.as_bytes()));
}

/// Counts the library, and hands back the cookie and its JSON for the floor.
fn ours(
    cases: &mut Cases,
    name: &str,
    manager: &SessionManager,
    fill: fn(&Session),
) -> (String, String) {
    let session = manager.new_session();
    fill(&session);
    let token = manager.cookie_value(&session).unwrap();
    cases.case(
        &format!("{name}: open"),
        || token.as_str(),
        |token| {
            let session = now(manager.open_value(token)).unwrap();
            (session.get(VISITS).unwrap(), session)
        },
    );
    cases.case(
        &format!("{name}: save"),
        || now(manager.open_value(&token)).unwrap(),
        |session| {
            session.insert(VISITS, 101).unwrap();
            (manager.cookie_value(&session), session)
        },
    );
    (token, session.to_tagged_json())
}

/// A visitor with a cart that brings the JSON to about `size` bytes.
fn items(session: &Session, size: usize) {
    visitor(session);
    let mut item = 0_u64;
    while session.to_tagged_json().len() + 60 < size {
        // Unlike each other, as ids and names are: text that repeats itself would compress to nothing.
        let id = item.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let name = format!("{:016x}", id.rotate_left(29));
        session
            .insert(format!("item_{item:03}"), (id, name))
            .unwrap();
        item += 1;
    }
}

fn twenty_keys(session: &Session) {
    visitor(session);
    for number in 0..18 {
        session.insert(format!("key_{number:02}"), "value").unwrap();
    }
}

fn many_keys(session: &Session) {
    visitor(session);
    for number in 0..135 {
        session
            .insert(format!("key_{number:03}"), 100_000 + number)
            .unwrap();
    }
}

/// As many bytes as [`many_keys`].
fn one_key(session: &Session) {
    visitor(session);
    session.insert("text", "x".repeat(135 * 17 - 10)).unwrap();
}
