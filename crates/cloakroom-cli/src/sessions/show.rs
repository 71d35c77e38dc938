//! `cloakroom sessions show`.

use clap::Args;
use cloakroom::store::Listed;

use super::PlaceArguments;
use super::filter::Identity;
use super::found::Found;
use super::scan::{Scan, Sight, handles};
use super::told::Told;
use crate::input;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::terminal::{FAINT, Lines, TITLE, fit, styled};

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    identity: Identity,

    /// The handles of the sessions, as `sessions list` shows them
    #[arg(
        value_name = "HANDLE",
        required_unless_present = "subject",
        conflicts_with = "subject"
    )]
    handles: Vec<String>,

    /// All sessions of this user
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,

    /// Show users, values, and the keys of the entries: in Flask's layout, whoever has such a key has the session
    #[arg(long)]
    reveal: bool,
}

pub(crate) fn show(arguments: ShowArguments, as_json: bool) -> Result<Answer, Failure> {
    wait_for(async {
        let mut wanted = handles(&arguments.handles)?;
        let mut scan = Scan::open(&arguments.place).await?;
        let mut lines = Lines::new();
        let mut shown = 0_u64;
        while let Some(page) = scan.page().await? {
            let named = |listed: &Listed| {
                arguments.subject.is_some()
                    || wanted.contains(&cloakroom::Handle::of_key(&listed.key))
            };
            let page: Vec<Listed> = page.into_iter().filter(named).collect();
            let now = input::now(None);
            let goes_on = scan
                .load(page, |listed, record| {
                    let sight = Sight::of(&record);
                    let found = Found::loaded(listed, &record, &sight, &arguments.identity, now);
                    let Some(found) =
                        found.filter(|found| is_of(found, arguments.subject.as_ref()))
                    else {
                        return true;
                    };
                    wanted.retain(|handle| *handle != found.handle);
                    shown += 1;
                    let told = Told {
                        found: &found,
                        entry: sight.session(),
                        reveal: arguments.reveal,
                        now,
                    };
                    match as_json {
                        true => lines.line(&told.json().to_string()),
                        false => {
                            let gap = shown == 1 || lines.line("");
                            gap && lines_of(&told).iter().all(|line| lines.line(line))
                        }
                    }
                })
                .await?;
            lines.flush();
            if !goes_on || (arguments.subject.is_none() && wanted.is_empty()) {
                break;
            }
        }
        match (shown, wanted.len()) {
            (0, _) | (_, 1..) => Err(missing(&arguments.handles, wanted.len())),
            _ => Ok(Answer::said()),
        }
    })
}

fn is_of(found: &Found, subject: Option<&String>) -> bool {
    let theirs = found
        .inside
        .as_ref()
        .and_then(|inside| inside.subject.as_ref());
    subject.is_none() || theirs == subject
}

/// Neither the handles nor the name are quoted: somebody may take an id for one.
pub(super) fn missing(handles: &[String], count: usize) -> Failure {
    let reason = match (handles.len(), count) {
        (0, _) => "this user has no session here whose content can be read".to_owned(),
        (1, _) => {
            "there is no session of this handle: it has ended, or `--prefix` is another".to_owned()
        }
        (all, count) => format!("{count} of these {all} sessions are not there, or no more"),
    };
    Failure::Refused {
        code: "no_such_session",
        reason,
    }
}

/// For people: its handle, what is known of it, and a line for each key.
fn lines_of(told: &Told<'_>) -> Vec<String> {
    let mut lines = vec![styled(TITLE, &told.found.handle.to_string())];
    let facts = told.facts().into_iter();
    lines.extend(facts.map(|(name, text)| format!("  {}  {text}", fit(name, 9, false))));
    let keys = told.keys();
    if keys.is_empty() && told.entry.is_none_or(|entry| entry.len().is_none()) {
        return lines;
    }
    let longest = keys.iter().map(|key| key.name.chars().count()).max();
    let width = longest.unwrap_or(0).clamp(3, 32);
    let title = format!(
        "  {}  {}  BYTES",
        fit("KEY", width, false),
        fit("TYPE", 16, false)
    );
    lines.push(styled(FAINT, &title));
    for key in keys {
        let (name, kind) = (fit(&key.name, width, false), fit(&key.kind, 16, false));
        let value = key
            .value
            .map_or_else(String::new, |value| format!("  {value}"));
        lines.push(format!("  {name}  {kind}  {:>5}{value}", key.bytes));
    }
    lines
}
