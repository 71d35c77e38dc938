//! Whatever is done, one thing after the other and in any process, the register answers as a plain list would.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const SUBJECTS: [&str; 2] = ["alice", "bob"];
const NAMES: u8 = 8;
const MOST: usize = 4;

#[derive(Clone, Debug)]
enum Op {
    Enter {
        subject: usize,
        name: u8,
        instead_of: Option<u8>,
    },
    Replace {
        subject: usize,
        old: u8,
        new: u8,
    },
    Renew {
        subject: usize,
        name: u8,
    },
    Leave {
        subject: usize,
        name: u8,
    },
    End {
        subject: usize,
        name: u8,
    },
    EndAll {
        subject: usize,
        except: Option<u8>,
        unlisted: bool,
    },
    Wait(u64),
    EndEverything,
}

fn op() -> impl Strategy<Value = Op> {
    let subject = 0..SUBJECTS.len();
    let name = 0..NAMES;
    let maybe = proptest::option::of(0..NAMES);
    prop_oneof![
        6 => (subject.clone(), name.clone(), proptest::option::weighted(0.2, 0..NAMES))
            .prop_map(|(subject, name, instead_of)| Op::Enter { subject, name, instead_of }),
        2 => (subject.clone(), name.clone(), name.clone())
            .prop_map(|(subject, old, new)| Op::Replace { subject, old, new }),
        2 => (subject.clone(), name.clone()).prop_map(|(subject, name)| Op::Renew { subject, name }),
        2 => (subject.clone(), name.clone()).prop_map(|(subject, name)| Op::Leave { subject, name }),
        2 => (subject.clone(), name).prop_map(|(subject, name)| Op::End { subject, name }),
        1 => (subject, maybe, any::<bool>())
            .prop_map(|(subject, except, unlisted)| Op::EndAll { subject, except, unlisted }),
        2 => prop_oneof![1..LAG, LAG..2 * RENEW_AFTER, HOUR..DAY].prop_map(Op::Wait),
        1 => Just(Op::EndEverything),
    ]
}

/// What a session is in the model.
#[derive(Clone, Debug, PartialEq)]
struct Session {
    handle: Handle,
    former: Vec<Handle>,
    stored: bool,
    created: u64,
    expires: u64,
}

impl Session {
    fn is(&self, handle: &Handle) -> bool {
        self.handle == *handle
    }
}

/// The former names of a session that takes the place of others.
fn former(new: Handle, olds: impl IntoIterator<Item = Session>) -> Vec<Handle> {
    let mut names = Vec::new();
    for old in olds {
        names.extend(old.former);
        names.extend(old.stored.then_some(old.handle));
    }
    names.retain(|name| *name != new);
    let too_many = names.len().saturating_sub(4);
    names.split_off(too_many)
}

#[derive(Default)]
struct Model {
    now: u64,
    sessions: BTreeMap<usize, Vec<Session>>,
    all_ended: BTreeMap<usize, (u64, u64)>,
    everything: Option<u64>,
    /// Whether a session has expired by itself, which nobody deletes here.
    expired: bool,
}

impl Model {
    fn of(&mut self, subject: usize) -> &mut Vec<Session> {
        let now = self.now;
        let sessions = self.sessions.entry(subject).or_default();
        let before = sessions.len();
        sessions.retain(|session| now < session.expires);
        self.expired |= sessions.len() < before;
        sessions
    }

    fn take(&mut self, subject: usize, handle: &Handle) -> Option<Session> {
        let sessions = self.of(subject);
        let place = sessions.iter().position(|session| session.is(handle))?;
        Some(sessions.remove(place))
    }
}

