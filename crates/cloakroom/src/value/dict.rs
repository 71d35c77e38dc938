use std::collections::{HashMap, HashSet, hash_map::Entry};

use super::{Text, Value};

/// Python's `dict`: pairs in insertion order. Keys are usually text; numbers, bools and none are
/// kept apart until JSON turns them into text.
///
/// Equality looks at the order too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dict {
    pairs: Vec<(Value, Value)>,
}

impl Dict {
    /// An empty dictionary.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value under a text key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.pairs
            .iter()
            .find(|(name, _)| is_text(name, key))
            .map(|(_, value)| value)
    }

    /// Sets a value and returns the one it replaces, whose place it takes.
    pub fn insert(&mut self, key: impl Into<Value>, value: impl Into<Value>) -> Option<Value> {
        let (key, value) = (key.into(), value.into());
        if let Some((_, old)) = self.pairs.iter_mut().find(|(name, _)| *name == key) {
            return Some(std::mem::replace(old, value));
        }
        self.pairs.push((key, value));
        None
    }

    /// Removes a text key and returns its value.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let place = self.pairs.iter().position(|(name, _)| is_text(name, key))?;
        Some(self.pairs.remove(place).1)
    }

    /// Whether a text key is there.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// The number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is no pair.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The pairs in order.
    pub fn iter(&self) -> std::slice::Iter<'_, (Value, Value)> {
        self.pairs.iter()
    }

    pub(crate) fn as_slice(&self) -> &[(Value, Value)] {
        &self.pairs
    }

    /// Pairs with text keys read from a document: of one key the last value counts, at the place of
    /// the first. Linear, however many there are.
    pub(crate) fn from_text_pairs(pairs: Vec<(Text, Value)>) -> Self {
        let mut dict = Self {
            pairs: Vec::with_capacity(pairs.len()),
        };
        if pairs.len() <= 16 {
            for (key, value) in pairs {
                dict.insert(key, value);
            }
            return dict;
        }
        let mut places: HashMap<Text, usize> = HashMap::with_capacity(pairs.len());
        for (key, value) in pairs {
            if let Some((_, old)) = places
                .get(&key)
                .and_then(|place| dict.pairs.get_mut(*place))
            {
                *old = value;
            } else {
                places.insert(key.clone(), dict.pairs.len());
                dict.pairs.push((Value::Text(key), value));
            }
        }
        dict
    }

    /// The same with keys of any type.
    fn from_pairs(pairs: impl Iterator<Item = (Value, Value)>) -> Self {
        let mut dict = Self::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for (key, value) in pairs {
            match identity(&key).map(|identity| places.entry(identity)) {
                Some(Entry::Occupied(place)) => {
                    if let Some((_, old)) = dict.pairs.get_mut(*place.get()) {
                        *old = value;
                    }
                    continue;
                }
                Some(Entry::Vacant(place)) => {
                    place.insert(dict.pairs.len());
                }
                None => {}
            }
            dict.pairs.push((key, value));
        }
        dict
    }
}

/// What tells keys and members of sets apart: the type and the value, in linear time. A NaN is like no
/// other.
fn identity(value: &Value) -> Option<String> {
    let is_nan = match value {
        Value::Float(number) => number.is_nan(),
        Value::Decimal(number) => number.is_nan(),
        _ => false,
    };
    (!is_nan).then(|| format!("{value:?}"))
}

/// The items of a set: of equal ones the first.
pub(crate) fn distinct(items: Vec<Value>) -> Vec<Value> {
    let mut seen = HashSet::with_capacity(items.len());
    items
        .into_iter()
        .filter(|item| identity(item).is_none_or(|identity| seen.insert(identity)))
        .collect()
}

fn is_text(key: &Value, text: &str) -> bool {
    matches!(key, Value::Text(key) if *key == *text)
}

impl IntoIterator for Dict {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.pairs.into_iter()
    }
}

impl<'a> IntoIterator for &'a Dict {
    type Item = &'a (Value, Value);
    type IntoIter = std::slice::Iter<'a, (Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A later pair of the same key replaces the earlier one's value.
impl<K: Into<Value>, V: Into<Value>> FromIterator<(K, V)> for Dict {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut text_pairs = Vec::new();
        let mut pairs = pairs
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()));
        while let Some((key, value)) = pairs.next() {
            match key {
                Value::Text(key) => text_pairs.push((key, value)),
                other => {
                    let before = text_pairs
                        .into_iter()
                        .map(|(key, value)| (Value::Text(key), value));
                    return Self::from_pairs(before.chain([(other, value)]).chain(pairs));
                }
            }
        }
        Self::from_text_pairs(text_pairs)
    }
}
