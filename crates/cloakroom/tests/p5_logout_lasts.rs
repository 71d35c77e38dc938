//! P5: a request that began before a logout cannot bring the session back, and none loses what another
//! wrote: the eight overlaps of a slow request with a fast one, on any store.
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

use cloakroom::{Layout, Refresh, SessionConfig, store::Store};
use site::Site;
use stores::each_store_and_layout;
use tokio::task::JoinSet;

#[path = "support/site.rs"]
mod site;
#[path = "support/stores.rs"]
mod stores;

each_store_and_layout!(
    p5_eight_overlaps_and_none_goes_wrong,
    p5_no_session_comes_back_after_a_logout_among_a_hundred_writers,
    p5_a_login_amid_a_logout_and_a_logout_amid_a_login,
);

async fn p5_eight_overlaps_and_none_goes_wrong(store: Store, layout: Layout) {
    let store = store.timeout(Duration::from_secs(30));
    let mut wrong = Vec::new();
    for refresh in [Refresh::EachRequest, Refresh::OnChange] {
        for slow in ["/slow/read", "/slow/set/seen"] {
            for fast in ["/set/cart", "/logout"] {
                let site = Site::new(
                    store.clone(),
                    SessionConfig::default().layout(layout).refresh(refresh),
                );
                let cookie = site.login().await;
                let slow_answer = {
                    let (site, cookie) = (site.clone(), cookie.clone());
                    tokio::spawn(async move { site.get(slow, &cookie).await })
                };
                site.gates().reached(1).await;
                let fast_answer = site.get(fast, &cookie).await;
                assert_eq!(fast_answer.status, 200);
                site.gates().open();
                let slow_answer = slow_answer.await.unwrap();
                assert_eq!(slow_answer.status, 200);
                // The browser has what the last answer left it, and somebody else may have the old cookie.
                let held = site.holds(&cookie).await;
                let browser = slow_answer.cookie_after(&fast_answer.cookie_after(&cookie));
                let in_browser = site.holds(&browser).await;
                let right = if fast == "/logout" {
                    held.is_empty() && in_browser.is_empty()
                } else {
                    let seen = !slow.ends_with("seen") || held.contains_key("seen");
                    held.contains_key("user")
                        && held.contains_key("cart")
                        && seen
                        && in_browser == held
                };
                if !right {
                    wrong.push(format!("{refresh:?}, {slow} over {fast}: {held:?}"));
                }
            }
        }
    }
    println!("{}: {} of 8 overlaps wrong", store.name(), wrong.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn p5_no_session_comes_back_after_a_logout_among_a_hundred_writers(
    store: Store,
    layout: Layout,
) {
    let store = store.timeout(Duration::from_secs(60));
    let config = SessionConfig::default()
        .layout(layout)
        .commit_deadline(Duration::from_secs(60));
    let site = Site::new(store, config);
    for round in 0..200 {
        let cookie = site.login().await;
        let mut writers = JoinSet::new();
        for writer in 0..100 {
            let (site, cookie) = (site.clone(), cookie.clone());
            writers.spawn(async move {
                let path = if writer % 2 == 0 {
                    "/slow/count"
                } else {
                    "/slow/set/seen"
                };
                site.get(path, &cookie).await
            });
        }
        site.gates().reached(100).await;
        let logout = {
            let (site, cookie) = (site.clone(), cookie.clone());
            tokio::spawn(async move { site.get("/logout", &cookie).await })
        };
        if round % 2 == 0 {
            // Half of the time all of them write after the logout, else in the midst of it.
            assert_eq!(logout.await.unwrap().status, 200);
            site.gates().open();
        } else {
            site.gates().open();
            assert_eq!(logout.await.unwrap().status, 200);
        }
        for answer in writers.join_all().await {
            assert_eq!(answer.status, 200);
        }
        assert!(site.holds(&cookie).await.is_empty(), "round {round}");
    }
}

async fn p5_a_login_amid_a_logout_and_a_logout_amid_a_login(store: Store, layout: Layout) {
    let store = store.timeout(Duration::from_secs(30));
    let site = Site::new(store, SessionConfig::default().layout(layout));

    // A slow request gives the session a new id; meanwhile it ends: it must not live on under the new one.
    let cookie = site.login().await;
    let slow = {
        let (site, cookie) = (site.clone(), cookie.clone());
        tokio::spawn(async move { site.get("/slow/regenerate", &cookie).await })
    };
    site.gates().reached(1).await;
    site.get("/logout", &cookie).await;
    site.gates().open();
    let answer = slow.await.unwrap();
    let after = answer.cookie_after("");
    assert!(site.holds(&after).await.is_empty() && site.holds(&cookie).await.is_empty());

    // A slow request writes; meanwhile the session gets a new id. The write is dropped, and the slow answer
    // leaves the new cookie alone.
    let cookie = site.login().await;
    let slow = {
        let (site, cookie) = (site.clone(), cookie.clone());
        tokio::spawn(async move { site.get("/slow/set/seen", &cookie).await })
    };
    site.gates().reached(1).await;
    let renewed = site.get("/regenerate", &cookie).await.cookie_after(&cookie);
    assert_ne!(renewed, cookie);
    site.gates().open();
    let browser = slow.await.unwrap().cookie_after(&renewed);
    assert_eq!(browser, renewed);
    let held = site.holds(&browser).await;
    assert!(held.contains_key("user") && held.contains_key("regenerated"));
    assert!(site.holds(&cookie).await.is_empty(), "the old id is dead");

    // A slow request gives the session a new id; meanwhile another one writes: both are kept.
    let cookie = site.login().await;
    let slow = {
        let (site, cookie) = (site.clone(), cookie.clone());
        tokio::spawn(async move { site.get("/slow/regenerate", &cookie).await })
    };
    site.gates().reached(1).await;
    site.get("/set/cart", &cookie).await;
    site.gates().open();
    let browser = slow.await.unwrap().cookie_after(&cookie);
    let held = site.holds(&browser).await;
    assert!(
        held.contains_key("cart") && held.contains_key("user") && held.contains_key("regenerated")
    );
}
