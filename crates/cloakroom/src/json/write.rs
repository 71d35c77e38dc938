use std::borrow::Cow;

use super::{JsonError, MAX_DEPTH, number::float_json};
use crate::value::{Dict, Int, Text, Value};

/// Which of Python's `json.dumps` options are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// `", "` and `": "` between items instead of `,` and `:`.
    pub spaced: bool,
    /// Everything outside 20–7E hex is escaped (`ensure_ascii`).
    pub ascii: bool,
    /// Keys are sorted at every level (`sort_keys`).
    pub sort_keys: bool,
}

impl Style {
    /// `json.dumps` without options, which itsdangerous' plain serializers use.
    pub const PYTHON: Self = Self {
        spaced: true,
        ascii: true,
        sort_keys: false,
    };
    /// What itsdangerous' URL-safe serializers write: compact, not escaped, in insertion order.
    pub const COMPACT: Self = Self {
        spaced: false,
        ascii: false,
        sort_keys: false,
    };
    /// What Flask's session interface writes inside a request: compact, escaped, sorted.
    pub const FLASK: Self = Self {
        spaced: false,
        ascii: true,
        sort_keys: true,
    };
}

/// The JSON text of a value without tags, as Python's `json.dumps` gives it; a tuple is an array and
/// Markup is text.
///
/// # Errors
///
/// [`JsonError`] for types that have no JSON form (bytes, UUID, datetime), for keys that cannot be
/// written or sorted, and for nesting beyond [`MAX_DEPTH`].
pub fn to_bytes(value: &Value, style: Style) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(64);
    Writer::new(&mut out, style, &Plain).value(value)?;
    Ok(out)
}

/// Readable text of a list, tuple or dict for messages and templates.
pub(crate) fn to_display(value: &Value) -> String {
    struct Lenient;

    impl Extensions for Lenient {
        fn value(&self, writer: &mut Writer<'_, Self>, value: &Value) -> Result<(), JsonError> {
            match value {
                Value::Set(items) | Value::FrozenSet(items) => writer.list(items),
                other => {
                    writer.text(&Text::from(other.to_string()));
                    Ok(())
                }
            }
        }

        fn tuple(&self, writer: &mut Writer<'_, Self>, items: &[Value]) -> Result<(), JsonError> {
            writer.list(items)
        }
    }

    let mut out = Vec::new();
    let style = Style {
        sort_keys: false,
        ascii: false,
        spaced: true,
    };
    match Writer::new(&mut out, style, &Lenient).value(value) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(_) => value.type_name().to_owned(),
    }
}

/// What a format does with the values that JSON does not know.
pub(crate) trait Extensions: Sized {
    /// What is neither none, bool, number, text, list, tuple nor dictionary.
    fn value(&self, writer: &mut Writer<'_, Self>, value: &Value) -> Result<(), JsonError>;

    fn tuple(&self, writer: &mut Writer<'_, Self>, items: &[Value]) -> Result<(), JsonError>;

    /// May write `value` in its own way before anything else looks at it.
    fn intercept(&self, _: &mut Writer<'_, Self>, _: &Value) -> Result<bool, JsonError> {
        Ok(false)
    }
}

/// JSON without extensions.
struct Plain;

impl Extensions for Plain {
    fn value(&self, writer: &mut Writer<'_, Self>, value: &Value) -> Result<(), JsonError> {
        match value {
            Value::Markup(markup) => {
                writer.text(&markup.0);
                Ok(())
            }
            other => Err(JsonError::Unsupported(other.type_name())),
        }
    }

    fn tuple(&self, writer: &mut Writer<'_, Self>, items: &[Value]) -> Result<(), JsonError> {
        writer.list(items)
    }
}

pub(crate) struct Writer<'a, E> {
    out: &'a mut Vec<u8>,
    style: Style,
    extensions: &'a E,
    depth: usize,
}

impl<'a, E: Extensions> Writer<'a, E> {
    pub(crate) fn new(out: &'a mut Vec<u8>, style: Style, extensions: &'a E) -> Self {
        Self {
            out,
            style,
            extensions,
            depth: 0,
        }
    }

