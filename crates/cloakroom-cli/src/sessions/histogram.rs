//! Sizes and times in classes, and bars for people.

use crate::terminal::{BAR, fit, styled};
use crate::units::{Count, Short, Size};
use serde_json::{Value, json};
use std::time::Duration;

/// How many are in each class; classes end with their limit, the last has none.
pub(crate) struct Histogram {
    limits: &'static [u64],
    unit: Unit,
    counts: Vec<u64>,
}

/// One class, as people read it.
pub(crate) struct Class {
    pub(crate) label: String,
    /// The most that is in it; the last has none.
    pub(crate) limit: Option<u64>,
    pub(crate) count: u64,
}

#[derive(Clone, Copy)]
enum Unit {
    Bytes,
    Seconds,
}

const SIZES: &[u64] = &[
    128,
    256,
    512,
    1 << 10,
    2 << 10,
    4 << 10,
    16 << 10,
    64 << 10,
    256 << 10,
    1 << 20,
];
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const TIMES: &[u64] = &[
    300,
    HOUR,
    6 * HOUR,
    DAY,
    7 * DAY,
    31 * DAY,
    90 * DAY,
    365 * DAY,
];
/// The longest bar.
const WIDTH: u64 = 32;

impl Histogram {
    pub(crate) fn of_sizes() -> Self {
        Self::new(SIZES, Unit::Bytes)
    }

    pub(crate) fn of_times() -> Self {
        Self::new(TIMES, Unit::Seconds)
    }

    fn new(limits: &'static [u64], unit: Unit) -> Self {
        Self {
            limits,
            unit,
            counts: vec![0; limits.len() + 1],
        }
    }

    pub(crate) fn add(&mut self, amount: u64) {
        let class = self.limits.partition_point(|limit| *limit < amount);
        self.counts[class] += 1;
    }

    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The classes from the first to the last that has any.
    pub(crate) fn classes(&self) -> Vec<Class> {
        let first = self.counts.iter().position(|count| *count > 0);
        let last = self.counts.iter().rposition(|count| *count > 0);
        let (Some(first), Some(last)) = (first, last) else {
            return Vec::new();
        };
        (first..=last).map(|class| self.class(class)).collect()
    }

    /// A line for each of them.
    pub(crate) fn lines(&self) -> Vec<String> {
        let classes = self.classes();
        let most = classes.iter().map(|class| class.count).max().unwrap_or(0);
        let lines = classes.iter().map(|class| {
            let label = fit(&class.label, 12, true);
            format!(
                "{label}  {}  {}",
                bar(class.count, most),
                Count(class.count)
            )
        });
        lines.collect()
    }

    /// `[{"up_to": 128, "count": 3}, …]`, the last class without a limit.
    pub(crate) fn json(&self) -> Value {
        let classes = (0..self.counts.len()).map(|class| self.class(class));
        classes
            .map(|class| json!({ "up_to": class.limit, "count": class.count }))
            .collect()
    }

    fn class(&self, class: usize) -> Class {
        Class {
            label: self.label(class),
            limit: self.limits.get(class).copied(),
            count: self.counts[class],
        }
    }

    fn label(&self, class: usize) -> String {
        let write = |limit: u64| match self.unit {
            Unit::Bytes => Size(limit).to_string().replace(".0 ", " "),
            Unit::Seconds => Short(Duration::from_secs(limit)).to_string(),
        };
        match self.limits.get(class) {
            Some(limit) => format!("<= {}", write(*limit)),
            None => format!("> {}", write(self.limits.last().copied().unwrap_or(0))),
        }
    }
}

/// A bar as long as its share of the most, and never none for some.
pub(crate) fn bar(count: u64, most: u64) -> String {
    let eighths = match (count, most) {
        (0, _) | (_, 0) => 0,
        _ => (count.saturating_mul(WIDTH * 8) / most).max(1),
    };
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let (whole, rest) = (eighths / 8, eighths % 8);
    let text: String = (0..whole).map(|_| '█').collect();
    let text = text + part.get(usize::try_from(rest).unwrap_or(0)).unwrap_or(&"");
    styled(BAR, &fit(&text, 32, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_end_with_their_limit() {
        let mut sizes = Histogram::of_sizes();
        for size in [0, 128, 129, 256, (1 << 20) + 1, u64::MAX] {
            sizes.add(size);
        }
        assert_eq!(sizes.counts[..3], [2, 2, 0]);
        assert_eq!(sizes.counts[10], 2);
        assert_eq!(sizes.total(), 6);
        assert!(Histogram::of_times().lines().is_empty());
    }
}
