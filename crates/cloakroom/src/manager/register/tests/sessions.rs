//! What one user does, one thing after the other.

use super::*;

#[tokio::test]
async fn s23_a_login_is_listed_with_what_it_said() {
    let site = Deployment::new();
    let register = site.process();
    let phone = in_cookie(&site.clock);
    register.enter("alice", &phone, None).await.unwrap();
    site.advance(5);
    let laptop = NewSession {
        agent: Some("é".repeat(200)),
        address: None,
        level: None,
        ..in_store(&site.clock)
    };
    register.enter("alice", &laptop, None).await.unwrap();

    let sessions = register.list("alice").await.unwrap();
    assert_eq!(
        handles(&sessions),
        [laptop.handle, phone.handle],
        "the newest first"
    );
    let info = sessions[1].info(Some(&laptop.handle));
    let at = |unix: u64| std::time::UNIX_EPOCH + Duration::from_secs(unix);
    assert_eq!(info.created, at(START));
    assert_eq!(info.last_seen, at(START));
    assert_eq!(info.expires, at(START + DAY + RENEW_AFTER));
    assert_eq!(info.level, Some(2));
    assert_eq!(info.agent.as_deref(), Some("Mozilla/5.0"));
    assert_eq!(info.address.as_deref(), Some("192.0.2.7"));
    assert!(!info.current);
    let info = sessions[0].info(Some(&laptop.handle));
    assert!(info.current);
    assert_eq!(
        info.agent,
        Some("é".repeat(128)),
        "256 bytes, between characters"
    );
    assert_eq!((info.level, info.address), (None, None));
    assert!(listed(&register, "bob").await.is_empty());
}

#[tokio::test]
async fn s23_nothing_shown_is_a_credential() {
    let site = Deployment::new();
    let register = site.process();
    let new = in_store(&site.clock);
    register.enter("alice", &new, None).await.unwrap();
    let session = register.list("alice").await.unwrap().remove(0);
    let id = locator(&new).strip_prefix("session:").unwrap();
    let shown = format!("{session:?} {:?} {}", session.info(None), session.handle);
    assert!(!shown.contains(id));
    assert_eq!(session.locator.as_deref(), new.locator.as_deref());
}

#[tokio::test]
async fn s19_a_copied_cookie_ends_with_the_logout() {
    let site = Deployment::new();
    let register = site.process();
    let new = in_cookie(&site.clock);
    register.enter("alice", &new, None).await.unwrap();
    assert_eq!(
        register.standing("alice", &new.handle).await.unwrap(),
        Standing::Good
    );
    register.leave("alice", &new.handle).await.unwrap();
    assert_eq!(
        register.standing("alice", &new.handle).await.unwrap(),
        Standing::Ended
    );
    assert!(listed(&register, "alice").await.is_empty());
    // Nothing is left of a user who has no session.
    let page = site.store.list("subject:", None, 10).await.unwrap();
    assert!(page.entries.is_empty());
}

#[tokio::test]
async fn a_handle_is_good_for_its_own_user_only() {
    let site = Deployment::new();
    let register = site.process();
    let new = in_cookie(&site.clock);
    register.enter("alice", &new, None).await.unwrap();
    assert_eq!(
        register.standing("bob", &new.handle).await.unwrap(),
        Standing::Ended
    );
    assert!(register.end("bob", &new.handle).await.unwrap().is_none());
    assert!(
        register
            .end_all("bob", None, None)
            .await
            .unwrap()
            .is_empty()
    );
    register.leave("bob", &new.handle).await.unwrap();
    assert_eq!(
        register.standing("alice", &new.handle).await.unwrap(),
        Standing::Good
    );
}

