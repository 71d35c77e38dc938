use std::ops::Range;

use super::{JsonError, number::MAX_DIGITS};

/// Walks over JSON text as Python's decoder does, without building anything.
///
/// The input is known to be UTF-8, so positions after ASCII bytes are character boundaries.
pub(crate) struct Scanner<'a> {
    text: &'a [u8],
    position: usize,
    depth: usize,
    max_depth: usize,
}

/// What was read, which stands between the positions before and after.
#[derive(Clone, Copy)]
pub(crate) enum Token {
    Null,
    Bool(bool),
    Int,
    /// In Rust's notation too, NaN and the infinities included.
    Float,
    Text {
        escaped: bool,
    },
    Array,
    Object,
}

/// A string literal without its quotes.
#[derive(Clone, Debug)]
pub(crate) struct RawText {
    pub(crate) range: Range<usize>,
    pub(crate) escaped: bool,
}

#[allow(
    clippy::inline_always,
    reason = "what is read stays in registers then; in memory it costs a third of the whole walk"
)]
impl<'a> Scanner<'a> {
    #[inline(always)]
    pub(crate) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text: text.as_bytes(),
            position: 0,
            depth: 0,
            max_depth,
        }
    }

    #[inline(always)]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    #[inline(always)]
    pub(crate) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.text.get(range).unwrap_or_default()
    }

    #[cold]
    pub(crate) fn error<T>(&self, expected: &'static str) -> Result<T, JsonError> {
        Err(JsonError::Syntax {
            expected,
            position: self.position,
        })
    }

    #[inline(always)]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    #[inline(always)]
    pub(crate) fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.position += 1;
        }
    }

    /// Nothing but white space may be left.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        self.skip_space();
        if self.position == self.text.len() {
            Ok(())
        } else {
            self.error("the end of the text")
        }
    }

    /// Reads a scalar, or only the opening bracket of an array or object.
    #[inline(always)]
    pub(crate) fn token(&mut self) -> Result<Token, JsonError> {
        match self.peek() {
            Some(b'"') => {
                let RawText { escaped, .. } = self.string()?;
                Ok(Token::Text { escaped })
            }
            Some(b'{') => self.open().map(|()| Token::Object),
            Some(b'[') => self.open().map(|()| Token::Array),
            Some(b'n') => self.word("null", Token::Null),
            Some(b't') => self.word("true", Token::Bool(true)),
            Some(b'f') => self.word("false", Token::Bool(false)),
            Some(b'N') => self.word("NaN", Token::Float),
            Some(b'I') => self.word("Infinity", Token::Float),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.error("a value"),
        }
    }

    #[inline(always)]
    fn open(&mut self) -> Result<(), JsonError> {
        if self.depth == self.max_depth {
            return Err(JsonError::TooDeep {
                limit: self.max_depth,
            });
        }
        self.depth += 1;
        self.position += 1;
        Ok(())
    }

    fn word(&mut self, word: &str, token: Token) -> Result<Token, JsonError> {
        if !self.text[self.position..].starts_with(word.as_bytes()) {
            return self.error("a value");
        }
        self.position += word.len();
        Ok(token)
    }

    /// Most numbers are a few digits; whatever is more than that is left to [`any_number`](Self::any_number).
    #[inline(always)]
    fn number(&mut self) -> Result<Token, JsonError> {
        let start = self.position;
        let digits = self.digits();
        let is_plain = match (digits, self.text.get(start)) {
            (1, _) => true,
            (2..=MAX_DIGITS, Some(first)) => *first != b'0',
            _ => false,
        };
        if is_plain && !matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Ok(Token::Int);
        }
        self.position = start;
        self.any_number()
    }

    #[cold]
    fn any_number(&mut self) -> Result<Token, JsonError> {
        let start = self.position;
        let negative = self.peek() == Some(b'-');
        self.position += usize::from(negative);
        let first = self.peek();
        let digits = self.digits();
        match first {
            // Python stops after a leading zero, whatever follows is then out of place.
            Some(b'0') => self.position = start + usize::from(negative) + 1,
            _ if digits > 0 => {}
            Some(b'I') if negative => {
                return self.word("Infinity", Token::Float);
            }
            _ => return self.error("a digit"),
        }
        let mut float = false;
        if self.peek() == Some(b'.') {
            self.position += 1;
            if self.digits() == 0 {
                return self.error("a digit");
            }
            float = true;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.position += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.position += 1;
            }
            if self.digits() == 0 {
                return self.error("a digit");
            }
            float = true;
        }
        match float {
            true => Ok(Token::Float),
            false if digits > MAX_DIGITS => Err(JsonError::TooManyDigits),
            false => Ok(Token::Int),
        }
    }

    #[inline(always)]
    fn digits(&mut self) -> usize {
        let rest = &self.text[self.position..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += count;
        count
    }

    /// Reads a string literal; the escapes in it are checked, not resolved.
    #[inline(always)]
    pub(crate) fn string(&mut self) -> Result<RawText, JsonError> {
        if self.peek() != Some(b'"') {
            return self.error("a quote");
        }
        let start = self.position + 1;
        self.position = start + plain_run(&self.text[start..]);
        let escaped = self.peek() != Some(b'"');
        if escaped {
            self.escaped_rest()?;
        }
        let range = start..self.position;
        self.position += 1;
        Ok(RawText { range, escaped })
    }

    /// Goes on to the closing quote from what no plain string holds.
    #[cold]
    fn escaped_rest(&mut self) -> Result<(), JsonError> {
        while self.peek() != Some(b'"') {
            if self.peek() != Some(b'\\') {
                return self.error("a character that may stand in a string, or its end");
            }
            self.escape()?;
            self.position += plain_run(&self.text[self.position..]);
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), JsonError> {
        self.position += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.position += 1;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.slice(self.position + 1..self.position + 5);
                if digits.len() != 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.error("`u` with four hexadecimal digits");
                }
                self.position += 5;
                Ok(())
            }
            _ => self.error("an escape"),
        }
    }

    /// After `[`: whether there is an item, which then starts here.
    #[inline(always)]
    pub(crate) fn first_item(&mut self) -> bool {
        self.skip_space();
        !self.close(b']')
    }

    /// After an item: whether another one follows.
    #[inline(always)]
    pub(crate) fn next_item(&mut self) -> Result<bool, JsonError> {
        self.skip_space();
        if self.close(b']') {
            return Ok(false);
        }
        if self.peek() != Some(b',') {
            return self.error("a comma or `]`");
        }
        self.position += 1;
        self.skip_space();
        Ok(true)
    }

    /// After `{`: the first key, whose value then starts here.
    #[inline(always)]
    pub(crate) fn first_key(&mut self) -> Result<Option<RawText>, JsonError> {
        self.skip_space();
        if self.close(b'}') {
            return Ok(None);
        }
        self.key().map(Some)
    }

    /// After a value: the next key, whose value then starts here.
    #[inline(always)]
    pub(crate) fn next_key(&mut self) -> Result<Option<RawText>, JsonError> {
        self.skip_space();
        if self.close(b'}') {
            return Ok(None);
        }
        if self.peek() != Some(b',') {
            return self.error("a comma or `}`");
        }
        self.position += 1;
        self.skip_space();
        self.key().map(Some)
    }

    #[inline(always)]
    fn key(&mut self) -> Result<RawText, JsonError> {
        let key = self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return self.error("a colon");
        }
        self.position += 1;
        self.skip_space();
        Ok(key)
    }

    #[inline(always)]
    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        if closes {
            self.position += 1;
            self.depth -= 1;
        }
        closes
    }
}

/// How many bytes of a string literal come before the next one that matters: a quote, a backslash or a
/// control character.
#[inline]
fn plain_run(text: &[u8]) -> usize {
    let (words, rest) = text.as_chunks();
    for (index, word) in words.iter().enumerate() {
        let matters = bytes_that_matter(u64::from_le_bytes(*word));
        if matters != 0 {
            return 8 * index + matters.trailing_zeros() as usize / 8;
        }
    }
    let plain = |byte: &&u8| !matches!(byte, b'"' | b'\\' | 0..=0x1f);
    8 * words.len() + rest.iter().take_while(plain).count()
}

/// Eight bytes at once: the top bit of each byte that matters, exact up to the first one.
#[inline]
fn bytes_that_matter(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    let quotes = word ^ (ONES * 0x22);
    let backslashes = word ^ (ONES * 0x5c);
    // Zero and what is below the limit borrow from the top bit; only ASCII has not set it before.
    (word.wrapping_sub(ONES * 0x20) | quotes.wrapping_sub(ONES) | backslashes.wrapping_sub(ONES))
        & !word
        & (ONES << 7)
}
