use std::{fmt, str::FromStr};

/// A UUID: Python's `uuid.UUID`, Flask's ` u` tag.
///
/// It reads and writes the 8-4-4-4-12 text in other serde formats; inside a session it keeps its
/// type. `session.get::<uuid::Uuid>(…)` of the `uuid` crate reads it as well, but inserting that
/// type would store text: convert with `Uuid::from_bytes(*id.as_bytes())` to store a UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uuid([u8; 16]);

/// The text is not a UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a UUID: 32 hexadecimal digits are needed, dashes, braces and `urn:uuid:` are optional"
)]
pub struct UuidError;

impl Uuid {
    /// From its 16 bytes, most significant first.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, most significant first.
    pub const fn into_bytes(self) -> [u8; 16] {
        self.0
    }

    /// 32 lower-case digits without dashes: what Flask's ` u` tag holds.
    pub fn to_hex(self) -> String {
        self.0
            .iter()
            .fold(String::with_capacity(32), |mut text, byte| {
                for nibble in [byte >> 4, byte & 15] {
                    text.push(char::from(b"0123456789abcdef"[usize::from(nibble)]));
                }
                text
            })
    }
}

/// Accepts what Python's constructor does: dashes anywhere, braces around, `urn:` and `uuid:`.
impl FromStr for Uuid {
    type Err = UuidError;

    fn from_str(text: &str) -> Result<Self, UuidError> {
        let text = text.replace("urn:", "").replace("uuid:", "");
        let digits: Vec<u8> = text
            .trim_matches(['{', '}'])
            .bytes()
            .filter(|byte| *byte != b'-')
            .take(33)
            .collect();
        if digits.len() != 32 {
            return Err(UuidError);
        }
        let nibble = |byte: u8| {
            char::from(byte)
                .to_digit(16)
                .and_then(|digit| u8::try_from(digit).ok())
        };
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let (Some(high), Some(low)) = (nibble(pair[0]), nibble(pair[1])) else {
                return Err(UuidError);
            };
            *byte = high << 4 | low;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.to_hex();
        write!(
            formatter,
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
