use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeOwned, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess,
        VariantAccess, Visitor, value,
    },
    forward_to_deserialize_any,
};

use super::{ConversionError, Extension, Int, Markup, Text, Value, ser::names};

/// A value as the Rust type asked for; see the table at [`Value`].
///
/// # Errors
///
/// [`ConversionError`] naming what was asked for and what is there, by type only.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, ConversionError> {
    T::deserialize(ValueDeserializer(value))
}

impl de::Error for ConversionError {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Refused
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Type {
            expected: expected.to_string(),
            found: kind(&found).to_owned(),
        }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::Type {
            expected: expected.to_string(),
            found: format!("another {}", kind(&found)),
        }
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::Type {
            expected: expected.to_string(),
            found: format!("{length} items"),
        }
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Type {
            expected: format!("one of the variants {expected:?}"),
            found: "another name".to_owned(),
        }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::Type {
            expected: format!("only the fields {expected:?}"),
            found: "another one too".to_owned(),
        }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::MissingField(field)
    }
}

/// The kind of what serde met, without what it holds.
fn kind(found: &de::Unexpected<'_>) -> &'static str {
    match found {
        de::Unexpected::Bool(_) => "bool",
        de::Unexpected::Unsigned(_) | de::Unexpected::Signed(_) => "int",
        de::Unexpected::Float(_) => "float",
        de::Unexpected::Char(_) | de::Unexpected::Str(_) => "str",
        de::Unexpected::Bytes(_) => "bytes",
        de::Unexpected::Unit | de::Unexpected::Option => "None",
        de::Unexpected::Seq => "list",
        de::Unexpected::Map => "dict",
        _ => "a value",
    }
}

struct ValueDeserializer(Value);

impl ValueDeserializer {
    /// Hands over what only Python has by variant name, so that [`Value`] can read itself.
    fn visit_value<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
        let (variant, content) = match self.0 {
            Value::Tuple(items) => ("tuple", Value::List(items)),
            Value::Markup(Markup(text)) => ("markup", Value::Text(text)),
            Value::Uuid(uuid) => ("uuid", Value::from(uuid.to_string())),
            Value::DateTime(value) => ("datetime", Value::from(value.to_string())),
            Value::Set(items) => ("set", Value::List(items)),
            Value::FrozenSet(items) => ("frozenset", Value::List(items)),
            Value::Decimal(value) => ("decimal", Value::from(value.to_string())),
            Value::Date(value) => ("date", Value::from(value.to_string())),
            Value::Time(value) => ("time", Value::from(value.to_string())),
            Value::TimeDelta(value) => ("timedelta", Value::from(value.to_string())),
            Value::Extension(value) => ("ext", pair(&value)),
            Value::Int(int) if int.as_i64().is_none() => ("int", Value::from(int.to_string())),
            Value::Text(text) if text.as_str().is_none() => ("text", points(&text)),
            plain => return ValueDeserializer(plain).deserialize_any(visitor),
        };
        visitor.visit_enum(value::MapAccessDeserializer::new(SinglePair(Some((
            variant, content,
        )))))
    }
}

/// An extension's code and bytes.
fn pair(extension: &Extension) -> Value {
    Value::List(vec![
        extension.code().into(),
        Value::Bytes(extension.data().to_vec()),
    ])
}

fn points(text: &Text) -> Value {
    Value::List(text.code_points().map(Value::from).collect())
}

