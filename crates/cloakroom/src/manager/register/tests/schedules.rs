//! Every session of a user is ended while others log in, change their ids and log out, and each call to the store may
//! come before or after any other: four hundred orders, told apart by a number.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, atomic::AtomicU64},
};

use bytes::Bytes;
use tokio::task::JoinSet;

use super::*;

/// A store in memory that lets others come first, as often as the next number says.
struct Shuffled {
    memory: MemoryStore,
    /// The state of a small generator of numbers (`SplitMix64`).
    state: AtomicU64,
}

impl Shuffled {
    async fn between<T>(&self, call: impl Future<Output = T>) -> T {
        self.let_others().await;
        let answer = call.await;
        self.let_others().await;
        answer
    }

    async fn let_others(&self) {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let state = self
            .state
            .fetch_add(STEP, Ordering::Relaxed)
            .wrapping_add(STEP);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        for _ in 0..(mixed >> 33) % 8 {
            tokio::task::yield_now().await;
        }
    }
}

impl Driver for Shuffled {
    fn name(&self) -> &'static str {
        "shuffled"
    }

    async fn load(&self, key: &str) -> Result<Option<Record>, StoreError> {
        self.between(self.memory.load(key)).await
    }

    async fn create(&self, key: &str, value: Bytes, ttl: Duration) -> Result<Record, CreateError> {
        self.between(self.memory.create(key, value, ttl)).await
    }

    async fn replace(
        &self,
        key: &str,
        base: &Record,
        value: Bytes,
        ttl: Duration,
    ) -> Result<Record, ReplaceError> {
        self.between(self.memory.replace(key, base, value, ttl))
            .await
    }

    async fn touch(&self, key: &str, ttl: Duration) -> Result<(), TouchError> {
        self.between(self.memory.touch(key, ttl)).await
    }

    async fn delete(
        &self,
        key: &str,
        expected: Option<&Record>,
        tombstone: Duration,
    ) -> Result<(), DeleteError> {
        self.between(self.memory.delete(key, expected, tombstone))
            .await
    }

    async fn delete_expired(&self, limit: usize) -> Result<usize, StoreError> {
        self.memory.delete_expired(limit).await
    }

    async fn list(
        &self,
        prefix: &str,
        from: Option<Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.memory.list(prefix, from, limit).await
    }
}

/// What several browsers do, each step numbered as it is done.
#[derive(Default)]
struct Diary {
    steps: AtomicU64,
    /// When each session's login was entered, and all the keys that it has had.
    logins: Mutex<BTreeMap<usize, (u64, Vec<String>)>>,
}

impl Diary {
    fn step(&self) -> u64 {
        self.steps.fetch_add(1, Ordering::Relaxed)
    }
}

/// A browser logs in, gets a new id twice, and may log out, as the manager would do it.
async fn browse(
    number: usize,
    register: Arc<Register>,
    store: Store,
    clock: Clock,
    diary: Arc<Diary>,
) {
    let mut session = in_store(&clock);
    register.enter("alice", &session, None).await.unwrap();
    let entered = diary.step();
    let keys = vec![locator(&session).to_owned()];
    diary.logins.lock().unwrap().insert(number, (entered, keys));
    let value = Bytes::from_static(b"\x80");
    let day = Duration::from_secs(DAY);
    let tombstone = Duration::from_secs(600);
    let Ok(mut base) = store.create(locator(&session), value.clone(), day).await else {
        return;
    };
    for _ in 0..2 {
        let next = in_store(&clock);
        let key = locator(&next).to_owned();
        diary
            .logins
            .lock()
            .unwrap()
            .get_mut(&number)
            .unwrap()
            .1
            .push(key);
        let standing = register
            .replace("alice", &session.handle, &next)
            .await
            .unwrap();
        if standing == Standing::Ended {
            return;
        }
        let Ok(created) = store.create(locator(&next), value.clone(), day).await else {
            return;
        };
        if store
            .delete(locator(&session), Some(&base), tombstone)
            .await
            .is_err()
        {
            // It was ended meanwhile, so its content must not live on.
            store
                .delete(locator(&next), None, Duration::ZERO)
                .await
                .unwrap();
            register.leave("alice", &next.handle).await.unwrap();
            return;
        }
        (session, base) = (next, created);
    }
    if number % 2 == 1 {
        store
            .delete(locator(&session), None, tombstone)
            .await
            .unwrap();
        register.leave("alice", &session.handle).await.unwrap();
    }
}

fn shuffled(clock: &Clock, seed: u64) -> Store {
    Store::new(Shuffled {
        memory: MemoryStore::new().clock(clock.clone()),
        state: AtomicU64::new(seed),
    })
}

async fn run(seed: u64) {
    let clock = Clock::manual(START);
    let store = shuffled(&clock, seed);
    let process = || Arc::new(Register::new(store.clone(), settings(&clock)).unwrap());
    let processes = [process(), process()];
    let diary = Arc::<Diary>::default();
    let mut tasks = JoinSet::new();
    for number in 0..4 {
        let register = processes[number % 2].clone();
        tasks.spawn(browse(
            number,
            register,
            store.clone(),
            clock.clone(),
            diary.clone(),
        ));
    }
    let end = async {
        for _ in 0..seed % 64 {
            tokio::task::yield_now().await;
        }
        let began = diary.step();
        processes[0].end_all("alice", None, None).await.unwrap();
        began
    };
    let began = end.await;
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }

    let logins = diary.logins.lock().unwrap().clone();
    let mut alive = BTreeSet::new();
    for (entered, keys) in logins.values() {
        for key in keys {
            if store.load(key).await.unwrap().is_some() {
                assert!(
                    *entered > began,
                    "seed {seed}: it was entered before the end began"
                );
                alive.insert(key.clone());
            }
        }
    }
    let sessions = processes[1]
        .load(&processes[1].key("alice"))
        .await
        .unwrap()
        .entry
        .sessions;
    let listed: BTreeSet<String> = sessions
        .iter()
        .filter_map(|session| session.locator.clone())
        .collect();
    assert_eq!(
        listed, alive,
        "seed {seed}: who lives is listed, and who is listed lives"
    );
}

#[test]
fn p5_nobody_escapes_in_any_order() {
    for seed in 0..400 {
        runtime().block_on(run(seed));
    }
}

#[test]
fn s19_within_a_process_there_is_no_lag_in_any_order() {
    for seed in 0..400 {
        runtime().block_on(async {
            let clock = Clock::manual(START);
            let register =
                Arc::new(Register::new(shuffled(&clock, seed), settings(&clock)).unwrap());
            let new = in_cookie(&clock);
            register.enter("alice", &new, None).await.unwrap();
            register.recent.forget("alice", Some(&new.handle));
            let mut checks = JoinSet::new();
            for _ in 0..3 {
                let (register, handle) = (register.clone(), new.handle);
                checks.spawn(async move { register.standing("alice", &handle).await.unwrap() });
            }
            register.leave("alice", &new.handle).await.unwrap();
            // Whoever asked before the end may have been answered after it.
            checks.join_all().await;
            let standing = register.standing("alice", &new.handle).await.unwrap();
            assert_eq!(standing, Standing::Ended, "seed {seed}");
        });
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}
