//! Lines for standard output: as wide as the terminal, coloured only there, and never taken for its commands.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub(crate) const TITLE: Style = Style::new().bold();
pub(crate) const BAR: Style = AnsiColor::Cyan.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

/// Standard output, for answers of many lines.
pub(crate) struct Lines {
    out: BufWriter<Box<dyn Write>>,
    open: bool,
}

impl Lines {
    pub(crate) fn new() -> Self {
        Self {
            out: BufWriter::new(Box::new(AutoStream::auto(io::stdout()))),
            open: true,
        }
    }

    /// Says a line. False once nobody reads any more, as after `| head`: then there is no sense in going on.
    pub(crate) fn line(&mut self, text: &str) -> bool {
        self.open = self.open && writeln!(self.out, "{text}").is_ok();
        self.open
    }

    /// Says what has been said so far to those who wait for it.
    pub(crate) fn flush(&mut self) -> bool {
        self.open = self.open && self.out.flush().is_ok();
        self.open
    }
}

/// The columns of the terminal; none where the output goes elsewhere.
pub(crate) fn width() -> Option<usize> {
    let stdout = io::stdout();
    stdout.is_terminal().then_some(())?;
    terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0))
}

/// A visitor may have a say in the text: what a terminal would obey, or hide, is spelled out.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        let shown = letter == ' ' || letter.width().is_some_and(|width| width > 0);
        let turns = matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if shown && !turns {
            plain.push(letter);
        } else {
            plain.extend(letter.escape_default());
        }
    }
    plain
}

/// The text in exactly so many columns, cut or filled up.
pub(crate) fn fit(text: &str, width: usize, right: bool) -> String {
    let taken = text.width();
    if taken <= width {
        let gap = " ".repeat(width - taken);
        return if right {
            gap + text
        } else {
            text.to_owned() + &gap
        };
    }
    let mut cut = String::new();
    let mut room = width.saturating_sub(1);
    for letter in text.chars() {
        let wide = letter.width().unwrap_or(0);
        if wide > room {
            break;
        }
        room -= wide;
        cut.push(letter);
    }
    cut + "…" + &" ".repeat(room)
}

/// A style around a text.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(
            plain("a\x1b[31m\u{7}b\nc\u{202e}"),
            "a\\u{1b}[31m\\u{7}b\\nc\\u{202e}"
        );
        assert_eq!(plain("Zoë 漢字"), "Zoë 漢字");
    }

    #[test]
    fn text_takes_the_columns_that_it_is_given() {
        assert_eq!(fit("ab", 4, false), "ab  ");
        assert_eq!(fit("ab", 4, true), "  ab");
        assert_eq!(fit("abcdef", 4, false), "abc…");
        assert_eq!(fit("漢字漢字", 4, false), "漢… ");
        for width in 1..12 {
            assert_eq!(fit("a漢b字c", width, false).width(), width);
        }
    }
}
