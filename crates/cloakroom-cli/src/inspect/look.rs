//! One way through the whole store, in the background, and the figures that grow meanwhile.

use std::sync::Arc;

use cloakroom::store::{Listed, Record};

use super::server::Inspection;
use super::timeline::Timeline;
use crate::input;
use crate::output::Failure;
use crate::sessions::figures::Figures;
use crate::sessions::filter::Identity;

/// What has been seen so far.
pub(super) struct Look {
    pub(super) figures: Figures,
    pub(super) timeline: Timeline,
    /// Entries, of which some are no sessions.
    pub(super) looked: u64,
    pub(super) progress: Progress,
    /// In unix seconds.
    pub(super) began: u64,
}

pub(super) enum Progress {
    UnderWay,
    Whole,
    /// There is more than `--limit` says.
    Cut,
    Failed(String),
}

impl Look {
    pub(super) fn new() -> Self {
        Self {
            figures: Figures::new(true),
            timeline: Timeline::default(),
            looked: 0,
            progress: Progress::UnderWay,
            began: input::now(None),
        }
    }

    fn add(&mut self, listed: Listed, record: &Record, identity: &Identity, now: u64) {
        self.looked += 1;
        let found = self.figures.look(listed, record, identity, now);
        let age = found.and_then(|found| found.inside?.age);
        if let Some(age) = age {
            self.timeline.add(now.saturating_sub(age.as_secs()));
        }
    }
}

/// Begins to look, for as long as the program runs.
pub(super) fn begin(inspection: Arc<Inspection>) {
    tokio::spawn(async move {
        let progress = match through(&inspection).await {
            Ok(progress) => progress,
            Err(failure) => Progress::Failed(failure.reason().to_owned()),
        };
        inspection.look().progress = progress;
    });
}

/// Begins again, unless somebody is looking.
pub(super) fn again(inspection: &Arc<Inspection>) {
    {
        let mut look = inspection.look();
        if matches!(look.progress, Progress::UnderWay) {
            return;
        }
        *look = Look::new();
    }
    begin(inspection.clone());
}

async fn through(inspection: &Inspection) -> Result<Progress, Failure> {
    let mut scan = inspection.scan.clone();
    let mut room = usize::try_from(inspection.limit).unwrap_or(usize::MAX);
    while let Some(mut page) = scan.page().await? {
        let is_cut = page.len() > room;
        page.truncate(room);
        room -= page.len();
        let now = input::now(None);
        scan.load(page, |listed, record| {
            let mut look = inspection.look();
            look.add(listed, &record, &inspection.identity, now);
            true
        })
        .await?;
        if is_cut {
            return Ok(Progress::Cut);
        }
    }
    Ok(Progress::Whole)
}
