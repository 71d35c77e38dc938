use std::{fmt, str::FromStr};

/// Python's `decimal.Decimal`: a number kept digit for digit, as money is. Only pickles keep its
/// type; Flask's other formats make it text.
///
/// It holds the number's text and does no arithmetic: parse it into the decimal type of your choice.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Decimal(Box<str>);

/// The text is not a decimal number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a decimal number: digits with at most one point, an optional sign and exponent, or NaN, Infinity"
)]
pub struct DecimalError;

impl Decimal {
    /// The number as Python writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn is_nan(&self) -> bool {
        self.0.bytes().any(|byte| byte.eq_ignore_ascii_case(&b'a'))
    }

    /// What Python's `bool(value)` says: only zeros are false.
    pub(super) fn is_truthy(&self) -> bool {
        let mantissa = self.0.split(['e', 'E']).next().unwrap_or_default();
        mantissa
            .bytes()
            .any(|byte| !matches!(byte, b'0' | b'.' | b'-' | b'+'))
    }
}

/// Accepts what Python's constructor does, in ASCII and without underscores.
impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let lower = unsigned.to_ascii_lowercase();
        let special = lower == "inf"
            || lower == "infinity"
            || lower
                .strip_prefix("snan")
                .or_else(|| lower.strip_prefix("nan"))
                .is_some_and(all_digits);
        (special || is_finite(&lower))
            .then(|| Self(text.into()))
            .ok_or(DecimalError)
    }
}

fn is_finite(number: &str) -> bool {
    let (mantissa, exponent) = number.split_once('e').unwrap_or((number, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    all_digits(whole)
        && all_digits(fraction)
        && all_digits(exponent)
        && !exponent.is_empty()
        && whole.len() + fraction.len() > 0
}

fn all_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;

    #[test]
    fn reads_what_python_writes() {
        for text in [
            "1.50",
            "-0",
            "0E-8",
            "1E+3",
            ".5",
            "5.",
            "NaN",
            "sNaN12",
            "-Infinity",
        ] {
            assert_eq!(text.parse::<Decimal>().unwrap().as_str(), text);
        }
        for bad in ["", ".", "-", "1e", "e1", "1.2.3", "1_0", " 1", "nan1x", "٣"] {
            assert!(bad.parse::<Decimal>().is_err(), "{bad}");
        }
        let truthy = |text: &str| text.parse::<Decimal>().unwrap().is_truthy();
        assert!(!truthy("-0.00E+5") && truthy("0.01") && truthy("NaN"));
    }
}
