//! P4: concurrent requests on one session lose no update, on any store.
#![allow(
    clippy::unwrap_used,
    reason = "the checks of each store may fail loudly"
)]
#![cfg(all(
    feature = "dynamodb",
    feature = "file",
    feature = "memcached",
    feature = "mysql",
    feature = "postgres",
    feature = "redis",
    feature = "sqlite"
))]

use std::time::Duration;

use cloakroom::{Layout, SessionConfig, store::Store};
use site::Site;
use stores::each_store_and_layout;
use tokio::task::JoinSet;

#[path = "support/site.rs"]
mod site;
#[path = "support/stores.rs"]
mod stores;

each_store_and_layout!(
    p4_a_thousand_increments_make_a_thousand,
    p4_sixty_four_writers_keep_every_key,
    p4_an_acknowledged_increment_counts_though_a_third_is_aborted,
);

fn patient(layout: Layout) -> SessionConfig {
    // The machine that runs this is busy with servers of seven kinds.
    SessionConfig::default()
        .layout(layout)
        .commit_deadline(Duration::from_secs(120))
}

fn generous(store: Store) -> Store {
    store.timeout(Duration::from_secs(60))
}

async fn p4_a_thousand_increments_make_a_thousand(store: Store, layout: Layout) {
    let site = Site::new(generous(store), patient(layout));
    let cookie = site.login().await;
    let mut requests = JoinSet::new();
    for _ in 0..1000 {
        let (site, cookie) = (site.clone(), cookie.clone());
        requests.spawn(async move { site.get("/count", &cookie).await.status });
    }
    for status in requests.join_all().await {
        assert_eq!(status, 200);
    }
    assert_eq!(site.holds(&cookie).await["n"], 1000);
}

async fn p4_sixty_four_writers_keep_every_key(store: Store, layout: Layout) {
    let site = Site::new(generous(store), patient(layout));
    let cookie = site.login().await;
    let mut requests = JoinSet::new();
    for writer in 0..64 {
        let (site, cookie) = (site.clone(), cookie.clone());
        // All have loaded the session before the first one writes.
        let path = format!("/slow/set/key{writer}");
        requests.spawn(async move { site.get(&path, &cookie).await.status });
    }
    site.gates().reached(64).await;
    site.gates().open();
    for status in requests.join_all().await {
        assert_eq!(status, 200);
    }
    let held = site.holds(&cookie).await;
    for writer in 0..64 {
        assert!(held.contains_key(&format!("key{writer}")), "key{writer}");
    }
    assert!(held.contains_key("user"));
}

async fn p4_an_acknowledged_increment_counts_though_a_third_is_aborted(
    store: Store,
    layout: Layout,
) {
    let site = Site::new(generous(store), patient(layout));
    let cookie = site.login().await;
    let mut requests = JoinSet::new();
    for request in 0..300_u32 {
        let (site, cookie) = (site.clone(), cookie.clone());
        requests.spawn(async move {
            if request % 3 == 0 {
                // The visitor goes away, at some point between sending and the answer.
                let pipe = site.send("/count", &cookie).await;
                for _ in 0..request % 29 {
                    tokio::task::yield_now().await;
                }
                drop(pipe);
                return None;
            }
            Some(site.get("/count", &cookie).await.status)
        });
    }
    let answers = requests.join_all().await;
    let acknowledged = answers.iter().flatten().count();
    assert!(answers.iter().flatten().all(|status| *status == 200));
    assert_eq!(acknowledged, 200);
    let counted = site.holds(&cookie).await["n"];
    assert!(
        (200..=300).contains(&counted),
        "{counted} of 200 acknowledged and 100 aborted ones"
    );
}
