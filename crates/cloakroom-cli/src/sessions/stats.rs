//! `cloakroom sessions stats`.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use clap::Args;
use cloakroom::store::{Listed, Record};
use serde_json::{Map, Value, json};

use super::PlaceArguments;
use super::filter::Identity;
use super::found::{Found, Inside};
use super::histogram::{Histogram, bar};
use super::scan::{Scan, Sight};
use crate::input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::terminal::{Lines, TITLE, fit, plain, styled};
use crate::units::{Count, Size};

#[derive(Args)]
pub(crate) struct StatsArguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    identity: Identity,

    /// Only what the store's own listing says: no entry is loaded
    #[arg(long)]
    quick: bool,

    /// Name the users with the most sessions
    #[arg(long)]
    reveal: bool,
}

/// How many of the largest keys and users are told.
const TOP: usize = 8;
/// Visitors may have a say in what keys are called: no more names than these are told apart.
const MOST_NAMES: usize = 10_000;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(crate) fn stats(arguments: StatsArguments, as_json: bool) -> Result<Answer, Failure> {
    wait_for(async {
        let mut scan = Scan::open(&arguments.place).await?;
        let mut stats = Stats::new(!arguments.quick);
        if arguments.quick {
            while let Some(page) = scan.page_of_sessions().await? {
                let found = page.into_iter().map(Found::listed);
                found.for_each(|found| stats.add(&found));
            }
        } else {
            while let Some(page) = scan.page().await? {
                let now = input::now(None);
                scan.load(page, |listed, record| {
                    stats.look(listed, &record, &arguments.identity, now);
                    true
                })
                .await?;
            }
        }
        let mut lines = Lines::new();
        match as_json {
            true => {
                let json = stats.json(scan.store().name(), arguments.reveal);
                lines.line(&Value::Object(json).to_string())
            }
            false => lines.line(&stats.text(arguments.reveal)),
        };
        Ok(Answer::said())
    })
}

struct Stats {
    count: u64,
    bytes: u64,
    /// How many sessions have each size: a few thousand numbers, however many sessions there are.
    sizes: BTreeMap<u64, u64>,
    by_size: Histogram,
    ending: Histogram,
    within_hour: u64,
    within_day: u64,
    never: u64,
    /// None if no entry was loaded.
    inside: Option<Inner>,
}

struct Inner {
    ages: Histogram,
    layouts: BTreeMap<String, u64>,
    permanent: u64,
    logged_in: u64,
    users: HashMap<String, u64>,
    keys: HashMap<String, (u64, u64)>,
    key_bytes: u64,
}

impl Stats {
    fn new(loaded: bool) -> Self {
        Self {
            count: 0,
            bytes: 0,
            sizes: BTreeMap::new(),
            by_size: Histogram::of_sizes(),
            ending: Histogram::of_times(),
            within_hour: 0,
            within_day: 0,
            never: 0,
            inside: loaded.then(|| Inner {
                ages: Histogram::of_times(),
                layouts: BTreeMap::new(),
                permanent: 0,
                logged_in: 0,
                users: HashMap::new(),
                keys: HashMap::new(),
                key_bytes: 0,
            }),
        }
    }

    fn look(&mut self, listed: Listed, record: &Record, identity: &Identity, now: u64) {
        let sight = Sight::of(record);
        let Some(found) = Found::loaded(listed, record, &sight, identity, now) else {
            return;
        };
        self.add(&found);
        if let (Some(inner), Sight::Session(entry)) = (&mut self.inside, &sight) {
            for key in entry.keys() {
                inner.add_key(&key.name, key.size as u64);
            }
        }
    }

    fn add(&mut self, found: &Found) {
        let size = found.size as u64;
        self.count += 1;
        self.bytes += size;
        *self.sizes.entry(size).or_default() += 1;
        self.by_size.add(size);
        match found.expires_in {
            None => self.never += 1,
            Some(left) => {
                self.ending.add(left.as_secs());
                self.within_hour += u64::from(left <= HOUR);
                self.within_day += u64::from(left <= DAY);
            }
        }
        if let (Some(inner), Some(inside)) = (&mut self.inside, &found.inside) {
            inner.add(inside);
        }
    }

