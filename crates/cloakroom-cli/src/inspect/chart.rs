//! Bars. Each number stands beside its bar as text, so nobody has to see colours or measure.

use std::fmt::{self, Write};

use super::html::text;
use super::timeline::OverTime;
use crate::units::Count;

/// A bar of its own, with a name before it and a word after.
pub(super) struct Row {
    /// HTML.
    pub(super) name: String,
    pub(super) amount: u64,
    pub(super) said: String,
    /// Whether it is drawn in the second colour.
    pub(super) marked: bool,
}

/// Where the names of bars stand.
#[derive(Clone, Copy)]
pub(super) enum Names {
    /// Before them, as those do that are short.
    Before,
    Above,
}

/// Bars below each other.
pub(super) fn rows(
    out: &mut String,
    id: &str,
    title: &str,
    summary: &str,
    names: Names,
    rows: &[Row],
) -> fmt::Result {
    let most = rows.iter().map(|row| row.amount).max().unwrap_or(0);
    figure(out, id, title, summary)?;
    out.push_str(match names {
        Names::Before => "<table class=\"bars\"><tbody>",
        Names::Above => "<table class=\"bars long\"><tbody>",
    });
    for row in rows {
        let colour = if row.marked { "b1" } else { "b0" };
        write!(
            out,
            r#"<tr><th scope="row">{}</th><td class="amount"><svg viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true"><rect class="{colour}" width="{}" height="10"/></svg></td><td class="number">{}</td></tr>"#,
            row.name,
            part(row.amount, most),
            text(&row.said),
        )?;
    }
    out.write_str("</tbody></table></figure>")
}

/// Of a thousand, and never none for some.
fn part(amount: u64, most: u64) -> u64 {
    match u128::from(amount) * 1000 / u128::from(most.max(1)) {
        0..8 if amount > 0 => 8,
        part => u64::try_from(part).unwrap_or(1000),
    }
}

/// Bars beside each other, one for each span of time, with the numbers in a table below.
pub(super) fn over_time(
    out: &mut String,
    id: &str,
    title: &str,
    summary: &str,
    over: &OverTime,
) -> fmt::Result {
    let most = over.bars.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let width = over.bars.len() * 10;
    figure(out, id, title, summary)?;
    write!(
        out,
        r#"<svg viewBox="0 0 {width} 1000" preserveAspectRatio="none" role="img" aria-label="{}: {}"><line class="ground" x1="0" x2="{width}" y1="1000" y2="1000"/>"#,
        text(title),
        text(summary)
    )?;
    for (place, (label, count)) in over.bars.iter().enumerate() {
        let height = part(*count, most);
        write!(
            out,
            r#"<rect class="b0" x="{}" y="{}" width="8" height="{height}"><title>{}: {}</title></rect>"#,
            place * 10 + 1,
            1000 - height,
            text(label),
            Count(*count)
        )?;
    }
    out.push_str("</svg><p class=\"axis\" aria-hidden=\"true\">");
    for label in [over.bars.first(), over.bars.last()].into_iter().flatten() {
        write!(out, "<span>{}</span>", text(&label.0))?;
    }
    write!(
        out,
        r#"</p><details><summary>As a table</summary><table><thead><tr><th scope="col">{}, from, UTC</th><th scope="col">sessions</th></tr></thead><tbody>"#,
        over.step
    )?;
    for (label, count) in over.bars.iter().filter(|(_, count)| *count > 0) {
        write!(
            out,
            r#"<tr><th scope="row">{}</th><td>{}</td></tr>"#,
            text(label),
            Count(*count)
        )?;
    }
    out.write_str("</tbody></table></details></figure>")
}

fn figure(out: &mut String, id: &str, title: &str, summary: &str) -> fmt::Result {
    write!(
        out,
        r#"<figure class="chart" data-testid="{id}" aria-labelledby="{id}"><figcaption id="{id}"><b>{}</b> {}</figcaption>"#,
        text(title),
        text(summary)
    )
}

/// Colours that parts have before they begin again.
pub(super) const COLOURS: usize = 6;

/// One bar of several parts, each in its colour, and what is left of the whole in grey.
pub(super) fn whole(out: &mut String, of: u64, parts: &[u64], said: &str) -> fmt::Result {
    let of = of.max(1);
    write!(
        out,
        r#"<figure class="bar"><svg viewBox="0 0 {of} 100" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="{of}" height="100"/>"#
    )?;
    let mut from = 0;
    for (rank, part) in parts.iter().enumerate() {
        let colour = rank % COLOURS;
        write!(
            out,
            r#"<rect class="k{colour}" x="{from}" width="{part}" height="100"/>"#
        )?;
        from += part;
    }
    write!(out, "</svg><figcaption>{said}</figcaption></figure>")
}

/// How much of a time is over, and how much is left.
pub(super) fn time(out: &mut String, over: u64, left: u64, said: &str) -> fmt::Result {
    let of = (over + left).max(1);
    write!(
        out,
        r#"<figure class="bar" data-testid="time-left"><svg viewBox="0 0 {of} 100" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="{of}" height="100"/><rect class="time" x="{over}" width="{left}" height="100"/></svg><figcaption>{said}</figcaption></figure>"#
    )
}
