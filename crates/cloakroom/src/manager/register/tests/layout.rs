//! How entries are written, to the byte, and what is not read.

use bytes::Bytes;
use proptest::prelude::*;

use super::super::{
    entry::{AllEnded, Ending, SessionEntry, SubjectEntry},
    layout,
};
use super::*;

#[test]
fn an_entry_is_messagepack_of_version_1() {
    let session = SessionEntry {
        handle: Handle::from_bytes([7; 16]),
        locator: Some("session:k".to_owned()),
        former: vec!["session:f".to_owned()],
        created: START,
        seen: START + 1,
        expires: START + 2,
        level: Some(2),
        agent: Some("curl".to_owned()),
        address: None,
    };
    let entry = SubjectEntry {
        sessions: vec![session],
        ending: vec![Ending {
            locator: "session:e".to_owned(),
            until: 5,
        }],
        all_ended: Some(AllEnded { at: 1, until: 2 }),
    };
    let mut expected = b"\x94\x01\x91\x99\xc4\x10".to_vec();
    expected.extend([7; 16]);
    expected.extend(b"\xa9session:k\x91\xa9session:f");
    expected.extend(b"\xce\x65\x53\xf1\x00\xce\x65\x53\xf1\x01\xce\x65\x53\xf1\x02");
    expected.extend(b"\x02\xa4curl\xc0\x91\x92\xa9session:e\x05\x92\x01\x02");
    assert_eq!(layout::write(&entry).unwrap(), expected);
    assert_eq!(layout::read(&expected), Ok(entry));
    assert_eq!(layout::write_moment(5).unwrap(), b"\x92\x01\x05".as_slice());
    assert_eq!(layout::read_moment(b"\x92\x01\x05"), Ok(5));
}

#[test]
fn what_is_not_an_entry_is_not_read() {
    let good = b"\x94\x01\x90\x90\xc0".as_slice();
    assert_eq!(layout::read(good), Ok(SubjectEntry::default()));
    for bad in [
        b"".as_slice(),
        b"\x80",
        // A later version, no version, too much, too little.
        b"\x94\x02\x90\x90\xc0",
        b"\x94\xc0\x90\x90\xc0",
        b"\x94\x01\x90\x90\xc0\x00",
        b"\x95\x01\x90\x90\xc0\x00",
        b"\x93\x01\x90\x90",
        // Lengths that are lies.
        b"\x94\x01\xdd\xff\xff\xff\xff\x90\xc0",
        b"\x94\x01\x91\x99\xc6\xff\xff\xff\xff",
        // A session of too few fields; an ending without a key; a time before 1970; one after the year 9999.
        b"\x94\x01\x91\x91\xc0\x90\xc0",
        b"\x94\x01\x90\x91\x92\xc0\x01\xc0",
        b"\x94\x01\x90\x90\x92\xff\x00",
        b"\x94\x01\x90\x90\x92\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\x00",
        // Pickle and JSON are read for sessions, not here.
        b"\x80\x04N.",
        b"[1,[],[],null]",
    ] {
        assert_eq!(layout::read(bad), Err(layout::Unreadable), "{bad:?}");
    }
    assert!(layout::read(&vec![0x90; 2 << 20]).is_err());
}

proptest! {
    #[test]
    fn s59_no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), place in 0..40_usize) {
        let _ = layout::read(&bytes);
        let _ = layout::read_moment(&bytes);
        // Nearly right, too.
        let mut entry = b"\x94\x01\x91\x99\xc4\x10AAAAAAAAAAAAAAAA\xa1k\x90\x01\x02\x03\xc0\xc0\xc0\x90\xc0".to_vec();
        prop_assert!(layout::read(&entry).is_ok());
        if let (Some(target), Some(byte)) = (entry.get_mut(place), bytes.first()) {
            *target = *byte;
        }
        if let Ok(read) = layout::read(&entry) {
            prop_assert_eq!(layout::read(&layout::write(&read).unwrap()), Ok(read));
        }
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_an_error_and_stays() {
    let site = Deployment::new();
    let register = site.process();
    let key = register.key("alice");
    let value = Bytes::from_static(b"\x94\x02\x90\x90\xc0");
    site.store
        .create(&key, value.clone(), Duration::from_secs(DAY))
        .await
        .unwrap();
    let new = in_cookie(&site.clock);
    let handle = &new.handle;
    let refused = |error: Error| matches!(error, Error::StoreRefused(_));
    assert!(refused(
        register.enter("alice", &new, None).await.unwrap_err()
    ));
    assert!(refused(
        register.replace("alice", handle, &new).await.unwrap_err()
    ));
    assert!(refused(
        register.renew("alice", handle, START).await.unwrap_err()
    ));
    assert!(refused(register.leave("alice", handle).await.unwrap_err()));
    assert!(refused(register.list("alice").await.unwrap_err()));
    assert!(refused(register.end("alice", handle).await.unwrap_err()));
    assert!(refused(
        register.end_all("alice", None, None).await.unwrap_err()
    ));
    assert!(refused(
        register.standing("alice", handle).await.unwrap_err()
    ));
    assert!(refused(
        register
            .standing_of_unlisted("alice", START)
            .await
            .unwrap_err()
    ));
    assert_eq!(site.store.load(&key).await.unwrap().unwrap().value, value);
}

#[tokio::test]
async fn a_key_says_nothing_of_the_user_and_is_no_session() {
    let site = Deployment::new();
    let register = site.process();
    let new = in_cookie(&site.clock);
    register
        .enter("alice@example.com", &new, None)
        .await
        .unwrap();
    // printf alice@example.com | sha256sum, in URL-safe base64.
    assert_eq!(
        register.key("alice@example.com"),
        "subject:session:_42YGfwOEr8NJIkuRZh-JJoo3Og2qFytYOKOqqjG2XY"
    );
    let sessions = site.store.list("session:", None, 10).await.unwrap();
    assert!(sessions.entries.is_empty());
    // Even where sessions have no prefix, no id has a colon.
    assert!(SessionId::parse("", register.key("alice@example.com").as_bytes()).is_none());
}
