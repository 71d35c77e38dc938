use std::fmt::{self, Display, Write};

/// Text in a page, or in an attribute in double quotes: it stays text, whatever it holds.
pub(super) fn text<T: Display>(text: T) -> Escaped<T> {
    Escaped(text)
}

pub(super) struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaper(formatter), "{}", self.0)
    }
}

struct Escaper<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaper<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|character| self.write_char(character))
    }

    fn write_char(&mut self, character: char) -> fmt::Result {
        match character {
            '&' => self.0.write_str("&amp;"),
            '<' => self.0.write_str("&lt;"),
            '>' => self.0.write_str("&gt;"),
            '"' => self.0.write_str("&quot;"),
            '\'' => self.0.write_str("&#39;"),
            // Shown as what they are, so that nothing hides.
            '\0'..'\x20' => {
                let picture = char::from_u32(0x2400 + u32::from(character));
                self.0.write_char(picture.unwrap_or('\u{fffd}'))
            }
            '\x7f' => self.0.write_char('\u{2421}'),
            '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                self.0.write_char('\u{fffd}')
            }
            other => self.0.write_char(other),
        }
    }
}

/// A number of bytes with its unit.
pub(super) struct Bytes(pub(super) usize);

impl Display for Bytes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => formatter.write_str("1 byte"),
            bytes => write!(formatter, "{} bytes", Grouped(bytes)),
        }
    }
}

/// A number with commas.
struct Grouped(usize);

impl Display for Grouped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1000 {
            0 => write!(formatter, "{}", self.0),
            thousands => write!(formatter, "{},{:03}", Grouped(thousands), self.0 % 1000),
        }
    }
}

/// A time of the day, UTC.
pub(super) struct OfDay(pub(super) u64);

impl Display for OfDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let second = self.0 % 86_400;
        let (hours, minutes) = (second / 3600, second / 60 % 60);
        write!(formatter, "{hours:02}:{minutes:02}:{:02}", second % 60)
    }
}

/// A span of time in its two largest units.
pub(super) struct Span(pub(super) u64);

impl Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
        let first = units.iter().position(|(size, _)| self.0 >= *size);
        let first = first.unwrap_or(units.len() - 1);
        let (size, unit) = units[first];
        write!(formatter, "{} {unit}", self.0 / size)?;
        match units.get(first + 1) {
            Some((next, unit)) if self.0 % size / next > 0 => {
                write!(formatter, " {} {unit}", self.0 % size / next)
            }
            _ => Ok(()),
        }
    }
}
