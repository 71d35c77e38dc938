use std::{ops::Range, sync::Arc};

use super::{
    index::{Content, IndexedKey},
    tag::{Kind, Tag, TagError, Tags, unfit},
};
use crate::{
    json::{self, Extensions, JsonError, Limits, MAX_DEPTH, Objects, Style, Writer},
    token::base64::{self, Leniency},
    value::{DateTime, Dict, Markup, Text, Value},
};

/// Flask's `TaggedJSONSerializer`: JSON in which the types that JSON lacks are objects with one
/// special key, ` t` for a tuple, ` b` bytes, ` m` Markup, ` u` UUID, ` d` datetime, ` di` for a
/// dictionary that would look like one of these.
///
/// ```
/// use cloakroom::{format::TaggedJson, value::Value};
///
/// let format = TaggedJson::new();
/// let value = format.from_slice(br#"{"size":{" t":[640,480]}}"#)?;
/// assert!(matches!(value.as_dict().and_then(|session| session.get("size")), Some(Value::Tuple(_))));
/// assert_eq!(format.to_bytes(&value)?, br#"{"size":{" t":[640,480]}}"#);
/// # Ok::<(), cloakroom::json::JsonError>(())
/// ```
#[derive(Clone, Debug)]
#[doc(alias = "TaggedJSONSerializer")]
pub struct TaggedJson {
    tags: Tags,
    style: Style,
    limits: Limits,
}

impl Default for TaggedJson {
    fn default() -> Self {
        Self::new()
    }
}

impl TaggedJson {
    /// What a Flask app uses inside a request: keys sorted, everything but printable ASCII escaped.
    pub fn new() -> Self {
        Self {
            tags: Tags::default(),
            style: Style::FLASK,
            limits: Limits {
                max_depth: MAX_DEPTH,
            },
        }
    }

    /// Whether everything but printable ASCII is escaped; Flask's `app.json.ensure_ascii`.
    #[must_use]
    #[doc(alias = "ensure_ascii")]
    pub fn ascii(mut self, ascii: bool) -> Self {
        self.style.ascii = ascii;
        self
    }

    /// Whether keys are sorted at every level; Flask's `app.json.sort_keys`.
    #[must_use]
    pub fn sort_keys(mut self, sort_keys: bool) -> Self {
        self.style.sort_keys = sort_keys;
        self
    }

    /// How deep arrays and objects may nest; 128 by default, and never more when writing.
    #[must_use]
    pub fn max_depth(mut self, max_depth: usize) -> Self {
        self.limits.max_depth = max_depth;
        self
    }

    /// Adds a tag after all others.
    ///
    /// # Errors
    ///
    /// [`TagError::Taken`] if the key belongs to another tag.
    pub fn register(self, tag: impl Tag + 'static) -> Result<Self, TagError> {
        let last = self.tags.order.len();
        self.register_at(last, tag)
    }

    /// Adds a tag at a place in the order in which tags are tried; 0 is before Flask's own. A tag for
    /// values that Flask knows (a dictionary of some shape, say) must come before Flask's.
    ///
    /// # Errors
    ///
    /// [`TagError::Taken`] if the key belongs to another tag.
    pub fn register_at(mut self, index: usize, tag: impl Tag + 'static) -> Result<Self, TagError> {
        self.tags.insert(index, Arc::new(tag))?;
        Ok(self)
    }

    /// Adds a tag after all others, in place of the one that has its key (Flask's `force=True`).
    #[must_use]
    pub fn replace(mut self, tag: impl Tag + 'static) -> Self {
        self.tags.replace(Arc::new(tag));
        self
    }

    /// The text of a value.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if a key cannot be written or sorted, a date is out of range, or the value nests
    /// too deep.
    #[doc(alias = "dumps")]
    pub fn to_bytes(&self, value: &Value) -> Result<Vec<u8>, JsonError> {
        let mut out = Vec::with_capacity(64);
        self.write(&mut out, value)?;
        Ok(out)
    }

    /// The value of a text.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if the bytes are no JSON within the limits or a tag's content does not fit it.
    #[doc(alias = "loads")]
    pub fn from_slice(&self, bytes: &[u8]) -> Result<Value, JsonError> {
        self.read(json::utf8(bytes)?)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, value: &Value) -> Result<(), JsonError> {
        Writer::new(out, self.style, self).value(value)
    }

    pub(crate) fn read(&self, text: &str) -> Result<Value, JsonError> {
        json::read(text, self.limits, self)
    }

    /// What a session's document holds, its entries left as they are.
    pub(crate) fn index<E>(
        &self,
        text: &str,
        entry: impl FnMut(IndexedKey, Range<u32>) -> E,
    ) -> Result<Content<E>, JsonError> {
        super::index::index(self, text, self.limits, entry)
    }

    /// A key as it stands in a document.
    pub(crate) fn write_key(&self, out: &mut Vec<u8>, key: &Text) {
        json::write_text(out, key, self.style.ascii);
    }

    /// Whether a dictionary with this one key would be taken for a tag.
    pub(crate) fn is_tag(&self, key: &str) -> bool {
        self.tag(key).is_some()
    }

    /// Whether a key is worth a look at the tags.
    #[inline]
    pub(super) fn may_be_tag(&self, key: &[u8]) -> bool {
        self.tags.may_have(key)
    }

    pub(super) fn tag(&self, key: &str) -> Option<&Kind> {
        self.tags.find(key)
    }
}

