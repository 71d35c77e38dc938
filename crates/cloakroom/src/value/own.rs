//! How the types of this module read themselves, from a session or from any other serde format.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, EnumAccess, MapAccess, SeqAccess, VariantAccess as _, Visitor},
};

use super::{
    Date, DateTime, Decimal, Dict, Extension, Int, Markup, Text, Time, TimeDelta, Uuid, Value,
    ser::names,
};

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(names::VALUE, ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    /// Any other format than ours gets here, and says what it has.
    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Value::Dict(pairs.into_iter().collect()))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<Value, A::Error> {
        let (variant, content) = data.variant::<String>()?;
        match variant.as_str() {
            "tuple" => content.newtype_variant().map(Value::Tuple),
            "markup" => content
                .newtype_variant()
                .map(|text| Value::Markup(Markup(text))),
            "uuid" => content.newtype_variant().map(Value::Uuid),
            "datetime" => content.newtype_variant().map(Value::DateTime),
            "set" => content.newtype_variant().map(Value::Set),
            "frozenset" => content.newtype_variant().map(Value::FrozenSet),
            "decimal" => content.newtype_variant().map(Value::Decimal),
            "date" => content.newtype_variant().map(Value::Date),
            "time" => content.newtype_variant().map(Value::Time),
            "timedelta" => content.newtype_variant().map(Value::TimeDelta),
            "ext" => content.newtype_variant().map(Value::Extension),
            "int" => content.newtype_variant().map(Value::Int),
            "text" => content.newtype_variant().map(Value::Text),
            other => Err(de::Error::unknown_variant(
                other,
                &["one of the types that Python has"],
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Dict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Dict(dict) => Ok(dict),
            other => Err(de::Error::invalid_type(
                de::Unexpected::Other(other.type_name()),
                &"a dict",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_string<E>(self, text: String) -> Result<Text, E> {
                Ok(text.into())
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Text, D::Error> {
                deserializer.deserialize_any(self)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut points: A) -> Result<Text, A::Error> {
                let mut collected = Vec::new();
                while let Some(point) = points.next_element()? {
                    collected.push(point);
                }
                Ok(Text::from_code_points(collected))
            }
        }

        deserializer.deserialize_newtype_struct(names::TEXT, TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Markup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Int(int) => Ok(int),
            other => match other.as_str().map(Self::from_decimal) {
                Some(Ok(int)) => Ok(int),
                _ => Err(de::Error::invalid_type(
                    de::Unexpected::Other(other.type_name()),
                    &"an integer",
                )),
            },
        }
    }
}

macro_rules! from_text {
    ($($type:ident: $expected:literal),*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(|_| de::Error::invalid_value(de::Unexpected::Other("text"), &$expected))
            }
        }
    )*};
}

from_text!(
    Uuid: "a UUID",
    DateTime: "a date with time in RFC 3339 form",
    Decimal: "a decimal number",
    Date: "a date",
    Time: "a time of day",
    TimeDelta: "an ISO 8601 duration"
);

impl<'de> Deserialize<'de> for Extension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (code, data): (i8, Vec<u8>) = Deserialize::deserialize(deserializer)?;
        Ok(Self::new(code, data))
    }
}
