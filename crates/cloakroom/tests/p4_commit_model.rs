//! P4 and P5: whatever requests on one session do, and in whatever order they come and go, the store holds what a
//! dictionary would hold to which each request's operations are applied when it ends.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail loudly")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use cloakroom::{
    Clock, Layout, Session, SessionConfig, SessionManager, Value,
    store::{Driver, MemoryStore},
};
use http::{HeaderMap, header};
use layouts::LAYOUTS;
use proptest::prelude::*;
use recording::{Calls, Recording};

#[path = "support/layouts.rs"]
mod layouts;
#[path = "support/recording.rs"]
mod recording;

/// What a handler does to its session.
#[derive(Clone, Debug)]
enum Op {
    Read,
    Insert(u8, i64),
    Remove(u8),
    /// `update`: adds to what is there.
    Add(u8, i64),
    GetOrInsert(u8, i64),
    Flash(u8),
    Flashes,
    SetPermanent(bool),
    Clear,
    Destroy,
    Regenerate,
    Save,
}

/// A request: whether it brings the session's first cookie or the one that the browser has by now, and what it does.
#[derive(Clone, Debug)]
struct Plan {
    stale: bool,
    ops: Vec<Op>,
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..3_u8;
    let number = 0..5_i64;
    prop_oneof![
        2 => Just(Op::Read),
        4 => (key.clone(), number.clone()).prop_map(|(key, to)| Op::Insert(key, to)),
        3 => key.clone().prop_map(Op::Remove),
        4 => (key.clone(), 1..100_i64).prop_map(|(key, by)| Op::Add(key, by)),
        2 => (key, number).prop_map(|(key, to)| Op::GetOrInsert(key, to)),
        3 => (0..3_u8).prop_map(Op::Flash),
        2 => Just(Op::Flashes),
        1 => any::<bool>().prop_map(Op::SetPermanent),
        1 => Just(Op::Clear),
        1 => Just(Op::Destroy),
        1 => Just(Op::Regenerate),
        1 => Just(Op::Save),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let ops = prop::collection::vec(op(), 0..6);
    (any::<bool>(), ops).prop_map(|(stale, ops)| Plan { stale, ops })
}

fn name(key: u8) -> &'static str {
    ["a", "b", "c"][usize::from(key)]
}

// The reference.

#[derive(Clone, Debug, PartialEq)]
enum Entry {
    Number(i64),
    Truth(bool),
    Messages(Vec<u8>),
}

/// A Python dictionary: a key keeps its place when its value changes.
#[derive(Clone, Debug, Default, PartialEq)]
struct Dictionary(Vec<(String, Entry)>);

impl Dictionary {
    fn get(&self, key: &str) -> Option<&Entry> {
        let entry = self.0.iter().find(|(name, _)| name == key);
        entry.map(|(_, value)| value)
    }

    fn number(&self, key: &str) -> Option<i64> {
        match self.get(key) {
            Some(Entry::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn messages(&self) -> Vec<u8> {
        match self.get("_flashes") {
            Some(Entry::Messages(messages)) => messages.clone(),
            _ => Vec::new(),
        }
    }

    fn set(&mut self, key: &str, value: Entry) {
        match self.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, there)) => *there = value,
            None => self.0.push((key.to_owned(), value)),
        }
    }

    fn remove(&mut self, key: &str) {
        self.0.retain(|(name, _)| name != key);
    }

    fn set_messages(&mut self, messages: Vec<u8>) {
        match messages.is_empty() {
            true => self.remove("_flashes"),
            false => self.set("_flashes", Entry::Messages(messages)),
        }
    }

    fn permanent(&self) -> bool {
        self.get("_permanent") == Some(&Entry::Truth(true))
    }

    /// Nothing, or only whether it is permanent.
    fn is_empty(&self) -> bool {
        self.0.iter().all(|(key, _)| key == "_permanent")
    }
}

