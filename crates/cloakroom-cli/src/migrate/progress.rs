//! What people see while it works: a bar on a terminal, a line for each pass of `--follow`, nothing in a pipe.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::pass::Job;
use super::summary::Summary;
use crate::output::Failure;

pub(super) struct Progress(ProgressBar);

const STYLE: &str = "{bar:30} {human_pos} of {human_len} ({per_sec}, {eta} left)";

impl Progress {
    /// Counts the entries first where somebody is watching.
    pub(super) async fn begin(job: &Job) -> Result<Self, Failure> {
        if !io::stderr().is_terminal() {
            return Ok(Self(ProgressBar::hidden()));
        }
        let bar = ProgressBar::with_draw_target(
            Some(job.count_source().await?),
            ProgressDrawTarget::stderr(),
        );
        if let Ok(style) = ProgressStyle::with_template(STYLE) {
            bar.set_style(style);
        }
        Ok(Self(bar))
    }

    pub(super) fn advance(&self, count: usize) {
        self.0.inc(count as u64);
    }

    /// A line for each pass of `--follow`: after the last one the source may be left.
    pub(super) fn pass_is_over(&self, last: bool, summary: &Summary, time: Duration) {
        let name = match last {
            true => "last pass".to_owned(),
            false => format!("pass {}", summary.passes),
        };
        self.0.suspend(|| {
            // Nobody is left to tell if this fails.
            let _ = writeln!(
                io::stderr().lock(),
                "{name}: {} of {} entries changed, {:.1} s",
                summary.changes_last,
                summary.listed_last,
                time.as_secs_f64()
            );
        });
        self.0.reset();
    }

    pub(super) fn end(self) {
        self.0.finish_and_clear();
    }
}
