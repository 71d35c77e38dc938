//! What a migration has come to, in numbers.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::form::Reason;
use super::rule::Why;

/// What became of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Unchanged,
    Copied,
    AlreadyThere,
    Updated,
    Renewed,
    Removed,
    Left(Why),
    Refused(Reason),
    /// It was listed, and had ended when it was asked for.
    Ended,
}

/// What became of all of them. In later passes an entry counts again.
#[derive(Debug, Default)]
pub(super) struct Summary {
    pub(super) listed: u64,
    pub(super) copied: u64,
    pub(super) already_there: u64,
    pub(super) updated: u64,
    pub(super) renewed: u64,
    pub(super) removed: u64,
    pub(super) unchanged: u64,
    pub(super) ended: u64,
    pub(super) changed_in_both: u64,
    pub(super) was_there: u64,
    pub(super) ended_there: u64,
    pub(super) refused: BTreeMap<Reason, u64>,
    /// How often all entries were gone through.
    pub(super) passes: u64,
    /// In the last pass.
    pub(super) listed_last: u64,
    pub(super) changes_last: u64,
    pub(super) refused_last: u64,
    ended_last: u64,
}

/// What was loaded again from both stores at the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) checked: u64,
    pub(super) same: u64,
    /// A visitor was there since.
    pub(super) changed_since: u64,
    pub(super) missing: u64,
    pub(super) other_lifetime: u64,
}

impl Sample {
    pub(super) fn is_good(&self) -> bool {
        self.missing == 0 && self.other_lifetime == 0
    }
}

/// How many live entries there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counts {
    /// As the last pass found them.
    pub(super) from: u64,
    /// Not where the target cannot list.
    pub(super) to: Option<u64>,
}

impl Summary {
    pub(super) fn begin_pass(&mut self) {
        self.passes += 1;
        (self.listed_last, self.changes_last) = (0, 0);
        (self.refused_last, self.ended_last) = (0, 0);
    }

    pub(super) fn listed(&mut self, count: usize) {
        self.listed += count as u64;
        self.listed_last += count as u64;
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        let is_change = !matches!(
            outcome,
            Outcome::Unchanged | Outcome::Ended | Outcome::Refused(_)
        );
        self.changes_last += u64::from(is_change);
        self.ended_last += u64::from(outcome == Outcome::Ended);
        *match outcome {
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Copied => &mut self.copied,
            Outcome::AlreadyThere => &mut self.already_there,
            Outcome::Updated => &mut self.updated,
            Outcome::Renewed => &mut self.renewed,
            Outcome::Removed => &mut self.removed,
            Outcome::Ended => &mut self.ended,
            Outcome::Left(Why::ChangedInBoth) => &mut self.changed_in_both,
            Outcome::Left(Why::WasThere) => &mut self.was_there,
            Outcome::Left(Why::EndedThere) => &mut self.ended_there,
            Outcome::Refused(reason) => {
                self.refused_last += 1;
                self.refused.entry(reason).or_default()
            }
        } += 1;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.refused_last == 0
    }

    /// How many entries the source had in the last pass.
    pub(super) fn live(&self) -> u64 {
        self.listed_last.saturating_sub(self.ended_last)
    }

    /// The numbers that are not zero, for people.
    pub(super) fn lines(&self) -> Vec<String> {
        let rows = [
            (self.updated, "changed in the source since and copied again"),
            (
                self.renewed,
                "got the longer life that they have in the source",
            ),
            (self.removed, "ended in the source since and removed"),
            (self.already_there, "there already, the same"),
            (self.unchanged, "unchanged since they were copied"),
            (self.changed_in_both, "changed in both: the target's stayed"),
            (
                self.was_there,
                "there already or deleted there: the target's stayed",
            ),
            (
                self.ended_there,
                "ended in the target since they were copied",
            ),
            (self.ended, "ended while they were listed"),
        ];
        let rows = rows.into_iter().filter(|(count, _)| *count > 0);
        let mut lines: Vec<_> = rows
            .map(|(count, text)| format!("{count:>9} {text}"))
            .collect();
        for (reason, count) in &self.refused {
            lines.push(format!("{count:>9} refused: {reason}"));
        }
        lines
    }

    pub(super) fn json(&self) -> Map<String, Value> {
        let Value::Object(json) = json!({
            "listed": self.listed,
            "copied": self.copied,
            "already_there": self.already_there,
            "updated": self.updated,
            "renewed": self.renewed,
            "removed": self.removed,
            "unchanged": self.unchanged,
            "ended": self.ended,
            "changed_in_both": self.changed_in_both,
            "was_there": self.was_there,
            "ended_there": self.ended_there,
            "refused": self.refused,
            "passes": self.passes,
            "changes_in_the_last_pass": self.changes_last,
        }) else {
            return Map::new();
        };
        json
    }
}

/// Entries in a second.
pub(super) fn rate(entries: u64, time: Duration) -> u64 {
    let milliseconds = time.as_millis().max(1);
    u64::try_from(u128::from(entries) * 1000 / milliseconds).unwrap_or(u64::MAX)
}
