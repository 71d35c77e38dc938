//! Session ids that a visitor, or somebody else on their behalf, brings along.

use cloakroom::SessionConfig;

use crate::visits::Site;

/// Fails if a new session is kept under the id that the request brought.
#[tokio::test]
async fn cve_2018_1000519_cve_2024_38513_an_unknown_id_is_never_adopted() {
    let site = Site::new(SessionConfig::default());
    for planted in [
        "A".repeat(43),
        "attacker-chosen-0123456789".to_owned(),
        "6c84fb90-12c4-11e1-840d-7b25c5ee775a".to_owned(),
    ] {
        let cookie = format!("session={planted}");
        for path in ["/set/cart", "/login/alice"] {
            let answer = site.get(path, &cookie).await;
            let [issued] = &answer.cookies[..] else {
                panic!("{path}: {:?}", answer.cookies);
            };
            assert_ne!(*issued, cookie, "{path}");
            assert_eq!(site.get("/read", &cookie).await.body, "{}");
            assert_ne!(site.get("/read", issued).await.body, "{}");
        }
        let created = site.calls.take();
        assert!(
            created
                .iter()
                .filter(|call| call.kind() == "create")
                .all(|call| !format!("{call:?}").contains(&planted)),
            "{created:?}"
        );
    }
}

/// Fails if a login keeps the id of before, or leaves it alive.
#[tokio::test]
async fn cve_2022_38054_an_id_from_before_the_login_is_worth_nothing() {
    let site = Site::new(SessionConfig::default());
    // Mallory has a session of her own and plants its id in the victim's browser.
    let planted = site.cookie("/set/cart").await;
    let answer = site.get("/login/alice", &planted).await;
    let [issued] = &answer.cookies[..] else {
        panic!("{:?}", answer.cookies);
    };
    assert_ne!(*issued, planted);
    assert!(site.get("/read", issued).await.body.contains("alice"));
    assert_eq!(site.get("/read", &planted).await.body, "{}");
    // Writing with the dead id does not wake it.
    site.get("/set/cart", &planted).await;
    assert_eq!(site.get("/read", &planted).await.body, "{}");
}
