//! Keys that rotate with nobody noticing: which key signs when, what a file of keys may say, and what a reload does.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use cloakroom::{
    Clock, KeyRing, KeyState, KeyUsage, Keys, KeysError, Refusal, Reloaded, ScheduledKey,
    SecretKey, SecretKeyError, Session, SessionConfig, SessionManager, Status,
    store::MemoryStore,
    testing::Browser,
    token::signed::{SignerOptions, TimestampSigner},
};
use proptest::prelude::*;
use support::now::Now;

const NOW: u64 = 1_700_000_000;
const LEAKED: &str = "a secret that somebody published";

fn secret(name: &str) -> SecretKey {
    SecretKey::new(format!("the secret of the key {name}")).unwrap()
}

fn key(id: &str) -> ScheduledKey {
    ScheduledKey::new(id, secret(id))
}

fn config(clock: &Clock) -> SessionConfig {
    SessionConfig::default().clock(clock.clone())
}

fn manager(keys: impl Into<Keys>, clock: &Clock) -> SessionManager {
    SessionManager::signed(keys, config(clock)).unwrap()
}

fn cookie(manager: &SessionManager) -> String {
    let session = manager.new_session();
    session.insert("username", "alice").unwrap();
    manager.cookie_value(&session).unwrap()
}

/// The cookie that only this key made.
fn signed_by(name: &str, at: u64) -> String {
    cookie(&manager(secret(name), &Clock::manual(at)))
}

fn opens(manager: &SessionManager, cookie: &str) -> bool {
    match manager.open_value_now(cookie) {
        Ok(session) => session.get::<String>("username").unwrap().is_some(),
        Err(refusal) => {
            assert_eq!(refusal, Refusal::BadSignature);
            false
        }
    }
}

fn states(usage: &[KeyUsage]) -> Vec<(&str, KeyState)> {
    usage
        .iter()
        .map(|key| (key.id.as_str(), key.state))
        .collect()
}

fn counts(usage: &[KeyUsage]) -> Vec<(&str, u64, Option<u64>)> {
    let mut counts = Vec::new();
    for key in usage {
        counts.push((key.id.as_str(), key.verified, key.last_verified));
    }
    counts
}

