//! `cloakroom sessions revoke`.

use std::io::{self, BufRead, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use cloakroom::store::{Listed, StoreErrorKind};
use cloakroom::{Handle, SessionConfig, SessionManager, UserSessions};
use tokio::task::JoinSet;

use super::filter::Identity;
use super::scan::{LISTS, Scan, Sight, handles};
use super::show::missing;
use super::{PlaceArguments, about, failed_for};
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::store::failed;
use crate::units::{self, Count};

#[derive(Args)]
pub(crate) struct RevokeArguments {
    #[command(flatten)]
    place: PlaceArguments,

    #[command(flatten)]
    identity: Identity,

    /// The handles of the sessions to end, as `sessions list` shows them
    #[arg(value_name = "HANDLE", required_unless_present_any = ["subject", "all"])]
    handles: Vec<String>,

    /// End all sessions of this user
    #[arg(long, value_name = "NAME", conflicts_with_all = ["handles", "all"])]
    subject: Option<String>,

    /// End the sessions of everybody
    #[arg(long, conflicts_with = "handles")]
    all: bool,

    /// Do not ask whether everybody's are meant
    #[arg(long)]
    yes: bool,

    /// Only say how many would end
    #[arg(long)]
    dry_run: bool,

    /// For how long no slow request can bring an ended session back
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = units::duration)]
    tombstone: Duration,
}

/// So many entries are deleted at a time.
const AT_ONCE: usize = 16;

pub(crate) fn revoke(arguments: RevokeArguments) -> Result<Answer, Failure> {
    wait_for(async {
        let wanted = handles(&arguments.handles)?;
        let mut revocation = Revocation::open(&arguments).await?;
        let (ended, gone) = match &arguments.subject {
            Some(subject) => (revocation.end_subject(subject).await?, 0),
            None if arguments.all => (revocation.end_all().await?, 0),
            None => revocation.end_named(wanted).await?,
        };
        if gone > 0 && ended == 0 {
            return Err(missing(&arguments.handles, gone));
        }
        let sessions = if ended == 1 { "session" } else { "sessions" };
        let text = match arguments.dry_run {
            true => format!("{} {sessions} would end", Count(ended)),
            false => format!("ended {} {sessions}", Count(ended)),
        };
        let mut answer = about(revocation.scan.store(), text);
        let field = if arguments.dry_run {
            "would_end"
        } else {
            "ended"
        };
        answer.json.insert(field.to_owned(), ended.into());
        answer.json.insert("not_found".to_owned(), gone.into());
        answer.notes = revocation.notes;
        if gone > 0 {
            answer
                .notes
                .push(format!("{gone} of the handles are of no session here"));
        }
        Ok(answer)
    })
}

struct Revocation<'a> {
    arguments: &'a RevokeArguments,
    scan: Scan,
    /// Keeps the lists of users' sessions right; where there are none it changes nothing.
    manager: SessionManager,
    notes: Vec<String>,
}

impl<'a> Revocation<'a> {
    async fn open(arguments: &'a RevokeArguments) -> Result<Self, Failure> {
        let scan = Scan::open(&arguments.place).await?;
        let config = SessionConfig::default()
            .key_prefix(&arguments.place.prefix)
            .tombstone(arguments.tombstone)
            .user_sessions(UserSessions::new());
        let manager = SessionManager::stored(scan.store().clone(), config)
            .map_err(|error| Failure::Misuse(error.to_string()))?;
        Ok(Self {
            arguments,
            scan,
            manager,
            notes: Vec::new(),
        })
    }

    /// Those of the handles, and how many of them are none's.
    async fn end_named(&mut self, mut wanted: Vec<Handle>) -> Result<(u64, usize), Failure> {
        wanted.sort_unstable();
        wanted.dedup();
        let mut ended = 0;
        while !wanted.is_empty()
            && let Some(page) = self.scan.page().await?
        {
            let named = |listed: &Listed| wanted.contains(&Handle::of_key(&listed.key));
            let page: Vec<Listed> = page.into_iter().filter(named).collect();
            let mut found = Vec::new();
            self.scan
                .load(page, |listed, record| {
                    let handle = Handle::of_key(&listed.key);
                    let of_user = match Sight::of(&record) {
                        Sight::NoSession => return true,
                        Sight::Unreadable => None,
                        Sight::Session(entry) => entry.subject().zip(entry.listed_as()),
                    };
                    wanted.retain(|wanted| *wanted != handle);
                    found.push((listed.key, of_user));
                    true
                })
                .await?;
            ended += found.len() as u64;
            if self.arguments.dry_run {
                continue;
            }
            for (_, of_user) in &found {
                if let Some((subject, listed_as)) = of_user {
                    let listed = self.manager.end_session_of(subject, listed_as).await;
                    listed.map_err(failed_for)?;
                }
            }
            self.delete(found.into_iter().map(|(key, _)| key)).await?;
        }
        Ok((ended, wanted.len()))
    }

