//! Keys that everybody knows, and tokens that were made for something else.

use cloakroom::{
    Clock, ConfigError, FlaskSettings, Refusal, SecretKey, SecretKeyError, SessionConfig,
    SessionManager,
    token::signed::{SignerOptions, TimestampSigner},
};

use crate::support::{
    app::{NOW, key},
    now::Now,
};

/// Fails if the list of published keys is not looked at.
#[test]
fn cve_2023_27524_cve_2020_17526_published_keys_are_refused() {
    let published: [&[u8]; 5] = [
        // The keys that Apache Superset shipped with.
        b"\x02\x01thisismyscretkey\x01\x02\\e\\y\\y\\h",
        b"CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
        b"thisISaSECRET_1234",
        b"YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
        // Apache Airflow's.
        b"temporary_key",
    ];
    for published in published {
        let error = SecretKey::checked(published).unwrap_err();
        assert!(matches!(error, SecretKeyError::Published), "{error:?}");
        let text = format!("{error} {error:?}");
        assert!(!text.contains(str::from_utf8(published).unwrap()), "{text}");
        // Written down in Flask's settings, it stops the start.
        let settings = [("SECRET_KEY", str::from_utf8(published).unwrap().into())];
        let error = FlaskSettings::from_map(settings).keys().unwrap_err();
        assert!(matches!(error, ConfigError::Key { .. }), "{error:?}");
    }
}

/// Fails if a session of one site opens on another that has a key of its own, or if the salt is not part of the signature.
#[test]
fn cve_2020_17526_cve_2023_48309_a_token_of_another_site_or_purpose_is_no_session() {
    let config = || SessionConfig::default().clock(Clock::manual(NOW));
    let here = SessionManager::signed(key(), config()).unwrap();
    let there = SessionManager::signed(SecretKey::generate().unwrap(), config()).unwrap();
    let session = there.new_session();
    session.insert("user", "admin").unwrap();
    let foreign = there.cookie_value(&session).unwrap();
    assert!(there.open_value_now(&foreign).is_ok());
    assert_eq!(
        here.open_value_now(&foreign).unwrap_err(),
        Refusal::BadSignature
    );
    // A state token, an invitation, a password reset under the same key: each has a salt of its own.
    for salt in [
        "oauth-state",
        "invitation",
        "password-reset",
        "cookie-session2",
        "",
    ] {
        let signer = TimestampSigner::with_options(key(), salt, &SignerOptions::flask());
        let token = signer.sign_at("eyJ1c2VyIjoiYWRtaW4ifQ", NOW);
        assert_eq!(
            here.open_value_now(&token).unwrap_err(),
            Refusal::BadSignature,
            "{salt}"
        );
    }
    let signer = TimestampSigner::with_options(key(), "cookie-session", &SignerOptions::flask());
    let genuine = signer.sign_at("eyJ1c2VyIjoiYWRtaW4ifQ", NOW);
    assert!(here.open_value_now(&genuine).is_ok());
    // And a site that shares the key can keep its sessions apart.
    let apart = SessionManager::signed(key(), config().salt("another app")).unwrap();
    assert_eq!(
        apart.open_value_now(&genuine).unwrap_err(),
        Refusal::BadSignature
    );
}
