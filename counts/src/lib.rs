//! The cases whose instructions and allocations `cargo xtask counts` counts, and holds against the numbers in
//! `counts/numbers.json`. The two binaries differ in what they count.
//!
//! Each case is a name and one run of it: what is made ready before is not counted, what is dropped at its end is.

#![allow(clippy::unwrap_used, reason = "a case that cannot run should stop")]

mod cookie;
mod floor;
mod web;

use std::hint::black_box;

use cloakroom::{Clock, Key, SecretKey, Session};

const SECRET: &str = "a secret key for the counts only";
const VISITS: Key<u64> = Key::new("visits");

/// Runs that fill caches and count for nothing.
const WARMING: usize = 3;
/// Odd, so that one is the median: an id or a hash seed that is bad luck is outvoted.
const RUNS: usize = 9;

/// Whoever counts: it is told the name of the case and does the run it is handed.
pub type Meter<'a> = dyn FnMut(&str, &mut dyn FnMut()) + 'a;

/// Hands the runs of all cases to the meter.
pub fn count(meter: &mut Meter) {
    // The stores' deadlines need a runtime's clock; nothing waits for it.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let mut cases = Cases { meter };
    cookie::count(&mut cases);
    web::count(&mut cases);
}

struct Cases<'a, 'm> {
    meter: &'a mut Meter<'m>,
}

impl Cases<'_, '_> {
    /// One case; what `run` hands back is dropped while it is counted.
    fn case<Input, Output>(
        &mut self,
        name: &str,
        mut prepare: impl FnMut() -> Input,
        mut run: impl FnMut(Input) -> Output,
    ) {
        for _ in 0..WARMING {
            run(prepare());
        }
        for _ in 0..RUNS {
            let mut input = Some(prepare());
            (self.meter)(name, &mut || {
                if let Some(input) = input.take() {
                    black_box(run(black_box(input)));
                }
            });
        }
    }
}

fn secret() -> SecretKey {
    SecretKey::new(SECRET).unwrap()
}

/// It stands still: nothing expires or is renewed between two runs.
fn clock() -> Clock {
    Clock::manual(1_700_000_000)
}

/// Nothing in these cases waits for anything.
fn now<T>(future: impl Future<Output = T>) -> T {
    cloakroom::testing::now(future).unwrap()
}

/// A visitor whose visits have three digits, however often one more is counted.
fn visitor(session: &Session) {
    session.insert("username", "alice").unwrap();
    session.insert(VISITS, 100).unwrap();
}
