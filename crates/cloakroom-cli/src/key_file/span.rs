//! Spans of time as people write them.

use std::time::Duration;

/// A number with `s`, `m`, `h`, `d` or `w` behind it; seconds without.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        _ => return Err(EXPECTED.to_owned()),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit))
        .map(Duration::from_secs)
        .ok_or_else(|| EXPECTED.to_owned())
}

const EXPECTED: &str = "a span of time is written 30s, 10m, 12h, 31d or 4w";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, seconds) in [
            ("90", 90),
            ("30s", 30),
            ("10m", 600),
            ("31d", 2_678_400),
            ("1w", 604_800),
        ] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "d",
            "-1d",
            "1.5h",
            "10 m",
            "10y",
            "99999999999999999999d",
            "1ü",
        ] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
