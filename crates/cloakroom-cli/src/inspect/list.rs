//! The sessions that pass a filter, page by page.

use std::fmt::{self, Write};
use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::html::{Page, text};
use super::query::Fields;
use super::server::Inspection;
use super::walk::{Gathered, gather};
use crate::input;
use crate::sessions::filter::FilterArguments;
use crate::sessions::found::Found;
use crate::units::{Count, Short, Size, duration, sessions, size};

/// The fields of the form: name, label, and an example.
const FIELDS: [(&str, &str, &str); 6] = [
    ("user", "User", ""),
    ("key", "Has the key", "cart"),
    ("older_than", "Older than", "30d"),
    ("newer_than", "Newer than", "2h"),
    ("expires_within", "Ends within", "1h"),
    ("larger_than", "Larger than", "4k"),
];

pub(super) async fn page(
    State(inspection): State<Arc<Inspection>>,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = Fields::of_query(query.as_deref());
    let from = fields.get("from").map(str::parse);
    let filter = match filter(&inspection, &fields) {
        Ok(filter) => filter,
        Err(reason) => {
            let title = "Sessions";
            let mut page = inspection.refusal(StatusCode::BAD_REQUEST, title, &reason);
            return match form(&mut page.body, &fields) {
                Ok(()) => page.into_response(),
                Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            };
        }
    };
    let now = input::now(None);
    let gathered = match from {
        Some(Err(_)) => Ok(None),
        None => gather(&inspection, &filter, None, now).await,
        Some(Ok(from)) => gather(&inspection, &filter, Some(from), now).await,
    };
    match gathered {
        Err(failure) => inspection.failure(&failure).into_response(),
        Ok(None) => {
            let reason = "This page of the list is no longer kept. Begin at the first one.";
            let title = "Sessions";
            inspection
                .refusal(StatusCode::GONE, title, reason)
                .into_response()
        }
        Ok(Some(gathered)) => {
            let mut page = inspection.page("Sessions");
            match body(&mut page, &inspection, &fields, &gathered) {
                Ok(()) => page.into_response(),
                Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            }
        }
    }
}

/// What the form asks for; or what is wrong with it.
fn filter(inspection: &Inspection, fields: &Fields) -> Result<FilterArguments, String> {
    let told = |name: &str, reason: String| {
        let field = FIELDS.iter().find(|(field, ..)| *field == name);
        format!("{}: {reason}", field.map_or("", |(_, label, _)| label))
    };
    let time = |name: &str| {
        let time = fields.get(name).map(|text| duration(text.trim()));
        time.transpose().map_err(|reason| told(name, reason))
    };
    let bytes = fields.get("larger_than").map(|text| size(text.trim()));
    Ok(FilterArguments {
        identity: inspection.identity.clone(),
        older_than: time("older_than")?,
        newer_than: time("newer_than")?,
        expires_within: time("expires_within")?,
        subject: fields.get("user").map(str::to_owned),
        key: fields.all("key").map(str::to_owned).collect(),
        larger_than: bytes
            .transpose()
            .map_err(|reason| told("larger_than", reason))?,
    })
}

fn form(out: &mut String, fields: &Fields) -> fmt::Result {
    out.push_str(
        "<form class=\"filter\" method=\"get\" action=\"/sessions\" data-testid=\"filter\">",
    );
    for (name, label, example) in FIELDS {
        // An address may name several keys, and none of them is to get lost.
        let others = fields.all(name).skip(1).filter(|_| name == "key");
        let values = std::iter::once(fields.get(name).unwrap_or_default()).chain(others);
        for (place, value) in values.enumerate() {
            let id = match place {
                0 => name.to_owned(),
                place => format!("{name}-{}", place + 1),
            };
            write!(
                out,
                r#"<p><label for="{id}">{label}</label><input id="{id}" name="{name}" data-testid="{id}" value="{}" placeholder="{example}" autocomplete="off" spellcheck="false"></p>"#,
                text(value)
            )?;
        }
    }
    out.write_str(
        r#"<p class="buttons"><button data-testid="look">Look</button><a class="button quiet" href="/sessions">All</a></p></form>"#,
    )
}

fn body(
    page: &mut Page,
    inspection: &Inspection,
    fields: &Fields,
    gathered: &Gathered,
) -> fmt::Result {
    let out = &mut page.body;
    if let Some(ended) = fields.get("ended").and_then(|count| count.parse().ok()) {
        let sessions = if ended == 1 {
            "session has"
        } else {
            "sessions have"
        };
        write!(
            out,
            r#"<p class="done" role="status" data-testid="ended">{} {sessions} ended.</p>"#,
            Count(ended)
        )?;
    }
    form(out, fields)?;
    let back = fields.without("ended");
    if let Some(user) = fields.get("user") {
        of_user(out, inspection, user, &back, gathered)?;
    }
    if !gathered.found.is_empty() {
        table(out, inspection, &back, &gathered.found)?;
    }
    extent(out, fields, gathered)
}

