//! One session, key by key.

use std::fmt::{self, Write};
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cloakroom::store::{Listed, Record};

use super::chart::{self, COLOURS};
use super::html::{Page, text};
use super::list::{end_button, link};
use super::server::Inspection;
use super::walk;
use crate::input;
use crate::sessions::found::Found;
use crate::sessions::scan::Sight;
use crate::sessions::told::Told;
use crate::units::{Count, Short};

pub(super) async fn page(
    State(inspection): State<Arc<Inspection>>,
    Path(handle): Path<String>,
) -> Response {
    let Ok(handle) = handle.parse() else {
        return inspection.gone().into_response();
    };
    let (listed, record) = match walk::find(&inspection, handle).await {
        Ok(Some(there)) => there,
        Ok(None) => return inspection.gone().into_response(),
        Err(failure) => return inspection.failure(&failure).into_response(),
    };
    let mut page = inspection.page("Session");
    match body(&mut page, &inspection, listed, &record) {
        Ok(true) => page.into_response(),
        Ok(false) => inspection.gone().into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// False if it is no session.
fn body(
    page: &mut Page,
    inspection: &Inspection,
    listed: Listed,
    record: &Record,
) -> Result<bool, fmt::Error> {
    let (out, now) = (&mut page.body, input::now(None));
    let sight = Sight::of(record);
    let Some(found) = Found::loaded(listed, record, &sight, &inspection.identity, now) else {
        return Ok(false);
    };
    let told = Told {
        found: &found,
        entry: sight.session(),
        reveal: inspection.settings.reveal,
        now,
    };
    write!(
        out,
        r#"<div class="title"><p class="handle"><code>{}</code></p>"#,
        found.handle
    )?;
    if !inspection.settings.read_only {
        end_button(out, &found, "")?;
    }
    out.push_str("</div><div class=\"halves\"><section>");
    facts(out, &told)?;
    out.push_str("</section><section>");
    time_left(out, &found)?;
    keys(out, &told)?;
    out.push_str("</section></div>");
    Ok(true)
}

fn facts(out: &mut String, told: &Told<'_>) -> fmt::Result {
    out.push_str("<dl class=\"facts\" data-testid=\"facts\">");
    let subject = told.found.inside.as_ref();
    let subject = subject.and_then(|inside| inside.subject.as_deref());
    for (name, said) in told.facts() {
        write!(out, "<div><dt>{}</dt><dd>", text(name))?;
        match subject.filter(|_| name == "user" && told.reveal) {
            Some(user) => out.push_str(&link("user", user)),
            None => write!(out, "<bdi>{}</bdi>", text(said))?,
        }
        out.push_str("</dd></div>");
    }
    out.write_str("</dl>")
}

fn time_left(out: &mut String, found: &Found) -> fmt::Result {
    let age = found.inside.as_ref().and_then(|inside| inside.age);
    match (age, found.expires_in) {
        (Some(age), Some(left)) => chart::time(
            out,
            age.as_secs(),
            left.as_secs(),
            &format!(
                "<b>{}</b> old, <b>{}</b> left unless it is used or ended",
                Short(age),
                Short(left)
            ),
        ),
        (None, Some(left)) => chart::time(
            out,
            0,
            left.as_secs(),
            &format!(
                "<b>{}</b> left unless it is used or ended; it does not say how old it is",
                Short(left)
            ),
        ),
        (_, None) => Ok(()),
    }
}

fn keys(out: &mut String, told: &Told<'_>) -> fmt::Result {
    let (mut keys, size) = (told.keys(), told.found.size as u64);
    let hidden = match told.entry {
        None => Some("Nobody can read this entry, so nothing is known of what is in it."),
        Some(entry) if entry.len().is_none() => {
            Some("It is sealed: only the visitor's cookie opens it.")
        }
        Some(_) if keys.is_empty() => Some("It has no keys."),
        Some(_) => None,
    };
    if let Some(reason) = hidden {
        return write!(
            out,
            r#"<p class="empty" data-testid="entries">{reason}</p>"#
        );
    }
    keys.sort_by_key(|key| std::cmp::Reverse(key.bytes));
    let parts: Vec<u64> = keys.iter().map(|key| key.bytes as u64).collect();
    let rest = size.saturating_sub(parts.iter().sum());
    let said = match rest {
        0 => format!("<b>{}</b> bytes in the store", Count(size)),
        rest => format!(
            "<b>{}</b> bytes in the store, {} of them for other things than keys",
            Count(size),
            Count(rest)
        ),
    };
    // Of a pickle, parts are written as if each were alone, and may be more than the whole.
    chart::whole(out, size.max(parts.iter().sum()), &parts, &said)?;
    out.push_str(r#"<div class="scroll"><table class="entries" data-testid="entries"><thead><tr><th scope="col">Key</th><th scope="col">Type</th>"#);
    if told.reveal {
        out.push_str("<th scope=\"col\">Value</th>");
    }
    out.push_str(r#"<th scope="col" class="number">Bytes</th><th scope="col" class="number">Share</th></tr></thead><tbody>"#);
    for (rank, key) in keys.iter().enumerate() {
        write!(
            out,
            r#"<tr><th scope="row"><i class="swatch k{}"></i><bdi>{}</bdi></th><td class="kind">{}</td>"#,
            rank % COLOURS,
            text(&key.name),
            text(&key.kind)
        )?;
        if let Some(value) = &key.value {
            out.push_str("<td class=\"value\">");
            self::value(out, &key.name, value)?;
            out.push_str("</td>");
        }
        let percent = (key.bytes as u64 * 100 + size / 2) / size.max(1);
        write!(
            out,
            r#"<td class="number">{}</td><td class="number">{percent} %</td></tr>"#,
            Count(key.bytes as u64)
        )?;
    }
    out.push_str("</tbody></table></div>");
    if !told.reveal {
        out.push_str(r#"<p class="hint">Values are shown to those who start <code>cloakroom inspect</code> with <code>--reveal</code>.</p>"#);
    }
    Ok(())
}

/// A page is no place for more of a value.
const MOST_CHARACTERS: usize = 10_000;
/// What is longer has a window of its own, which the keyboard reaches.
const SHORT: usize = 300;

fn value(out: &mut String, key: &str, value: &str) -> fmt::Result {
    if value.len() <= SHORT {
        return write!(out, "<bdi>{}</bdi>", text(value));
    }
    let cut = value.char_indices().nth(MOST_CHARACTERS);
    let shown = cut.map_or(value, |(end, _)| &value[..end]);
    write!(
        out,
        r#"<div tabindex="0" role="region" aria-label="The value of {}"><bdi>{}</bdi>"#,
        text(key),
        text(shown)
    )?;
    if cut.is_some() {
        out.push_str(
            "… <small>cut: <code>cloakroom sessions show --reveal</code> has all of it</small>",
        );
    }
    out.write_str("</div>")
}
