//! What an encrypted token keeps its promises against: altered bits, other purposes, other tenants, other keys, time.

#![cfg(feature = "encrypted")]
#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use std::time::Duration;

use cloakroom::{
    Clock, CookieLimit, Error, KeyRing, Keys, Protection, Refusal, ScheduledKey, SecretKey,
    SessionConfig, SessionManager, Status,
    token::{
        Leniency, base64,
        encrypted::{OpenError, Padding, Purpose, Sealer},
        payload::Compression,
    },
};
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::Value as Json;
use support::{
    app::{NOW, key},
    now::Now,
    rows, text, unhex,
};

fn named_key(name: &str) -> SecretKey {
    SecretKey::new(format!("{name}: a key for the tests")).unwrap()
}

fn config() -> SessionConfig {
    SessionConfig::native().clock(Clock::manual(NOW))
}

fn manager(keys: impl Into<Keys>, config: SessionConfig) -> SessionManager {
    SessionManager::encrypted(keys, config).unwrap()
}

fn alice(manager: &SessionManager) -> String {
    let session = manager.new_session();
    session.insert("username", "alice").unwrap();
    manager.cookie_value(&session).unwrap()
}

fn refusal(manager: &SessionManager, token: impl AsRef<[u8]>) -> Refusal {
    manager.open_value_now(token).unwrap_err()
}

#[test]
fn s51_cve_2026_40372_any_single_changed_bit_is_refused_with_each_key_of_the_ring() {
    let ring = KeyRing::new(named_key("new"))
        .fallback(named_key("oldest"))
        .fallback(named_key("old"));
    let reader = manager(ring, config());
    for (index, name) in ["new", "old", "oldest"].into_iter().enumerate() {
        let token = alice(&manager(named_key(name), config()));
        let status = reader.open_value_now(&token).unwrap().status();
        assert!(
            matches!(status, Status::Loaded { key_index, .. } if key_index == index),
            "{status:?}"
        );
        for bit in 0..8 * token.len() {
            let mut altered = token.clone().into_bytes();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refusal(&reader, altered), Refusal::BadSignature, "{bit}");
        }
        let raw = base64::decode(&token[3..], Leniency::Strict).unwrap();
        for bit in 0..8 * raw.len() {
            let mut altered = raw.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = format!("v1.{}", base64::encode(altered));
            assert_eq!(refusal(&reader, altered), Refusal::BadSignature, "{bit}");
        }
        for length in 0..token.len() {
            assert_eq!(refusal(&reader, &token[..length]), Refusal::BadSignature);
        }
        for byte in 0..=u8::MAX {
            let mut longer = token.clone().into_bytes();
            longer.push(byte);
            assert_eq!(refusal(&reader, longer), Refusal::BadSignature);
        }
    }
}

