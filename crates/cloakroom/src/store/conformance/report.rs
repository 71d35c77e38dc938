use std::fmt;

/// What came of a run: every check by name.
///
/// Its text is for people: the failures with what to do about them, then what did not apply and why.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// What the store calls itself.
    pub store: &'static str,
    /// All checks, in the order of the list.
    pub checks: Vec<Checked>,
    /// Whether the races were on several threads: only `#[tokio::test(flavor = "multi_thread")]` has
    /// them, and a driver that never awaits races with nobody without.
    pub several_threads: bool,
}

/// A check and what came of it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Checked {
    /// Such as `deletion/a_late_replace_stays_out`.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The promise is kept.
    Passed,
    /// The promise is broken: which, what happened instead, and what usually helps.
    Failed(String),
    /// The store does not promise this, or the check cannot be made here: why.
    NotApplicable(String),
}

impl Report {
    pub(super) fn new(store: &'static str, checks: Vec<Checked>) -> Self {
        let flavor = tokio::runtime::Handle::current().runtime_flavor();
        Self {
            store,
            checks,
            several_threads: flavor != tokio::runtime::RuntimeFlavor::CurrentThread,
        }
    }

    /// Whether no check failed.
    pub fn conforms(&self) -> bool {
        self.failed().next().is_none()
    }

    /// Names of the checks that passed.
    pub fn passed(&self) -> impl Iterator<Item = &str> {
        self.checks
            .iter()
            .filter(|check| check.outcome == Outcome::Passed)
            .map(|check| check.name.as_str())
    }

    /// Names of the checks that failed, each with its message.
    pub fn failed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            Outcome::Failed(message) => Some((check.name.as_str(), message.as_str())),
            Outcome::Passed | Outcome::NotApplicable(_) => None,
        })
    }

    /// Names of the checks that did not apply, each with the reason.
    pub fn not_applicable(&self) -> impl Iterator<Item = (&str, &str)> {
        self.checks.iter().filter_map(|check| match &check.outcome {
            Outcome::NotApplicable(reason) => Some((check.name.as_str(), reason.as_str())),
            Outcome::Passed | Outcome::Failed(_) => None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {} checks passed, {} failed, {} did not apply",
            self.store,
            self.passed().count(),
            self.failed().count(),
            self.not_applicable().count(),
        )?;
        for (name, message) in self.failed() {
            write!(formatter, "\n  FAILED {name}\n    {message}")?;
        }
        for (name, reason) in self.not_applicable() {
            write!(formatter, "\n  did not apply: {name} ({reason})")?;
        }
        if !self.several_threads {
            formatter.write_str(
                "\n  note: the races were on one thread; run the checks under \
                 `#[tokio::test(flavor = \"multi_thread\")]`",
            )?;
        }
        Ok(())
    }
}
