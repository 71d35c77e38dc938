//! Rows that are answered differently from Python on purpose: which ones, told by a rule, and why.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::Value as Json;

/// Why rows of a kind are answered differently.
#[derive(Clone, Copy)]
pub(crate) struct Rule {
    reason: &'static str,
    /// Whether every row of the kind differs, or only some of them do.
    always: bool,
    covers: fn(&Json) -> bool,
    /// The repository's own rows that are meant, by their labels. Each has to differ.
    rows: &'static [&'static str],
    /// Whether only rows that are not in the repository are meant.
    elsewhere: bool,
}

impl Rule {
    /// Every row that is covered has to differ.
    pub(crate) const fn always(
        reason: &'static str,
        covers: fn(&Json) -> bool,
        rows: &'static [&'static str],
    ) -> Self {
        Self {
            reason,
            always: true,
            covers,
            rows,
            elsewhere: false,
        }
    }

    /// Rows that are covered may differ.
    pub(crate) const fn sometimes(
        reason: &'static str,
        covers: fn(&Json) -> bool,
        rows: &'static [&'static str],
    ) -> Self {
        Self {
            reason,
            always: false,
            covers,
            rows,
            elsewhere: false,
        }
    }

    /// Rows that are covered may differ, and those of the repository are not among them.
    #[allow(dead_code, reason = "each test file uses a part of it")]
    pub(crate) const fn elsewhere(reason: &'static str, covers: fn(&Json) -> bool) -> Self {
        let rule = Self::sometimes(reason, covers, &[]);
        Self {
            elsewhere: true,
            ..rule
        }
    }

    /// The same rule where other rows are meant.
    pub(crate) const fn rows(self, rows: &'static [&'static str]) -> Self {
        Self {
            rows,
            elsewhere: rows.is_empty(),
            ..self
        }
    }
}

/// Compares rows and keeps what went wrong, so that one run shows all of it.
pub(crate) struct Differences {
    rules: Vec<Rule>,
    met: Vec<BTreeSet<String>>,
    failures: Vec<String>,
}

impl Differences {
    pub(crate) fn new(rules: impl Into<Vec<Rule>>) -> Self {
        let rules = rules.into();
        Self {
            met: vec![BTreeSet::new(); rules.len()],
            rules,
            failures: Vec::new(),
        }
    }

    /// Takes what is different about a row, if anything is: a rule has to cover it.
    pub(crate) fn check(&mut self, label: &str, row: &Json, difference: Option<String>) {
        let covering: Vec<usize> = (0..self.rules.len())
            .filter(|rule| (self.rules[*rule].covers)(row))
            .collect();
        match difference {
            Some(difference) if covering.is_empty() => {
                self.failures
                    .push(format!("{difference}, and no rule says so: {row}"));
            }
            Some(_) => {
                for rule in covering {
                    self.met[rule].insert(label.to_owned());
                }
            }
            None => {
                for rule in covering {
                    if self.rules[rule].always {
                        let reason = self.rules[rule].reason;
                        self.failures
                            .push(format!("answered as in Python, although {reason}: {row}"));
                    }
                }
            }
        }
    }

    /// Fails if a row did, or if a rule was not met by the rows it names.
    #[track_caller]
    pub(crate) fn finish(mut self) {
        for (rule, met) in self.rules.iter().zip(&self.met) {
            let reason = rule.reason;
            if met.is_empty() && rule.rows.is_empty() && !rule.elsewhere {
                self.failures
                    .push(format!("no row differs because {reason}"));
            }
            for label in rule.rows.iter().filter(|label| !met.contains(**label)) {
                self.failures.push(format!(
                    "the row {label:?} does not differ because {reason}"
                ));
            }
        }
        let mut shown = String::new();
        for failure in self.failures.iter().take(20) {
            let end = failure.floor_char_boundary(1500);
            writeln!(shown, "- {}", &failure[..end]).unwrap();
        }
        let count = self.failures.len();
        assert!(count == 0, "{count} of the rows and rules fail:\n{shown}");
    }
}

/// What is different about an answer, when it is not the same.
pub(crate) fn unless(same: bool, answer: impl std::fmt::Debug) -> Option<String> {
    (!same).then(|| format!("the answer is {answer:?}"))
}

/// Python sorts such a text where its first half would stand.
pub(crate) const HALVES_OF_A_CHARACTER: Rule = Rule::sometimes(
    "two surrogates that make a character are that character, in the order of keys as well",
    |row| {
        let text = row.to_string();
        text.split("\"$str_codepoints\":[").skip(1).any(|points| {
            let points = points.split(']').next().unwrap_or_default();
            let points: Vec<u32> = points
                .split(',')
                .map(|point| point.parse().unwrap())
                .collect();
            points.windows(2).any(|pair| {
                (0xd800..0xdc00).contains(&pair[0]) && (0xdc00..0xe000).contains(&pair[1])
            })
        })
    },
    &["key of two surrogates that make a character"],
);

/// Markup of something else than text, as tagged JSON could hold it.
pub(crate) const MARKUP_OF_NO_TEXT: &str =
    "Markup is never written of anything but text; what is read is not Python's repr()";

pub(crate) fn has_markup_of_no_text(json: &str) -> bool {
    let contents = json.split("\" m\":").skip(1).map(str::trim_start);
    contents
        .into_iter()
        .any(|content| content.starts_with(['[', '{']))
}

/// A UUID that only Python's `int()` reads.
pub(crate) const ODD_UUID: &str =
    "a UUID is hexadecimal digits; Python's int() reads signs, underscores, other scripts";

pub(crate) fn has_odd_uuid(json: &str) -> bool {
    json.split("\" u\":\"").skip(1).any(|content| {
        let text = content.split('"').next().unwrap_or_default();
        let text = text.replace("urn:", "").replace("uuid:", "");
        let known = |letter: char| letter.is_ascii_hexdigit() || "{}-".contains(letter);
        !text.chars().all(known)
    })
}
