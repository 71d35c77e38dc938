use std::{borrow::Cow, fmt, marker::PhantomData};

/// A session key that knows the type of its value.
///
/// ```
/// use cloakroom::{Error, Key, Session};
///
/// const VISITS: Key<u64> = Key::new("visits");
///
/// fn visits(session: &Session) -> Result<u64, Error> {
///     session.update(VISITS, |visits| visits.unwrap_or(0) + 1)
/// }
/// ```
pub struct Key<T> {
    name: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> Key<T> {
    /// The key of this name, the same that Flask sees.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            value: PhantomData,
        }
    }

    /// The name.
    pub const fn name(&self) -> &'static str {
        self.name
    }
}

impl<T> Clone for Key<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Key<T> {}

impl<T> fmt::Debug for Key<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Key").field(&self.name).finish()
    }
}

/// Whatever names an entry: text, or a typed [`Key`].
pub trait SessionKey {
    /// The name.
    fn as_key(&self) -> &str;
}

/// A name for a value of type `T`: text goes with any type, a [`Key`] with its own.
pub trait TypedKey<T>: SessionKey {}

macro_rules! text_keys {
    ($($text:ty),*) => {$(
        impl SessionKey for $text {
            fn as_key(&self) -> &str {
                self
            }
        }

        impl<T> TypedKey<T> for $text {}
    )*};
}

text_keys!(&str, String, &String, Cow<'_, str>);

impl<T> SessionKey for Key<T> {
    fn as_key(&self) -> &str {
        self.name
    }
}

impl<T> TypedKey<T> for Key<T> {}