    /// The size that so many of a hundred sessions do not exceed.
    fn percentile(&self, percent: u64) -> u64 {
        let rank = (self.count * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let reached = self.sizes.iter().find(|(_, count)| {
            seen += **count;
            seen >= rank
        });
        reached.map_or(0, |(size, _)| *size)
    }

    fn text(&self, reveal: bool) -> String {
        let mut lines = Vec::new();
        let mut tell = |name: &str, text: String| {
            lines.push(format!("{}  {text}", styled(TITLE, &fit(name, 10, false))));
        };
        let inner = self.inside.as_ref();
        let layouts = inner.map(|inner| {
            let layouts = inner.layouts.iter();
            let layouts = layouts.map(|(name, count)| format!("{} {name}", Count(*count)));
            layouts.collect::<Vec<_>>().join(", ")
        });
        match layouts.filter(|layouts| !layouts.is_empty()) {
            Some(layouts) => tell("sessions", format!("{}: {layouts}", Count(self.count))),
            None => tell("sessions", Count(self.count).to_string()),
        }
        if let Some(inner) = inner {
            let most = inner.users.values().max().copied().unwrap_or(0);
            tell(
                "users",
                format!(
                    "{}, with {} sessions, at most {} each; the other {} belong to nobody, or do not say",
                    Count(inner.users.len() as u64),
                    Count(inner.logged_in),
                    Count(most),
                    Count(self.count - inner.logged_in)
                ),
            );
            tell("permanent", Count(inner.permanent).to_string());
        }
        tell(
            "bytes",
            format!(
                "{} in all; half have at most {}, 95 % at most {}, the largest has {}",
                Size(self.bytes),
                Size(self.percentile(50)),
                Size(self.percentile(95)),
                Size(self.percentile(100))
            ),
        );
        tell(
            "ending",
            format!(
                "{} within an hour, {} within a day, {} never",
                Count(self.within_hour),
                Count(self.within_day),
                Count(self.never)
            ),
        );
        let mut chart = |title: &str, bars: Vec<String>| {
            if !bars.is_empty() {
                lines.push(String::new());
                lines.push(styled(TITLE, title));
                lines.extend(bars);
            }
        };
        chart("bytes of a session", self.by_size.lines());
        if let Some(inner) = inner {
            chart("age, where it is known", inner.ages.lines());
        }
        chart("ends in", self.ending.lines());
        if let Some(inner) = inner {
            chart("largest keys", inner.key_lines());
            if reveal {
                chart("users with the most sessions", inner.user_lines());
            }
        }
        lines.join("\n")
    }

    fn json(&self, store: &str, reveal: bool) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("store".into(), store.into());
        json.insert("sessions".into(), self.count.into());
        json.insert("bytes".into(), self.bytes.into());
        let sizes = json!({
            "median": self.percentile(50),
            "p95": self.percentile(95),
            "largest": self.percentile(100),
            "histogram": self.by_size.json(),
        });
        json.insert("size".into(), sizes);
        let ending = json!({
            "within_an_hour": self.within_hour,
            "within_a_day": self.within_day,
            "never": self.never,
            "histogram": self.ending.json(),
        });
        json.insert("ending".into(), ending);
        if let Some(inner) = &self.inside {
            json.extend(inner.json(reveal));
        }
        json
    }
}

impl Inner {
    fn add(&mut self, inside: &Inside) {
        let layout = inside.layout.as_deref().unwrap_or("unreadable");
        match self.layouts.get_mut(layout) {
            Some(count) => *count += 1,
            None => drop(self.layouts.insert(layout.to_owned(), 1)),
        }
        self.permanent += u64::from(inside.permanent);
        if let Some(age) = inside.age {
            self.ages.add(age.as_secs());
        }
        if let Some(subject) = &inside.subject {
            self.logged_in += 1;
            *self.users.entry(subject.clone()).or_default() += 1;
        }
    }