#[tokio::test]
async fn s21_one_session_or_all_of_a_user_end_in_one_call() {
    let site = Deployment::new();
    let register = site.process();
    let (cookie, stored, other) = (
        in_cookie(&site.clock),
        in_store(&site.clock),
        in_store(&site.clock),
    );
    for new in [&cookie, &stored, &other] {
        register.enter("alice", new, None).await.unwrap();
    }
    make(&site.store, &stored).await;
    make(&site.store, &other).await;

    let ended = register.end("alice", &other.handle).await.unwrap().unwrap();
    assert_eq!(ended.handle, other.handle);
    assert!(!is_made(&site.store, &other).await);
    assert!(is_made(&site.store, &stored).await);
    assert!(
        register
            .end("alice", &other.handle)
            .await
            .unwrap()
            .is_none()
    );

    let ended = register.end_all("alice", None, None).await.unwrap();
    assert_eq!(handles(&ended), [cookie.handle, stored.handle]);
    assert!(!is_made(&site.store, &stored).await);
    assert_eq!(
        register.standing("alice", &cookie.handle).await.unwrap(),
        Standing::Ended
    );
    // A request that was under way does not bring it back.
    let value = bytes::Bytes::from_static(b"\x80");
    let again = site
        .store
        .create(locator(&stored), value, Duration::from_secs(DAY))
        .await;
    assert!(again.is_err(), "its key has a tombstone");
}

#[tokio::test]
async fn s22_all_other_sessions_end_from_within_one() {
    let site = Deployment::new();
    let register = site.process();
    let (here, there) = (in_cookie(&site.clock), in_cookie(&site.clock));
    register.enter("alice", &here, None).await.unwrap();
    register.enter("alice", &there, None).await.unwrap();
    let ended = register
        .end_all("alice", Some(&here.handle), Some(START + DAY))
        .await
        .unwrap();
    assert_eq!(handles(&ended), [there.handle]);
    assert_eq!(
        register.standing("alice", &here.handle).await.unwrap(),
        Standing::Good
    );
    assert_eq!(
        register.standing("alice", &there.handle).await.unwrap(),
        Standing::Ended
    );
}

#[tokio::test]
async fn what_flask_has_logged_in_ends_with_all_others() {
    let site = Deployment::new();
    let register = site.process();
    let began = |seconds| register.standing_of_unlisted("alice", seconds);
    assert_eq!(began(START).await.unwrap(), Standing::Good);
    register
        .end_all("alice", None, Some(START + DAY))
        .await
        .unwrap();
    assert_eq!(began(START - 1).await.unwrap(), Standing::Ended);
    assert_eq!(
        began(START).await.unwrap(),
        Standing::Ended,
        "in that very second too"
    );
    assert_eq!(began(START + 1).await.unwrap(), Standing::Good);
    assert_eq!(
        register.standing_of_unlisted("bob", START).await.unwrap(),
        Standing::Good
    );
    // Others know it after the lag, and it is forgotten when none of those sessions can be good any more.
    let other = site.process();
    site.advance(DAY - 1);
    assert_eq!(
        other.standing_of_unlisted("alice", START).await.unwrap(),
        Standing::Ended
    );
    site.advance(LAG);
    assert_eq!(
        other.standing_of_unlisted("alice", START).await.unwrap(),
        Standing::Good
    );
}

#[tokio::test]
async fn s24_one_too_many_ends_the_oldest() {
    let site = Deployment::new();
    let register =
        site.process_with(|settings| settings.max_sessions = Some(MaxSessions::EndOldest(2)));
    let logins: Vec<_> = (0..4).map(|_| in_store(&site.clock)).collect();
    for (number, new) in logins.iter().enumerate() {
        let ended = register.enter("alice", new, None).await.unwrap();
        make(&site.store, new).await;
        let expected: Vec<_> = number
            .checked_sub(2)
            .map(|oldest| logins[oldest].handle)
            .into_iter()
            .collect();
        assert_eq!(handles(&ended), expected);
        site.advance(1);
    }
    assert_eq!(
        listed(&register, "alice").await,
        [logins[3].handle, logins[2].handle]
    );
    for (number, new) in logins.iter().enumerate() {
        assert_eq!(is_made(&site.store, new).await, number >= 2);
    }
}

