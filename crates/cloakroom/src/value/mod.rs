//! Python's data model: what a Flask session can hold, with a serde bridge both ways.

mod date;
mod datetime;
mod de;
mod decimal;
mod dict;
mod extension;
mod int;
mod mail_date;
mod own;
mod ser;
mod text;
mod time;
mod time_delta;
mod uuid;

pub use date::{Date, DateError};
pub use datetime::{DateTime, DateTimeError};
pub use de::from_value;
pub use decimal::{Decimal, DecimalError};
pub use dict::Dict;
pub(crate) use dict::distinct;
pub use extension::Extension;
pub use int::{Int, IntError};
pub use ser::to_value;
pub(crate) use text::TextBuilder;
pub use text::{Markup, Text};
pub use time::{Time, TimeError};
pub use time_delta::{TimeDelta, TimeDeltaError};
pub use uuid::{Uuid, UuidError};

use std::fmt;

/// One value as Python has it: everything that a format of Flask's sessions keeps apart.
///
/// Handlers rarely meet it: [`Session::get`](crate::Session::get) and
/// [`Session::insert`](crate::Session::insert) go through serde. It is for code that must not care
/// about types, such as templates, inspectors and migrations.
///
/// | Python | here | with serde |
/// | --- | --- | --- |
/// | `None` | [`Value::None`] | `Option`, `()` |
/// | `bool` | [`Value::Bool`] | `bool` |
/// | `int`, unbounded | [`Value::Int`] | integers up to 128 bits, [`Int`] |
/// | `float` | [`Value::Float`] | `f32`, `f64` |
/// | `str` | [`Value::Text`] | `String`, `char`, unit variants of enums, [`Text`] |
/// | `bytes` | [`Value::Bytes`] | `serialize_bytes` (`serde_bytes`, `bytes::Bytes`) |
/// | `list` | [`Value::List`] | `Vec` and other sequences |
/// | `tuple` | [`Value::Tuple`] | tuples, arrays, tuple structs |
/// | `dict`, in order | [`Value::Dict`] | maps, structs, [`Dict`] |
/// | `markupsafe.Markup` | [`Value::Markup`] | [`Markup`]; reads as `String` too |
/// | `uuid.UUID` | [`Value::Uuid`] | [`Uuid`]; reads as `uuid::Uuid` and `String` too |
/// | `datetime.datetime` | [`Value::DateTime`] | [`DateTime`]; reads as RFC 3339 text too |
/// | `set`, `frozenset` | [`Value::Set`], [`Value::FrozenSet`] | read as `HashSet`, `Vec` and other sequences |
/// | `decimal.Decimal` | [`Value::Decimal`] | [`Decimal`]; reads as `String` too |
/// | `datetime.date` | [`Value::Date`] | [`Date`]; reads as `String` too |
/// | `datetime.time` | [`Value::Time`] | [`Time`]; reads as `String` too |
/// | `datetime.timedelta` | [`Value::TimeDelta`] | [`TimeDelta`]; reads as `String` too |
/// | `msgspec.msgpack.Ext` | [`Value::Extension`] | [`Extension`] |
///
/// Which of these a session keeps apart depends on its format: a pickle all but the last, tagged JSON
/// those up to the datetime, MessagePack and plain JSON fewer still.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Python's `None`.
    #[default]
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of any size.
    Int(Int),
    /// A double, NaN and the infinities included.
    Float(f64),
    /// Text, which in Python may hold lone surrogates.
    Text(Text),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Value>),
    /// A tuple.
    Tuple(Vec<Value>),
    /// A dictionary in insertion order.
    Dict(Dict),
    /// Text that is safe to put into HTML as it is.
    Markup(Markup),
    /// A UUID.
    Uuid(Uuid),
    /// A date with time of day.
    DateTime(DateTime),
    /// A set. Its order means nothing in Python; equality here looks at it.
    Set(Vec<Value>),
    /// A set that cannot change, as it may be a key.
    FrozenSet(Vec<Value>),
    /// A decimal number, digit for digit.
    Decimal(Decimal),
    /// A day.
    Date(Date),
    /// A time of day.
    Time(Time),
    /// A span of time.
    TimeDelta(TimeDelta),
    /// What only another program understands.
    Extension(Extension),
}