#[test]
fn s50_nothing_is_inflated_before_it_is_verified() {
    let bomb = |key| {
        Sealer::new(key, &Purpose::new("cookie-session").name("__Host-session"))
            .compression(Compression::Auto)
            .seal_at(vec![b' '; 2 << 20], NOW, NOW)
            .unwrap()
    };
    let manager = manager(key(), config());
    assert_eq!(refusal(&manager, bomb(key())), Refusal::TooLarge);
    assert_eq!(
        refusal(&manager, bomb(named_key("another"))),
        Refusal::BadSignature
    );
    // What one of our keys made is read as carefully as anything.
    let sealer = Sealer::new(
        key(),
        &Purpose::new("cookie-session").name("__Host-session"),
    );
    for (content, reason) in [
        (&b"[1,2]"[..], Refusal::BadPayload),
        (b"\xff", Refusal::BadPayload),
        (b"", Refusal::BadPayload),
        (br#"{"a":1"#, Refusal::BadPayload),
        (&b"[".repeat(5_000), Refusal::TooDeep),
    ] {
        let token = sealer.seal_at(content, NOW, NOW).unwrap();
        assert_eq!(refusal(&manager, token), reason);
    }
}

/// All ways to cut a text into purpose, name and tenant, or into purpose and name.
fn splits(text: &str) -> Vec<Purpose> {
    let mut splits = Vec::new();
    for first in 0..=text.len() {
        let purpose = Purpose::new(&text[..first]);
        splits.push(purpose.clone().name(&text[first..]));
        for second in first..=text.len() {
            let name = purpose.clone().name(&text[first..second]);
            splits.push(name.tenant(&text[second..]));
        }
    }
    splits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn s53_cve_2026_6873_no_two_splits_of_one_text_share_a_token(text in "[a.]{0,5}") {
        let splits = splits(&text);
        let sealers: Vec<_> = splits.iter().map(|purpose| Sealer::new(key(), purpose)).collect();
        for (sealed, sealer) in sealers.iter().enumerate() {
            let token = sealer.seal_at("content", NOW, NOW).unwrap();
            for (opened, other) in sealers.iter().enumerate() {
                let expected = if sealed == opened { Ok(()) } else { Err(OpenError::Undecryptable) };
                prop_assert_eq!(other.open_at(&token, NOW).map(|_| ()), expected);
            }
        }
    }

    #[test]
    fn any_content_goes_round(
        content in prop::collection::vec(any::<u8>(), 0..600), block: u16, compress: bool,
        now in 0..=u64::MAX / 2, lifetime in 0..=u64::MAX / 2,
    ) {
        let compression = if compress { Compression::Auto } else { Compression::Never };
        let sealer = Sealer::new(key(), &Purpose::new("test"))
            .padding(Padding::Blocks(block % 4096))
            .compression(compression);
        let token = sealer.seal_at(&content, now, now + lifetime).unwrap();
        for then in [now, now + lifetime] {
            let opened = sealer.open_at(&token, then).unwrap();
            prop_assert_eq!(&opened.content, &content);
            prop_assert_eq!((opened.issued_at, opened.expires_at, opened.key_index), (now, now + lifetime, 0));
        }
        prop_assert_eq!(sealer.open_at(&token, now + lifetime + 1), Err(OpenError::Expired));
    }

    #[test]
    fn anything_can_be_opened(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let sealer = Sealer::new(key(), &Purpose::new("test"));
        prop_assert!(sealer.open_at(&text, NOW).is_err());
        let base64 = format!("v1.{}", base64::encode(&text));
        prop_assert!(sealer.open_at(base64, NOW).is_err());
    }
}

#[test]
fn s54_another_cookie_name_purpose_tenant_or_key_is_refused() {
    let token = alice(&manager(key(), config()));
    assert!(manager(key(), config()).open_value_now(&token).is_ok());
    for other in [
        manager(key(), config().cookie_name("__Host-session2")),
        manager(key(), config().cookie_name("session")),
        manager(key(), config().salt("another-purpose")),
        manager(key(), config().tenant("acme")),
        manager(key(), config().tenant("")),
        manager(named_key("another"), config()),
    ] {
        assert_eq!(refusal(&other, &token), Refusal::BadSignature);
        assert_eq!(
            refusal(&manager(key(), config()), alice(&other)),
            Refusal::BadSignature
        );
    }
}

#[test]
fn cve_2021_41263_cve_2020_17526_tenants_of_one_secret_share_nothing() {
    let tenants =
        ["acme", "globex", "acm", ""].map(|tenant| manager(key(), config().tenant(tenant)));
    for (number, tenant) in tenants.iter().enumerate() {
        let token = alice(tenant);
        for (other, manager) in tenants.iter().enumerate() {
            assert_eq!(
                manager.open_value_now(&token).is_ok(),
                number == other,
                "{number} {other}"
            );
        }
    }
}

#[test]
fn cve_2023_48309_a_token_for_something_else_is_no_session() {
    let session = br#"{"_user_id":"alice"}"#;
    let manager = manager(key(), config());
    for purpose in [
        Purpose::new("oauth-state"),
        Purpose::new("oauth-state").name("__Host-session"),
        Purpose::new("cookie-session"),
        Purpose::new("__Host-session").name("cookie-session"),
        // Laravel in 2018: another cookie's text, put into this one.
        Purpose::new("cookie-session").name("__Host-preferences"),
    ] {
        let token = Sealer::new(key(), &purpose).seal_at(session, NOW, NOW + 60);
        assert_eq!(refusal(&manager, token.unwrap()), Refusal::BadSignature);
    }
    let own = Purpose::new("cookie-session").name("__Host-session");
    let token = Sealer::new(key(), &own).seal_at(session, NOW, NOW + 60);
    assert!(manager.open_value_now(token.unwrap()).is_ok());
}

#[test]
fn s55_the_newest_key_alone_seals() {
    let ring = KeyRing::new(named_key("new"))
        .fallback(named_key("oldest"))
        .fallback(named_key("old"));
    let token = alice(&manager(ring, config()));
    assert!(
        manager(named_key("new"), config())
            .open_value_now(&token)
            .is_ok()
    );
    for name in ["old", "oldest"] {
        assert_eq!(
            refusal(&manager(named_key(name), config()), &token),
            Refusal::BadSignature
        );
    }
}

#[test]
fn s56_cve_2026_40372_what_a_dropped_key_made_is_refused() {
    let token = alice(&manager(named_key("leaked"), config()));
    let rotated = KeyRing::new(named_key("new")).fallback(named_key("leaked"));
    assert!(manager(rotated, config()).open_value_now(&token).is_ok());
    let dropped = KeyRing::new(named_key("new")).fallback(named_key("old"));
    assert_eq!(
        refusal(&manager(dropped, config()), &token),
        Refusal::BadSignature
    );
}

#[test]
fn s56_s62_keys_are_replaced_while_encrypted_sessions_go_on() {
    let clock = Clock::manual(NOW);
    let config = || SessionConfig::native().clock(clock.clone());
    let scheduled = |name: &str| ScheduledKey::new(name, named_key(name));
    let keys = Keys::scheduled([scheduled("old")]).unwrap();
    let manager = manager(keys.clone(), config());
    let of_old = alice(&manager);
    let index = |token: &str| match manager
        .open_value_now(token)
        .map(|session| session.status())
    {
        Ok(Status::Loaded { key_index, .. }) => Ok(key_index),
        Ok(status) => panic!("{status:?}"),
        Err(refusal) => Err(refusal),
    };

    // The new key seals from its time on; every server had it before.
    keys.replace([scheduled("new").not_before(NOW + 60), scheduled("old")])
        .unwrap();
    assert_eq!(index(&of_old), Ok(0));
    clock.advance(Duration::from_secs(60));
    let of_new = alice(&manager);
    assert_eq!((index(&of_new), index(&of_old)), (Ok(0), Ok(1)));
    let used: Vec<_> = manager
        .key_usage()
        .into_iter()
        .map(|key| key.verified)
        .collect();
    assert_eq!(used.iter().sum::<u64>(), 3);

    // A revoked one opens nothing, though it is listed.
    keys.replace([scheduled("new"), scheduled("old").revoked()])
        .unwrap();
    assert_eq!(
        (index(&of_new), index(&of_old)),
        (Ok(0), Err(Refusal::BadSignature))
    );
}

#[test]
fn s58_cve_2018_1000814_cve_2024_31999_the_expiry_is_inside() {
    let clock = Clock::manual(NOW);
    let config = |seconds| {
        SessionConfig::native()
            .clock(clock.clone())
            .lifetime(Duration::from_secs(seconds))
    };
    let hour = manager(key(), config(3600));
    // A copy, which no logout and no attribute of the cookie reaches.
    let copy = alice(&hour);
    clock.advance(Duration::from_secs(3600));
    assert!(hour.open_value_now(&copy).is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(refusal(&hour, &copy), Refusal::Expired);
    // A longer lifetime gives no old cookie a longer life; a shorter one ends them sooner.
    assert_eq!(
        refusal(&manager(key(), config(7200)), &copy),
        Refusal::Expired
    );
    clock.set(NOW + 61);
    assert!(hour.open_value_now(&copy).is_ok());
    assert_eq!(
        refusal(&manager(key(), config(60)), &copy),
        Refusal::Expired
    );
    // From the future, but for five seconds of leeway.
    clock.set(NOW - 5);
    assert!(hour.open_value_now(&copy).is_ok());
    clock.set(NOW - 6);
    assert_eq!(refusal(&hour, &copy), Refusal::FromTheFuture);
}

#[test]
fn cve_2012_3458_equal_sessions_make_different_cookies_and_nothing_in_them_repeats() {
    let manager = manager(key(), config());
    let session = manager.new_session();
    session.insert("same", "=".repeat(1600)).unwrap();
    let tokens = [(); 2].map(|()| {
        let token = manager.cookie_value(&session).unwrap();
        base64::decode(&token[3..], Leniency::Strict).unwrap()
    });
    let [mut blocks, other] = tokens.map(|token| {
        let blocks = token.chunks_exact(16).map(<[u8]>::to_vec);
        blocks.collect::<Vec<_>>()
    });
    blocks.extend(other);
    let count = blocks.len();
    assert!(count > 200);
    blocks.sort();
    blocks.dedup();
    assert_eq!(blocks.len(), count);
}

#[test]
fn s49_the_length_tells_only_how_many_blocks_there_are() {
    let length = |padding, name: usize| {
        let manager = manager(key(), config().padding(padding));
        let session = manager.new_session();
        session.insert("name", "x".repeat(name)).unwrap();
        manager.cookie_value(&session).unwrap().len()
    };
    // 19 bytes of times and flags, 11 of JSON around the name.
    let default = |name| length(Padding::default(), name);
    assert_eq!(default(0), default(34));
    assert!(default(34) < default(35));
    assert_eq!(default(35), default(98));
    let bare = |name| length(Padding::None, name);
    assert!(bare(0) < bare(1) && bare(1) < bare(2));
}

#[test]
fn s38_padding_counts_in_the_size_that_browsers_keep() {
    let size = |name: usize, limit| {
        let manager = manager(key(), config().cookie_limit(CookieLimit::Error(limit)));
        let session = manager.new_session();
        session.insert("name", "x".repeat(name)).unwrap();
        let mut headers = HeaderMap::new();
        match manager.close_now(&session, &mut headers) {
            Ok(()) => {
                let set = headers["set-cookie"].to_str().unwrap();
                // Without the `=` between name and value.
                Ok(set.split(';').next().unwrap().len() - 1)
            }
            Err(Error::CookieTooLarge { size, largest, .. }) => Err((size, largest)),
            Err(error) => panic!("{error}"),
        }
    };
    let most = size(2946, 4096).unwrap();
    assert!(most <= 4096);
    // One byte fewer or more in the same block has the same size.
    assert_eq!(size(2930, 4096), Ok(most));
    assert_eq!(size(2930, most), Ok(most));
    let (too_large, largest) = size(2930, most - 1).unwrap_err();
    assert_eq!((too_large, largest[0].0.as_str()), (most, "name"));
    // More than is ever decoded is not sent either, and the largest keys are named all the same.
    let (too_large, largest) = size(100_000, usize::MAX).unwrap_err();
    assert!(too_large > Sealer::MAX_LENGTH);
    assert_eq!(largest, [("name".to_owned(), 100_002)]);
}

#[test]
fn compression_is_off_unless_asked_for_and_read_in_any_case() {
    let token = |config: SessionConfig| {
        let manager = manager(key(), config);
        let session = manager.new_session();
        session.insert("name", "again and ".repeat(100)).unwrap();
        manager.cookie_value(&session).unwrap()
    };
    let compressed = token(config().compression(Compression::Auto));
    let plain = token(config());
    assert!(compressed.len() < 200 && plain.len() > 1000);
    for token in [compressed, plain] {
        let session = manager(key(), config()).open_value_now(token).unwrap();
        assert_eq!(session.get("name").unwrap(), Some("again and ".repeat(100)));
    }
}

#[test]
fn cookies_of_the_second_implementation_are_sessions() {
    for row in rows("encrypted", "sessions") {
        let secret = SecretKey::new(unhex(text(&row, "secret_hex"))).unwrap();
        let mut config = config().cookie_name(text(&row, "cookie_name"));
        if let Some(tenant) = row["tenant"].as_str() {
            config = config.tenant(tenant);
        }
        let session = manager(secret, config)
            .open_value_now(text(&row, "token"))
            .unwrap();
        let Status::Loaded { protection, .. } = session.status() else {
            panic!("{row}")
        };
        assert_eq!(protection, Protection::Encrypted);
        let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
        assert_eq!(
            json(&session.to_tagged_json()),
            json(text(&row, "json")),
            "{row}"
        );
    }
}

#[test]
fn p10_neither_keys_nor_contents_are_in_debug_output_or_errors() {
    let sealer = Sealer::new(named_key("unspeakable"), &Purpose::new("test"));
    let token = sealer.seal_at("unspeakable", NOW, NOW).unwrap();
    let opened = sealer.open_at(&token, NOW).unwrap();
    let manager = manager(named_key("unspeakable"), config());
    let outputs = [
        format!("{sealer:?}"),
        format!("{opened:?}"),
        format!("{manager:?} {:?}", manager.config()),
        format!("{:?}", sealer.open_at(&token, NOW + 1).unwrap_err()),
        sealer.open_at(&token[1..], NOW).unwrap_err().to_string(),
    ];
    for output in outputs {
        assert!(!output.contains("unspeakable"), "{output}");
        assert!(!output.contains(&token[3..20]), "{output}");
    }
}