/// The key under which a one-key dictionary with a tag's key is written, inside ` di`.
pub(crate) fn escaped_key(key: &str) -> String {
    format!("{key}__")
}

impl Extensions for TaggedJson {
    fn intercept(&self, writer: &mut Writer<'_, Self>, value: &Value) -> Result<bool, JsonError> {
        if let Some(tag) = self.tags.custom_for(value) {
            let content = tag.encode(value).map_err(|_| unfit(tag.key()))?;
            writer.single(tag.key(), |writer| writer.plain(&content))?;
            return Ok(true);
        }
        let Some([(Value::Text(key), content)]) = value.as_dict().map(Dict::as_slice) else {
            return Ok(false);
        };
        let Some(key) = key.as_str().filter(|key| self.is_tag(key)) else {
            return Ok(false);
        };
        writer.single(" di", |writer| {
            writer.single(&escaped_key(key), |writer| writer.value(content))
        })?;
        Ok(true)
    }

    fn tuple(&self, writer: &mut Writer<'_, Self>, items: &[Value]) -> Result<(), JsonError> {
        writer.single(" t", |writer| writer.list(items))
    }

    fn value(&self, writer: &mut Writer<'_, Self>, value: &Value) -> Result<(), JsonError> {
        // What Flask's JSON makes of these has no tag.
        let plain = match value {
            Value::Decimal(number) => Some(number.to_string()),
            Value::Date(date) => Some(date.to_http_date().ok_or(JsonError::DateRange)?),
            _ => None,
        };
        if let Some(plain) = plain {
            writer.text(&plain.into());
            return Ok(());
        }
        let (key, content) = match value {
            Value::Bytes(bytes) => (" b", Text::from(base64::encode_standard(bytes))),
            Value::Markup(markup) => (" m", markup.0.clone()),
            Value::Uuid(uuid) => (" u", uuid.to_hex().into()),
            Value::DateTime(date) => (
                " d",
                date.to_http_date().ok_or(JsonError::DateRange)?.into(),
            ),
            other => return Err(JsonError::Unsupported(other.type_name())),
        };
        writer.single(key, |writer| {
            writer.text(&content);
            Ok(())
        })
    }
}

impl Objects for TaggedJson {
    fn finish(&self, dict: Dict) -> Result<Value, JsonError> {
        let tag = match dict.as_slice() {
            [(key, _)] => key.as_str().and_then(|key| self.tags.find(key)),
            _ => None,
        };
        match (tag, dict) {
            (Some(kind), dict) => match dict.into_iter().next() {
                Some((_, content)) => resolve(kind, content),
                None => Ok(Value::Dict(Dict::new())),
            },
            (None, dict) => Ok(Value::Dict(dict)),
        }
    }
}

/// The value that a tag stands for.
fn resolve(kind: &Kind, content: Value) -> Result<Value, JsonError> {
    let refused = || unfit(kind.key().unwrap_or_default());
    Ok(match kind {
        Kind::Escape => {
            let Value::Dict(dict) = content else {
                return Err(refused());
            };
            let Some((Value::Text(key), value)) = dict.into_iter().next() else {
                return Err(refused());
            };
            let points: Vec<u32> = key.code_points().collect();
            let kept = points.len().saturating_sub(2);
            Value::Dict(Dict::from_iter([(
                Text::from_code_points(points.into_iter().take(kept)),
                value,
            )]))
        }
        Kind::Tuple => Value::Tuple(items(content).ok_or_else(refused)?),
        Kind::Bytes => {
            let bytes = match &content {
                Value::Text(text) | Value::Markup(Markup(text)) => text
                    .as_str()
                    .filter(|text| text.is_ascii())
                    .map(str::as_bytes),
                Value::Bytes(bytes) => Some(bytes.as_slice()),
                _ => None,
            };
            let bytes =
                bytes.and_then(|text| base64::decode_standard(text, Leniency::Lenient).ok());
            Value::Bytes(bytes.ok_or_else(refused)?)
        }
        Kind::Markup => Value::Markup(match content {
            Value::Text(text) | Value::Markup(Markup(text)) => Markup(text),
            other => Markup::new(other.to_string()),
        }),
        Kind::Uuid => Value::Uuid(
            content
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(refused)?,
        ),
        // Python's parser gives none for whatever is empty, and for text that is no date.
        Kind::DateTime if !content.is_truthy() => Value::None,
        Kind::DateTime => match &content {
            Value::Text(text) | Value::Markup(Markup(text)) => text
                .as_str()
                .and_then(DateTime::from_http_date)
                .map_or(Value::None, Value::DateTime),
            // It splits bytes as it splits text, and finds no date in them.
            Value::Bytes(_) => Value::None,
            _ => return Err(refused()),
        },
        Kind::Custom(tag) => tag.decode(content).map_err(|_| refused())?,
        // These have no key, so no object stands for them.
        Kind::Dict | Kind::List => content,
    })
}

/// What Python's `tuple(content)` holds.
pub(super) fn items(content: Value) -> Option<Vec<Value>> {
    Some(match content {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::FrozenSet(items) => {
            items
        }
        Value::Text(text) | Value::Markup(Markup(text)) => text
            .code_points()
            .map(|point| Value::Text(Text::from_code_points([point])))
            .collect(),
        Value::Bytes(bytes) => bytes.into_iter().map(Value::from).collect(),
        Value::Dict(dict) => dict.into_iter().map(|(key, _)| key).collect(),
        _ => return None,
    })
}
