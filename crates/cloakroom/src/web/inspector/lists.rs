use std::fmt::{self, Write};

use super::{
    book::{Happened, Request, Sent},
    html::{Bytes, OfDay, Span, text},
    page::{Devices, View},
    side::{Change, Entry, Found, Side, changes, is_same},
};
use crate::{Handle, SessionInfo};

/// The latest requests, the newest first, each with its session before and after.
pub(super) fn requests(out: &mut String, view: &View<'_>) -> fmt::Result {
    if view.seen.requests.is_empty() {
        return out.write_str(
            r#"<p class="empty">None yet. Open a page of the application in another tab.</p>"#,
        );
    }
    write!(
        out,
        r#"<p class="hint">The latest {} of {}, the newest first. Times are UTC.</p><div class="list" data-testid="request-list">"#,
        view.seen.requests.len(),
        view.seen.count
    )?;
    for request in view.seen.requests.iter().rev() {
        one_request(out, view, request)?;
    }
    out.write_str("</div>")
}

fn one_request(out: &mut String, view: &View<'_>, request: &Request) -> fmt::Result {
    let own = view.viewer.owns(&request.before) || view.viewer.owns(&request.after);
    let status = request.status.as_u16();
    write!(
        out,
        r#"<details id="r{}" data-testid="request" class="request{}"><summary><time>{}</time> <b class="method">{}</b> <span class="path"><bdi>{}</bdi></span> <span class="status s{}">{status}</span> <span class="ms">{}</span> <span class="tags">"#,
        request.number,
        if own { " own" } else { "" },
        OfDay(request.at),
        text(&request.method),
        text(&request.path),
        status / 100,
        Milliseconds(request.microseconds),
    )?;
    tags(out, request, own)?;
    out.write_str("</span></summary>")?;
    sides(out, view, request)?;
    out.write_str("</details>")
}

/// What happened, in a word or two.
fn tags(out: &mut String, request: &Request, own: bool) -> fmt::Result {
    let (before, after) = (&request.before, &request.after);
    if own {
        tag(out, "own", "yours")?;
    }
    if let Found::Refused(refusal) = before.found {
        tag(out, "bad", &format!("refused: {}", refusal.code()))?;
    }
    if before.found == Found::Unknown || after.found == Found::Unknown {
        tag(out, "bad", "store not reached")?;
    }
    let mut counts = [0_usize; 3];
    for (change, ..) in changes(before, after) {
        match change {
            Change::Added => counts[0] += 1,
            Change::Changed => counts[1] += 1,
            Change::Removed => counts[2] += 1,
            Change::Unchanged => {}
        }
    }
    for (count, class, sign) in [
        (counts[0], "added", '+'),
        (counts[1], "changed", '~'),
        (counts[2], "removed", '−'),
    ] {
        if count > 0 {
            tag(out, class, &format!("{sign}{count}"))?;
        }
    }
    match (before.found, after.found) {
        (Found::Session, Found::Nothing) => tag(out, "removed", "ended"),
        (Found::Nothing | Found::Refused(_), Found::Session) => tag(out, "added", "new"),
        (Found::Session, Found::Session) if is_same(before, after) => {
            tag(out, "", if request.opened { "read" } else { "left alone" })
        }
        (Found::Nothing, Found::Nothing) => tag(out, "", "no session"),
        _ => Ok(()),
    }
}