    fn add_key(&mut self, name: &str, size: u64) {
        self.key_bytes += size;
        if let Some((count, bytes)) = self.keys.get_mut(name) {
            *count += 1;
            *bytes += size;
        } else if self.keys.len() < MOST_NAMES {
            self.keys.insert(name.to_owned(), (1, size));
        }
    }

    /// The keys that take the most bytes: name, sessions, bytes.
    fn largest_keys(&self) -> Vec<(&str, u64, u64)> {
        let keys = self.keys.iter();
        let mut keys: Vec<_> = keys
            .map(|(name, (count, bytes))| (name.as_str(), *count, *bytes))
            .collect();
        keys.sort_by(|left, right| right.2.cmp(&left.2).then(left.0.cmp(right.0)));
        keys.truncate(TOP);
        keys
    }

    fn busiest_users(&self) -> Vec<(&str, u64)> {
        let users = self.users.iter();
        let mut users: Vec<_> = users.map(|(name, count)| (name.as_str(), *count)).collect();
        users.sort_by(|left, right| right.1.cmp(&left.1).then(left.0.cmp(right.0)));
        users.truncate(TOP);
        users
    }

    fn share(&self, bytes: u64) -> u64 {
        (bytes * 100).checked_div(self.key_bytes).unwrap_or(0)
    }

    fn key_lines(&self) -> Vec<String> {
        let keys = self.largest_keys();
        let most = keys.first().map_or(0, |(_, _, bytes)| *bytes);
        let lines = keys.iter().map(|(name, count, bytes)| {
            let name = fit(&plain(name), 24, false);
            let bar = bar(*bytes, most);
            let sessions = if *count == 1 { "session" } else { "sessions" };
            let said = format!("in {} {sessions}", Count(*count));
            format!(
                "  {name}  {bar}  {:>3} %  {:>8}  {said}",
                self.share(*bytes),
                Size(*bytes).to_string()
            )
        });
        lines.collect()
    }

    fn user_lines(&self) -> Vec<String> {
        let users = self.busiest_users();
        let most = users.first().map_or(0, |(_, count)| *count);
        let lines = users.iter().map(|(name, count)| {
            let name = fit(&plain(name), 24, false);
            format!("  {name}  {}  {}", bar(*count, most), Count(*count))
        });
        lines.collect()
    }

    fn json(&self, reveal: bool) -> Map<String, Value> {
        let mut json = Map::new();
        json.insert("layouts".into(), json!(self.layouts));
        json.insert("permanent".into(), self.permanent.into());
        json.insert("logged_in".into(), self.logged_in.into());
        json.insert("users".into(), self.users.len().into());
        let most = self.users.values().max().copied().unwrap_or(0);
        json.insert("most_sessions_of_a_user".into(), most.into());
        if reveal {
            let users = self.busiest_users().into_iter();
            let users = users.map(|(name, count)| json!({ "subject": name, "sessions": count }));
            json.insert("busiest_users".into(), users.collect());
        }
        let ages = json!({ "known": self.ages.total(), "histogram": self.ages.json() });
        json.insert("age".into(), ages);
        let keys = self.largest_keys().into_iter();
        let keys = keys.map(|(name, count, bytes)| {
            json!({ "name": name, "sessions": count, "bytes": bytes, "percent": self.share(bytes) })
        });
        json.insert("largest_keys".into(), keys.collect());
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_sizes_that_sessions_have() {
        let mut stats = Stats::new(false);
        assert_eq!(stats.percentile(50), 0);
        for size in 1..=100 {
            let listed = Listed::new("session:a", size, None);
            stats.add(&Found::listed(listed));
        }
        assert_eq!(
            [50, 95, 100].map(|percent| stats.percentile(percent)),
            [50, 95, 100]
        );
        stats.add(&Found::listed(Listed::new("session:b", 1, None)));
        assert_eq!(stats.percentile(50), 50);
    }
}
