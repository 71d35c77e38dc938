use std::{
    collections::HashSet,
    fmt::{self, Write},
};

use super::{
    book::{MINUTES, Minute, Seen},
    html::{Bytes, OfDay, Span, text},
    side::{Found, Side},
};
use crate::{cookie::MAX_COOKIE_SIZE, manager::Left};

/// Colours that entries have before they begin again.
pub(super) const COLOURS: usize = 6;

/// How full the cookie is, or how an entry is made up, with the share of each key.
pub(super) fn budget(out: &mut String, side: &Side) -> fmt::Result {
    let (size, of) = match side.stored {
        Some(stored) => (stored, stored.max(1)),
        None => (side.cookie, side.cookie.max(MAX_COOKIE_SIZE)),
    };
    let keys = side.stored.unwrap_or(side.payload);
    out.write_str(r#"<figure class="bar" data-testid="budget">"#)?;
    write!(
        out,
        r#"<svg viewBox="0 0 {of} 100" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="{of}" height="100"/>"#
    )?;
    let mut from = 0;
    for (rank, (_, bytes)) in side.shares(keys).iter().enumerate() {
        let colour = rank % COLOURS;
        write!(
            out,
            r#"<rect class="k{colour}" x="{from}" width="{bytes}" height="100"/>"#
        )?;
        from += bytes;
    }
    let rest = size.saturating_sub(from);
    write!(
        out,
        r#"<rect class="rest" x="{from}" width="{rest}" height="100"/></svg><figcaption>"#
    )?;
    match side.stored {
        Some(_) => write!(
            out,
            "<b>{}</b> in the store; the cookie is an id of {}",
            Bytes(size),
            Bytes(side.cookie)
        )?,
        None => write!(
            out,
            "<b>{}</b> of {} that a browser keeps; {rest} of them for the name, the time and the signature",
            Bytes(size),
            Bytes(MAX_COOKIE_SIZE),
        )?,
    }
    out.write_str("</figcaption></figure>")
}

/// How much of a lifetime is left.
pub(super) fn time_left(out: &mut String, what: &str, left: Option<Left>) -> fmt::Result {
    let Some(Left { left, of }) = left else {
        return Ok(());
    };
    let (left, of) = (left.as_secs(), of.as_secs().max(1));
    write!(
        out,
        r#"<figure class="bar"><svg viewBox="0 0 {of} 100" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="{of}" height="100"/><rect class="time" width="{}" height="100"/></svg><figcaption><b>{}</b> of {} {}</figcaption></figure>"#,
        left.min(of),
        Span(left),
        Span(of),
        text(what)
    )
}

/// Requests, and sessions that began and ended, by the minute.
pub(super) fn hour(out: &mut String, seen: &Seen, now: u64) -> fmt::Result {
    let last = now / 60;
    let minutes: Vec<Minute> = (0..MINUTES as u64)
        .map(|place| (last + 1 + place).saturating_sub(MINUTES as u64))
        .map(|minute| {
            let known = seen.minutes.iter().find(|one| one.number == minute);
            known.copied().unwrap_or(Minute {
                number: minute,
                ..Minute::default()
            })
        })
        .collect();
    let sum = |count: fn(&Minute) -> u32| minutes.iter().map(|one| u64::from(count(one))).sum();
    let requests: u64 = sum(|one| one.requests);
    let (begun, ended): (u64, u64) = (sum(|one| one.begun), sum(|one| one.ended));
    let at = |one: &Minute| OfDay(one.number * 60).to_string()[..5].to_owned();
    bars(
        out,
        &Chart {
            id: "requests-chart",
            title: "Requests a minute",
            summary: &format!("{requests} in the last hour"),
            rows: minutes
                .iter()
                .map(|one| (at(one), vec![one.requests]))
                .collect(),
            series: &["requests"],
            every: 15,
        },
    )?;
    bars(
        out,
        &Chart {
            id: "sessions-chart",
            title: "Sessions a minute",
            summary: &format!("{begun} began and {ended} ended in the last hour"),
            rows: minutes
                .iter()
                .map(|one| (at(one), vec![one.begun, one.ended]))
                .collect(),
            series: &["began", "ended"],
            every: 15,
        },
    )
}

/// How large the sessions of the latest requests are.
pub(super) fn sizes(out: &mut String, seen: &Seen) -> fmt::Result {
    const STEPS: [usize; 7] = [128, 256, 512, 1024, 2048, 4096, usize::MAX];
    let mut counts = [0_u32; STEPS.len()];
    let (mut counted, mut largest) = (HashSet::new(), 0);
    for request in seen.requests.iter().rev() {
        let side = &request.after;
        // Each as it was last; one in a cookie has no other name than its cookie.
        let name = side.handle.map(|handle| handle.to_string());
        if side.found == Found::Session && counted.insert((name, side.mark)) {
            let size = side.size();
            largest = largest.max(size);
            let step = STEPS.iter().position(|step| size <= *step);
            counts[step.unwrap_or(STEPS.len() - 1)] += 1;
        }
    }
    let label = |step: usize| match step {
        usize::MAX => "more".to_owned(),
        step => format!("{step}"),
    };
    let all: u32 = counts.iter().sum();
    bars(
        out,
        &Chart {
            id: "sizes-chart",
            title: "Sizes in bytes",
            summary: &match all {
                0 => "no session seen yet".to_owned(),
                _ => format!(
                    "{all} states of sessions in the latest requests, the largest of {}",
                    Bytes(largest)
                ),
            },
            rows: STEPS
                .iter()
                .zip(counts)
                .map(|(step, count)| (label(*step), vec![count]))
                .collect(),
            series: &["sessions up to so many bytes"],
            every: 1,
        },
    )
}

struct Chart<'a> {
    id: &'a str,
    title: &'a str,
    /// What it shows, for those who do not see it and in a hurry for all.
    summary: &'a str,
    /// A label, and a number for each series.
    rows: Vec<(String, Vec<u32>)>,
    series: &'a [&'a str],
    /// How many rows have one label below them.
    every: usize,
}