async fn check(site: &Deployment, processes: &[Register], model: &mut Model, names: &[Handle]) {
    let now = model.now;
    for (number, subject) in SUBJECTS.iter().enumerate() {
        let mut expected = model.of(number).clone();
        expected.reverse();
        expected.sort_by_key(|session| std::cmp::Reverse(session.created));
        let expected: Vec<_> = expected.iter().map(|session| session.handle).collect();
        for register in processes {
            assert_eq!(listed(register, subject).await, expected);
            for name in names {
                let good = model.of(number).iter().any(|session| session.is(name));
                let standing = register.standing(subject, name).await.unwrap();
                assert_eq!(standing == Standing::Good, good, "{subject} {name:?}");
            }
            let ended = model
                .all_ended
                .get(&number)
                .filter(|(_, until)| now < *until);
            for began in [now - 1, now, now + 1] {
                let standing = register.standing_of_unlisted(subject, began).await.unwrap();
                let expected = ended.is_some_and(|(at, _)| began <= *at);
                assert_eq!(standing == Standing::Ended, expected);
                let standing = register.standing_of_everyone(began).await.unwrap();
                let expected = model.everything.is_some_and(|at| began <= at);
                assert_eq!(standing == Standing::Ended, expected);
            }
        }
    }
    // What the store holds is listed.
    for locator in site
        .store
        .list("session:", None, 100)
        .await
        .unwrap()
        .entries
    {
        let lives = model.sessions.iter().any(|(subject, sessions)| {
            sessions.iter().any(|session| {
                let handles = session.former.iter().chain([&session.handle]);
                handles
                    .map(|handle| format!("session:{subject}:{handle}"))
                    .any(|key| key == locator.key)
            })
        });
        assert!(lives || model.expired, "{locator:?}");
    }
    // Users who have nothing take nothing.
    let entries = site
        .store
        .list("subject:", None, 100)
        .await
        .unwrap()
        .entries;
    let users = (0..SUBJECTS.len()).filter(|number| {
        model
            .sessions
            .get(number)
            .is_some_and(|sessions| !sessions.is_empty())
            || model
                .all_ended
                .get(number)
                .is_some_and(|(_, until)| now < *until)
    });
    assert!(entries.len() >= users.count() + usize::from(model.everything.is_some()));
}

/// Half of the names are of sessions in the store.
fn is_stored(name: u8) -> bool {
    name.is_multiple_of(2)
}