#[tokio::test]
async fn s24_one_too_many_is_refused() {
    let site = Deployment::new();
    let register =
        site.process_with(|settings| settings.max_sessions = Some(MaxSessions::RefuseNewest(1)));
    let (first, second) = (in_cookie(&site.clock), in_cookie(&site.clock));
    register.enter("alice", &first, None).await.unwrap();
    let refused = register.enter("alice", &second, None).await.unwrap_err();
    assert!(matches!(refused, Error::TooManySessions { most: 1 }));
    assert_eq!(refused.status(), 409);
    assert_eq!(listed(&register, "alice").await, [first.handle]);
    // The same browser may log in again, and so may any once the other has expired.
    register
        .enter("alice", &second, Some(&first.handle))
        .await
        .unwrap();
    assert_eq!(listed(&register, "alice").await, [second.handle]);
    assert_eq!(
        register.standing("alice", &first.handle).await.unwrap(),
        Standing::Ended
    );
    site.advance(DAY + RENEW_AFTER);
    let third = in_cookie(&site.clock);
    register.enter("alice", &third, None).await.unwrap();
    assert_eq!(listed(&register, "alice").await, [third.handle]);
}

#[tokio::test]
async fn s11_a_new_id_takes_the_place_of_the_old_one() {
    let site = Deployment::new();
    let register = site.process();
    let (old, new) = (in_cookie(&site.clock), in_cookie(&site.clock));
    register.enter("alice", &old, None).await.unwrap();
    site.advance(5);
    let new = NewSession {
        agent: None,
        level: Some(3),
        ..new
    };
    assert_eq!(
        register.replace("alice", &old.handle, &new).await.unwrap(),
        Standing::Good
    );
    assert_eq!(
        register.standing("alice", &old.handle).await.unwrap(),
        Standing::Ended
    );
    assert_eq!(
        register.standing("alice", &new.handle).await.unwrap(),
        Standing::Good
    );
    let session = register.list("alice").await.unwrap().remove(0);
    assert_eq!((session.created, session.seen), (START, START + 5));
    assert_eq!(
        (session.level, session.agent),
        (Some(3), Some("Mozilla/5.0".to_owned()))
    );
}

#[tokio::test]
async fn a_session_that_was_ended_does_not_come_back_under_a_new_id() {
    let site = Deployment::new();
    let (register, other) = (site.process(), site.process());
    let (old, new) = (in_store(&site.clock), in_store(&site.clock));
    register.enter("alice", &old, None).await.unwrap();
    other.end_all("alice", None, None).await.unwrap();
    assert_eq!(
        register.replace("alice", &old.handle, &new).await.unwrap(),
        Standing::Ended
    );
    assert!(listed(&register, "alice").await.is_empty());
}

#[tokio::test]
async fn while_an_id_changes_the_session_ends_under_all_its_keys() {
    let site = Deployment::new();
    let register = site.process();
    let first = in_store(&site.clock);
    register.enter("alice", &first, None).await.unwrap();
    make(&site.store, &first).await;
    // Its name stays, its key changes; each time the process stops before the old entry is deleted.
    let mut all = vec![first.clone()];
    for _ in 0..4 {
        let next = NewSession {
            handle: first.handle,
            ..in_store(&site.clock)
        };
        let standing = register.replace("alice", &first.handle, &next).await;
        assert_eq!(standing.unwrap(), Standing::Good);
        make(&site.store, &next).await;
        all.push(next);
    }
    assert_eq!(listed(&register, "alice").await, [first.handle]);
    for new in &all {
        assert!(
            is_made(&site.store, new).await,
            "whichever of them is in use"
        );
    }
    let ended = register.end("alice", &first.handle).await.unwrap();
    assert_eq!(ended.unwrap().handle, first.handle);
    for new in &all {
        assert!(!is_made(&site.store, new).await);
    }
}

