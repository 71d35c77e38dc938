use std::fmt;

/// One thing that is not as it should be. It holds names, sizes and times, and never a key, an id or a cookie's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// A word for programs, as in the table of [the module](crate::doctor).
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about, such as ``cookie `session` ``.
    pub subject: String,
    /// What will happen, and why.
    pub happens: String,
    /// What to change.
    pub fix: String,
}

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It does not work for some visitors, or lets somebody in.
    Problem,
    /// It works until something else goes wrong.
    Warning,
    /// Good to know.
    Note,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Problem => "problem",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// One line.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}: {}; {}",
            self.subject, self.happens, self.fix
        )
    }
}

/// What was found, and what was looked at and is fine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    findings: Vec<Finding>,
    fine: Vec<String>,
}

impl Checkup {
    /// The findings, the worst first.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What is as it should be, in a line each.
    pub fn fine(&self) -> &[String] {
        &self.fine
    }

    /// How bad the worst of it is; none if nothing was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.first().map(|finding| finding.severity)
    }

    /// Adds what another look found.
    pub fn extend(&mut self, other: Self) {
        for finding in other.findings {
            self.add(finding);
        }
        for line in other.fine {
            self.note_fine(line);
        }
    }

    /// The same finding on several pages is one.
    pub(super) fn add(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            let after = |other: &Finding| other.severity <= finding.severity;
            let place = self.findings.partition_point(after);
            self.findings.insert(place, finding);
        }
    }

    pub(super) fn note_fine(&mut self, line: impl Into<String>) {
        let line = line.into();
        if !self.fine.contains(&line) {
            self.fine.push(line);
        }
    }

    /// A finding, or a line that says it is not there.
    pub(super) fn judge(&mut self, finding: Option<Finding>, fine: impl FnOnce() -> String) {
        match finding {
            Some(finding) => self.add(finding),
            None => self.note_fine(fine()),
        }
    }
}

pub(super) fn finding(
    code: &'static str,
    severity: Severity,
    subject: &str,
    happens: impl Into<String>,
    fix: impl Into<String>,
) -> Finding {
    Finding {
        code,
        severity,
        subject: subject.to_owned(),
        happens: happens.into(),
        fix: fix.into(),
    }
}
