use std::{
    cmp::Ordering,
    fmt::{self, Write},
};

/// Python's `int`: no upper bound. Up to 64 bits it is a machine integer, beyond that its digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Int(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    /// Canonical decimal digits of a number outside `i64`, with `-` in front if negative.
    Big(Box<str>),
}

/// The text is not a decimal integer in Python's JSON form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a decimal integer: digits only, with an optional minus sign in front")]
pub struct IntError;

impl Int {
    /// From decimal digits with an optional minus sign; `-0` is 0 and leading zeros are dropped.
    ///
    /// # Errors
    ///
    /// [`IntError`] if there is anything but digits after the sign, or no digit.
    pub fn from_decimal(text: &str) -> Result<Self, IntError> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", text),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(IntError);
        }
        if let Ok(small) = text.parse::<i64>() {
            return Ok(Self(Repr::Small(small)));
        }
        let digits = digits.trim_start_matches('0');
        let canonical = format!("{sign}{digits}");
        Ok(Self(match canonical.parse() {
            Ok(small) => Repr::Small(small),
            Err(_) => Repr::Big(canonical.into_boxed_str()),
        }))
    }

    /// From two's complement, least significant byte first, as pickles have it; no byte is 0. The time
    /// is quadratic in the length, which the caller has to limit.
    pub(crate) fn from_twos_complement(bytes: &[u8]) -> Self {
        let negative = bytes.last().is_some_and(|byte| *byte >= 0x80);
        let mut magnitude = bytes.to_vec();
        if negative {
            negate(&mut magnitude);
        }
        // Nine decimal digits each, least significant first.
        let mut limbs: Vec<u32> = Vec::new();
        for byte in magnitude.iter().rev() {
            let mut carry = u64::from(*byte);
            for limb in &mut limbs {
                carry += u64::from(*limb) << 8;
                *limb = u32::try_from(carry % LIMB).unwrap_or_default();
                carry /= LIMB;
            }
            if carry > 0 {
                limbs.push(u32::try_from(carry).unwrap_or_default());
            }
        }
        let mut digits = String::from(if negative { "-0" } else { "0" });
        for limb in limbs.iter().rev() {
            // Writing into a string cannot fail.
            let _ = write!(digits, "{limb:09}");
        }
        Self::from_decimal(&digits).unwrap_or(Self::from(0))
    }

    /// Two's complement in as few bytes as hold it, least significant byte first.
    pub(crate) fn to_twos_complement(&self) -> Vec<u8> {
        let text = self.to_string();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.as_str()),
        };
        let mut bytes: Vec<u8> = Vec::with_capacity(digits.len() / 2 + 1);
        for digit in digits.bytes() {
            let mut carry = u32::from(digit - b'0');
            for byte in &mut bytes {
                carry += u32::from(*byte) * 10;
                [*byte, ..] = carry.to_le_bytes();
                carry >>= 8;
            }
            if carry > 0 {
                bytes.push(u8::try_from(carry).unwrap_or_default());
            }
        }
        bytes.push(0);
        if negative {
            negate(&mut bytes);
        }
        // A byte of nothing but the sign can go if the one before it shows the same sign.
        while let [.., before, last @ (0 | 0xff)] = bytes[..]
            && (before >= 0x80) == (last == 0xff)
        {
            bytes.pop();
        }
        bytes
    }

    /// The number, if it fits 64 bits with sign.
    pub fn as_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(value) => Some(*value),
            Repr::Big(_) => None,
        }
    }

    /// The number, if it fits 64 bits without sign.
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Small(value) => u64::try_from(*value).ok(),
            Repr::Big(digits) => digits.parse().ok(),
        }
    }

    /// The number, if it fits 128 bits with sign.
    pub fn as_i128(&self) -> Option<i128> {
        match &self.0 {
            Repr::Small(value) => Some((*value).into()),
            Repr::Big(digits) => digits.parse().ok(),
        }
    }

    /// The number, if it fits 128 bits without sign.
    pub fn as_u128(&self) -> Option<u128> {
        match &self.0 {
            Repr::Small(value) => u128::try_from(*value).ok(),
            Repr::Big(digits) => digits.parse().ok(),
        }
    }

    /// The nearest double, as Python's `float(value)`; infinite beyond the range of doubles.
    #[allow(clippy::cast_precision_loss)]
    pub fn as_f64(&self) -> f64 {
        match &self.0 {
            Repr::Small(value) => *value as f64,
            Repr::Big(digits) => digits.parse().unwrap_or(f64::NAN),
        }
    }
}

