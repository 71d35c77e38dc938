use std::{fmt, sync::Arc};

use crate::{json::JsonError, value::Value};

/// A type of your own in tagged JSON: Flask's `JSONTag`.
///
/// A tagged value is written as an object with [`key`](Self::key) as its only key. By custom the key
/// is a space and one or two letters; it must not be one that Flask has taken.
///
/// The neighbouring Flask app needs the same tag, or it sees a plain dictionary.
#[doc(alias = "JSONTag")]
pub trait Tag: Send + Sync {
    /// The object's only key, such as `" c"`.
    fn key(&self) -> &str;

    /// Whether this tag is the one for `value`.
    #[doc(alias = "check")]
    fn matches(&self, value: &Value) -> bool;

    /// What to write for `value`; values inside are tagged in turn.
    ///
    /// # Errors
    ///
    /// [`TagError`] if the value cannot be written after all.
    #[doc(alias = "to_json")]
    fn encode(&self, value: &Value) -> Result<Value, TagError>;

    /// The value for what was read; values inside are already resolved.
    ///
    /// # Errors
    ///
    /// [`TagError`] if the content is not what the tag needs: the cookie is then refused.
    #[doc(alias = "to_python")]
    fn decode(&self, content: Value) -> Result<Value, TagError>;
}

/// A tag cannot be registered, or does not fit what it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// There is a tag of this key already; replacing it has to be asked for.
    #[error(
        "a tag with the key `{0}` is registered already; use `replace` to put another in its place"
    )]
    Taken(String),
    /// The content is not what the tag needs.
    #[error("the tag does not fit the value")]
    Unfit,
}

/// The tags in the order in which they are tried.
#[derive(Clone)]
pub(super) struct Tags {
    pub(super) order: Vec<Kind>,
    /// Whether there are others than Flask's.
    custom: bool,
}

/// What a place in the order stands for.
#[derive(Clone)]
pub(super) enum Kind {
    /// A one-key dictionary whose key is a tag's: it is escaped.
    Escape,
    Dict,
    Tuple,
    List,
    Bytes,
    Markup,
    Uuid,
    DateTime,
    Custom(Arc<dyn Tag>),
}

impl Kind {
    /// The key of the tag; dictionaries and lists have none.
    pub(super) fn key(&self) -> Option<&str> {
        Some(match self {
            Self::Escape => " di",
            Self::Tuple => " t",
            Self::Bytes => " b",
            Self::Markup => " m",
            Self::Uuid => " u",
            Self::DateTime => " d",
            Self::Dict | Self::List => return None,
            Self::Custom(tag) => tag.key(),
        })
    }

    fn claims(&self, value: &Value) -> bool {
        match self {
            // A one-key dictionary is a dictionary in any case; the writer tells them apart.
            Self::Escape => false,
            Self::Dict => matches!(value, Value::Dict(_)),
            Self::Tuple => matches!(value, Value::Tuple(_)),
            Self::List => matches!(value, Value::List(_)),
            Self::Bytes => matches!(value, Value::Bytes(_)),
            Self::Markup => matches!(value, Value::Markup(_)),
            Self::Uuid => matches!(value, Value::Uuid(_)),
            Self::DateTime => matches!(value, Value::DateTime(_)),
            Self::Custom(tag) => tag.matches(value),
        }
    }
}

impl Default for Tags {
    fn default() -> Self {
        let order = vec![
            Kind::Escape,
            Kind::Dict,
            Kind::Tuple,
            Kind::List,
            Kind::Bytes,
            Kind::Markup,
            Kind::Uuid,
            Kind::DateTime,
        ];
        Self {
            order,
            custom: false,
        }
    }
}

impl Tags {
    pub(super) fn insert(&mut self, index: usize, tag: Arc<dyn Tag>) -> Result<(), TagError> {
        if self.find(tag.key()).is_some() {
            return Err(TagError::Taken(tag.key().to_owned()));
        }
        self.custom = true;
        self.order
            .insert(index.min(self.order.len()), Kind::Custom(tag));
        Ok(())
    }

    pub(super) fn replace(&mut self, tag: Arc<dyn Tag>) {
        self.custom = true;
        self.order.retain(|kind| kind.key() != Some(tag.key()));
        self.order.push(Kind::Custom(tag));
    }

    /// False for almost every key: Flask's own tags all begin with a space.
    #[inline]
    pub(super) fn may_have(&self, key: &[u8]) -> bool {
        self.custom || key.first() == Some(&b' ')
    }

    pub(super) fn find(&self, key: &str) -> Option<&Kind> {
        if !self.may_have(key.as_bytes()) {
            return None;
        }
        self.order.iter().find(|kind| kind.key() == Some(key))
    }

    /// The custom tag that comes first among all that claim the value.
    pub(super) fn custom_for(&self, value: &Value) -> Option<&Arc<dyn Tag>> {
        if !self.custom {
            return None;
        }
        match self.order.iter().find(|kind| kind.claims(value))? {
            Kind::Custom(tag) => Some(tag),
            _ => None,
        }
    }
}

impl fmt::Debug for Tags {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.order.iter().filter_map(Kind::key))
            .finish()
    }
}

/// The refusal of a tag's content.
pub(super) fn unfit(tag: &str) -> JsonError {
    JsonError::Tag {
        tag: tag.to_owned(),
    }
}