    /// What is on the user's list, and what else says that it is the user's.
    async fn end_subject(&mut self, subject: &str) -> Result<u64, Failure> {
        let mut ended = 0;
        if !self.arguments.dry_run {
            let listed = self.manager.end_sessions_of(subject).await;
            ended += listed.map_err(failed_for)? as u64;
            if self.scan.store().name() == "memcached" {
                self.notes.push(
                    "memcached has no list of what it holds: what is not on the user's own list lives on"
                        .to_owned(),
                );
                return Ok(ended);
            }
        }
        while let Some(page) = self.scan.page().await? {
            let mut found = Vec::new();
            self.scan
                .load(page, |listed, record| {
                    if let Sight::Session(entry) = Sight::of(&record)
                        && self.arguments.identity.subject(&entry).as_deref() == Some(subject)
                    {
                        found.push(listed.key);
                    }
                    true
                })
                .await?;
            ended += found.len() as u64;
            if !self.arguments.dry_run {
                self.delete(found).await?;
            }
        }
        Ok(ended)
    }

    async fn end_all(&mut self) -> Result<u64, Failure> {
        let count = self.count().await?;
        if self.arguments.dry_run || count == 0 && !self.keeps_lists().await? {
            return Ok(count);
        }
        self.confirm(count)?;
        if self.keeps_lists().await? {
            let ended = self.manager.end_everything().await;
            ended.map_err(failed_for)?;
        }
        // Also what began while the others were ended.
        self.scan.rewind();
        while let Some(page) = self.scan.page_of_sessions().await? {
            self.delete(page.into_iter().map(|listed| listed.key))
                .await?;
        }
        Ok(count)
    }

    async fn count(&mut self) -> Result<u64, Failure> {
        let mut count = 0;
        while let Some(page) = self.scan.page_of_sessions().await? {
            count += page.len() as u64;
        }
        Ok(count)
    }

    /// Whether the application keeps lists of its users' sessions in this store: then it is also noted that all
    /// that began before have ended.
    async fn keeps_lists(&self) -> Result<bool, Failure> {
        let prefix = [LISTS, &self.arguments.place.prefix].concat();
        let mut from = None;
        loop {
            let page = match self.scan.store().list(&prefix, from, 1000).await {
                Ok(page) => page,
                // Nobody can say, and there is no harm in a note that nobody reads.
                Err(error) if error.kind() == StoreErrorKind::Refused => return Ok(true),
                Err(error) => return Err(failed(error)),
            };
            from = page.next;
            if !page.entries.is_empty() || from.is_none() {
                return Ok(!page.entries.is_empty());
            }
        }
    }

    fn confirm(&self, count: u64) -> Result<(), Failure> {
        if self.arguments.yes {
            return Ok(());
        }
        let refusal = |text: &str| Err(Failure::Misuse(text.to_owned()));
        if !io::stdin().is_terminal() {
            return refusal("this logs everybody out: say --yes if it is meant");
        }
        let mut stderr = io::stderr().lock();
        let asked = write!(
            stderr,
            "This ends all {} sessions. Type yes to go on: ",
            Count(count)
        )
        .and_then(|()| stderr.flush());
        let mut answer = String::new();
        match asked.and_then(|()| io::stdin().lock().read_line(&mut answer)) {
            Ok(_) if answer.trim() == "yes" => Ok(()),
            _ => refusal("nothing has been done"),
        }
    }

    /// Deletes entries and leaves tombstones.
    async fn delete(&self, keys: impl IntoIterator<Item = String>) -> Result<(), Failure> {
        let mut keys = keys.into_iter();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < AT_ONCE
                && let Some(key) = keys.next()
            {
                let (store, tombstone) = (self.scan.store().clone(), self.arguments.tombstone);
                under_way.spawn(async move { store.delete(&key, None, tombstone).await });
            }
            match under_way.join_next().await {
                None => return Ok(()),
                Some(Ok(Err(cloakroom::store::DeleteError::Failed(error)))) => {
                    return Err(failed(error));
                }
                // Nothing was expected there, so nothing else can be wrong.
                Some(Ok(_)) => {}
                Some(Err(_)) => return Err(Failure::Misuse("the program is ending".to_owned())),
            }
        }
    }
}
