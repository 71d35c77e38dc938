//! What a store holds is data: reading it makes numbers, text and collections, and runs nothing.

use std::time::Duration;

use cloakroom::{Error, Refusal, SessionConfig, SessionManager, format::Serialization};

use crate::visits::{HOUR, Site};
use cloakroom::store::Driver;

/// Pickles that run a command, import a module, or make an object of a class, each in another way.
fn weapons(marker: &str) -> Vec<Vec<u8>> {
    let command = format!("touch {marker}");
    let text = |text: &str| format!("S'{text}'\n");
    vec![
        format!("cos\nsystem\n({}tR.", text(&command)).into_bytes(),
        format!("cposix\nsystem\n({}tR.", text(&command)).into_bytes(),
        format!("csubprocess\ngetoutput\n({}tR.", text(&command)).into_bytes(),
        format!("({}ios\nsystem\n.", text(&command)).into_bytes(),
        format!("(cos\nsystem\n{}o.", text(&command)).into_bytes(),
        [
            format!("cos\nsystem\n({}t", text(&command)).as_bytes(),
            b"\x81.",
        ]
        .concat(),
        format!("c__builtin__\neval\n({}tR.", text("1")).into_bytes(),
        format!("cbuiltins\nexec\n({}tR.", text("pass")).into_bytes(),
        format!(
            "cdatetime\ndatetime\n(cos\nsystem\n({}tRtR.",
            text(&command)
        )
        .into_bytes(),
        b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.".to_vec(),
        b"\x80\x02\x82\x01.".to_vec(),
        b"Psome persistent id\n.".to_vec(),
        b"\x80\x04}\x8c\x02os\x8c\x06system\x93b.".to_vec(),
        // A session beside the weapon, and one around it.
        b"\x80\x04}(\x8c\x04user\x8c\x05alice\x8c\x01xcos\nsystem\n(S'true'\ntRu.".to_vec(),
        b"\x80\x05\x96\x04\x00\x00\x00\x00\x00\x00\x00true\x97.".to_vec(),
    ]
}

/// Fails if the reader of pickles finds a class by its name, or if MessagePack falls back to a pickle.
#[tokio::test]
async fn cve_2021_33026_cve_2017_1000053_cve_2020_9484_cve_2025_24813_an_entry_runs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("ran");
    for format in [
        Serialization::Pickle,
        Serialization::MessagePack,
        Serialization::Json,
    ] {
        let site = Site::new(SessionConfig::default().serialization(format));
        for (number, weapon) in weapons(marker.to_str().unwrap()).into_iter().enumerate() {
            let id = format!("{}{number:02}", "A".repeat(41));
            let entry = format!("session:{id}");
            let before = weapon.clone();
            site.store
                .create(&entry, weapon.into(), HOUR)
                .await
                .unwrap();
            let refused = site.manager.open_value(&id).await.unwrap_err();
            assert!(
                matches!(refused, Error::Refused(Refusal::BadPayload)),
                "{format:?}, weapon {number}: {refused}"
            );
            // A visitor's request goes on without it, and the entry is there for whoever looks into it.
            let answer = site.get("/read", &format!("session={id}")).await;
            assert_eq!((answer.body.as_str(), answer.cookies.len()), ("{}", 0));
            let there = site.store.load(&entry).await.unwrap().unwrap();
            assert_eq!(there.value, before);
        }
    }
    assert!(!marker.exists());
}

/// Fails if a file of cachelib's folder is read by anything but the reader of data.
#[cfg(feature = "file")]
#[tokio::test]
async fn cve_2021_33026_a_file_of_cachelibs_runs_nothing() {
    use cloakroom::store::FileStore;

    let folder = tempfile::tempdir().unwrap();
    let marker = folder.path().join("ran");
    let sessions = folder.path().join("sessions");
    let store = FileStore::cachelib(&sessions).unwrap();
    let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
    for weapon in weapons(marker.to_str().unwrap()) {
        let session = manager.new_session();
        session.insert("user", "alice").unwrap();
        session.save().await.unwrap();
        let id = manager.cookie_value(&session).unwrap();
        assert!(manager.open_value(&id).await.is_ok());
        let mut changed = 0;
        for file in std::fs::read_dir(&sessions).unwrap() {
            let path = file.unwrap().path();
            let content = std::fs::read(&path).unwrap_or_default();
            if content.windows(5).any(|part| part == b"alice") {
                // The first four bytes are the expiry.
                let poisoned = [&content[..4], &weapon].concat();
                std::fs::write(&path, poisoned).unwrap();
                changed += 1;
            }
        }
        assert_eq!(changed, 1);
        let refused = manager.open_value(&id).await.unwrap_err();
        assert!(matches!(refused, Error::Refused(_)), "{refused}");
        let key = manager.store_key(&session).unwrap();
        let store = manager.store().unwrap();
        store.delete(&key, None, Duration::ZERO).await.unwrap();
    }
    assert!(!marker.exists());
}
