//! `cloakroom sessions watch`.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::PlaceArguments;
use super::scan::Scan;
use crate::input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::table::{Column, Table};
use crate::terminal::Lines;
use crate::units::{self, Count, Size};

#[derive(Args)]
pub(crate) struct WatchArguments {
    #[command(flatten)]
    place: PlaceArguments,

    /// How often to count
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = units::duration)]
    every: Duration,

    /// Stop after so many counts; without it, at Ctrl-C
    #[arg(long, value_name = "COUNT")]
    rounds: Option<u64>,

    /// How many pages of 1000 entries to ask for in a second at most; a store of more entries is counted less often
    #[arg(long, value_name = "COUNT", default_value_t = 20,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pages_per_second: u32,
}

const COLUMNS: &[Column] = &[
    Column::left("TIME", 8, 0),
    Column::right("SESSIONS", 11, 0),
    Column::right("NEW", 8, 0),
    Column::right("ENDED", 8, 0),
    Column::right("WITHIN 1H", 9, 1),
    Column::right("BYTES", 9, 2),
];
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn watch(arguments: WatchArguments, as_json: bool) -> Result<Answer, Failure> {
    wait_for(async {
        tokio::select! {
            watched = rounds(&arguments, as_json) => watched,
            // Whoever is looking has seen enough.
            _ = tokio::signal::ctrl_c() => Ok(()),
        }?;
        Ok(Answer::said())
    })
}

async fn rounds(arguments: &WatchArguments, as_json: bool) -> Result<(), Failure> {
    let mut scan = Scan::open(&arguments.place).await?;
    let mut lines = Lines::new();
    let table = Table::new(COLUMNS);
    let mut ticks = interval(arguments.every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let pause = Duration::from_secs(1) / arguments.pages_per_second;
    let mut counter = Counter::default();
    let mut done = 0;
    let mut reads = as_json || lines.line(&table.header());
    while reads && arguments.rounds.is_none_or(|rounds| done < rounds) {
        ticks.tick().await;
        scan.rewind();
        let round = counter.count(&mut scan, pause).await?;
        done += 1;
        reads = match as_json {
            true => lines.line(&round.json(input::now(None)).to_string()),
            false => lines.line(&table.row(&round.cells(input::now(None)))),
        } && lines.flush();
    }
    Ok(())
}

/// What was there before. A number stands for a session: eight bytes of each, and nothing that names it.
#[derive(Default)]
struct Counter {
    hasher: RandomState,
    before: Option<HashSet<u64>>,
}

struct Round {
    count: u64,
    /// None in the first round.
    new: Option<u64>,
    ended: Option<u64>,
    soon: u64,
    bytes: u64,
}

impl Counter {
    /// Goes through the store once, at an even pace.
    async fn count(&mut self, scan: &mut Scan, pause: Duration) -> Result<Round, Failure> {
        let mut now = HashSet::new();
        let (mut bytes, mut soon) = (0, 0);
        let mut next = Instant::now();
        while let Some(page) = scan.page_of_sessions().await? {
            for listed in page {
                if now.insert(self.hasher.hash_one(&listed.key)) {
                    bytes += listed.size as u64;
                    soon += u64::from(listed.expires_in.is_some_and(|left| left <= HOUR));
                }
            }
            next += pause;
            sleep_until(next).await;
        }
        let missing = |from: &HashSet<u64>, other: &HashSet<u64>| {
            from.iter()
                .filter(|session| !other.contains(session))
                .count() as u64
        };
        let before = self.before.as_ref();
        let round = Round {
            count: now.len() as u64,
            new: before.map(|before| missing(&now, before)),
            ended: before.map(|before| missing(before, &now)),
            soon,
            bytes,
        };
        self.before = Some(now);
        Ok(round)
    }
}

impl Round {
    fn cells(&self, now: u64) -> Vec<String> {
        let or_none =
            |count: Option<u64>| count.map_or("-".to_owned(), |count| Count(count).to_string());
        let time = units::utc(now).and_then(|time| Some(time.get(11..19)?.to_owned()));
        vec![
            time.unwrap_or_default(),
            Count(self.count).to_string(),
            or_none(self.new),
            or_none(self.ended),
            Count(self.soon).to_string(),
            Size(self.bytes).to_string(),
        ]
    }

    fn json(&self, now: u64) -> serde_json::Value {
        json!({
            "time": now,
            "sessions": self.count,
            "new": self.new,
            "ended": self.ended,
            "ending_within_an_hour": self.soon,
            "bytes": self.bytes,
        })
    }
}
