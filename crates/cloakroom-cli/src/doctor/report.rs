//! How findings are told.

use cloakroom::doctor::{Checkup, Finding, Severity};
use serde_json::{Map, Value, json};

use crate::output::{Answer, Failure};

/// Exit code 1 if there is a problem among the findings, else 0.
pub(super) fn answer(checkup: &Checkup, verbose: bool) -> Result<Answer, Failure> {
    let text = text(checkup, verbose);
    let json = Map::from_iter([
        (
            "findings".to_owned(),
            checkup.findings().iter().map(as_json).collect(),
        ),
        ("fine".to_owned(), checkup.fine().into()),
    ]);
    match checkup.worst() {
        Some(Severity::Problem) => Err(Failure::Found { text, json }),
        _ => Ok(Answer {
            text,
            json,
            session: None,
            notes: Vec::new(),
        }),
    }
}

fn as_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.as_str(),
        "subject": finding.subject,
        "happens": finding.happens,
        "fix": finding.fix,
    })
}

fn text(checkup: &Checkup, verbose: bool) -> String {
    let mut lines = Vec::new();
    for finding in checkup.findings() {
        let Finding {
            code,
            severity,
            subject,
            happens,
            fix,
            ..
        } = finding;
        lines.push(format!("{:<8} {code}: {subject}", severity.as_str()));
        lines.push(format!("         {happens}"));
        lines.push(format!("         To do: {fix}"));
    }
    if verbose {
        lines.extend(checkup.fine().iter().map(|line| format!("fine     {line}")));
    }
    lines.push(summary(checkup.findings()));
    lines.join("\n")
}

fn summary(findings: &[Finding]) -> String {
    let counted = [Severity::Problem, Severity::Warning, Severity::Note].map(|severity| {
        let count = findings
            .iter()
            .filter(|finding| finding.severity == severity)
            .count();
        let plural = if count == 1 { "" } else { "s" };
        (count > 0).then(|| format!("{count} {severity}{plural}"))
    });
    let counted: Vec<String> = counted.into_iter().flatten().collect();
    match counted.is_empty() {
        true => "nothing found".to_owned(),
        false => counted.join(", "),
    }
}