async fn run(ops: Vec<(usize, Op)>) {
    let site = Deployment::new();
    let strict = |settings: &mut RegisterSettings| {
        settings.max_sessions = Some(MaxSessions::EndOldest(MOST));
        settings.lag = Duration::ZERO;
        // Names come back here, as no id does.
        settings.tombstone = Duration::ZERO;
    };
    let processes = [site.process_with(strict), site.process_with(strict)];
    let names: Vec<Handle> = (0..NAMES)
        .map(|name| Handle::from_bytes([name; 16]))
        .collect();
    let name = |number: u8| names[usize::from(number)];
    let new = |subject: usize, handle: Handle, stored: bool| NewSession {
        handle,
        locator: stored.then(|| format!("session:{subject}:{handle}")),
        ..in_cookie(&site.clock)
    };
    // For longer than the test waits, so that what is not there was deleted.
    let make = async |new: &NewSession| {
        if let Some(locator) = &new.locator {
            let value = bytes::Bytes::from_static(b"\x80");
            let _ = site
                .store
                .create(locator, value, Duration::from_secs(1000 * DAY))
                .await;
        }
    };
    let mut model = Model {
        now: START,
        ..Model::default()
    };
    for (process, op) in ops {
        let register = &processes[process];
        let now = model.now;
        match op {
            Op::Enter {
                subject,
                name: number,
                instead_of,
            } => {
                let stored = is_stored(number);
                let handle = name(number);
                let instead_of = instead_of.map(name);
                // Ids are random: a new one is no former one.
                if model
                    .of(subject)
                    .iter()
                    .any(|session| session.former.contains(&handle))
                {
                    continue;
                }
                let again = model.take(subject, &handle);
                let old = instead_of.and_then(|old| model.take(subject, &old));
                let mut expected = Vec::new();
                while model.of(subject).len() >= MOST {
                    let sessions = model.of(subject);
                    let oldest = (0..sessions.len())
                        .min_by_key(|place| sessions[*place].created)
                        .unwrap();
                    expected.push(sessions.remove(oldest).handle);
                }
                model.of(subject).push(Session {
                    handle,
                    former: former(handle, again.into_iter().chain(old)),
                    stored,
                    created: now,
                    expires: now + DAY + RENEW_AFTER,
                });
                let new = new(subject, handle, stored);
                let ended = register
                    .enter(SUBJECTS[subject], &new, instead_of.as_ref())
                    .await
                    .unwrap();
                make(&new).await;
                assert_eq!(handles(&ended), expected);
            }
            Op::Replace {
                subject,
                old,
                new: number,
            } => {
                let stored = is_stored(number);
                let (old, handle) = (name(old), name(number));
                // Ids are random: a new one is nobody's.
                let known =
                    |session: &Session| session.is(&handle) || session.former.contains(&handle);
                if model.of(subject).iter().any(known) {
                    continue;
                }
                let there = model.take(subject, &old);
                let new = new(subject, handle, stored);
                let standing = register
                    .replace(SUBJECTS[subject], &old, &new)
                    .await
                    .unwrap();
                assert_eq!(standing == Standing::Good, there.is_some());
                if let Some(there) = there {
                    make(&new).await;
                    model.of(subject).push(Session {
                        handle,
                        former: former(handle, [there.clone()]),
                        stored,
                        created: there.created,
                        expires: now + DAY + RENEW_AFTER,
                    });
                }
            }
            Op::Renew {
                subject,
                name: number,
            } => {
                let handle = name(number);
                let standing = register
                    .renew(SUBJECTS[subject], &handle, now + DAY)
                    .await
                    .unwrap();
                let there = model
                    .of(subject)
                    .iter_mut()
                    .find(|session| session.is(&handle));
                assert_eq!(standing == Standing::Good, there.is_some());
                if let Some(there) = there
                    && now + DAY > there.expires
                {
                    there.expires = now + DAY + RENEW_AFTER;
                }
            }
            Op::Leave {
                subject,
                name: number,
            } => {
                // The manager deletes what the browser has, the register what else there may be.
                if model.take(subject, &name(number)).is_some() {
                    let locator = format!("session:{subject}:{}", name(number));
                    site.store
                        .delete(&locator, None, Duration::ZERO)
                        .await
                        .unwrap();
                }
                register
                    .leave(SUBJECTS[subject], &name(number))
                    .await
                    .unwrap();
            }
            Op::End {
                subject,
                name: number,
            } => {
                let expected = model
                    .take(subject, &name(number))
                    .map(|session| session.handle);
                let ended = register
                    .end(SUBJECTS[subject], &name(number))
                    .await
                    .unwrap();
                assert_eq!(ended.map(|session| session.handle), expected);
            }
            Op::EndAll {
                subject,
                except,
                unlisted,
            } => {
                let except = except.map(name);
                let (kept, expected): (Vec<_>, Vec<_>) = std::mem::take(model.of(subject))
                    .into_iter()
                    .partition(|session| except.is_some_and(|except| session.is(&except)));
                model.sessions.insert(subject, kept);
                if unlisted {
                    model.all_ended.insert(subject, (now, now + DAY));
                }
                let until = unlisted.then_some(now + DAY);
                let ended = register
                    .end_all(SUBJECTS[subject], except.as_ref(), until)
                    .await
                    .unwrap();
                let expected: Vec<_> = expected.iter().map(|session| session.handle).collect();
                assert_eq!(handles(&ended), expected);
            }
            Op::Wait(seconds) => {
                site.advance(seconds);
                model.now += seconds;
            }
            Op::EndEverything => {
                model.everything = Some(now);
                assert_eq!(register.end_everything().await.unwrap(), now);
            }
        }
        check(&site, &processes, &mut model, &names).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn the_register_is_a_list(ops in proptest::collection::vec((0..2_usize, op()), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(ops));
    }
}
