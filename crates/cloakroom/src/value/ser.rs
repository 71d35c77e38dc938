use serde::ser::{self, Serialize, SerializeMap as _, SerializeTuple as _, Serializer};

use super::{
    ConversionError, Date, DateTime, Decimal, Dict, Extension, Int, Markup, Text, Time, TimeDelta,
    Uuid, Value,
};

/// Names under which the types that only Python knows pass through serde. No Rust type can have
/// such a name, so a newtype struct of that name is ours.
pub(super) mod names {
    pub(crate) const INT: &str = "$cloakroom::Int";
    pub(crate) const TEXT: &str = "$cloakroom::Text";
    pub(crate) const MARKUP: &str = "$cloakroom::Markup";
    pub(crate) const UUID: &str = "$cloakroom::Uuid";
    pub(crate) const DATE_TIME: &str = "$cloakroom::DateTime";
    pub(crate) const SET: &str = "$cloakroom::Set";
    pub(crate) const FROZEN_SET: &str = "$cloakroom::FrozenSet";
    pub(crate) const DECIMAL: &str = "$cloakroom::Decimal";
    pub(crate) const DATE: &str = "$cloakroom::Date";
    pub(crate) const TIME: &str = "$cloakroom::Time";
    pub(crate) const TIME_DELTA: &str = "$cloakroom::TimeDelta";
    pub(crate) const EXTENSION: &str = "$cloakroom::Extension";
    pub(crate) const VALUE: &str = "$cloakroom::Value";
}

/// Any serializable Rust value as Python would hold it; see the table at [`Value`].
///
/// # Errors
///
/// [`ConversionError`] if a map key is no scalar or the type's own `Serialize` fails.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, ConversionError> {
    value.serialize(ValueSerializer)
}

impl ser::Error for ConversionError {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self::Refused
    }
}

struct ValueSerializer;

type Result2<T> = Result<T, ConversionError>;

