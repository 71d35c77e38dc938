use super::{Entries, flash, once::Taking};
use crate::{Error, format::Format, value::Value};

/// What a request did to a session, in order, so that it can be done again to what another request has
/// made of it meanwhile.
pub(crate) enum Operation {
    /// A value took the place of whatever was there: it wins its own key and no other.
    Set(String, Value),
    /// A default, for a key that was missing.
    SetIfMissing(String, Value),
    /// A value that depends on the one before.
    Update(String, Change),
    Remove(String),
    /// A value that only one request may have was taken, if it is still there.
    TakeOnce(String, Taking),
    Clear {
        keep_permanent: bool,
    },
    /// A message was added: a pair of category and message.
    Flash(Value),
    /// These messages were shown.
    TakeFlashes(Vec<Value>),
}

/// The function of an `update`, with its types erased. It is told the key for its errors.
pub(crate) type Change = Box<dyn Fn(&str, Option<Value>) -> Result<Value, Error> + Send>;

impl Operation {
    /// Does it again.
    pub(crate) fn replay(&self, entries: &mut Entries, format: &Format) -> Result<(), Error> {
        match self {
            Self::SetIfMissing(key, _) if entries.contains(key) => Ok(()),
            Self::Set(key, value) | Self::SetIfMissing(key, value) => {
                entries.insert(format, key, value.clone())
            }
            Self::Update(key, change) => {
                let value = change(key, entries.get(format, key))?;
                entries.insert(format, key, value)
            }
            Self::Remove(key) => {
                entries.remove(format, key);
                Ok(())
            }
            Self::TakeOnce(key, taking) => {
                taking.again(entries.contains(key));
                entries.remove(format, key);
                Ok(())
            }
            Self::Clear {
                keep_permanent: true,
            } => entries.clear_but_permanent(format),
            Self::Clear {
                keep_permanent: false,
            } => {
                entries.clear();
                Ok(())
            }
            Self::Flash(flash) => flash::append(entries, format, flash.clone()),
            Self::TakeFlashes(taken) => flash::discard(entries, format, taken),
        }
    }
}
