//! What a tool sees of a store's entry without the visitor's cookie.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

mod support;

use bytes::Bytes;
use cloakroom::{
    Clock, Handle, Layout, SessionConfig, SessionManager, StoredEntry, StoredLayout, UserSessions,
    format::{FormatError, Serialization},
    store::{MemoryStore, Store},
    value::Value,
};
use proptest::prelude::*;
use support::{python_value, rows, same, unhex};

const NOW: u64 = 1_800_000_000;

#[test]
fn p2_what_flask_session_reads_is_looked_into() {
    let (mut sessions, mut others) = (0, 0);
    for row in rows("flask_session_serialization", "decode") {
        let bytes = unhex(row["hex"].as_str().unwrap());
        let read = StoredEntry::read(&bytes);
        // MessagePack is asked first, whatever an application has configured: no bytes are both.
        let value = row["decoded_by"]
            .as_str()
            .map(|_| python_value(&row["value"]));
        match value {
            Some(Value::Dict(dict)) => {
                let entry = read.unwrap().unwrap();
                let format: Serialization = row["decoded_by"].as_str().unwrap().parse().unwrap();
                assert_eq!(entry.layout(), StoredLayout::Flask(format), "{row}");
                assert_eq!(entry.len(), Some(dict.len()), "{row}");
                let content = entry.to_dict().unwrap().unwrap();
                assert!(
                    same(&Value::Dict(content), &Value::Dict(dict.clone())),
                    "{row}"
                );
                for ((key, value), told) in dict.iter().zip(entry.keys()) {
                    assert_eq!(told.name, key.to_string(), "{row}");
                    if let Some(name) = key.as_str() {
                        assert!(entry.contains_key(name), "{row}");
                        assert!(same(&entry.get(name).unwrap(), value), "{row}");
                    }
                }
                let sizes: usize = entry.keys().map(|key| key.size).sum();
                assert!(
                    format == Serialization::Pickle || sizes <= bytes.len(),
                    "{row}"
                );
                sessions += 1;
            }
            Some(Value::None) => assert!(read.unwrap().is_none(), "{row}"),
            Some(_) => {
                assert!(matches!(read, Err(FormatError::NotADictionary(_))), "{row}");
                others += 1;
            }
            None if bytes.is_empty() => assert!(read.unwrap().is_none(), "{row}"),
            None => assert!(matches!(read, Err(FormatError::Unreadable(_))), "{row}"),
        }
    }
    assert!(sessions >= 30 && others >= 3, "{sessions} and {others}");
}

#[tokio::test]
async fn entries_of_every_layout_say_what_they_can() {
    for (layout, name, readable) in [
        (Layout::Flask, "flask json", true),
        (Layout::Native, "native json", true),
        (Layout::Sealed, "sealed", false),
    ] {
        let store = Store::from(MemoryStore::new());
        let config = SessionConfig::default()
            .layout(layout)
            .serialization(Serialization::Json)
            .clock(Clock::manual(NOW))
            .user_sessions(UserSessions::new());
        let manager = SessionManager::stored(store.clone(), config).unwrap();
        let session = manager.new_session();
        session.login("alice").unwrap();
        session.insert("cart", [1, 2]).unwrap();
        session.set_permanent(true);
        session.save().await.unwrap();

        let key = manager.store_key(&session).unwrap();
        let record = store.load(&key).await.unwrap().unwrap();
        let entry = StoredEntry::read(&record.value).unwrap().unwrap();
        assert_eq!(entry.layout().to_string(), name);
        assert_eq!(
            entry.subject().as_deref(),
            readable.then_some("alice"),
            "{name}"
        );
        assert_eq!(entry.subject_under("cart"), None);
        assert_eq!(entry.created(), Some(NOW), "{name}");
        assert_eq!(entry.is_permanent(), readable);
        assert_eq!(entry.header().is_some(), layout != Layout::Flask);
        assert_eq!(entry.len().is_some(), readable);
        assert_eq!(entry.contains_key("cart"), readable);
        // `"cart"` and `[1,2]`, as they stand there.
        let cart = entry
            .keys()
            .find(|key| key.name == "cart")
            .map(|key| key.size);
        assert_eq!(cart, readable.then_some(11), "{name}");
        let listed = manager.sessions_of("alice").await.unwrap();
        assert_eq!(entry.listed_as(), readable.then(|| listed[0].handle));
        for told in [
            format!("{entry:?}"),
            format!("{:?}", entry.keys().collect::<Vec<_>>()),
        ] {
            assert!(!told.contains("alice") && !told.contains("cart"), "{told}");
        }

        // The list of alice's sessions is none of them.
        let lists = store.list("subject:", None, 10).await.unwrap().entries;
        let list = store.load(&lists[0].key).await.unwrap().unwrap();
        let read = StoredEntry::read(&list.value);
        assert!(matches!(read, Err(FormatError::NotADictionary("list"))));
    }
}

#[test]
fn s23_a_handle_is_made_of_the_entrys_name_alone() {
    let handle = Handle::of_key("session:kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc");
    let same = Handle::of_key("other:shop:kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc");
    assert_eq!(handle, same);
    assert_ne!(
        handle,
        Handle::of_key("session:kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDd")
    );
}

#[test]
fn a_user_is_a_number_too() {
    let entry = |value: &Value| Bytes::from(Serialization::MessagePack.to_bytes(value).unwrap());
    let dict = |key: &str, value: Value| Value::Dict([(key, value)].into_iter().collect());
    for (value, subject) in [
        (dict("_user_id", "7".into()), Some("7")),
        (dict("user_id", 7.into()), Some("7")),
        (dict("user_id", Value::List(vec![7.into()])), None),
        (dict("username", "alice".into()), None),
    ] {
        let bytes = entry(&value);
        let entry = StoredEntry::read(&bytes).unwrap().unwrap();
        assert_eq!(entry.subject().as_deref(), subject);
    }
    let bytes = entry(&dict("username", "alice".into()));
    let entry = StoredEntry::read(&bytes).unwrap().unwrap();
    assert_eq!(entry.subject_under("username").as_deref(), Some("alice"));
}

proptest! {
    #[test]
    fn s59_any_bytes_can_be_looked_at(bytes: Vec<u8>) {
        for bytes in [bytes.clone(), [&b"\x99\xa9cloakroom"[..], &bytes].concat(), [&b"\x80\x04"[..], &bytes].concat()] {
            if let Ok(Some(entry)) = StoredEntry::read(&bytes) {
                let keys = entry.keys().count();
                prop_assert_eq!(keys, entry.len().unwrap_or(0));
                let _ = (entry.subject(), entry.created(), entry.to_dict());
            }
        }
    }
}