fn tag(out: &mut String, class: &str, label: &str) -> fmt::Result {
    write!(out, r#"<span class="tag {class}">{}</span> "#, text(label))
}

fn sides(out: &mut String, view: &View<'_>, request: &Request) -> fmt::Result {
    let (before, after) = (&request.before, &request.after);
    out.write_str(r#"<dl class="facts">"#)?;
    write!(
        out,
        "<div><dt>Before</dt><dd>{}</dd></div><div><dt>After</dt><dd>{}</dd></div>",
        text(Described { side: before, view }),
        text(Described { side: after, view })
    )?;
    match request.sent {
        Sent::Nothing => {}
        Sent::Set(bytes) => write!(
            out,
            "<div><dt>Set-Cookie</dt><dd>{} with its attributes</dd></div>",
            Bytes(bytes)
        )?,
        Sent::Deleted => {
            out.write_str("<div><dt>Set-Cookie</dt><dd>removes the cookie</dd></div>")?;
        }
    }
    out.write_str("</dl>")?;
    let changes = changes(before, after);
    if changes.is_empty() {
        return Ok(());
    }
    let (sees_before, sees_after) = (view.viewer.sees(before), view.viewer.sees(after));
    out.write_str(r#"<div class="scroll"><table class="entries diff"><thead><tr><th scope="col">Key</th><th scope="col"><span class="sr">What became of it</span></th><th scope="col">Before</th><th scope="col">After</th></tr></thead><tbody>"#)?;
    for (change, old, new) in changes {
        let (class, word) = match change {
            Change::Added => ("added", "added"),
            Change::Changed => ("changed", "changed"),
            Change::Removed => ("removed", "removed"),
            Change::Unchanged => ("", "as before"),
        };
        let key = old.or(new).map_or("", |entry| &*entry.key);
        write!(
            out,
            r#"<tr class="{class}"><th scope="row"><bdi>{}</bdi></th><td class="word">{word}</td>"#,
            text(key)
        )?;
        cell(out, old, sees_before)?;
        cell(out, new.filter(|_| change != Change::Unchanged), sees_after)?;
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table></div>")?;
    match before.left_out.max(after.left_out) {
        0 => Ok(()),
        more => write!(out, r#"<p class="empty">and {more} more keys</p>"#),
    }
}

/// A value with its type and size; of another visitor's session without the value.
fn cell(out: &mut String, entry: Option<&Entry>, sees: bool) -> fmt::Result {
    let Some(entry) = entry else {
        return out.write_str("<td></td>");
    };
    let value = if sees { &*entry.value } else { "" };
    if sees {
        write!(
            out,
            r#"<td class="value"><bdi>{}</bdi> <small>{}, {}</small></td>"#,
            text(value),
            entry.kind,
            Bytes(entry.bytes)
        )
    } else {
        write!(
            out,
            r#"<td class="value"><span class="hidden">hidden</span> <small>{}, {}</small></td>"#,
            entry.kind,
            Bytes(entry.bytes)
        )
    }
}

/// A session in a line.
struct Described<'a> {
    side: &'a Side,
    view: &'a View<'a>,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = self.side;
        match side.found {
            Found::Nothing => return formatter.write_str("no session"),
            Found::Unknown => return formatter.write_str("the store could not be asked"),
            Found::Refused(refusal) => {
                return write!(formatter, "refused ({}): {refusal}", refusal.code());
            }
            Found::Session => {}
        }
        if let Some(handle) = side.handle {
            write!(formatter, "{}, ", Short(handle))?;
        }
        match &side.subject {
            Some(subject) if self.view.viewer.sees(side) => write!(formatter, "user {subject}, ")?,
            Some(_) => formatter.write_str("user hidden, ")?,
            None => {}
        }
        if let Some(protection) = side.protection {
            write!(formatter, "{protection}, ")?;
        }
        write!(formatter, "{}", Bytes(side.size()))?;
        if let Some(key) = &side.key {
            write!(formatter, ", key {key}")?;
        }
        if let Some(idle) = side.idle {
            write!(formatter, ", {} left", Span(idle.left.as_secs()))?;
        }
        Ok(())
    }
}

/// Enough of a handle to tell sessions apart.
struct Short(Handle);

impl fmt::Display for Short {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let handle = self.0.to_string();
        write!(formatter, "{}…", handle.get(..6).unwrap_or_default())
    }
}

struct Milliseconds(u128);

impl fmt::Display for Milliseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{} ms", self.0 / 1000, self.0 % 1000 / 100)
    }
}