macro_rules! scalars {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result2<Value> {
            Ok(value.into())
        }
    )*};
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = ConversionError;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Pairs;
    type SerializeStruct = Pairs;
    type SerializeStructVariant = Pairs;

    scalars! {
        serialize_bool: bool,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64, serialize_u128: u128,
        serialize_f32: f32, serialize_f64: f64,
        serialize_str: &str
    }

    fn serialize_char(self, value: char) -> Result2<Value> {
        Ok(Value::from(value.to_string()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Result2<Value> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn serialize_none(self) -> Result2<Value> {
        Ok(Value::None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result2<Value> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result2<Value> {
        Ok(Value::None)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result2<Value> {
        Ok(Value::None)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result2<Value> {
        Ok(Value::from(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result2<Value> {
        let inner = value.serialize(self)?;
        let text = inner.as_str();
        match (name, text) {
            (names::INT, Some(digits)) => Int::from_decimal(digits)
                .map(Value::Int)
                .map_err(|_| ConversionError::Refused),
            (names::UUID, Some(text)) => parsed::<Uuid>(text),
            (names::DATE_TIME, Some(text)) => parsed::<DateTime>(text),
            (names::DECIMAL, Some(text)) => parsed::<Decimal>(text),
            (names::DATE, Some(text)) => parsed::<Date>(text),
            (names::TIME, Some(text)) => parsed::<Time>(text),
            (names::TIME_DELTA, Some(text)) => parsed::<TimeDelta>(text),
            (names::SET, _) => Ok(match inner {
                Value::List(items) => Value::Set(items),
                other => other,
            }),
            (names::FROZEN_SET, _) => Ok(match inner {
                Value::List(items) => Value::FrozenSet(items),
                other => other,
            }),
            (names::EXTENSION, _) => extension(inner),
            (names::TEXT, _) => match inner {
                Value::Tuple(points) => Ok(Value::Text(text_of_points(&points))),
                other => Ok(other),
            },
            (names::MARKUP, _) => match inner {
                Value::Text(text) => Ok(Value::Markup(Markup(text))),
                other => Ok(other),
            },
            _ => Ok(inner),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result2<Value> {
        Ok(single(variant, value.serialize(self)?))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result2<Items> {
        Ok(Items::new(Kind::List, length))
    }

    fn serialize_tuple(self, length: usize) -> Result2<Items> {
        Ok(Items::new(Kind::Tuple, Some(length)))
    }

    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result2<Items> {
        Ok(Items::new(Kind::Tuple, Some(length)))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result2<Items> {
        Ok(Items::new(Kind::Variant(variant), Some(length)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result2<Pairs> {
        Ok(Pairs {
            entries: Vec::new(),
            key: None,
            variant: None,
        })
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result2<Pairs> {
        self.serialize_map(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result2<Pairs> {
        Ok(Pairs {
            entries: Vec::new(),
            key: None,
            variant: Some(variant),
        })
    }
}

fn parsed<T: std::str::FromStr + Into<Value>>(text: &str) -> Result2<Value> {
    text.parse::<T>()
        .map(Into::into)
        .map_err(|_| ConversionError::Refused)
}

/// An extension from its code and bytes.
fn extension(pair: Value) -> Result2<Value> {
    let Value::Tuple(items) = pair else {
        return Err(ConversionError::Refused);
    };
    match <[Value; 2]>::try_from(items) {
        Ok([Value::Int(code), Value::Bytes(data)]) => code
            .as_i64()
            .and_then(|code| i8::try_from(code).ok())
            .map(|code| Extension::new(code, data).into())
            .ok_or(ConversionError::Refused),
        _ => Err(ConversionError::Refused),
    }
}

fn single(variant: &'static str, value: Value) -> Value {
    Value::Dict(Dict::from_iter([(variant, value)]))
}

enum Kind {
    List,
    Tuple,
    Variant(&'static str),
}

struct Items {
    kind: Kind,
    items: Vec<Value>,
}

impl Items {
    fn new(kind: Kind, length: Option<usize>) -> Self {
        Self {
            kind,
            items: Vec::with_capacity(length.unwrap_or(0).min(1024)),
        }
    }

    fn push<T: Serialize + ?Sized>(&mut self, item: &T) -> Result2<()> {
        self.items.push(item.serialize(ValueSerializer)?);
        Ok(())
    }

    fn finish(self) -> Value {
        match self.kind {
            Kind::List => Value::List(self.items),
            Kind::Tuple => Value::Tuple(self.items),
            Kind::Variant(variant) => single(variant, Value::Tuple(self.items)),
        }
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),*) => {$(
        impl ser::$trait for Items {
            type Ok = Value;
            type Error = ConversionError;

            fn $method<T: Serialize + ?Sized>(&mut self, item: &T) -> Result2<()> {
                self.push(item)
            }

            fn end(self) -> Result2<Value> {
                Ok(self.finish())
            }
        }
    )*};
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

struct Pairs {
    entries: Vec<(Value, Value)>,
    key: Option<Value>,
    variant: Option<&'static str>,
}

impl Pairs {
    fn finish(self) -> Value {
        let dict = Value::Dict(self.entries.into_iter().collect());
        match self.variant {
            Some(variant) => single(variant, dict),
            None => dict,
        }
    }
}

impl ser::SerializeMap for Pairs {
    type Ok = Value;
    type Error = ConversionError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result2<()> {
        let key = key.serialize(ValueSerializer)?;
        match key {
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Text(_) => {
                self.key = Some(key);
                Ok(())
            }
            // Text on the wire in any case; a bare string key is what the reader gets back.
            Value::Uuid(uuid) => {
                self.key = Some(uuid.to_string().into());
                Ok(())
            }
            other => Err(ConversionError::Key(other.type_name())),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result2<()> {
        let key = self.key.take().ok_or(ConversionError::Refused)?;
        self.entries.push((key, value.serialize(ValueSerializer)?));
        Ok(())
    }

    fn end(self) -> Result2<Value> {
        Ok(self.finish())
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Pairs {
            type Ok = Value;
            type Error = ConversionError;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result2<()> {
                self.entries.push((name.into(), value.serialize(ValueSerializer)?));
                Ok(())
            }

            fn end(self) -> Result2<Value> {
                Ok(self.finish())
            }
        }
    )*};
}

fields!(SerializeStruct, SerializeStructVariant);

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => value.serialize(serializer),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => text.serialize(serializer),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => items.serialize(serializer),
            Self::Tuple(items) => {
                let mut tuple = serializer.serialize_tuple(items.len())?;
                for item in items {
                    tuple.serialize_element(item)?;
                }
                tuple.end()
            }
            Self::Dict(dict) => dict.serialize(serializer),
            Self::Markup(markup) => markup.serialize(serializer),
            Self::Uuid(uuid) => uuid.serialize(serializer),
            Self::DateTime(value) => value.serialize(serializer),
            Self::Set(items) => serializer.serialize_newtype_struct(names::SET, items),
            Self::FrozenSet(items) => serializer.serialize_newtype_struct(names::FROZEN_SET, items),
            Self::Decimal(value) => value.serialize(serializer),
            Self::Date(value) => value.serialize(serializer),
            Self::Time(value) => value.serialize(serializer),
            Self::TimeDelta(value) => value.serialize(serializer),
            Self::Extension(value) => value.serialize(serializer),
        }
    }
}

impl Serialize for Dict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (key, value) in self {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.as_i64(), self.as_u64()) {
            (Some(value), _) => serializer.serialize_i64(value),
            (None, Some(value)) => serializer.serialize_u64(value),
            (None, None) => serializer.serialize_newtype_struct(names::INT, &self.to_string()),
        }
    }
}

/// As text; with lone surrogates as the tuple of its code points.
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.as_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.serialize_newtype_struct(names::TEXT, &CodePoints(self)),
        }
    }
}

struct CodePoints<'a>(&'a Text);

impl Serialize for CodePoints<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.code_points().count())?;
        for point in self.0.code_points() {
            tuple.serialize_element(&point)?;
        }
        tuple.end()
    }
}

fn text_of_points(points: &[Value]) -> Text {
    let unknown = u32::from(char::REPLACEMENT_CHARACTER);
    Text::from_code_points(points.iter().map(|point| {
        point
            .as_i64()
            .and_then(|point| u32::try_from(point).ok())
            .unwrap_or(unknown)
    }))
}

impl Serialize for Markup {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(names::MARKUP, &self.0)
    }
}

macro_rules! as_text {
    ($($type:ident: $name:ident),*) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(names::$name, &self.to_string())
            }
        }
    )*};
}

as_text!(
    Uuid: UUID,
    DateTime: DATE_TIME,
    Decimal: DECIMAL,
    Date: DATE,
    Time: TIME,
    TimeDelta: TIME_DELTA
);

/// As the pair of its code and its bytes.
impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Pair<'a>(&'a Extension);

        impl Serialize for Pair<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut pair = serializer.serialize_tuple(2)?;
                pair.serialize_element(&self.0.code())?;
                pair.serialize_element(&Bytes(self.0.data()))?;
                pair.end()
            }
        }

        serializer.serialize_newtype_struct(names::EXTENSION, &Pair(self))
    }
}

struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}