    pub(crate) fn value(&mut self, value: &Value) -> Result<(), JsonError> {
        let extensions = self.extensions;
        if extensions.intercept(self, value)? {
            return Ok(());
        }
        self.plain(value)
    }

    /// Writes a value that nothing intercepts; what is inside may still be.
    pub(crate) fn plain(&mut self, value: &Value) -> Result<(), JsonError> {
        let extensions = self.extensions;
        match value {
            Value::None => self.raw(b"null"),
            Value::Bool(true) => self.raw(b"true"),
            Value::Bool(false) => self.raw(b"false"),
            Value::Int(int) => self.int(int),
            Value::Float(float) => self.raw(float_json(*float).as_bytes()),
            Value::Text(text) => self.text(text),
            Value::List(items) => self.list(items)?,
            Value::Tuple(items) => extensions.tuple(self, items)?,
            Value::Dict(dict) => self.dict(dict)?,
            Value::Bytes(_)
            | Value::Markup(_)
            | Value::Uuid(_)
            | Value::DateTime(_)
            | Value::Set(_)
            | Value::FrozenSet(_)
            | Value::Decimal(_)
            | Value::Date(_)
            | Value::Time(_)
            | Value::TimeDelta(_)
            | Value::Extension(_) => extensions.value(self, value)?,
        }
        Ok(())
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn int(&mut self, int: &Int) {
        use std::io::Write as _;
        // Writing into a vector cannot fail.
        let _ = write!(self.out, "{int}");
    }

    /// A string literal.
    pub(crate) fn text(&mut self, text: &Text) {
        write_text(self.out, text, self.style.ascii);
    }

    pub(crate) fn list(&mut self, items: &[Value]) -> Result<(), JsonError> {
        self.nested(b'[', b']', |writer| {
            for (index, item) in items.iter().enumerate() {
                writer.separate(index);
                writer.value(item)?;
            }
            Ok(())
        })
    }

    fn dict(&mut self, dict: &Dict) -> Result<(), JsonError> {
        let mut pairs: Vec<&(Value, Value)> = dict.iter().collect();
        if self.style.sort_keys {
            sort(&mut pairs)?;
        }
        self.nested(b'{', b'}', |writer| {
            for (index, (key, value)) in pairs.into_iter().enumerate() {
                writer.separate(index);
                let key = key_text(key)?;
                writer.text(&key);
                writer.colon();
                writer.value(value)?;
            }
            Ok(())
        })
    }

    /// `{"key":…}` around what `content` writes: the shape of a tag.
    pub(crate) fn single(
        &mut self,
        key: &str,
        content: impl FnOnce(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        self.nested(b'{', b'}', |writer| {
            writer.text(&Text::from(key));
            writer.colon();
            content(writer)
        })
    }

    fn nested(
        &mut self,
        open: u8,
        close: u8,
        content: impl FnOnce(&mut Self) -> Result<(), JsonError>,
    ) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::TooDeep { limit: MAX_DEPTH });
        }
        self.depth += 1;
        self.out.push(open);
        content(self)?;
        self.out.push(close);
        self.depth -= 1;
        Ok(())
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.raw(if self.style.spaced { b", " } else { b"," });
        }
    }

    fn colon(&mut self) {
        self.raw(if self.style.spaced { b": " } else { b":" });
    }
}

/// Appends `text` as a string literal; with `ascii`, DEL and everything beyond are escaped.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &Text, ascii: bool) {
    out.push(b'"');
    match text.as_str() {
        Some(text) => write_str(out, text, ascii),
        // Lone surrogates can only be written as escapes.
        None => text
            .code_points()
            .for_each(|point| match char::from_u32(point) {
                Some(character) => write_str(out, character.encode_utf8(&mut [0; 4]), ascii),
                None => write_unicode_escape(out, point),
            }),
    }
    out.push(b'"');
}

