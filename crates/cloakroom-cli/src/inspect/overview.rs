//! The first page: what all sessions come to.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::chart::{self, Names, Row};
use super::html::{Page, text};
use super::list::link;
use super::look::{self, Look, Progress};
use super::server::{Inspection, to};
use crate::input;
use crate::sessions::figures::{Figures, Inner};
use crate::sessions::histogram::Histogram;
use crate::units::{Count, Short, Size, sessions};

/// What a browser keeps of a cookie.
const COOKIE: u64 = 4096;

pub(super) async fn page(State(inspection): State<Arc<Inspection>>) -> Response {
    let mut page = inspection.page("Overview");
    let look = inspection.look();
    page.refreshes = matches!(look.progress, Progress::UnderWay);
    match body(&mut page, &inspection, &look) {
        Ok(()) => page.into_response(),
        Err(fmt::Error) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

pub(super) async fn look_again(State(inspection): State<Arc<Inspection>>) -> Response {
    look::again(&inspection);
    to("/")
}

fn body(page: &mut Page, inspection: &Inspection, look: &Look) -> fmt::Result {
    let out = &mut page.body;
    progress(out, look)?;
    let figures = &look.figures;
    if figures.count == 0 {
        return match look.progress {
            Progress::UnderWay => Ok(()),
            _ => out.write_str(r#"<p class="empty">No session is in this store. Is <code>--prefix</code> what the application has?</p>"#),
        };
    }
    numbers(out, look)?;
    out.push_str("<div class=\"charts\">");
    sizes(out, figures)?;
    times(out, inspection, look)?;
    let ending = format!(
        "{} within an hour, {} within a day, {} never",
        Count(figures.within_hour),
        Count(figures.within_day),
        Count(figures.never)
    );
    classes(
        out,
        "ending",
        "When they end",
        &ending,
        &figures.ending,
        "in ",
        None,
    )?;
    if let Some(inner) = &figures.inside {
        keys(out, inner)?;
        layouts(out, inner)?;
        if inspection.settings.reveal {
            users(out, inner)?;
        }
    }
    out.write_str("</div>")
}

/// How much of the store is in the figures.
fn progress(out: &mut String, look: &Look) -> fmt::Result {
    let looked = format!(
        "<b>{}</b> {}",
        Count(look.looked),
        if look.looked == 1 { "entry" } else { "entries" }
    );
    out.push_str("<div class=\"progress\" data-testid=\"progress\"><p>");
    match &look.progress {
        Progress::UnderWay => write!(out, "Looking: {looked} so far.")?,
        Progress::Whole => write!(out, "Looked at {looked}: all that are there.")?,
        Progress::Cut => write!(
            out,
            "Looked at the first {looked}. There are more: <code>--limit</code> says how many count."
        )?,
        Progress::Failed(reason) => write!(
            out,
            "Looked at {looked}, and then the store could not be asked: {}",
            text(reason)
        )?,
    }
    if matches!(look.progress, Progress::UnderWay) {
        return out.write_str("</p></div>");
    }
    let ago = Duration::from_secs(input::now(None).saturating_sub(look.began));
    write!(
        out,
        r#" Begun {} ago.</p><form method="post" action="/look"><button class="quiet" data-testid="look-again">Look again</button></form></div>"#,
        Short(ago)
    )
}

fn numbers(out: &mut String, look: &Look) -> fmt::Result {
    let figures = &look.figures;
    let extent = match look.progress {
        Progress::Whole => "in this store",
        Progress::UnderWay => "so far",
        Progress::Cut | Progress::Failed(_) => "among these entries",
    };
    let mut told = vec![
        (
            "sessions",
            Count(figures.count).to_string(),
            extent.to_owned(),
        ),
        (
            "bytes",
            Size(figures.bytes).to_string(),
            format!("half of them have at most {}", Size(figures.percentile(50))),
        ),
    ];
    if let Some(inner) = &figures.inside {
        told.push((
            "users",
            Count(inner.users()).to_string(),
            format!(
                "with {} sessions, at most {} each",
                Count(inner.logged_in),
                Count(inner.most_of_a_user())
            ),
        ));
        told.push((
            "permanent",
            Count(inner.permanent).to_string(),
            "outlive the browser".to_owned(),
        ));
    }
    out.push_str("<dl class=\"numbers\" data-testid=\"numbers\">");
    for (name, number, said) in told {
        write!(
            out,
            r#"<div data-testid="{name}"><dt>{name}</dt><dd>{}</dd><dd class="said">{}</dd></div>"#,
            text(number),
            text(said)
        )?;
    }
    out.write_str("</dl>")
}

fn sizes(out: &mut String, figures: &Figures) -> fmt::Result {
    let above = figures.above(COOKIE);
    let beyond = match above {
        0 => String::new(),
        above => format!(
            "; {} {} more than the {COOKIE} bytes that a cookie may have",
            Count(above),
            if above == 1 { "has" } else { "have" }
        ),
    };
    let summary = format!(
        "95 % have at most {}, the largest has {}{beyond}",
        Size(figures.percentile(95)),
        Size(figures.percentile(100))
    );
    let title = "Bytes of a session";
    classes(
        out,
        "sizes",
        title,
        &summary,
        &figures.by_size,
        "",
        Some(COOKIE),
    )
}

/// A histogram; what is beyond the mark has another colour.
fn classes(
    out: &mut String,
    id: &str,
    title: &str,
    summary: &str,
    histogram: &Histogram,
    before: &str,
    mark: Option<u64>,
) -> fmt::Result {
    let classes = histogram.classes().into_iter();
    let rows = classes.map(|class| Row {
        name: text(format!("{before}{}", class.label.replace("<=", "≤"))),
        amount: class.count,
        said: Count(class.count).to_string(),
        marked: mark.is_some_and(|mark| class.limit.is_none_or(|limit| limit > mark)),
    });
    chart::rows(
        out,
        id,
        title,
        summary,
        Names::Before,
        &rows.collect::<Vec<_>>(),
    )
}

fn times(out: &mut String, inspection: &Inspection, look: &Look) -> fmt::Result {
    let title = "Sessions over time";
    let known = look.timeline.known;
    let unknown = look.figures.count - known;
    let Some(over) = look.timeline.bars(input::now(None)) else {
        return write!(
            out,
            r#"<figure class="chart" data-testid="times"><figcaption><b>{title}</b> None of them says when it began. Flask notes no times; if you say what lifetime the application gives its sessions, as in <code>--lifetime 31d</code>, when they were last used follows from the time that is left.</figcaption></figure>"#
        );
    };
    let what = match inspection.identity.knows_lifetime() {
        true => "began or were last used",
        false => "began",
    };
    let but = |count: u64, what: &str| match count {
        0 => String::new(),
        count => format!("; {} {what}", Count(count)),
    };
    let summary = format!(
        "by the {} in which {} of them {what}{}{}",
        over.step,
        Count(known),
        but(unknown, "do not say"),
        but(over.before, "are older")
    );
    chart::over_time(out, "times", title, &summary, &over)
}

fn keys(out: &mut String, inner: &Inner) -> fmt::Result {
    let keys = inner.largest_keys().into_iter();
    let rows = keys.map(|key| Row {
        name: link("key", key.name),
        amount: key.bytes,
        said: format!(
            "{}, {} %, in {}",
            Size(key.bytes),
            key.percent,
            sessions(key.sessions)
        ),
        marked: false,
    });
    let summary = "that take the most bytes";
    chart::rows(
        out,
        "keys",
        "Keys",
        summary,
        Names::Above,
        &rows.collect::<Vec<_>>(),
    )
}

fn layouts(out: &mut String, inner: &Inner) -> fmt::Result {
    let layouts = inner.layouts.iter();
    let rows = layouts.map(|(name, count)| Row {
        name: text(name),
        amount: *count,
        said: Count(*count).to_string(),
        marked: name == "unreadable",
    });
    let summary = match inner.layouts.get("unreadable") {
        Some(1) => "in which they are written; one is in none that is known",
        Some(_) => "in which they are written; some are in none that is known",
        None => "in which they are written",
    };
    chart::rows(
        out,
        "layouts",
        "Layouts",
        summary,
        Names::Before,
        &rows.collect::<Vec<_>>(),
    )
}

fn users(out: &mut String, inner: &Inner) -> fmt::Result {
    let users = inner.busiest_users().into_iter();
    let rows = users.map(|(name, count)| Row {
        name: link("user", name),
        amount: count,
        said: Count(count).to_string(),
        marked: false,
    });
    let summary = "with the most sessions";
    chart::rows(
        out,
        "users",
        "Users",
        summary,
        Names::Above,
        &rows.collect::<Vec<_>>(),
    )
}
