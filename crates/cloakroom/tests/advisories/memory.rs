//! Numbers from outside that could size an allocation or overflow.

use std::time::{Duration, SystemTime};

use cloakroom::{
    Clock, Cookie, Refusal, SessionConfig, SessionManager, Status,
    format::Serialization,
    store::{Driver, MemoryStore},
};
use http::{HeaderMap, HeaderValue, header::COOKIE};

use crate::{
    support::{
        app::{NOW, key},
        now::Now,
    },
    visits::{HOUR, Site},
};

/// Bytes that were allocated at most at a time.
fn peak(run: impl FnOnce()) -> u64 {
    allocation_counter::measure(run).bytes_max
}

/// Fails if a count in front of items reserves room for them before they are there.
#[test]
fn cve_2026_25899_a_count_of_flashes_reserves_nothing() {
    let lists: [&[u8]; 4] = [
        // `{"_flashes": […]}` that claims to hold four thousand million messages.
        b"\x81\xa8_flashes\xdd\xff\xff\xff\xff",
        b"\x81\xa8_flashes\xdf\xff\xff\xff\xff",
        b"\x81\xa8_flashes\xc6\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff\xa8_flashes",
    ];
    for bytes in lists {
        let used = peak(|| assert!(Serialization::MessagePack.from_slice(bytes).is_err()));
        assert!(used < 16 << 10, "{used} bytes for {} bytes", bytes.len());
    }
    let pickles: [&[u8]; 4] = [
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f]\x94.",
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x04r\xff\xff\xff\xff.",
    ];
    for bytes in pickles {
        let used = peak(|| assert!(Serialization::Pickle.from_slice(bytes).is_err()));
        assert!(used < 16 << 10, "{used} bytes for {} bytes", bytes.len());
    }
}

/// Fails if such an entry reaches a handler, or makes a request fail.
#[tokio::test]
async fn cve_2026_25899_an_entry_that_lies_about_its_size_is_no_session() {
    let site = Site::new(SessionConfig::default());
    let id = "A".repeat(43);
    let lie = b"\x81\xa8_flashes\xdd\xff\xff\xff\xff".to_vec();
    let entry = format!("session:{id}");
    site.store.create(&entry, lie.into(), HOUR).await.unwrap();
    let session = site.manager.open_value(&id).await;
    assert!(
        matches!(session, Err(cloakroom::Error::Refused(Refusal::BadPayload))),
        "{session:?}"
    );
    assert_eq!(site.get("/read", &format!("session={id}")).await.body, "{}");
}

/// Fails if a number in a cookie's name is a count of pieces, or if all cookies of a name are kept.
#[test]
fn cve_2026_40303_a_number_of_pieces_reserves_nothing() {
    let config = SessionConfig::default().clock(Clock::manual(NOW));
    let manager = SessionManager::signed(key(), config).unwrap();
    let mut headers = HeaderMap::new();
    let claims = [
        "session=4294967295",
        "session=chunks-999999999",
        "session.999999999=a; session.0=b",
        "session-999999999=a; session_0=b",
        "session=s:2147483647:a",
    ];
    for claim in claims {
        headers.insert(COOKIE, HeaderValue::from_static(claim));
        let used = peak(|| drop(manager.open_now(&headers)));
        assert!(used < 16 << 10, "{used} bytes for {claim}");
    }
    let many = "session=AAAA.BBBB.CCCC; ".repeat(20_000);
    headers.insert(COOKIE, HeaderValue::from_str(&many).unwrap());
    let used = peak(|| {
        let session = manager.open_now(&headers);
        assert!(matches!(session.status(), Status::Refused(_)));
    });
    assert!(used < 16 << 10, "{used} bytes for {} bytes", many.len());
}

/// Fails if a lifetime is added to a time without a bound.
#[tokio::test]
async fn rustsec_2017_0005_no_lifetime_overflows() {
    for lifetime in [
        Duration::MAX,
        Duration::from_secs(u64::MAX),
        Duration::from_secs(i64::MAX.unsigned_abs()),
        Duration::from_secs(1 << 40),
        Duration::ZERO,
    ] {
        let cookie = Cookie::new("a").max_age(lifetime);
        for now in [SystemTime::UNIX_EPOCH, SystemTime::now()] {
            let set = cookie.set_at("b", now).unwrap();
            let header = set.header_value().to_str().unwrap();
            assert!(header.starts_with("a=b; "), "{header}");
        }
        for config in [SessionConfig::default(), SessionConfig::flask()] {
            let config = config.lifetime(lifetime).secure(false);
            let signed = SessionManager::signed(key(), config.clone()).unwrap();
            let session = signed.new_session();
            session.set_permanent(true);
            let mut headers = HeaderMap::new();
            signed.close(&session, &mut headers).await.unwrap();
            assert_eq!(headers.get_all("set-cookie").iter().count(), 1);
            let Ok(stored) = SessionManager::stored(MemoryStore::new(), config) else {
                assert_eq!(lifetime, Duration::ZERO);
                continue;
            };
            let session = stored.new_session();
            session.set_permanent(true);
            session.insert("a", 1).unwrap();
            let mut headers = HeaderMap::new();
            stored.close(&session, &mut headers).await.unwrap();
            assert_eq!(headers.get_all("set-cookie").iter().count(), 1);
        }
    }
    let header = "a=b; Max-Age=99999999999999999999999999; Expires=Fri, 31 Dec 99999 23:59:59 GMT";
    assert_eq!(cloakroom::Cookies::parse_header(header).get("a"), Some("b"));
}