/// One `variant: content` pair.
struct SinglePair(Option<(&'static str, Value)>);

impl<'de> MapAccess<'de> for SinglePair {
    type Error = ConversionError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ConversionError> {
        match &self.0 {
            Some((variant, _)) => seed.deserialize((*variant).into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ConversionError> {
        let (_, content) = self.0.take().ok_or(ConversionError::Refused)?;
        seed.deserialize(ValueDeserializer(content))
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer {
    type Error = ConversionError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
        match self.0 {
            Value::None => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visit_int(&value, visitor),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Text(text) | Value::Markup(Markup(text)) => match text.into_string() {
                Ok(text) => visitor.visit_string(text),
                Err(_) => Err(de::Error::invalid_type(
                    de::Unexpected::Other("text with lone surrogates"),
                    &visitor,
                )),
            },
            Value::Bytes(bytes) => visitor.visit_byte_buf(bytes),
            Value::List(items)
            | Value::Tuple(items)
            | Value::Set(items)
            | Value::FrozenSet(items) => visit_items(items, visitor),
            Value::Dict(dict) => {
                let pairs = dict
                    .into_iter()
                    .map(|(key, value)| (KeyDeserializer(key), ValueDeserializer(value)));
                let mut map = value::MapDeserializer::new(pairs);
                let result = visitor.visit_map(&mut map)?;
                map.end()?;
                Ok(result)
            }
            Value::Uuid(uuid) => visitor.visit_string(uuid.to_string()),
            Value::DateTime(value) => visitor.visit_string(value.to_string()),
            Value::Decimal(value) => visitor.visit_string(value.to_string()),
            Value::Date(value) => visitor.visit_string(value.to_string()),
            Value::Time(value) => visitor.visit_string(value.to_string()),
            Value::TimeDelta(value) => visitor.visit_string(value.to_string()),
            Value::Extension(value) => ValueDeserializer(pair(&value)).deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
        match self.0 {
            Value::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        match (name, self.0) {
            (names::VALUE, value) => ValueDeserializer(value).visit_value(visitor),
            (names::TEXT, Value::Text(text) | Value::Markup(Markup(text)))
                if text.as_str().is_none() =>
            {
                ValueDeserializer(points(&text)).deserialize_any(visitor)
            }
            (names::TEXT, value) => ValueDeserializer(value).deserialize_any(visitor),
            (_, value) => visitor.visit_newtype_struct(ValueDeserializer(value)),
        }
    }

    /// `Vec<u8>` reads bytes through a sequence.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
        match self.0 {
            Value::Bytes(bytes) => {
                visitor.visit_seq(value::SeqDeserializer::new(bytes.into_iter()))
            }
            other => ValueDeserializer(other).deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        match self.0 {
            Value::Text(text) => match text.into_string() {
                Ok(variant) => visitor.visit_enum(variant.into_deserializer()),
                Err(_) => Err(ConversionError::Refused),
            },
            Value::Dict(dict) if dict.len() == 1 => match dict.into_iter().next() {
                Some((key, content)) => visitor.visit_enum(Variant { key, content }),
                None => Err(ConversionError::Refused),
            },
            other => Err(ConversionError::Type {
                expected: "the name of a variant or a dict with that single key".to_owned(),
                found: other.type_name().to_owned(),
            }),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, ConversionError> for ValueDeserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn visit_int<'de, V: Visitor<'de>>(int: &Int, visitor: V) -> Result<V::Value, ConversionError> {
    if let Some(value) = int.as_i64() {
        return visitor.visit_i64(value);
    }
    match (int.as_u64(), int.as_i128(), int.as_u128()) {
        (Some(value), ..) => visitor.visit_u64(value),
        (_, Some(value), _) => visitor.visit_i128(value),
        (.., Some(value)) => visitor.visit_u128(value),
        _ => visitor.visit_string(int.to_string()),
    }
}

fn visit_items<'de, V: Visitor<'de>>(
    items: Vec<Value>,
    visitor: V,
) -> Result<V::Value, ConversionError> {
    let mut sequence = value::SeqDeserializer::new(items.into_iter().map(ValueDeserializer));
    let result = visitor.visit_seq(&mut sequence)?;
    sequence.end()?;
    Ok(result)
}

/// A dictionary key: text that looks like a number serves a map whose keys are numbers, because
/// JSON has turned those into text.
struct KeyDeserializer(Value);

macro_rules! numeric_keys {
    ($($method:ident => $visit:ident: $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
            match self.0.as_str().and_then(|text| text.parse::<$type>().ok()) {
                Some(number) => visitor.$visit(number),
                None => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for KeyDeserializer {
    type Error = ConversionError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConversionError> {
        ValueDeserializer(self.0).deserialize_any(visitor)
    }

    numeric_keys! {
        deserialize_i8 => visit_i8: i8, deserialize_i16 => visit_i16: i16, deserialize_i32 => visit_i32: i32,
        deserialize_i64 => visit_i64: i64, deserialize_i128 => visit_i128: i128,
        deserialize_u8 => visit_u8: u8, deserialize_u16 => visit_u16: u16, deserialize_u32 => visit_u32: u32,
        deserialize_u64 => visit_u64: u64, deserialize_u128 => visit_u128: u128,
        deserialize_bool => visit_bool: bool
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        match name {
            names::VALUE | names::TEXT => {
                ValueDeserializer(self.0).deserialize_newtype_struct(name, visitor)
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        ValueDeserializer(self.0).deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! {
        f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl IntoDeserializer<'_, ConversionError> for KeyDeserializer {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// An enum variant with content: `{"variant": content}`.
struct Variant {
    key: Value,
    content: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = ConversionError;
    type Variant = VariantContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, VariantContent), ConversionError> {
        Ok((
            seed.deserialize(KeyDeserializer(self.key))?,
            VariantContent(self.content),
        ))
    }
}

struct VariantContent(Value);

impl<'de> VariantAccess<'de> for VariantContent {
    type Error = ConversionError;

    fn unit_variant(self) -> Result<(), ConversionError> {
        <()>::deserialize(ValueDeserializer(self.0))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ConversionError> {
        seed.deserialize(ValueDeserializer(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        ValueDeserializer(self.0).deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConversionError> {
        ValueDeserializer(self.0).deserialize_any(visitor)
    }
}