/// What happened to sessions, the newest first.
pub(super) fn events(out: &mut String, view: &View<'_>) -> fmt::Result {
    if view.seen.events.is_empty() {
        return out.write_str(r#"<p class="empty">None yet.</p>"#);
    }
    out.write_str(r#"<ol class="events" data-testid="event-list" tabindex="0" aria-labelledby="events-title">"#)?;
    for event in view.seen.events.iter().rev() {
        one_event(out, view, event)?;
    }
    out.write_str("</ol>")
}

fn one_event(out: &mut String, view: &View<'_>, event: &Happened) -> fmt::Result {
    write!(
        out,
        r#"<li><time>{}</time> <b class="event {}">{}</b>"#,
        OfDay(event.at),
        event.name,
        event.name
    )?;
    if let Some(detail) = &event.detail {
        write!(out, " {}", text(detail))?;
    }
    match &event.subject {
        Some(subject) if view.viewer.knows(event) => {
            write!(out, " <span><bdi>{}</bdi></span>", text(subject))?;
        }
        Some(_) => out.write_str(r#" <span class="hidden">another user</span>"#)?,
        None => {}
    }
    if let Some(handle) = event.session {
        write!(out, " <code>{}</code>", Short(handle))?;
    }
    out.write_str("</li>")
}

/// Where a user is logged in, with buttons to end that.
pub(super) fn devices(out: &mut String, view: &View<'_>) -> fmt::Result {
    if view.settings.reveal && !matches!(view.devices, Devices::NotTracked) {
        let user = match &view.devices {
            Devices::Of { subject, .. } => subject,
            _ => "",
        };
        write!(
            out,
            r#"<form class="row" method="get" action="{}"><label for="user">User</label><input id="user" name="user" value="{}" autocomplete="off"><button class="quiet">Look up</button></form>"#,
            text(&view.settings.path),
            text(user)
        )?;
    }
    match &view.devices {
        Devices::NotTracked => out.write_str(r#"<p class="empty" data-testid="device-list">The setting <code>user_sessions</code> is off, so nobody keeps a list.</p>"#),
        Devices::Nobody => out.write_str(r#"<p class="empty" data-testid="device-list">Nobody is logged in here.</p>"#),
        Devices::Failed => out.write_str(r#"<p class="refusal" data-testid="device-list">The store could not be asked.</p>"#),
        Devices::Of { sessions, .. } if sessions.is_empty() => out.write_str(r#"<p class="empty" data-testid="device-list">No session of this user is listed.</p>"#),
        Devices::Of { subject, sessions } => {
            out.write_str(r#"<ul class="devices" data-testid="device-list">"#)?;
            for session in sessions {
                device(out, view, subject, session)?;
            }
            out.write_str("</ul>")
        }
    }
}

fn device(out: &mut String, view: &View<'_>, subject: &str, session: &SessionInfo) -> fmt::Result {
    let full = session.agent.as_deref().unwrap_or_default();
    let agent = browser(full);
    let seconds = |time: std::time::SystemTime| {
        let since = time.duration_since(std::time::UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    };
    let ago = |time| Span(view.at.saturating_sub(seconds(time)));
    let left = Span(seconds(session.expires).saturating_sub(view.at));
    write!(
        out,
        r#"<li data-testid="device"><div><b title="{}"><bdi>{}</bdi></b>{}<p>logged in {} ago{}, lives for another {left}</p></div>"#,
        text(full),
        text(&agent),
        if session.current {
            r#" <span class="tag own">this browser</span>"#
        } else {
            ""
        },
        ago(session.created),
        match &session.address {
            Some(address) => format!(" from {}", text(address)),
            None => String::new(),
        },
    )?;
    write!(
        out,
        r#"<form method="post" action="{}/end"><input type="hidden" name="token" value="{}"><input type="hidden" name="session" value="{}">"#,
        text(&view.settings.path),
        text(&view.settings.form_token),
        session.handle
    )?;
    if view.settings.reveal {
        write!(
            out,
            r#"<input type="hidden" name="user" value="{}">"#,
            text(subject)
        )?;
    }
    write!(
        out,
        r#"<button data-testid="end" aria-label="End the session of {}">End</button></form></li>"#,
        text(&agent)
    )
}

/// What people call a browser that calls itself this.
fn browser(agent: &str) -> String {
    // Most call themselves what others are as well, so the order decides.
    let known = |names: &[(&str, &'static str)]| {
        let name = names.iter().find(|(sign, _)| agent.contains(sign));
        name.map(|(_, name)| *name)
    };
    let name = known(&[
        ("Firefox/", "Firefox"),
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = known(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, _) if agent.is_empty() => "a browser without a name".to_owned(),
        (None, _) => agent.chars().take(60).collect(),
    }
}
