//! What the buttons do that end sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::Handle;

use super::html::Page;
use super::query::Fields;
use super::server::{Inspection, to};
use super::walk;
use crate::output::Failure;
use crate::sessions::revocation::Revocation;

/// For how long no slow request can bring an ended session back, as `sessions revoke` has it.
const TOMBSTONE: Duration = Duration::from_secs(600);

/// Ends one session.
pub(super) async fn one(State(inspection): State<Arc<Inspection>>, form: Bytes) -> Response {
    let form = Fields::of(&form);
    let handle = form.get("session").and_then(|text| text.parse().ok());
    let Some(handle) = handle.filter(|_| !inspection.settings.read_only) else {
        return refused(&inspection).into_response();
    };
    match end(&inspection, handle).await {
        Ok(0) => inspection.gone().into_response(),
        Ok(count) => ended(&form, count),
        Err(failure) => inspection.failure(&failure).into_response(),
    }
}

/// Ends all sessions of a user.
pub(super) async fn all(State(inspection): State<Arc<Inspection>>, form: Bytes) -> Response {
    let form = Fields::of(&form);
    let subject = form.get("user");
    let Some(subject) = subject.filter(|_| !inspection.settings.read_only) else {
        return refused(&inspection).into_response();
    };
    match end_of(&inspection, subject).await {
        Ok(count) => ended(&form, count),
        Err(failure) => inspection.failure(&failure).into_response(),
    }
}

async fn end(inspection: &Inspection, handle: Handle) -> Result<u64, Failure> {
    let Some((listed, _)) = walk::find(inspection, handle).await? else {
        return Ok(0);
    };
    let ended = revocation(inspection)?.end_listed(vec![listed]).await?;
    Ok(ended.len() as u64)
}

async fn end_of(inspection: &Inspection, subject: &str) -> Result<u64, Failure> {
    revocation(inspection)?.end_subject(subject).await
}

fn revocation(inspection: &Inspection) -> Result<Revocation, Failure> {
    let (scan, prefix) = (inspection.scan.clone(), &inspection.prefix);
    Revocation::new(scan, prefix, &inspection.identity, TOMBSTONE)
}

/// Back to the list where the button was.
fn ended(form: &Fields, count: u64) -> Response {
    let back = Fields::of_query(form.get("back"));
    to(&format!(
        "/sessions?{}",
        back.with("ended", &count.to_string())
    ))
}

fn refused(inspection: &Inspection) -> Page {
    match inspection.settings.read_only {
        true => inspection.refusal(
            StatusCode::FORBIDDEN,
            "Read only",
            "The inspector was started with --read-only, so nothing ends here.",
        ),
        false => inspection.refusal(
            StatusCode::BAD_REQUEST,
            "Nothing to end",
            "The form names neither a session nor a user.",
        ),
    }
}
