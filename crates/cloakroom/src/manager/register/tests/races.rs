//! Many at once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::task::JoinSet;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p4_of_64_logins_at_once_none_is_lost() {
    let site = Deployment::new();
    let processes: Vec<_> = (0..4).map(|_| Arc::new(site.process())).collect();
    p4_no_login_is_lost(&processes, &site.clock, 64).await;
}

/// Each of so many tasks logs in, renews, changes its id, and every other logs out.
pub(super) async fn p4_no_login_is_lost(processes: &[Arc<Register>], clock: &Clock, tasks: usize) {
    let mut running = JoinSet::new();
    for number in 0..tasks {
        let register = processes[number % processes.len()].clone();
        let clock = clock.clone();
        running.spawn(async move {
            let (first, second) = (in_store(&clock), in_store(&clock));
            register.enter("crowd", &first, None).await.unwrap();
            let later = clock.unix_seconds() + 2 * DAY;
            let standing = register.renew("crowd", &first.handle, later).await.unwrap();
            assert_eq!(standing, Standing::Good);
            let standing = register
                .replace("crowd", &first.handle, &second)
                .await
                .unwrap();
            assert_eq!(standing, Standing::Good);
            if number % 2 == 1 {
                register.leave("crowd", &second.handle).await.unwrap();
                return None;
            }
            Some(second.handle)
        });
    }
    let stayed: BTreeSet<Handle> = running.join_all().await.into_iter().flatten().collect();
    assert_eq!(stayed.len(), tasks / 2);
    let sessions: BTreeSet<Handle> = listed(&processes[0], "crowd").await.into_iter().collect();
    assert_eq!(sessions, stayed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p5_nobody_escapes_an_end_of_all() {
    let site = Deployment::new();
    let processes: Vec<_> = (0..4).map(|_| Arc::new(site.process())).collect();
    for _ in 0..20 {
        p5_who_was_entered_before_the_end_has_ended(&processes, &site.store, &site.clock, 64).await;
    }
}

/// Tasks log in as the manager does, entry first and session after it, while all sessions of the user are ended.
/// Whoever was entered before the end began has ended; who is listed afterwards has a session, and nobody else.
pub(super) async fn p5_who_was_entered_before_the_end_has_ended(
    processes: &[Arc<Register>],
    store: &Store,
    clock: &Clock,
    tasks: usize,
) {
    let subject = SessionId::generate("", 16).unwrap();
    let events = Arc::new(AtomicU64::new(0));
    let mut logins = JoinSet::new();
    for number in 0..tasks {
        let register = processes[number % processes.len()].clone();
        let (store, clock, subject) = (store.clone(), clock.clone(), subject.clone());
        let events = events.clone();
        logins.spawn(async move {
            let new = in_store(&clock);
            register.enter(subject.as_str(), &new, None).await.unwrap();
            let entered = events.fetch_add(1, Ordering::SeqCst);
            let value = bytes::Bytes::from_static(b"\x80");
            // A tombstone says that it has ended before it was made.
            let made = store
                .create(locator(&new), value, Duration::from_secs(DAY))
                .await;
            (new, entered, made.is_ok())
        });
    }
    let ending = {
        let register = processes[0].clone();
        let (events, subject) = (events.clone(), subject.clone());
        tokio::spawn(async move {
            while events.load(Ordering::SeqCst) < 8 {
                tokio::task::yield_now().await;
            }
            let began = events.fetch_add(1, Ordering::SeqCst);
            register
                .end_all(subject.as_str(), None, None)
                .await
                .unwrap();
            began
        })
    };
    let began = ending.await.unwrap();
    let mut alive = BTreeSet::new();
    for (new, entered, made) in logins.join_all().await {
        let lives = is_made(store, &new).await;
        assert!(made || !lives);
        if entered < began {
            assert!(!lives, "it was entered before the end began");
        }
        if lives {
            alive.insert(new.handle);
        }
    }
    let sessions: BTreeSet<_> = listed(&processes[0], subject.as_str())
        .await
        .into_iter()
        .collect();
    assert_eq!(
        sessions, alive,
        "who lives is listed, and who is listed lives"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s24_many_logins_at_once_are_not_too_many() {
    let site = Deployment::new();
    let processes: Vec<_> = (0..4)
        .map(|_| {
            Arc::new(site.process_with(|settings| {
                settings.max_sessions = Some(MaxSessions::RefuseNewest(3));
            }))
        })
        .collect();
    let mut logins = JoinSet::new();
    for number in 0..64 {
        let register = processes[number % processes.len()].clone();
        let clock = site.clock.clone();
        logins.spawn(async move {
            register
                .enter("alice", &in_cookie(&clock), None)
                .await
                .is_ok()
        });
    }
    let entered = logins
        .join_all()
        .await
        .into_iter()
        .filter(|entered| *entered)
        .count();
    assert_eq!(entered, 3);
    assert_eq!(listed(&processes[0], "alice").await.len(), 3);
}