impl Value {
    /// Python's name of the type, for messages: `"str"`, `"int"`, `"dict"` and so on.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Tuple(_) => "tuple",
            Self::Dict(_) => "dict",
            Self::Markup(_) => "Markup",
            Self::Uuid(_) => "UUID",
            Self::DateTime(_) => "datetime",
            Self::Set(_) => "set",
            Self::FrozenSet(_) => "frozenset",
            Self::Decimal(_) => "Decimal",
            Self::Date(_) => "date",
            Self::Time(_) => "time",
            Self::TimeDelta(_) => "timedelta",
            Self::Extension(_) => "Ext",
        }
    }

    /// The text of a `str` or `Markup`, if it is well-formed Unicode.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Markup(Markup(text)) => text.as_str(),
            _ => None,
        }
    }

    /// The value of a `bool`.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value of an `int` that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => value.as_i64(),
            _ => None,
        }
    }

    /// The items of a list, tuple or set.
    pub fn as_items(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => {
                Some(items)
            }
            _ => None,
        }
    }

    /// The content of a dictionary.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The type of what keeps this from being a dictionary key in Python, if anything does.
    pub(crate) fn unhashable(&self) -> Option<&'static str> {
        match self {
            Self::List(_) | Self::Dict(_) | Self::Set(_) | Self::Extension(_) => {
                Some(self.type_name())
            }
            Self::Tuple(items) | Self::FrozenSet(items) => items.iter().find_map(Self::unhashable),
            _ => None,
        }
    }

    /// What Python's `bool(value)` says.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => value.as_i64() != Some(0),
            Self::Float(value) => *value != 0.0,
            Self::Text(text) | Self::Markup(Markup(text)) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::FrozenSet(items) => {
                !items.is_empty()
            }
            Self::Dict(dict) => !dict.is_empty(),
            Self::Decimal(number) => number.is_truthy(),
            Self::TimeDelta(span) => span.as_microseconds() != 0,
            Self::Uuid(_)
            | Self::DateTime(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::Extension(_) => true,
        }
    }
}

/// The text a template or a message shows: `str` as it is, `None` as `None`, everything that has a
/// structure as Python's JSON text.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => formatter.write_str("None"),
            Self::Bool(true) => formatter.write_str("True"),
            Self::Bool(false) => formatter.write_str("False"),
            Self::Int(value) => value.fmt(formatter),
            Self::Float(value) => formatter.write_str(&crate::json::float_repr(*value)),
            Self::Text(text) | Self::Markup(Markup(text)) => text.fmt(formatter),
            Self::Bytes(bytes) => bytes.escape_ascii().fmt(formatter),
            Self::Uuid(value) => value.fmt(formatter),
            Self::DateTime(value) => value.fmt(formatter),
            Self::Decimal(value) => value.fmt(formatter),
            Self::Date(value) => value.fmt(formatter),
            Self::Time(value) => value.fmt(formatter),
            Self::TimeDelta(value) => value.fmt(formatter),
            Self::Extension(value) => value.data().escape_ascii().fmt(formatter),
            Self::List(_) | Self::Tuple(_) | Self::Dict(_) | Self::Set(_) | Self::FrozenSet(_) => {
                let text = crate::json::to_display(self);
                formatter.write_str(&text)
            }
        }
    }
}

macro_rules! from_conversions {
    ($($source:ty => $variant:ident),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from(value: $source) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

from_conversions! {
    bool => Bool,
    i8 => Int, i16 => Int, i32 => Int, i64 => Int, i128 => Int, isize => Int,
    u8 => Int, u16 => Int, u32 => Int, u64 => Int, u128 => Int, usize => Int,
    Int => Int,
    f32 => Float, f64 => Float,
    &str => Text, String => Text, Text => Text,
    Vec<Value> => List,
    Dict => Dict,
    Markup => Markup,
    Uuid => Uuid,
    DateTime => DateTime,
    Decimal => Decimal,
    Date => Date,
    Time => Time,
    TimeDelta => TimeDelta,
    Extension => Extension,
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::None, Into::into)
    }
}

/// Why a Rust value could not become a [`Value`], or a [`Value`] not the Rust type asked for.
///
/// It names types only, never what the value holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversionError {
    /// The session holds another type than the one asked for.
    #[error("the session holds {found}, which does not fit {expected}")]
    Type {
        /// What was asked for.
        expected: String,
        /// Python's name of what is there, or serde's.
        found: String,
    },
    /// A struct misses a field.
    #[error("a field named `{0}` is missing")]
    MissingField(&'static str),
    /// A map key that is neither text, number, bool nor none.
    #[error("a dictionary key must be text, a number, a bool or none, not {0}")]
    Key(&'static str),
    /// The type's own `Serialize` or `Deserialize` refused; its words are left out because they may
    /// quote the value.
    #[error("the type's own serde implementation refused the value")]
    Refused,
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn a_value_stays_small() {
        assert!(size_of::<Value>() <= 40, "{}", size_of::<Value>());
    }
}