/// A change that counts, as it is applied at the end.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    Set(String, Entry),
    SetIfMissing(String, Entry),
    Add(String, i64),
    Remove(String),
    Flash(u8),
    Shown(Vec<u8>),
    Clear,
}

impl Change {
    fn apply(&self, to: &mut Dictionary) {
        match self {
            Self::Set(key, value) => to.set(key, value.clone()),
            Self::SetIfMissing(key, value) => {
                if to.get(key).is_none() {
                    to.set(key, value.clone());
                }
            }
            Self::Add(key, by) => {
                let there = to.number(key).unwrap_or(0);
                to.set(key, Entry::Number(there + by));
            }
            Self::Remove(key) => to.remove(key),
            Self::Flash(message) => {
                let mut messages = to.messages();
                messages.push(*message);
                to.set_messages(messages);
            }
            Self::Shown(shown) => {
                let mut messages = to.messages();
                for message in shown {
                    if let Some(place) = messages.iter().position(|waiting| waiting == message) {
                        messages.remove(place);
                    }
                }
                to.set_messages(messages);
            }
            Self::Clear => to.0.clear(),
        }
    }
}

/// Which session a request has: none yet, one of those there are, or one that is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Which {
    None,
    Number(usize),
    Gone,
}

/// What the browser is told about its cookie.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cookie {
    Nothing,
    Removed,
    Number(usize),
}

/// A request as the reference sees it.
#[allow(
    clippy::struct_excessive_bools,
    reason = "each says one thing that has happened"
)]
struct Model {
    which: Which,
    loaded: Dictionary,
    view: Dictionary,
    changes: Vec<Change>,
    changed: bool,
    new_id: bool,
    was_permanent: bool,
    /// The browser sent an id that no session has.
    refused: bool,
    shown: Option<Vec<u8>>,
    cookie: Cookie,
}

/// All sessions there ever were; none where one is over.
#[derive(Default)]
struct Sessions(Vec<Option<Dictionary>>);

impl Model {
    fn open(sessions: &Sessions, cookie: Option<usize>) -> Self {
        let found = cookie.and_then(|number| sessions.0[number].clone());
        let view = found.clone().unwrap_or_default();
        Self {
            which: match (&found, cookie) {
                (Some(_), Some(number)) => Which::Number(number),
                _ => Which::None,
            },
            refused: cookie.is_some() && found.is_none(),
            was_permanent: view.permanent(),
            loaded: view.clone(),
            view,
            changes: Vec::new(),
            changed: false,
            new_id: false,
            shown: None,
            cookie: Cookie::Nothing,
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.view);
        self.changes.push(change);
        self.changed = true;
    }

    fn clear(&mut self) {
        self.change(Change::Clear);
    }

    /// What the operation gives is compared in `Request::act`.
    fn act(&mut self, op: &Op) {
        match *op {
            Op::Read | Op::Save => {}
            Op::Insert(key, to) => self.change(Change::Set(name(key).into(), Entry::Number(to))),
            Op::Remove(key) => {
                if self.view.get(name(key)).is_some() {
                    self.change(Change::Remove(name(key).into()));
                }
            }
            Op::Add(key, by) => self.change(Change::Add(name(key).into(), by)),
            Op::GetOrInsert(key, to) => {
                if self.view.get(name(key)).is_none() {
                    self.change(Change::SetIfMissing(name(key).into(), Entry::Number(to)));
                }
            }
            Op::Flash(message) => self.change(Change::Flash(message)),
            Op::Flashes => {
                if self.shown.is_none() {
                    let messages = self.view.messages();
                    if !messages.is_empty() {
                        self.change(Change::Shown(messages.clone()));
                    }
                    self.shown = Some(messages);
                }
            }
            Op::SetPermanent(permanent) => {
                self.change(Change::Set("_permanent".into(), Entry::Truth(permanent)));
            }
            Op::Clear => self.clear(),
            Op::Destroy => {
                self.clear();
                self.new_id = true;
            }
            Op::Regenerate => {
                self.changed = true;
                self.new_id = true;
            }
        }
    }

