//! Numbers as people read them.

use crate::statistics::Summary;

/// Three digits that say something, and thousands apart: `0.42`, `12.3`, `131,500`.
pub(super) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 {
        return thousands(value);
    }
    let digits = if size >= 9.995 { 1 } else { 2 };
    format!("{value:.digits$}").replace('-', "−")
}

/// `+1.20`, `−0.10`
pub(super) fn signed(value: f64) -> String {
    let sign = if value < 0.0 { '−' } else { '+' };
    format!("{sign}{}", number(value.abs()))
}

pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match value < 0.0 && digits != "0" {
        true => format!("−{text}"),
        false => text,
    }
}

/// `1.20 ± 0.05`, or without the second where there was one round.
pub(super) fn with_spread(summary: &Summary, shown: fn(f64) -> String) -> String {
    match summary.rounds {
        0 | 1 => shown(summary.median),
        _ => format!("{} ± {}", shown(summary.median), number(summary.spread)),
    }
}

/// Requests per second to three digits: the rest is noise.
pub(super) fn rounded(value: f64) -> String {
    let step = 10_f64.powf((value.abs().max(1.0).log10().floor() - 2.0).max(0.0));
    thousands((value / step).round() * step)
}

/// `98 %`
pub(super) fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_it() {
        assert_eq!(number(0.424), "0.42");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(9.999), "10.0");
        assert_eq!(number(1234.5), "1,234");
        assert_eq!(number(-1.89), "−1.89");
        assert_eq!(signed(-0.1), "−0.10");
        assert_eq!(signed(2.0), "+2.00");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(thousands(-1234.0), "−1,234");
        assert_eq!(thousands(999.0), "999");
        assert_eq!(rounded(131_549.0), "132,000");
        assert_eq!(rounded(81.4), "81");
        assert_eq!(rounded(0.0), "0");
        assert_eq!(percent(0.984), "98 %");
    }
}