/// How much of the store this page shows.
fn extent(out: &mut String, fields: &Fields, gathered: &Gathered) -> fmt::Result {
    let sessions = sessions(gathered.found.len() as u64);
    let looked = Count(gathered.looked as u64);
    let so_far = match fields.get("from") {
        Some(_) => "the next ",
        None => "the first ",
    };
    out.push_str("<p class=\"extent\" data-testid=\"extent\">");
    match gathered.next {
        Some(next) => write!(
            out,
            r#"{sessions} among {so_far}{looked} entries. This is not all. <a class="button" data-testid="go-on" href="/sessions?{}">Go on</a>"#,
            text(Fields::of_query(Some(&fields.without("ended"))).with("from", &next.to_string()))
        )?,
        None => {
            let last = if fields.get("from").is_some() {
                "last "
            } else {
                ""
            };
            write!(
                out,
                "{sessions} among the {last}{looked} entries that are there. This is the end."
            )?;
        }
    }
    out.write_str("</p>")
}

/// What can be done to all sessions of one user.
fn of_user(
    out: &mut String,
    inspection: &Inspection,
    user: &str,
    back: &str,
    gathered: &Gathered,
) -> fmt::Result {
    write!(
        out,
        r#"<section class="user" data-testid="of-user"><h2>Sessions of <bdi>{}</bdi></h2>"#,
        text(user)
    )?;
    if gathered.found.is_empty() {
        out.push_str("<p>None whose content can be read.</p>");
    }
    if !inspection.settings.read_only {
        write!(
            out,
            r#"<form method="post" action="/end-all"><input type="hidden" name="user" value="{}"><input type="hidden" name="back" value="{}"><button data-testid="end-all">End all</button><span class="hint">also those that this page does not show, and those on the application's own list</span></form>"#,
            text(user),
            text(back)
        )?;
    }
    out.write_str("</section>")
}

fn table(out: &mut String, inspection: &Inspection, back: &str, found: &[Found]) -> fmt::Result {
    out.push_str(
        r#"<table class="sessions" data-testid="sessions"><thead><tr><th scope="col">Session</th><th scope="col">User</th><th scope="col">Layout</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Keys</th><th scope="col" class="number">Age</th><th scope="col" class="number">Ends in</th>"#,
    );
    if !inspection.settings.read_only {
        out.push_str(r#"<th scope="col"><span class="sr">End it</span></th>"#);
    }
    out.push_str("</tr></thead><tbody>");
    for one in found {
        row(out, inspection, back, one)?;
    }
    out.write_str("</tbody></table>")
}

fn row(out: &mut String, inspection: &Inspection, back: &str, found: &Found) -> fmt::Result {
    let inside = found.inside.as_ref();
    let short =
        |time: Option<_>| time.map_or_else(|| "-".to_owned(), |time| Short(time).to_string());
    write!(
        out,
        r#"<tr data-testid="session"><th scope="row"><a href="/sessions/{0}"><code>{0}</code></a></th><td data-label="User">"#,
        found.handle
    )?;
    match inside.and_then(|inside| inside.subject.as_deref()) {
        None => out.push('-'),
        Some(user) if inspection.settings.reveal => out.push_str(&link("user", user)),
        Some(_) => out.push_str("yes"),
    }
    let layout = inside.and_then(|inside| inside.layout.as_deref());
    let keys = inside.and_then(|inside| inside.keys);
    write!(
        out,
        r#"</td><td data-label="Layout">{}</td><td class="number" data-label="Bytes">{}</td><td class="number" data-label="Keys">{}</td><td class="number" data-label="Age">{}</td><td class="number" data-label="Ends in">{}</td>"#,
        text(layout.unwrap_or("unreadable")),
        Size(found.size as u64),
        keys.map_or_else(|| "-".to_owned(), |keys| Count(keys as u64).to_string()),
        short(inside.and_then(|inside| inside.age)),
        short(found.expires_in),
    )?;
    if !inspection.settings.read_only {
        out.push_str("<td class=\"act\">");
        end_button(out, found, back)?;
        out.push_str("</td>");
    }
    out.write_str("</tr>")
}

/// Leads to the sessions that have this in a field of the form.
pub(super) fn link(field: &str, value: &str) -> String {
    let query = Fields::of(b"").with(field, value);
    format!(
        r#"<a href="/sessions?{}"><bdi>{}</bdi></a>"#,
        text(query),
        text(value)
    )
}

/// The button that ends one session and comes back to this list.
pub(super) fn end_button(out: &mut String, found: &Found, back: &str) -> fmt::Result {
    write!(
        out,
        r#"<form method="post" action="/end"><input type="hidden" name="session" value="{0}"><input type="hidden" name="back" value="{1}"><button data-testid="end" aria-label="End the session {0}">End</button></form>"#,
        found.handle,
        text(back)
    )
}
