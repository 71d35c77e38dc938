//! Where entries are kept: files that others can read or name, and keys that mean something else.

use cloakroom::{SessionConfig, store::Driver};

use crate::visits::{HOUR, Site};

#[cfg(all(feature = "file", unix))]
mod files {
    use std::{
        fs,
        os::unix::fs::PermissionsExt,
        path::{Path, PathBuf},
    };

    use cloakroom::{
        SessionConfig, SessionManager,
        store::{FileStore, Store},
    };

    use crate::visits::HOUR;

    fn stores(root: &Path) -> [(PathBuf, Store); 2] {
        let (native, cachelib) = (root.join("native"), root.join("cachelib"));
        let stores = [
            Store::from(FileStore::open(&native).unwrap()),
            FileStore::cachelib(&cachelib).unwrap().into(),
        ];
        let [first, second] = stores;
        [(native, first), (cachelib, second)]
    }

    fn below(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                found.extend(below(&path));
            }
            found.push(path);
        }
        found
    }

    fn files(folder: &Path) -> usize {
        below(folder).iter().filter(|path| path.is_file()).count()
    }

    /// Fails if a key is a part of a path, even one that the manager would never let through.
    #[tokio::test]
    async fn cve_2008_0252_go_2024_2730_cve_2024_3400_an_id_is_never_a_path() {
        let root = tempfile::tempdir().unwrap();
        let outside = root.path().join("outside");
        fs::write(&outside, "as it was").unwrap();
        for (folder, store) in stores(root.path()) {
            let manager = SessionManager::stored(store.clone(), SessionConfig::default()).unwrap();
            for id in [
                "../outside",
                "../../../../../../../../nonexistent/key",
                "/nonexistent/key",
                "..%2foutside-and-enough-letters-for-an-id",
                "a/../../outside-and-enough-letters-for-an-id",
                "....//....//outside-and-enough-letters",
                "\\..\\..\\outside-and-enough-letters-here",
                "x\0/outside-and-enough-letters-for-an-id",
                "session; touch outside; and-enough-letters",
                "../../../opt/panlogs/tmp/device_telemetry/minute/hellothere226",
            ] {
                // No such id gets as far as the store …
                let before = files(root.path());
                assert!(manager.open_value(id).await.is_err(), "{id}");
                assert_eq!(files(root.path()), before, "{id}");
                // … and if it did, it would name no file but one of the store's own.
                let key = format!("session:{id}");
                store.create(&key, "planted".into(), HOUR).await.unwrap();
                let record = store.load(&key).await.unwrap().unwrap();
                assert_eq!(record.value, "planted");
                store
                    .delete(&key, None, std::time::Duration::ZERO)
                    .await
                    .unwrap();
            }
            assert_eq!(fs::read_to_string(&outside).unwrap(), "as it was");
            assert!(below(root.path()).iter().all(|path| {
                path.starts_with(&folder)
                    || path.starts_with(root.path().join("native"))
                    || path.starts_with(root.path().join("cachelib"))
                    || *path == outside
            }));
        }
    }

    /// Fails if a file or a folder is made with the rights that the process gives by default.
    #[tokio::test]
    async fn cve_2019_16354_cve_2019_16355_session_files_are_for_their_owner_only() {
        let root = tempfile::tempdir().unwrap();
        for (folder, store) in stores(root.path()) {
            let manager = SessionManager::stored(store, SessionConfig::default()).unwrap();
            for _ in 0..3 {
                let session = manager.new_session();
                session.insert("user", "alice").unwrap();
                session.save().await.unwrap();
                session.regenerate();
                session.save().await.unwrap();
            }
            let paths = below(&folder);
            assert!(paths.len() > 3);
            for path in paths.iter().chain([&folder]) {
                let mode = fs::metadata(path).unwrap().permissions().mode() & 0o777;
                let expected = if path.is_dir() { 0o700 } else { 0o600 };
                assert_eq!(mode, expected, "{}", path.display());
            }
        }
    }
}

/// Fails if an id is looked up without the prefix that keeps sessions apart from everything else.
#[tokio::test]
async fn cve_2011_4136_entries_of_others_in_the_same_store_are_no_sessions() {
    let site = Site::new(SessionConfig::default());
    let bare = "B".repeat(43);
    let chosen = "C".repeat(43);
    let payload = b"\x81\xa4user\xa5admin";
    // What others keep in the same store, some of it under names that visitors choose.
    for key in [
        bare.clone(),
        format!("cache:{chosen}"),
        format!("session{chosen}"),
        format!("Session:{chosen}"),
        format!("session:{chosen}:profile"),
        format!("other-session:{chosen}"),
    ] {
        let value = payload.as_slice().into();
        site.store.create(&key, value, HOUR).await.unwrap();
    }
    for id in [
        bare.clone(),
        chosen.clone(),
        format!("cache:{chosen}"),
        format!("{chosen}:profile"),
        format!("../{chosen}"),
        format!("session:{bare}"),
    ] {
        let answer = site.get("/read", &format!("session={id}")).await;
        assert_eq!(answer.body, "{}", "{id}");
    }
    // And none of them is touched when sessions come and go.
    let alice = site.cookie("/login/alice").await;
    site.get("/logout", &alice).await;
    let others = site.store.list("", None, 100).await.unwrap().entries;
    assert_eq!(others.len(), 6, "{}", others.len());
}
