use std::{borrow::Cow, fmt};

/// Python's `str`: Unicode text which, unlike Rust's, may also hold lone surrogates.
///
/// Such text is rare (a browser or a broken decoder made it), but a session that holds it must
/// survive a round trip through Rust unchanged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Utf8(String),
    /// UTF-8 extended to surrogates (WTF-8), holding at least one lone surrogate.
    Wtf8(Vec<u8>),
}

impl Text {
    /// From code points as Python counts them; a high surrogate directly followed by a low one
    /// becomes one character.
    pub fn from_code_points(points: impl IntoIterator<Item = u32>) -> Self {
        let mut builder = TextBuilder::default();
        for point in points {
            builder.push_code_point(point);
        }
        builder.finish()
    }

    /// The text, unless it holds lone surrogates.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Utf8(text) => Some(text),
            Repr::Wtf8(_) => None,
        }
    }

    /// The text with U+FFFD in place of lone surrogates.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        match &self.0 {
            Repr::Utf8(text) => Cow::Borrowed(text),
            Repr::Wtf8(_) => Cow::Owned(
                self.code_points()
                    .map(|point| char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER))
                    .collect(),
            ),
        }
    }

    /// The text, or itself if it holds lone surrogates.
    ///
    /// # Errors
    ///
    /// The text unchanged, if it is not well-formed Unicode.
    pub fn into_string(self) -> Result<String, Self> {
        match self.0 {
            Repr::Utf8(text) => Ok(text),
            wtf8 @ Repr::Wtf8(_) => Err(Self(wtf8)),
        }
    }

    /// The code points, surrogates included.
    pub fn code_points(&self) -> impl Iterator<Item = u32> + '_ {
        let bytes = self.as_wtf8();
        let mut position = 0;
        std::iter::from_fn(move || {
            let lead = *bytes.get(position)?;
            let (length, initial) = match lead {
                0x00..=0x7f => (1, lead),
                0x80..=0xdf => (2, lead & 0x1f),
                0xe0..=0xef => (3, lead & 0x0f),
                _ => (4, lead & 0x07),
            };
            let tail = bytes.get(position + 1..position + length)?;
            position += length;
            Some(tail.iter().fold(u32::from(initial), |point, byte| {
                point << 6 | u32::from(byte & 0x3f)
            }))
        })
    }

    /// Whether there is no character at all.
    pub fn is_empty(&self) -> bool {
        self.as_wtf8().is_empty()
    }

    /// From UTF-8 in which surrogates may stand as well (Python's `surrogatepass`).
    pub(crate) fn from_wtf8(mut bytes: &[u8]) -> Option<Self> {
        let mut builder = TextBuilder::default();
        loop {
            let error = match str::from_utf8(bytes) {
                Ok(text) => {
                    builder.push_str(text);
                    return Some(builder.finish());
                }
                Err(error) => error,
            };
            let (text, rest) = bytes.split_at_checked(error.valid_up_to())?;
            builder.push_str(str::from_utf8(text).ok()?);
            let [0xed, second @ 0xa0..=0xbf, third @ 0x80..=0xbf, rest @ ..] = rest else {
                return None;
            };
            let low = u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
            builder.push_code_point(0xd000 | low);
            bytes = rest;
        }
    }

    /// The bytes in WTF-8, whose order is Python's order of strings (by code point).
    pub(crate) fn as_wtf8(&self) -> &[u8] {
        match &self.0 {
            Repr::Utf8(text) => text.as_bytes(),
            Repr::Wtf8(bytes) => bytes,
        }
    }
}

/// Collects text piece by piece, joining surrogate pairs.
#[derive(Default)]
pub(crate) struct TextBuilder {
    bytes: Vec<u8>,
    /// The last thing pushed was this high surrogate, already in `bytes`.
    high: Option<u32>,
}

impl TextBuilder {
    pub(crate) fn push_str(&mut self, text: &str) {
        if !text.is_empty() {
            self.high = None;
            self.bytes.extend_from_slice(text.as_bytes());
        }
    }

    pub(crate) fn push_code_point(&mut self, point: u32) {
        if let (Some(high), 0xdc00..=0xdfff) = (self.high.take(), point) {
            self.bytes.truncate(self.bytes.len() - 3);
            return self.push_code_point(0x10000 + ((high - 0xd800) << 10) + (point - 0xdc00));
        }
        if let Some(character) = char::from_u32(point) {
            let mut buffer = [0; 4];
            self.bytes
                .extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
        } else if let 0xd800..=0xdfff = point {
            self.high = (point < 0xdc00).then_some(point);
            #[allow(clippy::cast_possible_truncation)]
            self.bytes.extend_from_slice(&[
                0xed,
                0x80 | (point >> 6 & 0x3f) as u8,
                0x80 | (point & 0x3f) as u8,
            ]);
        } else {
            self.push_str("\u{fffd}");
        }
    }

    pub(crate) fn finish(self) -> Text {
        match String::from_utf8(self.bytes) {
            Ok(text) => Text(Repr::Utf8(text)),
            Err(error) => Text(Repr::Wtf8(error.into_bytes())),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Utf8(text))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Utf8(text.to_owned()))
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_wtf8() == other.as_bytes()
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_wtf8().cmp(other.as_wtf8())
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

/// Lone surrogates show as U+FFFD.
impl fmt::Display for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.to_string_lossy())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Utf8(text) => text.fmt(formatter),
            Repr::Wtf8(_) => formatter.debug_list().entries(self.code_points()).finish(),
        }
    }
}

/// Text that goes into HTML unescaped: Python's `markupsafe.Markup`, Flask's ` m` tag.
///
/// Store it with [`Session::insert`](crate::Session::insert) or flash it, and a template shows it
/// without escaping. Only make one from text that you wrote or escaped yourself.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[doc(alias = "markupsafe")]
pub struct Markup(pub Text);

impl Markup {
    /// Marks `html` as safe.
    pub fn new(html: impl Into<Text>) -> Self {
        Self(html.into())
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn lone_surrogates_survive_and_pairs_join() {
        let lone = Text::from_code_points([0x61, 0xd800, 0x62]);
        assert_eq!(lone.as_str(), None);
        assert_eq!(lone.code_points().collect::<Vec<_>>(), [0x61, 0xd800, 0x62]);
        assert_eq!(lone.to_string(), "a\u{fffd}b");
        assert_eq!(
            Text::from_code_points([0xd83d, 0xde00]).as_str(),
            Some("\u{1f600}")
        );
        let three = Text::from_code_points([0xd83d, 0xd83d, 0xde00]);
        assert_eq!(three.code_points().collect::<Vec<_>>(), [0xd83d, 0x1f600]);
        assert!(
            ["\u{ffff}", "\u{10000}"].map(Text::from).is_sorted(),
            "order is by code point"
        );
    }
}