#[tokio::test]
async fn an_id_that_changes_often_leaves_nothing_behind() {
    let site = Deployment::new();
    let register = site.process();
    let first = in_store(&site.clock);
    register.enter("alice", &first, None).await.unwrap();
    let mut all = vec![first.clone()];
    for _ in 0..20 {
        let next = NewSession {
            handle: first.handle,
            ..in_store(&site.clock)
        };
        register
            .replace("alice", &first.handle, &next)
            .await
            .unwrap();
        make(&site.store, &next).await;
        all.push(next);
    }
    let record = site.store.load(&register.key("alice")).await.unwrap();
    assert!(record.unwrap().value.len() < 400, "no more than five keys");
    register.end_all("alice", None, None).await.unwrap();
    for new in &all {
        assert!(!is_made(&site.store, new).await);
    }
}

#[tokio::test]
async fn a_session_in_use_stays_listed() {
    let site = Deployment::new();
    let register = site.process();
    let (used, idle) = (in_cookie(&site.clock), in_cookie(&site.clock));
    register.enter("alice", &used, None).await.unwrap();
    register.enter("alice", &idle, None).await.unwrap();
    for _ in 0..50 {
        site.advance(HOUR);
        let expires = site.clock.unix_seconds() + DAY;
        assert_eq!(
            register
                .renew("alice", &used.handle, expires)
                .await
                .unwrap(),
            Standing::Good
        );
        // As long as its cookie is good, so is the session.
        assert_eq!(
            register.standing("alice", &used.handle).await.unwrap(),
            Standing::Good
        );
    }
    assert_eq!(listed(&register, "alice").await, [used.handle]);
    let session = register.list("alice").await.unwrap().remove(0);
    assert_eq!(session.seen, START + 50 * HOUR);
    assert_eq!(
        register.standing("alice", &idle.handle).await.unwrap(),
        Standing::Ended
    );
    let expires = site.clock.unix_seconds() + DAY;
    assert_eq!(
        register
            .renew("alice", &idle.handle, expires)
            .await
            .unwrap(),
        Standing::Ended
    );
    site.advance(DAY - 1);
    assert_eq!(
        register.standing("alice", &used.handle).await.unwrap(),
        Standing::Good
    );
    site.advance(RENEW_AFTER + 1);
    assert_eq!(
        register.standing("alice", &used.handle).await.unwrap(),
        Standing::Ended
    );
}

#[tokio::test]
async fn the_lag_is_kept() {
    let site = Deployment::new();
    let (here, there) = (site.process(), site.process());
    let strict = site.process_with(|settings| settings.lag = Duration::ZERO);
    let new = in_cookie(&site.clock);
    here.enter("alice", &new, None).await.unwrap();
    // A process that has learnt of the user before still finds a login of another process at once.
    assert_eq!(
        there.standing("alice", &new.handle).await.unwrap(),
        Standing::Good
    );
    let second = in_cookie(&site.clock);
    here.enter("alice", &second, None).await.unwrap();
    assert_eq!(
        there.standing("alice", &second.handle).await.unwrap(),
        Standing::Good
    );

    here.end_all("alice", None, None).await.unwrap();
    assert_eq!(
        here.standing("alice", &new.handle).await.unwrap(),
        Standing::Ended,
        "its own changes, at once"
    );
    assert_eq!(
        strict.standing("alice", &new.handle).await.unwrap(),
        Standing::Ended,
        "no lag, at once"
    );
    site.advance(LAG - 1);
    assert_eq!(
        there.standing("alice", &new.handle).await.unwrap(),
        Standing::Good,
        "not heard of yet"
    );
    site.advance(1);
    assert_eq!(
        there.standing("alice", &new.handle).await.unwrap(),
        Standing::Ended
    );
    // Nor does setting the clock back make what was learnt last.
    let third = in_cookie(&site.clock);
    here.enter("alice", &third, None).await.unwrap();
    assert_eq!(
        there.standing("alice", &third.handle).await.unwrap(),
        Standing::Good
    );
    here.leave("alice", &third.handle).await.unwrap();
    site.clock.set(START - 1);
    assert_eq!(
        there.standing("alice", &third.handle).await.unwrap(),
        Standing::Ended
    );
}