    /// The rules of a commit.
    fn commit(&mut self, sessions: &mut Sessions) {
        if !self.changed || self.which == Which::Gone {
            return;
        }
        match self.which {
            Which::Gone => {}
            Which::None if self.view.is_empty() => {
                if self.refused && !self.changes.is_empty() {
                    self.cookie = Cookie::Removed;
                    self.ended();
                }
            }
            Which::None => self.begin(sessions),
            // What was loaded is what is to be there: no change, whoever else changes it.
            Which::Number(number)
                if !self.new_id && self.view == self.loaded && !self.view.is_empty() =>
            {
                self.written(number);
            }
            Which::Number(number) => match &sessions.0[number] {
                // Emptied key by key, it may be another login's cookie by now.
                None if self.view.is_empty() && self.changes.contains(&Change::Clear) => {
                    self.cookie = Cookie::Removed;
                    self.ended();
                }
                // Gone stays gone, and takes the request's changes along.
                None => self.which = Which::Gone,
                Some(current) => {
                    let mut current = current.clone();
                    for change in &self.changes {
                        change.apply(&mut current);
                    }
                    self.view = current.clone();
                    let same = !self.new_id && Some(&current) == sessions.0[number].as_ref();
                    if current.is_empty() {
                        sessions.0[number] = None;
                        self.cookie = Cookie::Removed;
                        self.ended();
                    } else if self.new_id {
                        sessions.0[number] = None;
                        self.begin(sessions);
                    } else if same {
                        self.written(number);
                    } else {
                        sessions.0[number] = Some(current);
                        if self.view.permanent() || self.was_permanent {
                            self.cookie = Cookie::Number(number);
                        }
                        self.written(number);
                    }
                }
            },
        }
    }

    fn begin(&mut self, sessions: &mut Sessions) {
        let number = sessions.0.len();
        sessions.0.push(Some(self.view.clone()));
        self.cookie = Cookie::Number(number);
        self.written(number);
    }

    fn written(&mut self, number: usize) {
        self.which = Which::Number(number);
        self.loaded = self.view.clone();
        self.was_permanent = self.view.permanent();
        self.new_id = false;
        self.changes.clear();
        self.changed = false;
    }

    fn ended(&mut self) {
        self.which = Which::None;
        self.new_id = false;
        self.changes.clear();
        self.changed = false;
    }
}

// The library, step by step beside it.

struct World {
    layout: Layout,
    manager: SessionManager,
    /// The same settings on the store itself, to look at what is there.
    reader: SessionManager,
    store: Arc<MemoryStore>,
    calls: Calls,
    sessions: Sessions,
    /// The cookie of each session there was.
    cookies: Vec<String>,
    /// The session whose cookie the browser has.
    jar: Option<usize>,
}

struct Request {
    steps: VecDeque<Op>,
    stale: bool,
    open: Option<(Session, Model)>,
}

impl World {
    async fn new(layout: Layout, start: &BTreeMap<u8, i64>) -> Self {
        let clock = Clock::manual(1_700_000_000);
        let store = Arc::new(MemoryStore::new().clock(clock.clone()));
        let (recording, calls) = Recording::new(store.clone());
        let config = SessionConfig::default().layout(layout).clock(clock);
        let reader =
            SessionManager::stored(Recording::new(store.clone()).0, config.clone()).unwrap();
        let manager = SessionManager::stored(recording, config).unwrap();
        let session = manager.new_session();
        let mut first = Dictionary::default();
        session.insert("user", 1).unwrap();
        first.set("user", Entry::Number(1));
        for (key, value) in start {
            session.insert(name(*key), *value).unwrap();
            first.set(name(*key), Entry::Number(*value));
        }
        session.save().await.unwrap();
        let cookie = manager.cookie_value(&session).unwrap();
        calls.take();
        Self {
            layout,
            manager,
            reader,
            store,
            calls,
            sessions: Sessions(vec![Some(first)]),
            cookies: vec![cookie],
            jar: Some(0),
        }
    }

