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

/// What stands at a position.
pub(crate) enum Token {
    Null,
    Bool(bool),
    Int(Range<usize>),
    Float(Range<usize>),
    NonFinite(f64),
    Text(RawText),
    Array,
    Object,
}

/// A string literal without its quotes.
#[derive(Clone, Debug)]
pub(crate) struct RawText {
    pub(crate) range: Range<usize>,
    pub(crate) escaped: bool,
}

impl<'a> Scanner<'a> {
    #[inline]
    pub(crate) fn new(text: &'a str, max_depth: usize) -> Self {
        Self {
            text: text.as_bytes(),
            position: 0,
            depth: 0,
            max_depth,
        }
    }

    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    #[inline]
    pub(crate) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.text.get(range).unwrap_or_default()
    }

    pub(crate) fn error<T>(&self, expected: &'static str) -> Result<T, JsonError> {
        Err(JsonError::Syntax {
            expected,
            position: self.position,
        })
    }

    #[inline]
    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    #[inline]
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
    #[inline]
    pub(crate) fn token(&mut self) -> Result<Token, JsonError> {
        match self.peek() {
            Some(b'"') => self.string().map(Token::Text),
            Some(b'{') => self.open().map(|()| Token::Object),
            Some(b'[') => self.open().map(|()| Token::Array),
            Some(b'n') => self.word("null", Token::Null),
            Some(b't') => self.word("true", Token::Bool(true)),
            Some(b'f') => self.word("false", Token::Bool(false)),
            Some(b'N') => self.word("NaN", Token::NonFinite(f64::NAN)),
            Some(b'I') => self.word("Infinity", Token::NonFinite(f64::INFINITY)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.error("a value"),
        }
    }

    #[inline]
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

    fn number(&mut self) -> Result<Token, JsonError> {
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
                return self.word("Infinity", Token::NonFinite(f64::NEG_INFINITY));
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
        let range = start..self.position;
        match float {
            true => Ok(Token::Float(range)),
            false if digits > MAX_DIGITS => Err(JsonError::TooManyDigits),
            false => Ok(Token::Int(range)),
        }
    }

    #[inline]
    fn digits(&mut self) -> usize {
        let rest = &self.text[self.position..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.position += count;
        count
    }

    /// Reads a string literal; the escapes in it are checked, not resolved.
    #[inline]
    pub(crate) fn string(&mut self) -> Result<RawText, JsonError> {
        if self.peek() != Some(b'"') {
            return self.error("a quote");
        }
        self.position += 1;
        let start = self.position;
        let mut escaped = false;
        loop {
            let rest = &self.text[self.position..];
            // The plain run up to the next byte that matters.
            self.position += rest
                .iter()
                .take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..=0x1f))
                .count();
            match self.peek() {
                Some(b'"') => {
                    let range = start..self.position;
                    self.position += 1;
                    return Ok(RawText { range, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.error("a character that may stand in a string, or its end"),
            }
        }
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
    #[inline]
    pub(crate) fn first_item(&mut self) -> bool {
        self.skip_space();
        !self.close(b']')
    }

    /// After an item: whether another one follows.
    #[inline]
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
    #[inline]
    pub(crate) fn first_key(&mut self) -> Result<Option<RawText>, JsonError> {
        self.skip_space();
        if self.close(b'}') {
            return Ok(None);
        }
        self.key().map(Some)
    }

    /// After a value: the next key, whose value then starts here.
    #[inline]
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

    #[inline]
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

    #[inline]
    fn close(&mut self, bracket: u8) -> bool {
        let closes = self.peek() == Some(bracket);
        if closes {
            self.position += 1;
            self.depth -= 1;
        }
        closes
    }
}