#[tokio::test]
async fn a_thousand_sessions_are_the_most() {
    let site = Deployment::new();
    let register = site.process();
    // The longest that a login can be.
    let long = |new: NewSession| NewSession {
        agent: Some("a".repeat(1000)),
        address: Some("b".repeat(1000)),
        level: Some(u8::MAX),
        ..new
    };
    let first = long(in_store(&site.clock));
    register.enter("alice", &first, None).await.unwrap();
    for _ in 1..1000 {
        let new = long(in_store(&site.clock));
        assert!(
            register
                .enter("alice", &new, None)
                .await
                .unwrap()
                .is_empty()
        );
    }
    let record = site
        .store
        .load(&register.key("alice"))
        .await
        .unwrap()
        .unwrap();
    assert!(record.value.len() <= 384 * 1024, "{}", record.value.len());
    let last = long(in_store(&site.clock));
    let ended = register.enter("alice", &last, None).await.unwrap();
    assert_eq!(handles(&ended), [first.handle]);
    let sessions = register.list("alice").await.unwrap();
    assert_eq!(sessions.len(), 1000);
    assert_eq!(
        sessions[0].agent,
        Some("a".repeat(256)),
        "the newest keep their agents"
    );
    assert_eq!(sessions[999].agent, None);
}

#[tokio::test]
async fn what_the_store_would_not_delete_is_deleted_next_time() {
    let clock = Clock::manual(START);
    let (faulty, fails) = Faulty::new(&clock);
    let store = Store::new(faulty);
    let register = Register::new(store.clone(), settings(&clock)).unwrap();
    let new = in_store(&clock);
    register.enter("alice", &new, None).await.unwrap();
    make(&store, &new).await;

    fails.store(true, std::sync::atomic::Ordering::Relaxed);
    let error = register.end_all("alice", None, None).await.unwrap_err();
    assert_eq!(error.status(), 503);
    assert!(listed(&register, "alice").await.is_empty());
    assert!(is_made(&store, &new).await);

    fails.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(
        register
            .end_all("alice", None, None)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!is_made(&store, &new).await);
    // And it is forgotten then.
    let page = store.list("subject:", None, 10).await.unwrap();
    assert!(page.entries.is_empty());
}

#[tokio::test]
async fn a_prefix_that_is_too_long_is_refused() {
    let store = Store::new(MemoryStore::new());
    let long = |length| RegisterSettings {
        key_prefix: "p".repeat(length),
        ..settings(&Clock::system())
    };
    assert!(Register::new(store.clone(), long(191)).is_ok());
    assert!(matches!(
        Register::new(store, long(192)),
        Err(ConfigError::Value { name, .. }) if name == "SESSION_KEY_PREFIX"
    ));
}

#[tokio::test]
async fn a_session_that_flask_has_ended_is_neither_listed_nor_counted() {
    let site = Deployment::new();
    let register =
        site.process_with(|settings| settings.max_sessions = Some(MaxSessions::RefuseNewest(2)));
    let (ended, alive) = (in_store(&site.clock), in_store(&site.clock));
    for new in [&ended, &alive] {
        register.enter("alice", new, None).await.unwrap();
        make(&site.store, new).await;
    }
    // Flask-Session deletes what it logs out, and knows of no register.
    site.store
        .delete(locator(&ended), None, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(
        listed(&register, "alice").await.len(),
        2,
        "it could be about to be made"
    );
    site.advance(31);
    let third = in_store(&site.clock);
    register.enter("alice", &third, None).await.unwrap();
    assert_eq!(
        listed(&register, "alice").await,
        [third.handle, alive.handle]
    );
    make(&site.store, &third).await;
    site.advance(31);
    assert_eq!(
        listed(&register, "alice").await,
        [third.handle, alive.handle]
    );
    let refused = register.enter("alice", &in_store(&site.clock), None).await;
    assert!(matches!(refused, Err(Error::TooManySessions { most: 2 })));
    site.store
        .delete(locator(&alive), None, Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(listed(&register, "alice").await, [third.handle]);
}
