//! Horizontal bars as SVG, for light and dark pages.

use std::fmt::Write;

use crate::subject::Family;

/// Groups of bars, each with its value written beside it.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: String,
    /// One sentence below the title: what the bars are, and which end is good.
    pub(super) about: String,
    pub(super) groups: Vec<Group>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
}

#[derive(Debug)]
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) value: f64,
    /// The value as it is written.
    pub(super) text: String,
    pub(super) family: Family,
}

const WIDTH: f64 = 760.0;
const MARGIN: f64 = 24.0;
const BARS_BEGIN: f64 = 236.0;
/// The longest bar; the rest is for its text.
const LONGEST: f64 = 370.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;
const HEAD: f64 = 76.0;
const GROUP_TITLE: f64 = 38.0;

/// The colours keep their contrast on both backgrounds; the text is never on a bar.
const STYLE: &str = "\
.page{fill:#fbfaf8;stroke:#e3dfd8}
text{fill:#26221c;font:14px system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',sans-serif}
.title{font-size:18px;font-weight:600}
.about,.group{fill:#6a6357}
.group{font-weight:600}
.value{font-variant-numeric:tabular-nums}
.ours{fill:#0f766e}
.peer{fill:#b3aa9b}
.floor{fill:#fbfaf8;stroke:#0f766e;stroke-dasharray:3 2}
.own{font-weight:600}
@media (prefers-color-scheme:dark){
.page{fill:#1b1a17;stroke:#37342e}
text{fill:#ece7de}
.about,.group{fill:#a79f91}
.ours{fill:#2dd4bf}
.peer{fill:#6d665a}
.floor{fill:#1b1a17;stroke:#2dd4bf}
}
";

impl Chart {
    pub(super) fn svg(&self) -> String {
        let bars = || self.groups.iter().flat_map(|group| &group.bars);
        let most = bars().map(|bar| bar.value).fold(0.0, f64::max);
        let rows: usize = self.groups.iter().map(|group| group.bars.len()).sum();
        let height = HEAD + self.groups.len() as f64 * GROUP_TITLE + rows as f64 * ROW + MARGIN;
        let title = escaped(&self.title);
        let about = escaped(&self.about);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
             role=\"img\" aria-labelledby=\"title about\">\n\
             <title id=\"title\">{title}</title>\n<desc id=\"about\">{about} {}</desc>\n<style>\n{STYLE}</style>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
             <text class=\"title\" x=\"{MARGIN}\" y=\"36\">{title}</text>\n\
             <text class=\"about\" x=\"{MARGIN}\" y=\"60\">{about}</text>\n",
            escaped(&self.in_words()),
            WIDTH - 1.0,
            height - 1.0,
        );
        let mut top = HEAD;
        for group in &self.groups {
            line(
                &mut svg,
                format_args!(
                    "<text class=\"group\" x=\"{MARGIN}\" y=\"{}\">{}</text>",
                    top + 26.0,
                    escaped(&group.title)
                ),
            );
            top += GROUP_TITLE;
            for bar in &group.bars {
                bar.draw(&mut svg, top, most);
                top += ROW;
            }
        }
        svg + "</svg>\n"
    }

    /// All bars, for who does not see them.
    fn in_words(&self) -> String {
        let groups = self.groups.iter().map(|group| {
            let bars: Vec<String> = group
                .bars
                .iter()
                .map(|bar| format!("{} {}", bar.label, bar.text))
                .collect();
            format!("{}: {}.", group.title, bars.join(", "))
        });
        groups.collect::<Vec<_>>().join(" ")
    }
}

impl Bar {
    fn draw(&self, svg: &mut String, top: f64, most: f64) {
        // A value of nothing, or below it, is a thin line.
        let share = if most > 0.0 { self.value / most } else { 0.0 };
        let length = (LONGEST * share.max(0.0)).max(1.5);
        let (class, label) = match self.family {
            Family::Cloakroom => ("ours", "own"),
            Family::Peer => ("peer", ""),
            Family::Floor | Family::Bare => ("floor", ""),
        };
        let text = top + ROW / 2.0 + 5.0;
        line(
            svg,
            format_args!(
                "<text class=\"{label}\" x=\"{}\" y=\"{text}\" text-anchor=\"end\">{}</text>",
                BARS_BEGIN - 10.0,
                escaped(&self.label)
            ),
        );
        line(
            svg,
            format_args!(
                "<rect class=\"{class}\" x=\"{BARS_BEGIN}\" y=\"{}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>",
                top + (ROW - BAR) / 2.0
            ),
        );
        line(
            svg,
            format_args!(
                "<text class=\"value {label}\" x=\"{:.1}\" y=\"{text}\">{}</text>",
                BARS_BEGIN + length + 8.0,
                escaped(&self.text)
            ),
        );
    }
}

fn line(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    let _ = writeln!(svg, "{what}");
}

/// Text in XML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(value: f64) -> Chart {
        let bar = |label: &str, value, family| Bar {
            label: label.to_owned(),
            value,
            text: format!("{value} µs"),
            family,
        };
        Chart {
            title: "Read & <write>".to_owned(),
            about: "Less is better.".to_owned(),
            groups: vec![Group {
                title: "read".to_owned(),
                bars: vec![
                    bar("cloakroom \"signed\"", value, Family::Cloakroom),
                    bar("peer's", 4.0, Family::Peer),
                ],
            }],
        }
    }

    #[test]
    fn text_from_outside_can_not_become_markup() {
        let svg = chart(2.0).svg();
        assert!(svg.contains("<title id=\"title\">Read &amp; &lt;write&gt;</title>"));
        assert!(svg.contains(">cloakroom &quot;signed&quot;<") && svg.contains("peer&#39;s"));
        assert!(!svg.contains("<write>"));
    }

    #[test]
    fn bars_are_as_long_as_their_values_and_never_negative() {
        let svg = chart(2.0).svg();
        assert!(
            svg.contains("class=\"ours\" x=\"236\" y=\"119\" width=\"185.0\""),
            "{svg}"
        );
        assert!(svg.contains("width=\"370.0\""));
        assert!(chart(-1.0).svg().contains("width=\"1.5\""));
        assert!(chart(0.0).svg().contains("width=\"1.5\""));
    }

    #[test]
    fn the_description_says_all_bars() {
        let svg = chart(2.0).svg();
        assert!(svg.contains("read: cloakroom &quot;signed&quot; 2 µs, peer&#39;s 4 µs."));
    }
}
