use std::fmt;

/// A MessagePack extension of a type that is known to nobody here, kept as it came (msgspec's
/// `msgpack.Ext`).
#[derive(Clone, PartialEq, Eq, Hash)]
#[doc(alias = "Ext")]
pub struct Extension {
    code: i8,
    data: Box<[u8]>,
}

impl Extension {
    /// From its type code and its bytes. The code -1 is MessagePack's timestamp; a reader takes such an
    /// extension for one.
    pub fn new(code: i8, data: impl Into<Box<[u8]>>) -> Self {
        Self {
            code,
            data: data.into(),
        }
    }

    /// The type code.
    pub fn code(&self) -> i8 {
        self.code
    }

    /// The bytes.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl fmt::Debug for Extension {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.code, self.data.escape_ascii())
    }
}