/// Bars beside each other, with the numbers in a table below.
fn bars(out: &mut String, chart: &Chart<'_>) -> fmt::Result {
    let Chart {
        id, title, summary, ..
    } = chart;
    let highest = chart.rows.iter().flat_map(|(_, counts)| counts).max();
    let highest = highest.copied().unwrap_or_default();
    let scale = f64::from(highest.max(1));
    let width = chart.rows.len() * 10;
    write!(
        out,
        r#"<figure class="chart" aria-labelledby="{id}"><figcaption id="{id}"><b>{}</b> {}</figcaption>"#,
        text(title),
        text(summary)
    )?;
    write!(
        out,
        r#"<svg viewBox="0 0 {width} 100" preserveAspectRatio="none" role="img" aria-label="{}: {}"><line class="ground" x1="0" x2="{width}" y1="100" y2="100"/>"#,
        text(title),
        text(summary)
    )?;
    let thickness = 8.0 / f64::from(u32::try_from(chart.series.len().max(1)).unwrap_or(1));
    for (place, (label, counts)) in chart.rows.iter().enumerate() {
        let mut from = 1.0 + 10.0 * f64::from(u32::try_from(place).unwrap_or_default());
        for (series, count) in counts.iter().enumerate() {
            if *count > 0 {
                let height = (f64::from(*count) / scale * 96.0).max(2.0);
                write!(
                    out,
                    r#"<rect class="b{series}" x="{from:.1}" y="{:.1}" width="{thickness:.1}" height="{height:.1}"><title>{}: {count}</title></rect>"#,
                    100.0 - height,
                    text(label)
                )?;
            }
            from += thickness;
        }
    }
    out.write_str(r#"</svg><p class="axis" aria-hidden="true">"#)?;
    for (label, _) in chart.rows.iter().step_by(chart.every) {
        write!(out, "<span>{}</span>", text(label))?;
    }
    if chart.every > 1 {
        out.write_str("<span>now</span>")?;
    }
    write!(
        out,
        r#"</p><details id="{id}-table"><summary>As a table</summary><table><thead><tr><th scope="col">{}</th>"#,
        if chart.every > 1 {
            "minute, UTC"
        } else {
            "bytes"
        }
    )?;
    for series in chart.series {
        write!(out, r#"<th scope="col">{}</th>"#, text(series))?;
    }
    out.write_str("</tr></thead><tbody>")?;
    let rows = chart.rows.iter();
    for (label, counts) in rows.filter(|(_, counts)| counts.iter().any(|count| *count > 0)) {
        write!(out, r#"<tr><th scope="row">{}</th>"#, text(label))?;
        for count in counts {
            write!(out, "<td>{count}</td>")?;
        }
        out.write_str("</tr>")?;
    }
    out.write_str("</tbody></table></details></figure>")
}
