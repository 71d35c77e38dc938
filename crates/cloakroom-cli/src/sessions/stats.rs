//! `cloakroom sessions stats`.

use clap::Args;
use serde_json::{Map, Value, json};

use super::PlaceArguments;
use super::figures::{Figures, Inner};
use super::filter::Identity;
use super::found::Found;
use super::histogram::bar;
use super::scan::Scan;
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

pub(crate) fn stats(arguments: StatsArguments, as_json: bool) -> Result<Answer, Failure> {
    wait_for(async {
        let mut scan = Scan::open(&arguments.place).await?;
        let mut figures = Figures::new(!arguments.quick);
        if arguments.quick {
            while let Some(page) = scan.page_of_sessions().await? {
                let found = page.into_iter().map(Found::listed);
                found.for_each(|found| figures.add(&found));
            }
        } else {
            while let Some(page) = scan.page().await? {
                let now = input::now(None);
                scan.load(page, |listed, record| {
                    figures.look(listed, &record, &arguments.identity, now);
                    true
                })
                .await?;
            }
        }
        let mut lines = Lines::new();
        match as_json {
            true => {
                let json = json(&figures, scan.store().name(), arguments.reveal);
                lines.line(&Value::Object(json).to_string())
            }
            false => lines.line(&text(&figures, arguments.reveal)),
        };
        Ok(Answer::said())
    })
}

fn text(figures: &Figures, reveal: bool) -> String {
    let mut lines = Vec::new();
    let mut tell = |name: &str, text: String| {
        lines.push(format!("{}  {text}", styled(TITLE, &fit(name, 10, false))));
    };
    let inner = figures.inside.as_ref();
    let layouts = inner.map(|inner| {
        let layouts = inner.layouts.iter();
        let layouts = layouts.map(|(name, count)| format!("{} {name}", Count(*count)));
        layouts.collect::<Vec<_>>().join(", ")
    });
    match layouts.filter(|layouts| !layouts.is_empty()) {
        Some(layouts) => tell("sessions", format!("{}: {layouts}", Count(figures.count))),
        None => tell("sessions", Count(figures.count).to_string()),
    }
    if let Some(inner) = inner {
        tell(
            "users",
            format!(
                "{}, with {} sessions, at most {} each; the other {} belong to nobody, or do not say",
                Count(inner.users()),
                Count(inner.logged_in),
                Count(inner.most_of_a_user()),
                Count(figures.count - inner.logged_in)
            ),
        );
        tell("permanent", Count(inner.permanent).to_string());
    }
    tell(
        "bytes",
        format!(
            "{} in all; half have at most {}, 95 % at most {}, the largest has {}",
            Size(figures.bytes),
            Size(figures.percentile(50)),
            Size(figures.percentile(95)),
            Size(figures.percentile(100))
        ),
    );
    tell(
        "ending",
        format!(
            "{} within an hour, {} within a day, {} never",
            Count(figures.within_hour),
            Count(figures.within_day),
            Count(figures.never)
        ),
    );
    let mut chart = |title: &str, bars: Vec<String>| {
        if !bars.is_empty() {
            lines.push(String::new());
            lines.push(styled(TITLE, title));
            lines.extend(bars);
        }
    };
    chart("bytes of a session", figures.by_size.lines());
    if let Some(inner) = inner {
        chart("age, where it is known", inner.ages.lines());
    }
    chart("ends in", figures.ending.lines());
    if let Some(inner) = inner {
        chart("largest keys", key_lines(inner));
        if reveal {
            chart("users with the most sessions", user_lines(inner));
        }
    }
    lines.join("\n")
}

fn json(figures: &Figures, store: &str, reveal: bool) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("store".into(), store.into());
    json.insert("sessions".into(), figures.count.into());
    json.insert("bytes".into(), figures.bytes.into());
    let sizes = json!({
        "median": figures.percentile(50),
        "p95": figures.percentile(95),
        "largest": figures.percentile(100),
        "histogram": figures.by_size.json(),
    });
    json.insert("size".into(), sizes);
    let ending = json!({
        "within_an_hour": figures.within_hour,
        "within_a_day": figures.within_day,
        "never": figures.never,
        "histogram": figures.ending.json(),
    });
    json.insert("ending".into(), ending);
    if let Some(inner) = &figures.inside {
        json.extend(inner_json(inner, reveal));
    }
    json
}

fn key_lines(inner: &Inner) -> Vec<String> {
    let keys = inner.largest_keys();
    let most = keys.first().map_or(0, |key| key.bytes);
    let lines = keys.iter().map(|key| {
        let name = fit(&plain(key.name), 24, false);
        let bar = bar(key.bytes, most);
        let sessions = if key.sessions == 1 {
            "session"
        } else {
            "sessions"
        };
        let said = format!("in {} {sessions}", Count(key.sessions));
        let size = Size(key.bytes).to_string();
        format!("  {name}  {bar}  {:>3} %  {size:>8}  {said}", key.percent)
    });
    lines.collect()
}

fn user_lines(inner: &Inner) -> Vec<String> {
    let users = inner.busiest_users();
    let most = users.first().map_or(0, |(_, count)| *count);
    let lines = users.iter().map(|(name, count)| {
        let name = fit(&plain(name), 24, false);
        format!("  {name}  {}  {}", bar(*count, most), Count(*count))
    });
    lines.collect()
}

fn inner_json(inner: &Inner, reveal: bool) -> Map<String, Value> {
    let mut json = Map::new();
    json.insert("layouts".into(), json!(inner.layouts));
    json.insert("permanent".into(), inner.permanent.into());
    json.insert("logged_in".into(), inner.logged_in.into());
    json.insert("users".into(), inner.users().into());
    let most = inner.most_of_a_user();
    json.insert("most_sessions_of_a_user".into(), most.into());
    if reveal {
        let users = inner.busiest_users().into_iter();
        let users = users.map(|(name, count)| json!({ "subject": name, "sessions": count }));
        json.insert("busiest_users".into(), users.collect());
    }
    let ages = json!({ "known": inner.ages.total(), "histogram": inner.ages.json() });
    json.insert("age".into(), ages);
    let keys = inner.largest_keys().into_iter();
    let keys = keys.map(|key| {
            json!({ "name": key.name, "sessions": key.sessions, "bytes": key.bytes, "percent": key.percent })
        });
    json.insert("largest_keys".into(), keys.collect());
    json
}