/// One more than the largest number of nine decimal digits.
const LIMB: u64 = 1_000_000_000;

/// Two's complement of bytes, least significant first.
fn negate(bytes: &mut [u8]) {
    let mut carry = true;
    for byte in bytes {
        (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
    }
}

impl fmt::Display for Int {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(value) => value.fmt(formatter),
            Repr::Big(digits) => formatter.write_str(digits),
        }
    }
}

impl fmt::Debug for Int {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Ord for Int {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) => left.cmp(right),
            (Repr::Small(_), Repr::Big(right)) => {
                if right.starts_with('-') {
                    Ordering::Greater
                } else {
                    Ordering::Less
                }
            }
            (Repr::Big(_), Repr::Small(_)) => other.cmp(self).reverse(),
            (Repr::Big(left), Repr::Big(right)) => {
                match (left.starts_with('-'), right.starts_with('-')) {
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (negative, _) => {
                        let order = left.len().cmp(&right.len()).then_with(|| left.cmp(right));
                        if negative { order.reverse() } else { order }
                    }
                }
            }
        }
    }
}

impl PartialOrd for Int {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

macro_rules! from_small {
    ($($source:ty),*) => {$(
        impl From<$source> for Int {
            fn from(value: $source) -> Self {
                Self(Repr::Small(value.into()))
            }
        }
    )*};
}

from_small!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! from_wide {
    ($($source:ty),*) => {$(
        impl From<$source> for Int {
            fn from(value: $source) -> Self {
                Self(match i64::try_from(value) {
                    Ok(small) => Repr::Small(small),
                    Err(_) => Repr::Big(value.to_string().into_boxed_str()),
                })
            }
        }
    )*};
}

from_wide!(i128, isize, u64, u128, usize);

#[cfg(test)]
mod tests {
    use super::Int;

    #[test]
    fn twos_complement_is_pythons() {
        let table: [(&str, &[u8]); 10] = [
            ("0", &[0]),
            ("127", &[127]),
            ("128", &[128, 0]),
            ("-1", &[255]),
            ("-128", &[128]),
            ("-129", &[127, 255]),
            ("65535", &[255, 255, 0]),
            ("2147483648", &[0, 0, 0, 128, 0]),
            ("1180591620717411303424", &[0, 0, 0, 0, 0, 0, 0, 0, 64]),
            (
                "-9223372036854775809",
                &[255, 255, 255, 255, 255, 255, 255, 127, 255],
            ),
        ];
        for (text, bytes) in table {
            let number = Int::from_decimal(text).unwrap();
            assert_eq!(number.to_twos_complement(), bytes, "{text}");
            assert_eq!(Int::from_twos_complement(bytes), number, "{text}");
        }
        assert_eq!(Int::from_twos_complement(&[]), Int::from(0));
    }

    #[test]
    fn big_numbers_are_canonical_and_ordered() {
        let texts = [
            "-100000000000000000000",
            "-99999999999999999999",
            "-9223372036854775809",
            "-1",
            "0",
            "9223372036854775808",
            "18446744073709551616",
        ];
        let numbers: Vec<Int> = texts
            .iter()
            .map(|text| Int::from_decimal(text).unwrap())
            .collect();
        assert!(numbers.is_sorted());
        assert_eq!(
            numbers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            texts
        );
        assert_eq!(Int::from_decimal("-000").unwrap(), Int::from(0));
        assert_eq!(
            Int::from_decimal("00018446744073709551616").unwrap(),
            numbers[6]
        );
        assert!(Int::from_decimal("+1").is_err() && Int::from_decimal("-").is_err());
        assert_eq!(Int::from(u64::MAX).as_u64(), Some(u64::MAX));
    }
}
