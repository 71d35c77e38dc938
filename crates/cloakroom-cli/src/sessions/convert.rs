//! `cloakroom sessions convert`.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use clap::{Args, ValueEnum};
use cloakroom::store::Store;
use cloakroom::{Conversion, Layout, SessionConfig, SessionManager, StoredLayout, UserSessions};
use indicatif::{ProgressBar, ProgressStyle};

use super::scan::{Scan, Sight};
use super::{PlaceArguments, about, failed_for};
use crate::confirm::confirm;
use crate::output::{Answer, Failure};
use crate::runtime::{each, wait_for};
use crate::units::{self, Count, sessions};

/// Move sessions from Flask's layout to a native one, in the same store
///
/// It can be done while the application serves, and visitors keep their cookies: every one of its servers has to accept
/// both layouts (`SessionConfig::accept_layout`), and Flask must serve none of these sessions any more. There is no way back.
#[derive(Args)]
pub(crate) struct ConvertArguments {
    #[command(flatten)]
    place: PlaceArguments,

    /// The name of the sessions' cookie, which is a part of native keys
    #[arg(long, value_name = "NAME", default_value = "session")]
    cookie_name: String,

    /// What entries are to look like: the application's `SessionConfig::layout`
    #[arg(long, value_enum, default_value_t = Target::Native)]
    to: Target,

    /// Only say how many would move
    #[arg(long)]
    dry_run: bool,

    /// Do not ask whether all servers accept both layouts
    #[arg(long)]
    yes: bool,

    /// For how long no slow request can bring the old entry back
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::duration)]
    tombstone: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// Nobody can log in with what is in the store
    Native,
    /// Nor read it
    Sealed,
}

/// So many entries are on their way at a time.
const AT_ONCE: usize = 32;

pub(crate) fn convert(arguments: ConvertArguments) -> Result<Answer, Failure> {
    wait_for(async {
        let mut scan = Scan::open(&arguments.place).await?;
        if arguments.dry_run {
            let count = count(&mut scan).await?;
            let mut answer = about(scan.store(), format!("{} would move", sessions(count)));
            answer.json.insert("would_move".to_owned(), count.into());
            return Ok(answer);
        }
        let manager = arguments.manager(scan.store())?;
        confirm(
            arguments.yes,
            "A server that accepts no native layout takes visitors whose sessions have moved for strangers.",
            "a server that does not accept both layouts logs everybody out",
        )?;
        let progress = spinner();
        let mut tally = Tally::default();
        while let Some(page) = scan.page().await? {
            let converted = each(page, AT_ONCE, |listed| {
                let manager = manager.clone();
                async move { manager.convert(&listed.key).await.map_err(failed_for) }
            });
            converted.await?.into_iter().for_each(|one| tally.note(one));
            progress.set_position(tally.moved);
        }
        progress.finish_and_clear();
        tally.answer(scan.store())
    })
}

impl ConvertArguments {
    fn manager(&self, store: &Store) -> Result<SessionManager, Failure> {
        let layout = match self.to {
            Target::Native => Layout::Native,
            Target::Sealed => Layout::Sealed,
        };
        let config = SessionConfig::default()
            .key_prefix(&self.place.prefix)
            .cookie_name(&self.cookie_name)
            // No cookie is set here, and some names ask for it.
            .secure(true)
            .layout(layout)
            .accept_layout(Layout::Flask)
            .tombstone(self.tombstone)
            // Keeps the lists of users' sessions right; where there are none it changes nothing.
            .user_sessions(UserSessions::new());
        SessionManager::stored(store.clone(), config)
            .map_err(|error| Failure::Misuse(error.to_string()))
    }
}

/// What came of the entries.
#[derive(Default)]
struct Tally {
    moved: u64,
    /// Why others stay as they are.
    refused: BTreeMap<&'static str, u64>,
}

impl Tally {
    fn note(&mut self, conversion: Conversion) {
        match conversion {
            Conversion::Done => self.moved += 1,
            Conversion::Refused(refusal) => *self.refused.entry(refusal.code()).or_default() += 1,
            _ => {}
        }
    }

    fn answer(self, store: &Store) -> Result<Answer, Failure> {
        let left: u64 = self.refused.values().sum();
        let mut answer = about(store, format!("moved {}", sessions(self.moved)));
        answer.json.insert("moved".to_owned(), self.moved.into());
        answer.json.insert("left_alone".to_owned(), left.into());
        if left == 0 {
            return Ok(answer);
        }
        for (reason, count) in &self.refused {
            answer.notes.push(match count {
                1 => format!("1 entry stays as it is: {reason}"),
                _ => format!("{} entries stay as they are: {reason}", Count(*count)),
            });
        }
        Err(Failure::Incomplete(Box::new(answer)))
    }
}

/// How many are in Flask's layout.
async fn count(scan: &mut Scan) -> Result<u64, Failure> {
    let mut count = 0;
    while let Some(page) = scan.page().await? {
        scan.load(page, |_, record| {
            if let Sight::Session(entry) = Sight::of(&record) {
                count += u64::from(matches!(entry.layout(), StoredLayout::Flask(_)));
            }
            true
        })
        .await?;
    }
    Ok(count)
}

/// What people see meanwhile; nothing in a pipe.
fn spinner() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let spinner = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{human_pos} moved ({per_sec})") {
        Ok(style) => spinner.with_style(style),
        Err(_) => spinner,
    }
}
