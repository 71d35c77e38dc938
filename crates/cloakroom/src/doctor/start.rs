use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::{Finding, Severity, Site};
use crate::SessionManager;

/// Logs what there is to say of a new manager's settings, in debug builds.
pub(crate) fn at_start(manager: &SessionManager) {
    if !cfg!(debug_assertions) || !manager.config().checkup_at_start {
        return;
    }
    let checkup = manager.checkup(&Site::unknown());
    for finding in checkup
        .findings()
        .iter()
        .filter(|finding| is_first(finding))
    {
        let code = finding.code;
        match finding.severity {
            Severity::Problem | Severity::Warning => {
                tracing::warn!(target: "cloakroom::doctor", code, "{finding}");
            }
            Severity::Note => tracing::debug!(target: "cloakroom::doctor", code, "{finding}"),
        }
    }
}

/// An application may make the same manager for each of its workers and tests; this is no place to fill memory.
const MOST_TOLD: usize = 1024;

/// Whether nothing of the kind has been told of this cookie or key in this process.
fn is_first(finding: &Finding) -> bool {
    static TOLD: Mutex<Option<HashSet<String>>> = Mutex::new(None);
    let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
    let told = told.get_or_insert_default();
    told.len() < MOST_TOLD && told.insert(finding.to_string())
}
