//! What an operator moves from Flask's layout to a native one is the same session for its visitor, and for nobody else.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]
#![cfg(all(
    feature = "file",
    feature = "memcached",
    feature = "redis",
    feature = "sqlite"
))]

#[path = "support/filled.rs"]
mod filled;
mod support;

use cloakroom::{Layout, SessionConfig, SessionManager, store::Record};
use filled::{Filled, handles};

/// Sessions in Flask's layout: alice, 4711, dave, and three of real Flask-Session's.
const OF_FLASK: usize = 6;

/// The application, on its way to this layout.
fn changing(filled: &Filled, layout: Layout) -> SessionManager {
    let config = SessionConfig::default()
        .key_prefix(&filled.prefix)
        .layout(layout)
        .accept_layout(Layout::Flask);
    SessionManager::stored(filled.store.clone(), config).unwrap()
}

async fn entries(filled: &Filled) -> Vec<(String, Record)> {
    let page = filled.store.list(&filled.prefix, None, 100).await.unwrap();
    let mut entries = Vec::new();
    for listed in page.entries {
        let record = filled.store.load(&listed.key).await.unwrap().unwrap();
        entries.push((listed.key, record));
    }
    entries
}

#[tokio::test]
async fn p5_every_session_moves_and_visitors_keep_their_cookies() {
    for layout in [Layout::Native, Layout::Sealed] {
        let to = format!("{layout:?}").to_lowercase();
        for filled in [
            Filled::sqlite().await,
            Filled::files().await,
            Filled::redis().await,
        ] {
            let flask = filled.manager(Layout::Flask);
            let session = flask.new_session();
            session.login("erin").unwrap();
            session.save().await.unwrap();
            let cookie = flask.cookie_value(&session).unwrap();
            let broken = format!("{}{}", filled.prefix, "b".repeat(43));
            let made = filled
                .store
                .create(
                    &broken,
                    b"\xff\xff".as_slice().into(),
                    std::time::Duration::from_secs(60),
                )
                .await;
            made.unwrap();

            let before = handles(&filled.run("list", &["--json"])).len();
            let dry = filled.run("convert", &["--dry-run", "--json", "--to", &to]);
            assert_eq!(dry.json()["would_move"], OF_FLASK + 1, "{}", filled.url);
            let asked = filled.run("convert", &["--to", &to]);
            assert_eq!(asked.code, 2, "nobody says that all servers are ready");
            assert!(asked.stderr.contains("logs everybody out: say --yes"));
            let done = filled.run("convert", &["--yes", "--json", "--to", &to]);
            assert_eq!(done.code, 1, "one is left alone");
            assert_eq!(done.json()["moved"], OF_FLASK + 1);
            assert_eq!(done.json()["left_alone"], 1);
            assert!(
                done.stderr.contains("1 entry stays as it is: bad_payload"),
                "{}",
                done.stderr
            );
            for secret in &filled.secrets {
                assert!(!done.stdout.contains(secret) && !done.stderr.contains(secret));
            }
            assert_eq!(handles(&filled.run("list", &["--json"])).len(), before);

            // The cookie's id is nowhere in the store, and opens the session all the same; the list knows where it is.
            for (key, record) in entries(&filled).await {
                let text = String::from_utf8_lossy(&record.value);
                assert!(!key.contains(&cookie) && !text.contains(&cookie));
            }
            let session = changing(&filled, layout).open_value(&cookie).await.unwrap();
            assert_eq!(session.subject().as_deref(), Some("erin"));
            assert_eq!(
                filled.run("revoke", &["--subject", "erin"]).good(),
                "ended 1 session"
            );
            assert!(changing(&filled, layout).open_value(&cookie).await.is_err());

            filled
                .store
                .delete(&broken, None, std::time::Duration::ZERO)
                .await
                .unwrap();
            let again = filled.run("convert", &["--yes", "--to", &to]);
            assert_eq!(again.good(), "moved 0 sessions");
        }
    }
}

#[tokio::test]
async fn a_folder_of_cachelibs_stays_in_flasks_layout() {
    let filled = Filled::cachelib().await;
    let refused = filled.run("convert", &[]);
    assert_eq!(refused.code, 2);
    assert!(
        refused.stderr.contains("cachelib reads the entries"),
        "{}",
        refused.stderr
    );
}
