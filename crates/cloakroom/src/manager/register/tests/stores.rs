//! On every kind of store, each with its real server.

use std::sync::Arc;

use super::{
    races::{p4_no_login_is_lost, p5_who_was_entered_before_the_end_has_ended},
    *,
};

#[path = "../../../../tests/support/stores.rs"]
mod servers_of_each_kind;

/// All that the register does, on a store that others use as well.
async fn check(kind: &str) {
    let store = servers_of_each_kind::open(kind).await;
    let clock = Clock::system();
    let prefix = format!("{}:", servers::unique("register"));
    let process = || {
        let settings = RegisterSettings {
            key_prefix: prefix.clone(),
            ..settings(&clock)
        };
        Arc::new(Register::new(store.clone(), settings).unwrap())
    };
    let processes = [process(), process()];
    let (here, there) = (&processes[0], &processes[1]);

    let (phone, laptop) = (in_cookie(&clock), in_store(&clock));
    here.enter("ann", &phone, None).await.unwrap();
    there.enter("ann", &laptop, None).await.unwrap();
    make(&store, &laptop).await;
    assert_eq!(here.list("ann").await.unwrap().len(), 2);
    assert_eq!(
        there.standing("ann", &phone.handle).await.unwrap(),
        Standing::Good
    );
    let later = clock.unix_seconds() + 2 * DAY;
    assert_eq!(
        here.renew("ann", &laptop.handle, later).await.unwrap(),
        Standing::Good
    );
    let tablet = in_store(&clock);
    assert_eq!(
        there.replace("ann", &laptop.handle, &tablet).await.unwrap(),
        Standing::Good
    );
    make(&store, &tablet).await;
    let ended = here
        .end_all("ann", Some(&phone.handle), None)
        .await
        .unwrap();
    assert_eq!(handles(&ended), [tablet.handle]);
    assert!(!is_made(&store, &laptop).await && !is_made(&store, &tablet).await);
    assert_eq!(listed(there, "ann").await, [phone.handle]);
    there.leave("ann", &phone.handle).await.unwrap();
    assert!(store.load(&here.key("ann")).await.unwrap().is_none());
    here.enter("ann", &phone, None).await.unwrap();
    assert_eq!(
        listed(there, "ann").await,
        [phone.handle],
        "a key that was left can be used again"
    );

    let began = clock.unix_seconds();
    assert_eq!(
        here.standing_of_everyone(began).await.unwrap(),
        Standing::Good
    );
    there.end_everything().await.unwrap();
    there.end_everything().await.unwrap();
    assert_eq!(
        process().standing_of_everyone(began).await.unwrap(),
        Standing::Ended
    );

    let many = 16;
    p4_no_login_is_lost(&processes, &clock, many).await;
    p5_who_was_entered_before_the_end_has_ended(&processes, &store, &clock, many).await;
}

/// A user with a thousand sessions, at the longest that they can be.
async fn check_largest(kind: &str) {
    let store = servers_of_each_kind::open(kind).await;
    let clock = Clock::system();
    let settings = RegisterSettings {
        key_prefix: format!("{}:", servers::unique("register")),
        ..settings(&clock)
    };
    let register = Register::new(store, settings).unwrap();
    let logins = (0..1000_u32).map(|_| NewSession {
        agent: Some("a".repeat(256)),
        address: Some("b".repeat(256)),
        level: Some(u8::MAX),
        ..in_store(&clock)
    });
    // In one write: what a thousand logins come to.
    let enter = |entry: &mut SubjectEntry| {
        entry.sessions = logins
            .clone()
            .map(|new| new.enter(clock.unix_seconds(), 60))
            .collect();
        Ok(())
    };
    register
        .change(&register.key("ann"), None, enter)
        .await
        .unwrap();
    let ended = register
        .enter("ann", &in_store(&clock), None)
        .await
        .unwrap();
    assert_eq!(ended.len(), 1);
    assert_eq!(register.list("ann").await.unwrap().len(), 1000);
}

macro_rules! each_store {
    ($($kind:ident)*) => {$(
        mod $kind {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn the_register_works() {
                super::check(stringify!($kind)).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_user_may_have_a_thousand_sessions() {
                super::check_largest(stringify!($kind)).await;
            }
        }
    )*};
}
each_store!(memory file cachelib redis memcached sqlite postgres mysql dynamodb);
