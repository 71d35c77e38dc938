//! How many sessions began when, by the hour, shown by whatever gives a chart of a few dozen bars.

use std::collections::BTreeMap;

use crate::units::utc;

const HOUR: u64 = 3600;
/// So many hours are told apart at most: five years. What falls on others is counted and not shown.
const MOST_HOURS: usize = 5 * 366 * 24;
/// So many bars at most.
const MOST_BARS: u64 = 48;
/// What a bar may stand for: hours, and a name.
const STEPS: [(u64, &str); 6] = [
    (1, "hour"),
    (6, "six hours"),
    (24, "day"),
    (7 * 24, "week"),
    (30 * 24, "30 days"),
    (365 * 24, "365 days"),
];

#[derive(Default)]
pub(super) struct Timeline {
    hours: BTreeMap<u64, u64>,
    pub(super) known: u64,
}

/// The bars of a chart.
pub(super) struct OverTime {
    /// What one of them stands for.
    pub(super) step: &'static str,
    /// When it begins, UTC, and how many there are, the oldest first.
    pub(super) bars: Vec<(String, u64)>,
    /// How many are older than the first.
    pub(super) before: u64,
}

impl Timeline {
    /// A session that began then, in seconds since 1970.
    pub(super) fn add(&mut self, began: u64) {
        self.known += 1;
        let hour = began / HOUR;
        if let Some(count) = self.hours.get_mut(&hour) {
            *count += 1;
        } else if self.hours.len() < MOST_HOURS {
            self.hours.insert(hour, 1);
        }
    }

    /// None if there is nothing to show.
    pub(super) fn bars(&self, now: u64) -> Option<OverTime> {
        let (first, last) = (*self.hours.keys().next()?, now / HOUR);
        let fits =
            |(step, _): &&(u64, &str)| (last / step).saturating_sub(first / step) < MOST_BARS;
        let (step, name) = STEPS
            .iter()
            .find(fits)
            .copied()
            .unwrap_or((365 * 24, "365 days"));
        let end = last / step;
        let start = (first / step).max((end + 1).saturating_sub(MOST_BARS));
        let mut bars: Vec<(String, u64)> = (start..=end)
            .map(|place| (label(place * step * HOUR, step), 0))
            .collect();
        let mut before = 0;
        for (hour, count) in &self.hours {
            let place = (hour / step).checked_sub(start).map(usize::try_from);
            match place {
                Some(Ok(place)) if place < bars.len() => bars[place].1 += count,
                _ => before += count,
            }
        }
        Some(OverTime {
            step: name,
            bars,
            before,
        })
    }
}

fn label(seconds: u64, step: u64) -> String {
    let text = utc(seconds).map(|text| text.replace('T', " "));
    let length = if step < 24 {
        "2026-11-21 14:00"
    } else {
        "2026-11-21"
    }
    .len();
    text.and_then(|text| Some(text.get(..length)?.to_owned()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_763_733_600;

    #[test]
    fn bars_are_as_wide_as_the_time_asks_for() {
        let mut timeline = Timeline::default();
        assert!(timeline.bars(NOW).is_none());
        timeline.add(NOW - 10);
        timeline.add(NOW - 2 * HOUR);
        let bars = timeline.bars(NOW).expect("there are two");
        assert_eq!((bars.step, bars.before), ("hour", 0));
        let expected = [
            ("2025-11-21 12:00", 1),
            ("2025-11-21 13:00", 1),
            ("2025-11-21 14:00", 0),
        ];
        let expected = expected.map(|(label, count)| (label.to_owned(), count));
        assert_eq!(bars.bars, expected);
        timeline.add(NOW - 30 * 24 * HOUR);
        let bars = timeline.bars(NOW).expect("there are three");
        assert_eq!((bars.step, bars.bars.len()), ("day", 31));
        assert_eq!(bars.bars[0], ("2025-10-22".to_owned(), 1));
        timeline.add(0);
        let bars = timeline.bars(NOW).expect("there are four");
        assert_eq!((bars.step, bars.before), ("365 days", 1));
        assert_eq!(bars.bars.iter().map(|(_, count)| count).sum::<u64>(), 3);
    }
}
