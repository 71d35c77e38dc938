//! `cloakroom sessions migrate`: the sessions of one store, copied to another while both are in use.
//!
//! One pass copies what is there. Every later one, in the same run or in another with the same state file, catches up
//! with what has changed since, by a comparison of three: see [`rule`].

mod ends;
mod form;
mod pass;
mod progress;
mod rule;
mod sample;
mod state;
mod stop;
mod summary;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use cloakroom::format::Serialization;
use serde_json::json;

use self::ends::{Ends, FromArguments, ToArguments};
use self::form::Form;
use self::pass::Job;
use self::progress::Progress;
use self::state::State;
use self::stop::Stop;
use self::summary::{Counts, Sample, Summary, rate};
use crate::output::{Answer, Failure, warn};
use crate::runtime::wait_for;
use crate::store::SHA256;

/// Copies every live session to another store: the same bytes, for as long as it has still to live. Both stores may be
/// in use meanwhile; what somebody wrote or deleted in the target is never touched.
///
/// A second run with the same --state file catches up with what has changed in the source since. The state file holds
/// no keys and no values, only hashes.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    from: FromArguments,

    #[command(flatten)]
    to: ToArguments,

    /// Copy only what has keys that begin so; may be given more than once [default: `session:` and `subject:`, the
    /// sessions and the lists of who has which]
    #[arg(long, value_name = "TEXT")]
    prefix: Vec<String>,

    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,

    /// Remember in this file what was copied, to go on after an interruption and to catch up later
    #[arg(long, value_name = "PATH")]
    state: Option<PathBuf>,

    /// Go on catching up until interrupted (Ctrl-C), and then once more
    #[arg(long, conflicts_with = "dry_run")]
    follow: bool,

    /// How many copies to compare with their originals at the end
    #[arg(long, value_name = "COUNT", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    verify: u32,

    /// How many entries to take at a time
    #[arg(long, value_name = "COUNT", default_value_t = 5000,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    batch: u32,

    /// What to make of the pickles of a cachelib folder: `msgpack`, `json` or `pickle`, which leaves them
    #[arg(long, value_name = "FORMAT", default_value = "msgpack")]
    serialization: Serialization,

    /// Remove from the target what the source has no more, however many they are
    #[arg(long)]
    remove_gone: bool,
}

/// Between two passes of --follow.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    wait_for(migrate(arguments))
}

async fn migrate(arguments: &Arguments) -> Result<Answer, Failure> {
    let stop = Stop::listen(arguments.follow)?;
    let ends = Ends::open(&arguments.from, &arguments.to).await?;
    let prefixes = prefixes(&arguments.prefix, &ends)?;
    let between = format!("{} {}", ends.between, prefixes.join(" "));
    let mut state = match &arguments.state {
        Some(path) => State::open(path, &between, arguments.dry_run)?,
        None => State::in_memory()?,
    };
    let job = Job {
        form: Form::between(&ends.from, &ends.to, arguments.serialization),
        ends,
        prefixes,
        batch: arguments.batch as usize,
        dry: arguments.dry_run,
        remove_all: arguments.remove_gone,
    };
    let progress = Progress::begin(&job).await?;
    let (mut summary, began) = (Summary::default(), Instant::now());
    let mut first_pass = None;
    let mut sample = sample::Keys::new(arguments.verify as usize);
    loop {
        let last = stop.is_asked();
        let pass_began = Instant::now();
        // A pass that began before the end was asked for may have missed something: the next one is the last.
        let is_over = || !last && stop.is_asked();
        let advance = |count| progress.advance(count);
        let written = job.pass(&mut state, &mut summary, is_over, advance).await?;
        sample.take(written);
        let (listed, time) = (summary.listed_last, pass_began.elapsed());
        first_pass.get_or_insert((listed, time));
        if arguments.follow {
            progress.pass_is_over(last, &summary, time);
        }
        if last || !arguments.follow {
            break;
        }
        stop.or_after(PAUSE).await;
    }
    progress.end();
    let time = began.elapsed();
    let compared = match arguments.dry_run {
        true => Sample::default(),
        false => sample.compare(&job, &state).await?,
    };
    let counts = Counts {
        from: summary.live(),
        to: job.count_target().await?,
    };
    let (listed, first_time) = first_pass.unwrap_or_default();
    let mut answer = Answer {
        text: text(
            &job,
            &summary,
            &compared,
            counts,
            time,
            rate(listed, first_time),
        ),
        json: summary.json(),
        session: None,
        notes: notes(&job),
    };
    answer.json.extend([
        ("from".to_owned(), job.ends.from.name().into()),
        ("to".to_owned(), job.ends.to.name().into()),
        ("dry_run".to_owned(), job.dry.into()),
        (
            "counts".to_owned(),
            json!({ "from": counts.from, "to": counts.to, "equal": counts.to == Some(counts.from) }),
        ),
        ("sample".to_owned(), compared.json()),
        ("seconds".to_owned(), json!(time.as_secs_f64())),
        ("first_pass_seconds".to_owned(), json!(first_time.as_secs_f64())),
        ("entries_per_second".to_owned(), rate(listed, first_time).into()),
    ]);
    match summary.is_complete() && compared.is_good() {
        true => Ok(answer),
        false => Err(Failure::Incomplete(Box::new(answer))),
    }
}

fn prefixes(given: &[String], ends: &Ends) -> Result<Vec<String>, Failure> {
    match (ends.is_hashed(), given) {
        (true, []) => Ok(vec![SHA256.to_owned()]),
        (true, _) => Err(Failure::Misuse(
            "the files of cachelib hold no keys, so --prefix can choose none of them".to_owned(),
        )),
        (false, []) => Ok(vec!["session:".to_owned(), "subject:".to_owned()]),
        (false, given) => {
            let inside = |prefix: &String| {
                let others = given.iter().filter(|other| *other != prefix);
                others
                    .into_iter()
                    .any(|other| prefix.starts_with(other.as_str()))
            };
            if given.iter().any(inside) {
                warn("one prefix is part of another: what both have is copied once");
            }
            Ok(given.to_vec())
        }
    }
}

fn text(
    job: &Job,
    summary: &Summary,
    sample: &Sample,
    counts: Counts,
    time: Duration,
    rate: u64,
) -> String {
    let would = if job.dry { "would copy" } else { "copied" };
    let (from, to) = (job.ends.from.name(), job.ends.to.name());
    let mut lines = vec![format!(
        "{would} {} of {} entries from {from} to {to} in {:.1} s ({rate} entries per second)",
        summary.copied,
        summary.listed_last,
        time.as_secs_f64(),
    )];
    lines.extend(summary.lines());
    let Counts { from, to } = counts;
    lines.push(match to {
        Some(to) if to == from => format!("both stores have {from} entries"),
        Some(to) => format!("the source has {from} entries, the target {to}"),
        None => format!("the source has {from} entries; the target does not tell"),
    });
    if sample.checked > 0 {
        lines.push(sample.text());
    }
    lines.join("\n")
}

fn notes(job: &Job) -> Vec<String> {
    if !job.ends.is_hashed() || job.ends.to.shares_pickles() {
        return Vec::new();
    }
    vec![
        "the files of cachelib hold hashes of keys, not keys: the copies wait under those hashes until their visitors \
         come back, so let your service read them with store.moving_from(store.hashed_keys())"
            .to_owned(),
    ]
}