/// Puts a whole file in place of another, as an operator should.
fn put(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    private(&new);
    fs::rename(new, path).unwrap();
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn private(path: &Path) {
    #[cfg(unix)]
    mode(path, 0o600);
    #[cfg(not(unix))]
    let _ = path;
}

fn entry(name: &str, more: &str) -> String {
    format!(r#"{{"id": "{name}", "secret": "the secret of the key {name}"{more}}}"#)
}

fn list(entries: &[String]) -> String {
    format!(r#"{{"keys": [{}]}}"#, entries.join(", "))
}

struct File {
    folder: tempfile::TempDir,
}

impl File {
    fn new(text: &str) -> Self {
        let file = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        file.put(text);
        file
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("keys.json")
    }

    fn put(&self, text: &str) {
        put(&self.path(), text);
    }
}

/// What the file is refused for, without the place; the message names the file.
fn refusal(text: &str) -> KeysError {
    let file = File::new(text);
    match Keys::from_file(file.path()).unwrap_err() {
        error @ KeysError::Refused { .. } => {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("keys.json"), "{shown}");
            assert!(!shown.contains("the secret of"), "{shown}");
            match error {
                KeysError::Refused { reason, .. } => *reason,
                _ => unreachable!(),
            }
        }
        error => error,
    }
}

#[test]
fn s55_at_each_second_exactly_one_key_signs_and_it_is_the_newest_that_has_begun() {
    let clock = Clock::manual(NOW);
    let keys = Keys::scheduled([
        key("old").not_after(NOW + 300),
        key("new").not_before(NOW + 100),
        key("next").not_before(NOW + 200).not_after(NOW + 250),
        key("stolen").not_before(NOW + 50).revoked(),
    ])
    .unwrap();
    let sessions = manager(&keys, &clock);
    for (at, signer, others) in [
        (NOW, "old", &["new", "next"][..]),
        (NOW + 50, "old", &["new", "next"]),
        (NOW + 99, "old", &["new", "next"]),
        (NOW + 100, "new", &["old", "next"]),
        (NOW + 199, "new", &["old", "next"]),
        (NOW + 200, "next", &["old", "new"]),
        (NOW + 249, "next", &["old", "new"]),
        (NOW + 250, "new", &["old"]),
        (NOW + 299, "new", &["old"]),
        (NOW + 300, "new", &[]),
        // A clock that is set back, as test clocks and some servers' are.
        (NOW + 99, "old", &["new", "next"]),
        (0, "old", &["new", "next"]),
    ] {
        clock.set(at);
        let made = cookie(&sessions);
        for name in ["old", "new", "next", "stolen"] {
            assert_eq!(
                opens(&manager(secret(name), &clock), &made),
                name == signer,
                "{name} at {at}"
            );
            assert_eq!(
                opens(&sessions, &signed_by(name, at)),
                name == signer || others.contains(&name),
                "{name} at {at}"
            );
        }
        let usage = sessions.key_usage();
        let signing: Vec<&str> = usage
            .iter()
            .filter(|key| key.state == KeyState::Signs)
            .map(|key| key.id.as_str())
            .collect();
        assert_eq!(signing, [signer], "at {at}");
        assert_eq!(
            keys.ring_at(at).signing().expose_secret(),
            secret(signer).expose_secret()
        );
        assert_eq!(keys.ring_at(at).fallbacks().len(), others.len());
    }
}

#[test]
fn s55_before_any_key_has_begun_the_first_to_begin_signs() {
    let keys = Keys::scheduled([
        key("b").not_before(NOW + 20),
        key("a").not_before(NOW + 10),
        key("gone").not_before(5).not_after(NOW),
    ])
    .unwrap();
    let signing = |at| keys.ring_at(at).signing().expose_secret().to_vec();
    assert_eq!(signing(NOW), secret("a").expose_secret());
    assert_eq!(signing(0), secret("gone").expose_secret());
}

proptest! {
    /// Against the rule said plainly: whatever the times, one key signs, revoked and ended ones do nothing.
    #[test]
    fn s55_one_key_signs_whatever_the_times(
        times in prop::collection::vec((0_u64..50, prop::option::of(0_u64..60), prop::bool::weighted(0.2)), 1..6),
        now in 0_u64..60,
    ) {
        let scheduled = times.iter().enumerate().map(|(index, (begin, end, revoked))| {
            let key = key(&format!("k{index}")).not_before(*begin);
            let key = end.map_or(key.clone(), |end| key.not_after(end));
            if *revoked { key.revoked() } else { key }
        });
        let Ok(keys) = Keys::scheduled(scheduled) else {
            let usable = times.iter().any(|(_, end, revoked)| end.is_none() && !revoked);
            let ends_first = times.iter().any(|(begin, end, _)| end.is_some_and(|end| end <= *begin));
            let live: Vec<u64> = times.iter().filter(|(.., revoked)| !revoked).map(|(begin, ..)| *begin).collect();
            let twice = live.iter().enumerate().any(|(index, begin)| live[..index].contains(begin));
            prop_assert!(!usable || ends_first || twice);
            return Ok(());
        };
        let live = || times.iter().enumerate().filter(|(_, (_, end, revoked))| {
            !revoked && end.is_none_or(|end| now < end)
        });
        let begun = live().filter(|(_, (begin, ..))| *begin <= now).max_by_key(|(_, (begin, ..))| *begin);
        let first = live().min_by_key(|(_, (begin, ..))| *begin);
        let (signer, _) = begun.or(first).unwrap();
        let ring = keys.ring_at(now);
        let expected = secret(&format!("k{signer}"));
        prop_assert_eq!(ring.signing().expose_secret(), expected.expose_secret());
        prop_assert_eq!(ring.verifying().count(), live().count());
        let usage = keys.usage_at(now);
        prop_assert_eq!(usage.iter().filter(|key| key.state == KeyState::Signs).count(), 1);
        prop_assert_eq!(usage.len(), times.len());
    }
}

#[test]
fn cve_2025_47278_the_newest_key_signs_and_not_the_oldest_fallback() {
    let clock = Clock::manual(NOW);
    let ring = KeyRing::new(secret("now"))
        .fallback(secret("oldest"))
        .fallback(secret("old"));
    let sessions = manager(ring, &clock);
    let made = cookie(&sessions);
    assert!(opens(&manager(secret("now"), &clock), &made));
    assert!(!opens(&manager(secret("old"), &clock), &made));
    assert!(!opens(&manager(secret("oldest"), &clock), &made));
    for (name, index) in [("now", 0), ("old", 1), ("oldest", 2)] {
        let session = sessions.open_value_now(signed_by(name, NOW)).unwrap();
        assert!(
            matches!(session.status(), Status::Loaded { key_index, .. } if key_index == index),
            "{name}"
        );
    }
    assert_eq!(
        states(&sessions.key_usage()),
        [
            ("signing", KeyState::Signs),
            ("fallback-1", KeyState::Verifies),
            ("fallback-2", KeyState::Verifies)
        ]
    );
}

#[test]
fn s56_a_revoked_key_never_verifies() {
    let clock = Clock::manual(NOW);
    let leaked = || SecretKey::new(LEAKED).unwrap();
    let forged = cookie(&manager(leaked(), &clock));
    let in_the_file =
        r#"{"id": "leaked", "secret": "a secret that somebody published", "revoked": true}"#;
    let again = format!(r#"{{"id": "still-listed", "secret": "{LEAKED}"}}"#);
    let now = entry("now", r#", "not_before": 1"#);
    for (name, keys) in [
        (
            "alone",
            Keys::scheduled([key("now"), ScheduledKey::new("leaked", leaked()).revoked()]),
        ),
        (
            "listed as a good one too",
            Keys::scheduled([
                ScheduledKey::new("also", leaked()),
                key("now").not_before(1),
                ScheduledKey::new("leaked", leaked()).revoked(),
            ]),
        ),
        (
            "listed as the newest",
            Keys::scheduled([
                ScheduledKey::new("leaked", leaked()).revoked(),
                ScheduledKey::new("also", leaked()).not_before(NOW - 1),
                key("now"),
            ]),
        ),
        (
            "in a file",
            Keys::from_file(File::new(&list(&[in_the_file.to_owned(), again, now])).path()),
        ),
    ] {
        let keys = keys.unwrap();
        for at in [0, 1, NOW, u64::MAX] {
            let verifies = |key: &SecretKey| key.expose_secret() == LEAKED.as_bytes();
            assert!(!keys.ring_at(at).verifying().any(verifies), "{name}");
        }
        let sessions = manager(keys, &clock);
        assert!(!opens(&sessions, &forged), "{name}");
        assert!(opens(&sessions, &signed_by("now", NOW)), "{name}");
        let leaked = sessions
            .key_usage()
            .into_iter()
            .find(|key| key.id == "leaked");
        assert_eq!(leaked.unwrap().state, KeyState::Revoked, "{name}");
    }
    // And without the revocation the same cookie is good, so that is what refuses it.
    let keys = Keys::scheduled([key("now").not_before(1), ScheduledKey::new("l", leaked())]);
    assert!(opens(&manager(keys.unwrap(), &clock), &forged));
}

#[test]
fn s56_a_revocation_holds_from_the_reload_on() {
    let clock = Clock::manual(NOW);
    let file = File::new(&list(&[entry("a", ""), entry("b", r#", "not_before": 9"#)]));
    let keys = Keys::from_file(file.path()).unwrap();
    let sessions = manager(&keys, &clock);
    let stolen = cookie(&sessions);
    assert!(opens(&sessions, &stolen));
    file.put(&list(&[
        entry("a", ""),
        entry("b", r#", "not_before": 9, "revoked": true"#),
    ]));
    assert!(
        opens(&sessions, &stolen),
        "nothing reads the file by itself"
    );
    assert_eq!(keys.reload().unwrap(), Reloaded::Replaced);
    assert!(!opens(&sessions, &stolen));
    assert!(opens(&manager(secret("a"), &clock), &cookie(&sessions)));
}

/// Whoever asks after the reload has returned is refused, while others read all the time.
#[test]
fn s56_a_revocation_holds_for_every_thread() {
    /// Ends the readers, whatever becomes of the test.
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let clock = Clock::manual(NOW);
    let keys = Keys::scheduled([key("k0")]).unwrap();
    let sessions = manager(&keys, &clock);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = End(&done);
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Signed and opened under two rings, perhaps, so that either answer is right.
                    let _ = opens(&sessions, &cookie(&sessions));
                    clock.advance(Duration::from_secs(1));
                }
            });
        }
        for round in 0..200 {
            let [old, new] = [round, round + 1].map(|number| format!("k{number}"));
            let made = signed_by(&old, clock.unix_seconds());
            let begins = clock.unix_seconds() + 2;
            keys.replace([
                key(&new).not_before(begins),
                key("last"),
                key(&old).revoked(),
            ])
            .unwrap();
            assert!(!opens(&sessions, &made), "{old}");
            assert!(
                opens(&sessions, &signed_by(&new, clock.unix_seconds())),
                "{new}"
            );
        }
    });
}

#[cfg(feature = "encrypted")]
#[test]
fn s56_a_revocation_reaches_encrypted_cookies_and_those_that_are_signed_still() {
    let clock = Clock::manual(NOW);
    let until = std::time::UNIX_EPOCH + Duration::from_secs(2 * NOW);
    let encrypting = Keys::scheduled([key("a"), key("b").not_before(NOW + 1)]).unwrap();
    let signing = Keys::scheduled([key("flask")]).unwrap();
    let config = config(&clock).accept_signed(&signing, until);
    let sessions = SessionManager::encrypted(&encrypting, config).unwrap();
    let (encrypted, signed) = (cookie(&sessions), signed_by("flask", NOW));
    assert!(encrypted.starts_with("v1."));
    assert!(opens(&sessions, &encrypted) && opens(&sessions, &signed));
    assert_eq!(counts(&signing.usage_at(NOW)), [("flask", 1, Some(NOW))]);
    assert_eq!(
        counts(&sessions.key_usage()),
        [("b", 0, None), ("a", 1, Some(NOW))]
    );
    // The new key encrypts from its time on.
    clock.set(NOW + 1);
    let by_b =
        SessionManager::encrypted(secret("b"), SessionConfig::default().clock(clock.clone()));
    assert!(opens(&by_b.unwrap(), &cookie(&sessions)));
    encrypting.replace([key("a").revoked(), key("b")]).unwrap();
    assert!(!opens(&sessions, &encrypted));
    assert!(opens(&sessions, &signed));
    signing
        .replace([key("flask").revoked(), key("other")])
        .unwrap();
    assert!(!opens(&sessions, &signed));
}

#[test]
fn s57_weak_keys_are_refused_wherever_keys_are_listed() {
    for (secret, expected) in [
        ("", SecretKeyError::Empty),
        ("fifteen bytes..", SecretKeyError::TooShort),
        ("dev", SecretKeyError::Published),
    ] {
        let text = format!(r#"{{"keys": [{{"id": "2026", "secret": "{secret}"}}]}}"#);
        match refusal(&text) {
            KeysError::Secret { id, source } => {
                assert_eq!(id, "2026");
                assert_eq!(source.to_string(), expected.to_string());
            }
            other => panic!("{other}"),
        }
    }
    // To revoke it, a weak key has to be named.
    let revoked = r#"{"id": "example", "secret": "dev", "revoked": true}"#.to_owned();
    let file = File::new(&list(&[revoked, entry("now", "")]));
    assert!(Keys::from_file(file.path()).is_ok());
}

/// The default secrets of Superset, which thousands of sites went on with.
#[test]
fn cve_2023_27524_the_published_keys_of_superset_do_not_start_a_site() {
    for published in [
        r"\u0002\u0001thisismyscretkey\u0001\u0002\\e\\y\\y\\h",
        "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
        "thisISaSECRET_1234",
        "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
        "TEST_NON_DEV_SECRET",
    ] {
        let text = format!(r#"{{"keys": [{{"id": "superset", "secret": "{published}"}}]}}"#);
        assert!(
            matches!(
                refusal(&text),
                KeysError::Secret {
                    source: SecretKeyError::Published,
                    ..
                }
            ),
            "{published}"
        );
    }
}

/// Airflow's default secret was the same everywhere, so a session of one site was one of every other.
#[test]
fn cve_2020_17526_two_sites_cannot_share_airflows_default_key() {
    let text = r#"{"keys": [{"id": "airflow", "secret": "temporary_key"}]}"#;
    assert!(matches!(
        refusal(text),
        KeysError::Secret {
            source: SecretKeyError::Published,
            ..
        }
    ));
    // With keys of their own, no site takes another one's session.
    let clock = Clock::manual(NOW);
    let [one, other] = [(); 2].map(|()| manager(SecretKey::generate().unwrap(), &clock));
    assert!(opens(&one, &cookie(&one)));
    assert!(!opens(&other, &cookie(&one)));
}

#[test]
fn s62_a_file_that_is_not_a_key_file_is_refused_with_what_is_wrong() {
    let a = || entry("a", "");
    let two = |more: &str| list(&[a(), entry("b", more)]);
    for (text, expected) in [
        (String::new(), "a value was expected at byte 0"),
        ("[]".into(), "an object with the member `keys`"),
        ("{}".into(), "the member `keys` alone"),
        (r#"{"keys": {}}"#.into(), "a list of keys"),
        (
            r#"{"keys": []}"#.into(),
            "leave `not_after` out of the newest",
        ),
        (
            r#"{"keys": [], "more": 1}"#.into(),
            "the member `keys` alone",
        ),
        (format!("{} x", list(&[a()])), "the end of the text"),
        (list(&["1".into()]), "an object with `id` and `secret`"),
        (
            list(&[entry("a", r#", "notafter": 1"#)]),
            "`not_after` or `revoked`",
        ),
        (list(&[entry("a", r#", "id": "b""#)]), "each member once"),
        (list(&[entry("a", r#", "revoked": 1"#)]), "true or false"),
        (list(&[entry("a", r#", "revoked": null"#)]), "true or false"),
        (list(&[entry("", "")]), "key number 1 has no `id`"),
        (
            list(&[a(), entry("two words", "")]),
            "key number 2 has no `id`",
        ),
        (
            list(&[entry(&"x".repeat(65), "")]),
            "key number 1 has no `id`",
        ),
        (
            list(&[r#"{"secret": "the secret of nobody"}"#.into()]),
            "key number 1 has no `id`",
        ),
        (list(&[r#"{"id": "a"}"#.into()]), "key `a` has no `secret`"),
        (list(&[r#"{"id": "a", "secret": 17}"#.into()]), "a quote"),
        (
            list(&[r#"{"id": "a", "secret": "\ud800 and the rest"}"#.into()]),
            "lone surrogates",
        ),
        (
            two(r#", "not_before": "soon""#),
            "key `b`: `not_before` is no time",
        ),
        (
            two(r#", "not_after": "2026-11-21T00:00:00""#),
            "key `b`: `not_after` is no time",
        ),
        (
            two(r#", "not_after": "2026-11-21""#),
            "key `b`: `not_after` is no time",
        ),
        (
            two(r#", "not_after": 1.5"#),
            "key `b`: `not_after` is no time",
        ),
        (
            two(r#", "not_after": -1"#),
            "key `b`: `not_after` is no time",
        ),
        (
            two(r#", "not_after": true"#),
            "key `b`: `not_after` is no time",
        ),
        (
            two(r#", "not_before": 7, "not_after": 7"#),
            "key `b` ends before it begins",
        ),
        (two(r#", "not_after": 0"#), "key `b` ends before it begins"),
        (list(&[a(), a()]), "two keys have the id `a`"),
        (two(""), "keys `a` and `b` begin to sign at the same time"),
        (
            list(&[
                a(),
                a().replace(r#""id": "a""#, r#""id": "b", "not_before": 1"#),
            ]),
            "keys `a` and `b` have the same secret",
        ),
        (
            list(&[entry("a", r#", "not_after": 4000000000"#)]),
            "leave `not_after` out",
        ),
        (
            list(&[entry("a", r#", "revoked": true"#)]),
            "every key is revoked or ends",
        ),
        (
            list(
                &(0..33)
                    .map(|n| entry(&format!("k{n}"), &format!(r#", "not_before": {n}"#)))
                    .collect::<Vec<_>>(),
            ),
            "more than 32 keys",
        ),
    ] {
        let error = refusal(&text).to_string();
        assert!(error.contains(expected), "{text}\n{error}");
    }
    let latin = File::new("");
    fs::write(latin.path(), b"{\"keys\": \"\xff\"}").unwrap();
    let error = Keys::from_file(latin.path()).unwrap_err().to_string();
    assert!(error.contains("not UTF-8 at byte 10"), "{error}");
    let long = File::new(&" ".repeat(Keys::MAX_FILE_LENGTH + 1));
    assert!(matches!(
        Keys::from_file(long.path()),
        Err(KeysError::TooLong { .. })
    ));
    assert!(matches!(
        Keys::from_file(long.folder.path().join("none.json")),
        Err(KeysError::Unreadable { .. })
    ));
    assert!(matches!(
        Keys::from_file(long.folder.path()),
        Err(KeysError::Unreadable { .. })
    ));
}

proptest! {
    /// A key file is the operator's own, but half of one, or another file, must not end the process.
    #[test]
    fn s59_no_text_panics_and_no_error_shows_a_secret(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(
            b"\"\\{}[],:0-x \xff\n".to_vec()
        )), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let good = list(&[entry("a", r#", "not_before": "2023-11-14T23:13:20+01:00""#), entry("b", r#", "revoked": false"#)]);
        let mut bytes = good.into_bytes();
        for (place, byte) in cuts {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if end.index(3) == 0 {
            bytes.truncate(end.index(bytes.len()));
        }
        let file = File::new("");
        fs::write(file.path(), bytes).unwrap();
        if let Err(error) = Keys::from_file(file.path()) {
            let shown = format!("{error} {error:?}");
            prop_assert!(!shown.contains("secret of"), "{}", shown);
        }
    }
}

#[test]
fn s62_a_file_says_all_that_code_can() {
    use KeyState::{Ended, Revoked, Signs, Verifies};
    let file = File::new(
        r#" {"keys" : [
            {"secret": "not \"plain\" text \u00e4", "not_before": "2023-11-14T23:13:20+01:00", "id": "2023"},
            {"not_after": 1700000100, "id": "a", "secret": "the secret of the key a", "revoked": false},
            {"id": "b", "secret": "the secret of the key b", "not_before": 1699999999, "not_after": null},
            {"id": "c", "secret": "the secret of the key c", "revoked": true, "not_before": null}
        ]}
        "#,
    );
    let keys = Keys::from_file(file.path()).unwrap();
    let states_at = |at| -> Vec<(String, KeyState)> {
        let usage = keys.usage_at(at);
        usage.into_iter().map(|key| (key.id, key.state)).collect()
    };
    let named = |states: [KeyState; 4]| -> Vec<(String, KeyState)> {
        ["2023", "b", "a", "c"]
            .map(str::to_owned)
            .into_iter()
            .zip(states)
            .collect()
    };
    assert_eq!(
        states_at(NOW - 2),
        named([Verifies, Verifies, Signs, Revoked])
    );
    assert_eq!(
        states_at(NOW - 1),
        named([Verifies, Signs, Verifies, Revoked])
    );
    assert_eq!(states_at(NOW), named([Signs, Verifies, Verifies, Revoked]));
    assert_eq!(
        states_at(NOW + 100),
        named([Signs, Verifies, Ended, Revoked])
    );
    assert_eq!(
        keys.ring_at(NOW).signing().expose_secret(),
        "not \"plain\" text ä".as_bytes()
    );
    assert_eq!(
        format!("{keys:?}"),
        r#"Keys { ids: ["2023", "b", "a", "c"] }"#
    );
}

#[cfg(unix)]
#[test]
fn s62_a_file_that_everybody_may_write_is_refused() {
    let file = File::new(&list(&[entry("a", "")]));
    for (bits, refused) in [
        (0o600, false),
        (0o640, false),
        (0o660, false),
        (0o644, false),
        (0o602, true),
        (0o666, true),
    ] {
        mode(&file.path(), bits);
        let result = Keys::from_file(file.path());
        assert_eq!(
            matches!(result, Err(KeysError::WritableByAll { .. })),
            refused,
            "{bits:o}"
        );
        assert_eq!(result.is_ok(), !refused, "{bits:o}");
    }
}

#[test]
fn s62_a_reload_takes_a_good_file_and_keeps_the_keys_for_a_bad_one() {
    let clock = Clock::manual(NOW);
    let file = File::new(&list(&[entry("a", "")]));
    let keys = Keys::from_file(file.path()).unwrap();
    let sessions = manager(&keys, &clock);
    let made = cookie(&sessions);
    assert_eq!(keys.reload().unwrap(), Reloaded::Unchanged);
    for bad in [
        "",
        "{",
        &list(&[]),
        &list(&[entry("a", r#", "revoked": true"#)]),
    ] {
        file.put(bad);
        assert!(keys.reload().is_err(), "{bad}");
        assert!(opens(&sessions, &made), "{bad}");
    }
    fs::remove_file(file.path()).unwrap();
    assert!(matches!(keys.reload(), Err(KeysError::Unreadable { .. })));
    assert!(opens(&sessions, &made));
    file.put(&list(&[
        entry("a", ""),
        entry("b", &format!(r#", "not_before": {NOW}"#)),
    ]));
    assert_eq!(keys.reload().unwrap(), Reloaded::Replaced);
    assert!(opens(&sessions, &made));
    assert!(opens(&manager(secret("b"), &clock), &cookie(&sessions)));
    file.put(&list(&[entry("b", "")]));
    assert_eq!(keys.reload().unwrap(), Reloaded::Replaced);
    assert!(
        !opens(&sessions, &made),
        "a key that is out of the file is out of use"
    );
    // Keys from code have nothing to reload, and are replaced by code.
    keys.replace([key("c")]).unwrap();
    assert_eq!(keys.reload().unwrap(), Reloaded::Unchanged);
    assert!(opens(&sessions, &signed_by("c", NOW)));
    assert!(matches!(keys.replace([]), Err(KeysError::NoneLasts)));
    assert!(opens(&sessions, &signed_by("c", NOW)));
}

#[tokio::test(start_paused = true)]
async fn s62_a_watched_file_is_reloaded_by_itself_until_the_watcher_is_dropped() {
    let clock = Clock::manual(NOW);
    let file = File::new(&list(&[entry("a", "")]));
    let keys = Keys::from_file(file.path()).unwrap();
    let sessions = manager(&keys, &clock);
    let watcher = keys.watch(Duration::from_secs(10));
    let hour = Duration::from_secs(3600);
    file.put("half of a fi");
    while watcher.failures() < 3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(opens(&sessions, &signed_by("a", NOW)));
    assert_eq!(watcher.replaced(), 0);
    file.put(&list(&[entry("b", "")]));
    while watcher.replaced() == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(opens(&sessions, &signed_by("b", NOW)));
    assert!(!opens(&sessions, &signed_by("a", NOW)));
    let seen = watcher.failures();
    tokio::time::sleep(hour).await;
    assert_eq!((watcher.replaced(), watcher.failures()), (1, seen));
    drop(watcher);
    file.put(&list(&[entry("c", "")]));
    tokio::time::sleep(hour).await;
    assert!(!opens(&sessions, &signed_by("c", NOW)));
}

#[test]
fn s62_what_each_key_verified_is_counted_across_reloads() {
    let clock = Clock::manual(NOW);
    let file = File::new(&list(&[entry("old", "")]));
    let keys = Keys::from_file(file.path()).unwrap();
    let sessions = manager(&keys, &clock);
    let old = cookie(&sessions);
    for _ in 0..3 {
        assert!(opens(&sessions, &old));
    }
    assert!(!opens(&sessions, &signed_by("nobody", NOW)));
    assert_eq!(counts(&sessions.key_usage()), [("old", 3, Some(NOW))]);
    file.put(&list(&[
        entry("old", ""),
        entry("new", &format!(r#", "not_before": {}"#, NOW + 10)),
    ]));
    keys.reload().unwrap();
    assert_eq!(
        counts(&sessions.key_usage()),
        [("new", 0, None), ("old", 3, Some(NOW))]
    );
    clock.set(NOW + 10);
    assert!(opens(&sessions, &old));
    let new = cookie(&sessions);
    assert!(opens(&sessions, &new));
    assert_eq!(
        counts(&keys.usage_at(NOW)),
        [("new", 1, Some(NOW + 10)), ("old", 4, Some(NOW + 10))]
    );
    // An id that is used again for another secret is another key.
    file.put(&list(&[
        entry("old", "").replace("key old", "key older"),
        entry("new", r#", "not_before": 1"#),
    ]));
    keys.reload().unwrap();
    assert_eq!(
        counts(&sessions.key_usage()),
        [("new", 1, Some(NOW + 10)), ("old", 0, None)]
    );
}

#[test]
fn s62_a_key_that_ends_before_its_sessions_do_is_told() {
    const DAY: u64 = 24 * 60 * 60;
    let early = |keys: Vec<ScheduledKey>| {
        let keys = Keys::scheduled(keys).unwrap();
        keys.early_ends(Duration::from_secs(DAY))
    };
    let ends = |end| vec![key("old").not_after(end), key("new").not_before(NOW)];
    assert_eq!(early(ends(NOW + DAY)), []);
    assert_eq!(early(ends(NOW + DAY - 1)), [("old".to_owned(), NOW + DAY)]);
    // The last cookie of the old key is good to its last second exactly if the key is.
    for (end, good) in [(NOW + DAY, true), (NOW + DAY - 1, false)] {
        let clock = Clock::manual(NOW - 1);
        let config = config(&clock).lifetime(Duration::from_secs(DAY));
        let sessions = SessionManager::signed(Keys::scheduled(ends(end)).unwrap(), config).unwrap();
        let last = cookie(&sessions);
        clock.set(NOW - 1 + DAY);
        assert_eq!(opens(&sessions, &last), good);
    }
    // A later key does not matter, nor does what signs nothing.
    let mut keys = ends(NOW + DAY);
    keys.push(key("next").not_before(NOW + 5));
    keys.push(key("stolen").not_after(NOW + 7).revoked());
    assert_eq!(early(keys), []);
    // Without another one, it signs to its end.
    let keys = vec![key("a").not_before(5).not_after(9), key("b")];
    assert_eq!(early(keys), [("a".to_owned(), 9 + DAY)]);
    let ring = KeyRing::new(secret("a")).fallback(secret("b"));
    assert_eq!(Keys::from(ring).early_ends(Duration::MAX), []);
}

#[test]
fn s62_an_expired_cookie_is_no_use_of_its_key() {
    let clock = Clock::manual(NOW);
    let sessions = manager(key_pair(), &clock);
    let made = signed_by("old", NOW);
    clock.advance(Duration::from_secs(32 * 24 * 3600));
    assert_eq!(
        sessions.open_value_now(&made).unwrap_err(),
        Refusal::Expired
    );
    assert!(
        counts(&sessions.key_usage())
            .iter()
            .all(|(_, verified, _)| *verified == 0)
    );
}

fn key_pair() -> Keys {
    Keys::scheduled([key("old"), key("new").not_before(NOW)]).unwrap()
}

#[test]
fn s62_a_session_read_under_an_old_key_is_signed_with_the_new_one_at_its_next_write() {
    let clock = Clock::manual(NOW - 1);
    let sessions = manager(key_pair(), &clock);
    let mut browser = Browser::new();
    browser.set_cookie("session", cookie(&sessions));
    clock.set(NOW);
    let by_new_alone = manager(secret("new"), &clock);
    let mut visit = |work: fn(&Session)| {
        let session = sessions
            .open_value_now(browser.cookie("session").unwrap())
            .unwrap();
        work(&session);
        let mut headers = http::HeaderMap::new();
        sessions.close_now(&session, &mut headers).unwrap();
        let mut response = http::Response::new(());
        *response.headers_mut() = headers;
        browser.store(&response);
        opens(&by_new_alone, browser.cookie("session").unwrap())
    };
    assert!(!visit(|_| ()), "who does nothing is sent nothing");
    assert!(!visit(|session| drop(session.get::<String>("username"))));
    assert!(visit(|session| session.insert("seen", 1).unwrap()));
}

#[tokio::test]
async fn s62_a_signed_id_is_signed_with_the_new_key_at_its_next_write() {
    let clock = Clock::manual(NOW - 1);
    let config = config(&clock).sign_ids(key_pair());
    let store = cloakroom::store::Store::new(MemoryStore::new().clock(clock.clone()));
    let sessions = SessionManager::stored(store.clone(), config).unwrap();
    let session = sessions.new_session();
    session.insert("username", "alice").unwrap();
    session.save().await.unwrap();
    let old = sessions.cookie_value(&session).unwrap();
    clock.set(NOW);
    let by_new_alone = SessionManager::stored(
        store,
        SessionConfig::default()
            .clock(clock.clone())
            .sign_ids(secret("new")),
    )
    .unwrap();
    assert!(by_new_alone.open_value(&old).await.is_err());
    // A reader writes nothing, and a writer gets its id signed anew, once.
    let mut cookie = old;
    for (write, sent) in [(false, false), (true, true), (true, false), (false, false)] {
        let session = sessions.open_value(&cookie).await.unwrap();
        if write {
            session
                .update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)
                .unwrap();
        }
        let mut headers = http::HeaderMap::new();
        sessions.close(&session, &mut headers).await.unwrap();
        let mut browser = Browser::new();
        let mut response = http::Response::new(());
        *response.headers_mut() = headers;
        browser.store(&response);
        assert_eq!(browser.cookie("session").is_some(), sent);
        if let Some(new) = browser.cookie("session") {
            new.clone_into(&mut cookie);
        }
    }
    assert!(by_new_alone.open_value(&cookie).await.is_ok());
    let [new, old] = [("new", 2), ("old", 2)];
    assert_eq!(
        sessions
            .key_usage()
            .iter()
            .map(|key| (key.id.as_str(), key.verified))
            .collect::<Vec<_>>(),
        [new, old]
    );
}

#[test]
fn s62_keys_come_from_the_environment() {
    // Cargo sets these for every test.
    let keys = Keys::from_env("CARGO_MANIFEST_DIR").unwrap();
    assert_eq!(
        keys.ring_at(NOW).signing().expose_secret(),
        std::env::var("CARGO_MANIFEST_DIR").unwrap().as_bytes()
    );
    let error = Keys::from_env("CARGO_PKG_NAME").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "environment variable CARGO_PKG_NAME: key `signing`: the secret key is shorter"
        ),
        "{error}"
    );
    assert!(matches!(
        Keys::from_env("CLOAKROOM_TEST_NO_SUCH_VARIABLE"),
        Err(KeysError::Unset { .. })
    ));
    // The list as well, in a process that has it.
    let test = "s62_keys_come_from_the_environment_as_a_list";
    for (value, good) in [(list(&[entry("a", "")]), true), (list(&[]), false)] {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("CLOAKROOM_TEST_KEYS", value)
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{shown}");
        assert_eq!(shown.contains("read a list"), good, "{shown}");
        assert_eq!(
            shown.contains("CLOAKROOM_TEST_KEYS: every key"),
            !good,
            "{shown}"
        );
    }
}

#[test]
fn s62_keys_come_from_the_environment_as_a_list() {
    match Keys::from_env("CLOAKROOM_TEST_KEYS") {
        Ok(keys) => {
            let ring = keys.ring_at(NOW);
            assert_eq!(ring.signing().expose_secret(), secret("a").expose_secret());
            println!("read a list");
        }
        Err(error) => println!("{error}"),
    }
}

/// A ring that was taken out of the keys signs as they do, and stays as it is.
#[test]
fn s62_a_ring_is_the_keys_at_one_moment() {
    let keys = key_pair();
    let options = SignerOptions::flask();
    let signer = TimestampSigner::with_options(keys.ring_at(NOW), "purpose", &options);
    let by_new = TimestampSigner::with_options(secret("new"), "purpose", &options);
    assert_eq!(signer.sign_at("x", NOW), by_new.sign_at("x", NOW));
    keys.replace([key("third")]).unwrap();
    assert!(signer.validate(by_new.sign_at("x", NOW), None));
    assert_eq!(keys.ring_at(NOW).verifying().count(), 1);
}
