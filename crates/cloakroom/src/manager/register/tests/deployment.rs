//! The end of all sessions of everyone.

use super::*;

#[tokio::test]
async fn s21_all_sessions_of_everyone_end_in_one_call() {
    let site = Deployment::new();
    let (here, there) = (site.process(), site.process());
    assert_eq!(
        there.standing_of_everyone(START).await.unwrap(),
        Standing::Good
    );
    assert_eq!(here.end_everything().await.unwrap(), START);

    assert_eq!(
        here.standing_of_everyone(START - DAY).await.unwrap(),
        Standing::Ended
    );
    assert_eq!(
        here.standing_of_everyone(START).await.unwrap(),
        Standing::Ended,
        "in that very second too"
    );
    assert_eq!(
        here.standing_of_everyone(START + 1).await.unwrap(),
        Standing::Good
    );
    site.advance(LAG - 1);
    assert_eq!(
        there.standing_of_everyone(START).await.unwrap(),
        Standing::Good,
        "not heard of yet"
    );
    site.advance(1);
    assert_eq!(
        there.standing_of_everyone(START).await.unwrap(),
        Standing::Ended
    );
    // It is remembered for as long as any session could live.
    site.advance(1000 * DAY);
    assert_eq!(
        there.standing_of_everyone(START).await.unwrap(),
        Standing::Ended
    );
    assert_eq!(
        there.standing_of_everyone(START + 1).await.unwrap(),
        Standing::Good
    );
}

#[tokio::test]
async fn a_clock_that_is_behind_takes_nothing_back() {
    let site = Deployment::new();
    site.process().end_everything().await.unwrap();
    let slow = site.process_with(|settings| settings.clock = Clock::manual(START - 100));
    assert_eq!(slow.end_everything().await.unwrap(), START);
    assert_eq!(
        site.process().standing_of_everyone(START).await.unwrap(),
        Standing::Ended
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_end_everything_agree() {
    let site = Deployment::new();
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..32 {
        let process = site.process_with(|settings| settings.clock = Clock::manual(START + number));
        tasks.spawn(async move { process.end_everything().await.unwrap() });
    }
    let most = tasks.join_all().await.into_iter().max();
    assert_eq!(most, Some(START + 31));
    assert_eq!(
        site.process()
            .standing_of_everyone(START + 31)
            .await
            .unwrap(),
        Standing::Ended
    );
    assert_eq!(
        site.process()
            .standing_of_everyone(START + 32)
            .await
            .unwrap(),
        Standing::Good
    );
}

#[tokio::test]
async fn what_cannot_be_read_ends_nobody_and_frees_nobody() {
    let site = Deployment::new();
    let register = site.process();
    let key = "subject:session:everyone";
    let value = bytes::Bytes::from_static(b"\x92\x02\x00");
    site.store
        .create(key, value, Duration::from_secs(DAY))
        .await
        .unwrap();
    assert!(matches!(
        register.standing_of_everyone(START).await,
        Err(Error::StoreRefused(_))
    ));
    assert!(matches!(
        register.end_everything().await,
        Err(Error::StoreRefused(_))
    ));
}
