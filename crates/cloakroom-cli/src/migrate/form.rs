//! What an entry has to look like in the target.

use cloakroom::format::Serialization;
use cloakroom::store::Store;

/// What is done to the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// They stay as they are.
    Verbatim,
    /// The target reads nothing but pickles.
    Pickled,
    /// The source has pickles, which no other store should have for long.
    Unpickled(Serialization),
}

/// Why an entry cannot go: a sentence that holds nothing of it.
pub(super) type Reason = String;

impl Form {
    /// What is needed between two stores; `chosen` is for what comes out of a folder of cachelib's.
    pub(super) fn between(from: &Store, to: &Store, chosen: Serialization) -> Self {
        match (from.shares_pickles(), to.shares_pickles()) {
            (false, true) => Self::Pickled,
            (true, false) if chosen != Serialization::Pickle => Self::Unpickled(chosen),
            _ => Self::Verbatim,
        }
    }

    /// The bytes for the target.
    pub(super) fn of(self, value: &[u8]) -> Result<Vec<u8>, Reason> {
        match self {
            Self::Verbatim => Ok(value.to_vec()),
            Self::Pickled => {
                let unreadable = |_| "it is no session that can be pickled".to_owned();
                let session = Serialization::MessagePack.from_slice(value);
                let session = session.map_err(unreadable)?;
                match session.as_dict() {
                    Some(_) => Serialization::Pickle.to_bytes(&session).map_err(unreadable),
                    // The lists of who has which are written the same everywhere.
                    None => Ok(value.to_vec()),
                }
            }
            Self::Unpickled(format) => {
                let session = Serialization::Pickle
                    .from_slice(value)
                    .map_err(|_| "it is no session that can be read".to_owned())?;
                let written = format.to_bytes(&session).ok();
                // A set or a date would come back as something else: it stays pickled until it is saved.
                let same = written
                    .filter(|bytes| format.from_slice(bytes).is_ok_and(|read| read == session));
                Ok(same.unwrap_or_else(|| value.to_vec()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p2_a_pickle_is_packed_anew_where_nothing_is_lost_and_stays_one_otherwise() {
        let unpickled = Form::Unpickled(Serialization::MessagePack);
        // {'a': 1}
        let plain = b"\x80\x04}\x8c\x01aK\x01s.";
        assert_eq!(unpickled.of(plain).unwrap(), b"\x81\xa1a\x01");
        // {'a': (1,)}
        let tuple = b"\x80\x04}\x8c\x01aK\x01\x85s.";
        assert_eq!(unpickled.of(tuple).unwrap(), tuple);
        assert!(unpickled.of(b"cos\nsystem\n(S'x'\ntR.").is_err());
        let json = Form::Unpickled(Serialization::Json);
        assert_eq!(json.of(plain).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn p2_what_goes_into_a_folder_of_cachelibs_is_pickled() {
        let read = |bytes: &[u8]| Serialization::Pickle.from_slice(bytes).unwrap();
        let packed = Form::Pickled.of(b"\x81\xa1a\x01").unwrap();
        assert_eq!(packed, Form::Pickled.of(b"{\"a\":1}").unwrap());
        assert_eq!(read(&packed), read(b"\x80\x04}\x8c\x01aK\x01s."));
        assert!(Form::Pickled.of(b"\xff\xffopaque").is_err());
        let list = b"\x94\x01\x90\x90\xc0";
        assert_eq!(Form::Pickled.of(list).unwrap(), list);
        let back = Form::Unpickled(Serialization::Json);
        assert_eq!(back.of(b"\x91\xc4\x01x").unwrap(), b"\x91\xc4\x01x");
    }
}
