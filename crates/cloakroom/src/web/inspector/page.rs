use std::fmt::{self, Write};

use super::{
    Settings,
    book::Seen,
    chart::{self, COLOURS},
    html::{Bytes, text},
    lists,
    side::{Found, Side},
    viewer::Viewer,
};
use crate::SessionInfo;

/// All that one look at the page shows.
pub(super) struct View<'a> {
    pub(super) settings: &'a Settings,
    pub(super) cookie_name: &'a str,
    /// Where sessions live: a cookie's protection, or what the store is called.
    pub(super) place: &'a str,
    pub(super) in_store: bool,
    /// In unix seconds.
    pub(super) at: u64,
    pub(super) now: &'a Side,
    pub(super) viewer: &'a Viewer,
    pub(super) seen: &'a Seen,
    pub(super) devices: Devices,
}

/// Where a user is logged in.
pub(super) enum Devices {
    /// Nobody keeps track.
    NotTracked,
    /// The viewer is not logged in, and has asked for nobody else.
    Nobody,
    /// The store could not be asked.
    Failed,
    Of {
        subject: String,
        sessions: Vec<SessionInfo>,
    },
}

/// The whole page.
pub(super) fn page(view: &View<'_>) -> Result<String, fmt::Error> {
    let base = text(&view.settings.path);
    let mut out = String::with_capacity(16 * 1024);
    write!(
        out,
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sessions · Cloakroom inspector</title>
<link rel="icon" href="{base}/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="{base}/style.css">
<script src="{base}/script.js" defer></script>
</head>
<body>
<a class="skip" href="#main">Skip to the session</a>
<header class="top">
<a class="brand" href="{base}"><svg viewBox="0 0 34 20" aria-hidden="true"><use href="{base}/icon.svg#ticket"/></svg>Cloakroom</a>
<p class="strapline">Inspector, for development</p>
<p class="buttons"><span id="state" role="status"></span><button class="quiet" type="button" id="pause" data-testid="pause" hidden>Pause</button><a class="button quiet" href="" id="again">Look again</a></p>
</header>
<main id="main" tabindex="-1" data-now="{base}/now">
<h1>Sessions</h1>
"##
    )?;
    notice(&mut out, view.settings)?;
    out.push_str("<div class=\"live\" id=\"live\">\n");
    out.push_str(&fragment(view)?);
    out.push_str("</div>\n</main>\n</body>\n</html>\n");
    Ok(out)
}

