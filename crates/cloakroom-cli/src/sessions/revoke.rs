//! `cloakroom sessions revoke`.

use std::time::Duration;

use clap::Args;

use super::filter::Identity;
use super::revocation::Revocation;
use super::scan::{Scan, handles};
use super::show::missing;
use super::{PlaceArguments, about};
use crate::confirm::confirm;
use crate::output::{Answer, Failure};
use crate::runtime::wait_for;
use crate::units::{self, Count, sessions};

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

pub(crate) fn revoke(arguments: RevokeArguments) -> Result<Answer, Failure> {
    wait_for(async {
        let wanted = handles(&arguments.handles)?;
        let scan = Scan::open(&arguments.place).await?;
        let (prefix, tombstone) = (&arguments.place.prefix, arguments.tombstone);
        let mut revocation = Revocation::new(scan, prefix, &arguments.identity, tombstone)?
            .dry_run(arguments.dry_run);
        let (ended, gone) = match &arguments.subject {
            Some(subject) => (revocation.end_subject(subject).await?, 0),
            None if arguments.all => (
                revocation
                    .end_all(|count| {
                        let question = format!("This ends all {} sessions.", Count(count));
                        confirm(arguments.yes, &question, "this logs everybody out")
                    })
                    .await?,
                0,
            ),
            None => revocation.end_named(wanted).await?,
        };
        if gone > 0 && ended == 0 {
            return Err(missing(&arguments.handles, gone));
        }
        let text = match arguments.dry_run {
            true => format!("{} would end", sessions(ended)),
            false => format!("ended {}", sessions(ended)),
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