    /// One step of a request; whether it goes on.
    async fn step(&mut self, request: &mut Request) -> bool {
        let Some((session, model)) = &mut request.open else {
            let cookie = if request.stale { Some(0) } else { self.jar };
            let mut headers = HeaderMap::new();
            if let Some(number) = cookie {
                let header = format!("session={}", self.cookies[number]);
                headers.insert(header::COOKIE, header.parse().unwrap());
            }
            let session = self.manager.open(&headers).await.unwrap();
            request.open = Some((session, Model::open(&self.sessions, cookie)));
            return true;
        };
        let Some(op) = request.steps.pop_front() else {
            let mut headers = HeaderMap::new();
            self.manager.close(session, &mut headers).await.unwrap();
            let number = self.known(session);
            model.commit(&mut self.sessions);
            self.learn(session, model.which, number);
            let told = headers.get(header::SET_COOKIE);
            let told = told.map(|header| header.to_str().unwrap().to_owned());
            let expected = match model.cookie {
                Cookie::Nothing => None,
                Cookie::Removed => Some("session=; ".to_owned()),
                Cookie::Number(number) => Some(format!("session={}; ", self.cookies[number])),
            };
            assert_eq!(
                told.as_ref().map(|told| &told[..=told.find(' ').unwrap()]),
                expected.as_deref(),
                "the cookie is another one"
            );
            match model.cookie {
                Cookie::Nothing => {}
                Cookie::Removed => self.jar = None,
                Cookie::Number(number) => self.jar = Some(number),
            }
            return false;
        };
        if let Op::Save = op {
            session.save().await.unwrap();
            let number = self.known(session);
            model.commit(&mut self.sessions);
            self.learn(session, model.which, number);
        } else {
            act(session, model, &op);
        }
        true
    }

    /// The number of the session's cookie, if it was seen before.
    fn known(&self, session: &Session) -> Option<usize> {
        let cookie = self.manager.cookie_value(session)?;
        self.cookies.iter().position(|known| *known == cookie)
    }

    /// Compares which session the request has now, and takes note of a new one.
    fn learn(&mut self, session: &Session, which: Which, known: Option<usize>) {
        let cookie = self.manager.cookie_value(session);
        match (which, cookie) {
            (Which::Number(number), Some(cookie)) => match known {
                Some(known) => assert_eq!(known, number, "another session's id"),
                None => {
                    assert_eq!(number, self.cookies.len(), "an id that nobody asked for");
                    self.cookies.push(cookie);
                }
            },
            (Which::None | Which::Gone, None) => {}
            (which, cookie) => panic!("{which:?} is not {cookie:?}"),
        }
    }

    /// The store holds the living sessions and nothing else.
    async fn check(&self) {
        let listed = self.store.list("", None, 1000).await.unwrap().entries;
        let keys: BTreeSet<String> = listed.into_iter().map(|entry| entry.key).collect();
        let living = self.cookies.iter().zip(&self.sessions.0);
        let (mut found, mut expected) = (BTreeMap::new(), BTreeMap::new());
        for (cookie, session) in
            living.filter_map(|(cookie, session)| Some((cookie, session.as_ref()?)))
        {
            let key = match (self.layout, cookie.split_once('.')) {
                (Layout::Flask, _) => format!("session:{cookie}"),
                (_, halves) => format!("session:session:{}", halves.unwrap().0),
            };
            let stored = self.reader.open_value(cookie).await.unwrap();
            found.insert(key.clone(), Value::Dict(stored.snapshot()));
            expected.insert(key, value(session));
        }
        assert!(keys.iter().eq(expected.keys()), "{} entries", keys.len());
        let texts = |map: &BTreeMap<String, Value>| {
            map.iter()
                .map(|(key, value)| format!("{key}: {value}"))
                .collect::<Vec<_>>()
        };
        // As text, since the order of keys counts as well.
        assert_eq!(texts(&found), texts(&expected));
    }
}