fn write_str(out: &mut Vec<u8>, text: &str, ascii: bool) {
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest
            .bytes()
            .take_while(|byte| is_plain(*byte, ascii))
            .count();
        out.extend_from_slice(&rest.as_bytes()[..plain]);
        // What stops a plain run is ASCII or, with `ascii`, the first byte of a character.
        let Some(character) = rest.get(plain..).and_then(|rest| rest.chars().next()) else {
            return;
        };
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            other => other
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| write_unicode_escape(out, (*unit).into())),
        }
        rest = &rest[plain + character.len_utf8()..];
    }
}

fn is_plain(byte: u8, ascii: bool) -> bool {
    match byte {
        b'"' | b'\\' | 0..=0x1f => false,
        0x20..=0x7e => true,
        0x7f.. => !ascii,
    }
}

fn write_unicode_escape(out: &mut Vec<u8>, unit: u32) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        // Four bits always fit the table.
        out.push(b"0123456789abcdef"[(unit >> shift & 15) as usize]);
    }
}

/// The text that a key becomes.
fn key_text(key: &Value) -> Result<Cow<'_, Text>, JsonError> {
    Ok(match key {
        Value::Text(text) => Cow::Borrowed(text),
        Value::Markup(markup) => Cow::Borrowed(&markup.0),
        Value::None => Cow::Owned("null".into()),
        Value::Bool(true) => Cow::Owned("true".into()),
        Value::Bool(false) => Cow::Owned("false".into()),
        Value::Int(int) => Cow::Owned(int.to_string().into()),
        Value::Float(float) => Cow::Owned(float_json(*float).into()),
        other => return Err(JsonError::Key(other.type_name())),
    })
}

/// Sorts by the keys themselves, as Python does before they become text: text by code point, numbers
/// (bools among them) by value. Keys that cannot be compared are an error.
fn sort(pairs: &mut [&(Value, Value)]) -> Result<(), JsonError> {
    let [(first, _), rest @ ..] = &*pairs else {
        return Ok(());
    };
    let order = rest
        .iter()
        .map(|(key, _)| Order::of(key))
        .fold(Order::of(first), Order::joined);
    match order {
        _ if rest.is_empty() => {}
        Order::Text => pairs.sort_by(|(left, _), (right, _)| key_wtf8(left).cmp(key_wtf8(right))),
        Order::Ints => pairs.sort_by_key(|(key, _)| key_int(key)),
        Order::Floats => {
            pairs.sort_by(|(left, _), (right, _)| key_float(left).total_cmp(&key_float(right)));
        }
        Order::Impossible => {
            let other = rest
                .iter()
                .find(|(key, _)| Order::of(first).joined(Order::of(key)) == Order::Impossible);
            return Err(JsonError::MixedKeys(
                first.type_name(),
                other.map_or("None", |(key, _)| key.type_name()),
            ));
        }
    }
    Ok(())
}

/// How keys of one kind compare.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Text,
    Ints,
    Floats,
    Impossible,
}

impl Order {
    fn of(key: &Value) -> Self {
        match key {
            Value::Text(_) | Value::Markup(_) => Self::Text,
            Value::Int(_) | Value::Bool(_) => Self::Ints,
            Value::Float(_) => Self::Floats,
            _ => Self::Impossible,
        }
    }

    fn joined(self, other: Self) -> Self {
        match (self, other) {
            (left, right) if left == right => left,
            (Self::Ints, Self::Floats) | (Self::Floats, Self::Ints) => Self::Floats,
            _ => Self::Impossible,
        }
    }
}

fn key_wtf8(key: &Value) -> &[u8] {
    match key {
        Value::Text(text) => text.as_wtf8(),
        Value::Markup(markup) => markup.0.as_wtf8(),
        _ => &[],
    }
}

fn key_int(key: &Value) -> Int {
    match key {
        Value::Int(int) => int.clone(),
        Value::Bool(value) => Int::from(u8::from(*value)),
        _ => Int::from(0),
    }
}

fn key_float(key: &Value) -> f64 {
    match key {
        Value::Float(float) => *float,
        other => key_int(other).as_f64(),
    }
}
