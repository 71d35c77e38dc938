//! One key for each purpose, made of the secret key.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::secret::SecretKey;

/// What a key is for. Two purposes that differ in anything never share a key, however their texts are cut.
///
/// From the secret key HKDF-SHA256 (RFC 5869, no salt) derives 32 bytes. Its `info` is the label `cloakroom v1`, then
/// the purpose, the name and, if there is one, the tenant, each with its length in bytes before it (8 bytes, the highest
/// first). So `ab` + `c` is never `a` + `bc` (CVE-2026-6873 was that), and no tenant is never an empty one.
///
/// ```
/// use cloakroom::token::encrypted::Purpose;
///
/// let purpose = Purpose::new("invitation").tenant("acme");
/// assert_ne!(purpose, Purpose::new("invitation").tenant("globex"));
/// assert_ne!(purpose, Purpose::new("invitation"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Purpose {
    what: Vec<u8>,
    name: Vec<u8>,
    tenant: Option<Vec<u8>>,
}

impl Purpose {
    const LABEL: &[u8] = b"cloakroom v1";

    /// The purpose of this name, for all tenants and under no cookie's name.
    pub fn new(purpose: impl AsRef<[u8]>) -> Self {
        Self {
            what: purpose.as_ref().to_vec(),
            name: Vec::new(),
            tenant: None,
        }
    }

    /// Under which name the token travels, such as its cookie's; none, which is the empty name, unless set. A token
    /// under another name is refused.
    #[must_use]
    pub fn name(mut self, name: impl AsRef<[u8]>) -> Self {
        self.name = name.as_ref().to_vec();
        self
    }

    /// Whose token it is, where several customers or applications share the secret key. One of another tenant is
    /// refused (CVE-2021-41263).
    #[must_use]
    pub fn tenant(mut self, tenant: impl AsRef<[u8]>) -> Self {
        self.tenant = Some(tenant.as_ref().to_vec());
        self
    }

    /// The key for this purpose.
    pub(crate) fn derive(&self, key: &SecretKey) -> Zeroizing<[u8; 32]> {
        derive(key.expose_secret(), &self.info())
    }

    fn info(&self) -> Vec<u8> {
        let fields = [&self.what, &self.name].into_iter().chain(&self.tenant);
        info(Self::LABEL, fields.map(Vec::as_slice))
    }
}

/// HKDF-SHA256 without a salt (RFC 5869).
pub(crate) fn derive(secret: &[u8], info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut derived = Zeroizing::new([0; 32]);
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info, derived.as_mut_slice());
    // RFC 5869 gives up to 255 times the 32 bytes of SHA-256.
    debug_assert!(expanded.is_ok());
    derived
}

/// What a key is derived for: each field with its length before it, so that no two lists of fields are the same text.
pub(crate) fn info<'a>(label: &[u8], fields: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut info = label.to_vec();
    for field in fields {
        info.extend_from_slice(&(field.len() as u64).to_be_bytes());
        info.extend_from_slice(field);
    }
    info
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*, sample::select};

    use super::*;

    type Fields = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);

    fn purpose((purpose, name, tenant): &Fields) -> Purpose {
        Purpose {
            what: purpose.clone(),
            name: name.clone(),
            tenant: tenant.clone(),
        }
    }

    /// Bytes that lengths are made of as well, so that one field may imitate the frame of another.
    fn fields() -> impl Strategy<Value = Fields> {
        let field = || vec(select(b"\0\0\0\0\0\0\0\x01\x02\x08a".to_vec()), 0..20);
        (field(), field(), option::of(field()))
    }

    /// All ways to cut a text into three fields, and into two without a tenant.
    fn splits(text: &[u8]) -> Vec<Fields> {
        let mut splits = Vec::new();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                splits.push((
                    text[..first].to_vec(),
                    text[first..second].to_vec(),
                    Some(text[second..].to_vec()),
                ));
            }
            splits.push((text[..first].to_vec(), text[first..].to_vec(), None));
        }
        splits
    }

    proptest! {
        #[test]
        fn s53_different_fields_give_different_info(left in fields(), right in fields()) {
            prop_assert_eq!(purpose(&left).info() == purpose(&right).info(), left == right);
        }

        #[test]
        fn s53_every_split_of_one_text_gives_its_own_info(text in vec(select(b"\0\x01a".to_vec()), 0..12)) {
            let mut infos: Vec<_> = splits(&text).iter().map(|fields| purpose(fields).info()).collect();
            let count = infos.len();
            infos.sort();
            infos.dedup();
            prop_assert_eq!(infos.len(), count);
        }

        /// What makes the above true of all lengths: the fields can be read back from the info.
        #[test]
        fn s53_the_fields_can_be_read_back(fields in fields()) {
            let info = purpose(&fields).info();
            let mut rest = info.strip_prefix(Purpose::LABEL).unwrap();
            let mut read = Vec::new();
            while let Some((length, after)) = rest.split_first_chunk::<8>() {
                let (field, after) = after.split_at(usize::try_from(u64::from_be_bytes(*length)).unwrap());
                read.push(field.to_vec());
                rest = after;
            }
            prop_assert!(rest.is_empty());
            let mut read = read.into_iter();
            prop_assert_eq!((read.next().unwrap(), read.next().unwrap(), read.next()), fields);
        }
    }

    #[test]
    fn the_key_is_the_one_of_rfc_5869() {
        // Appendix A.3 has no salt and no info; ours always has one, so the check is of HKDF itself.
        let mut okm = [0; 42];
        Hkdf::<Sha256>::new(None, &[0x0b; 22])
            .expand(b"", &mut okm)
            .unwrap();
        assert_eq!(
            okm[..16],
            [
                0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80, 0x2a, 0x06, 0x3c,
                0x5a, 0x31
            ]
        );
    }
}