fn notice(out: &mut String, settings: &Settings) -> fmt::Result {
    out.write_str(r#"<p class="lede">What requests do to their sessions, while they do it. "#)?;
    match (settings.reveal, settings.exposed) {
        (false, false) => out.write_str(
            "Only this machine sees this page, and values only of the session of this browser.</p>",
        ),
        (true, false) => out.write_str("Only this machine sees this page.</p><p class=\"notice\" data-testid=\"notice\"><b>Revealed:</b> the values of all visitors are shown.</p>"),
        (false, true) => out.write_str("Values are shown of the session of this browser.</p><p class=\"notice\" data-testid=\"notice\"><b>Exposed:</b> everybody who reaches this server can open this page.</p>"),
        (true, true) => out.write_str("</p><p class=\"notice\" data-testid=\"notice\"><b>Exposed and revealed:</b> everybody who reaches this server sees the values of all visitors.</p>"),
    }
}

/// What changes while one looks.
pub(super) fn fragment(view: &View<'_>) -> Result<String, fmt::Error> {
    let mut out = String::with_capacity(12 * 1024);
    section(&mut out, "now", "Your session now", |out| now(out, view))?;
    section(&mut out, "requests", "Requests", |out| {
        lists::requests(out, view)
    })?;
    section(&mut out, "devices", "Where you are logged in", |out| {
        lists::devices(out, view)
    })?;
    section(&mut out, "events", "Events", |out| lists::events(out, view))?;
    section(&mut out, "charts", "The last hour", |out| {
        chart::hour(out, view.seen, view.at)?;
        chart::sizes(out, view.seen)
    })?;
    Ok(out)
}

fn section(
    out: &mut String,
    id: &str,
    title: &str,
    content: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    write!(
        out,
        r#"<section id="{id}" data-testid="{id}" aria-labelledby="{id}-title"><h2 id="{id}-title">{}</h2>"#,
        text(title)
    )?;
    content(out)?;
    out.write_str("</section>\n")
}

fn now(out: &mut String, view: &View<'_>) -> fmt::Result {
    let side = view.now;
    match side.found {
        Found::Nothing => {
            return out.write_str(
                r#"<p class="empty" data-testid="status">This browser has none. It gets one when a request first puts something in.</p>"#,
            );
        }
        Found::Refused(refusal) => {
            return write!(
                out,
                r#"<p class="refusal" data-testid="status"><b>{}</b> {}. The session is empty.</p>"#,
                refusal.code(),
                text(capitalized(&refusal.to_string()))
            );
        }
        Found::Unknown => {
            return out.write_str(
                r#"<p class="refusal" data-testid="status"><b>store</b> The store could not be asked, so nobody knows.</p>"#,
            );
        }
        Found::Session => {}
    }
    out.write_str(r#"<dl class="facts">"#)?;
    fact(out, "Kept", &kept(view))?;
    fact(
        out,
        "User",
        side.subject.as_deref().unwrap_or("nobody is logged in"),
    )?;
    if let Some(key) = &side.key {
        fact(out, "Verified by key", key)?;
    }
    if let Some(handle) = side.handle {
        fact(out, "Called", &handle.to_string())?;
    }
    out.write_str("</dl>")?;
    chart::budget(out, side)?;
    let idle = "until it ends if it is not used";
    chart::time_left(out, idle, side.idle)?;
    chart::time_left(out, "until it ends in any case", side.absolute)?;
    entries(out, side)
}

fn kept(view: &View<'_>) -> String {
    match (view.in_store, view.now.protection) {
        (true, _) => format!(
            "in a store ({}), as the cookie {}",
            view.place, view.cookie_name
        ),
        (false, protection) => {
            let protection = protection.unwrap_or(view.place);
            format!("in the {protection} cookie {}", view.cookie_name)
        }
    }
}

fn fact(out: &mut String, name: &str, value: &str) -> fmt::Result {
    write!(
        out,
        "<div><dt>{}</dt><dd>{}</dd></div>",
        text(name),
        text(value)
    )
}

/// The viewer's own entries, with their part of the bytes.
fn entries(out: &mut String, side: &Side) -> fmt::Result {
    let whole = side.stored.unwrap_or(side.payload);
    let shares = side.shares(whole);
    out.write_str(r#"<div class="scroll"><table class="entries" data-testid="entries"><thead><tr><th scope="col">Key</th><th scope="col">Value</th><th scope="col" class="number">Bytes</th><th scope="col" class="number">Share</th></tr></thead><tbody>"#)?;
    for (rank, (entry, share)) in shares.iter().enumerate() {
        let percent = (share * 100 + whole / 2) / whole.max(1);
        write!(
            out,
            r#"<tr><th scope="row"><i class="swatch k{}"></i><bdi>{}</bdi></th><td class="value"><bdi>{}</bdi> <small>{}</small></td><td class="number">{}</td><td class="number">{percent} %</td></tr>"#,
            rank % COLOURS,
            text(&entry.key),
            text(&entry.value),
            entry.kind,
            entry.bytes,
        )?;
    }
    out.write_str("</tbody></table></div>")?;
    if side.left_out > 0 {
        write!(
            out,
            r#"<p class="empty">and {} more keys</p>"#,
            side.left_out
        )?;
    }
    if side.stored.is_none() && side.cookie > crate::cookie::MAX_COOKIE_SIZE {
        write!(
            out,
            r#"<p class="refusal">A browser drops a cookie of {}.</p>"#,
            Bytes(side.cookie)
        )?;
    }
    Ok(())
}

fn capitalized(text: &str) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => first.to_uppercase().chain(rest).collect(),
        None => String::new(),
    }
}