/// Does the operation to both, and compares what they give and hold.
fn act(session: &Session, model: &mut Model, op: &Op) {
    match *op {
        Op::Read | Op::Save => {}
        Op::Insert(key, to) => session.insert(name(key), to).unwrap(),
        Op::Remove(key) => {
            let there = model.view.number(name(key)).map(Value::from);
            assert_eq!(session.remove(name(key)), there);
        }
        Op::Add(key, by) => {
            let sum = session.update(name(key), move |n: Option<i64>| n.unwrap_or(0) + by);
            assert_eq!(sum.unwrap(), model.view.number(name(key)).unwrap_or(0) + by);
        }
        Op::GetOrInsert(key, to) => {
            let value = session.get_or_insert_with(name(key), || to).unwrap();
            assert_eq!(value, model.view.number(name(key)).unwrap_or(to));
        }
        Op::Flash(message) => session.flash("m", message.to_string()),
        Op::Flashes => {
            let shown = session.flashes();
            let shown: Vec<u8> = shown
                .iter()
                .map(|one| one.message().parse().unwrap())
                .collect();
            let expected = model.shown.clone().unwrap_or_else(|| model.view.messages());
            assert_eq!(shown, expected);
        }
        Op::SetPermanent(permanent) => session.set_permanent(permanent),
        Op::Clear => session.clear(),
        Op::Destroy => session.destroy(),
        Op::Regenerate => session.regenerate(),
    }
    model.act(op);
    for key in 0..3 {
        assert_eq!(
            session.get::<i64>(name(key)).unwrap(),
            model.view.number(name(key))
        );
    }
}

/// The dictionary as the store's format reads it.
fn value(dictionary: &Dictionary) -> Value {
    let entries = dictionary.0.iter().map(|(key, entry)| {
        let value = match entry {
            Entry::Number(number) => Value::from(*number),
            Entry::Truth(truth) => Value::Bool(*truth),
            Entry::Messages(messages) => Value::List(
                messages
                    .iter()
                    .map(|message| Value::List(vec!["m".into(), message.to_string().into()]))
                    .collect(),
            ),
        };
        (key.as_str(), value)
    });
    Value::Dict(entries.collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn p4_a_commit_applies_its_operations_to_what_is_there(
        layout in prop::sample::select(LAYOUTS.to_vec()),
        start in prop::collection::btree_map(0..3_u8, 0..5_i64, 0..3),
        plans in prop::collection::vec(plan(), 1..5),
        turns in prop::collection::vec(0..12_usize, 24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut world = World::new(layout, &start).await;
            let mut requests: Vec<Request> = plans
                .iter()
                .map(|plan| Request { steps: plan.ops.clone().into(), stale: plan.stale, open: None })
                .collect();
            let mut turns = turns.iter().cycle();
            while !requests.is_empty() {
                let whose = turns.next().unwrap() % requests.len();
                if !world.step(&mut requests[whose]).await {
                    requests.swap_remove(whose);
                }
                world.check().await;
            }
        });
    }

    #[test]
    fn p7_who_only_reads_changes_nothing(
        layout in prop::sample::select(LAYOUTS.to_vec()),
        start in prop::collection::btree_map(0..3_u8, 0..5_i64, 0..3),
        readers in 1..4_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(layout, &start).await;
            for _ in 0..readers {
                let steps = vec![Op::Read, Op::Flashes, Op::Read].into();
                let mut request = Request { steps, stale: false, open: None };
                while world.step(&mut request).await {}
                assert_eq!(world.calls.kinds(), ["load"]);
            }
            world.check().await;
        });
    }
}
