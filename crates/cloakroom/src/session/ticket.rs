use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::token::{Leniency, base64};

/// What opens a session in the native layouts. The browser holds a public id, which names the entry, and a secret, of
/// which the store has no more than its SHA-256. Whoever reads the store can therefore not log in with what is there.
///
/// Both are written `<22 characters>.<43 characters>` in URL-safe base64. This is the secret, so nothing shows it.
#[derive(Clone)]
pub(crate) struct Ticket([u8; SECRET]);

/// The SHA-256 of a ticket's secret: all that a store has of it.
pub(crate) type SecretHash = [u8; 32];

/// Random bytes of the public id.
const PUBLIC: usize = 16;
/// Random bytes of the secret.
const SECRET: usize = 32;

impl Ticket {
    /// The random bits of both halves.
    pub(crate) const BITS: usize = (PUBLIC + SECRET) * 8;
    /// The characters of the public id.
    pub(crate) const PUBLIC_LENGTH: usize = super::encoded_length(PUBLIC);

    /// A new one from the operating system's random numbers, and how it is written.
    pub(crate) fn generate() -> Result<(Self, String), getrandom::Error> {
        let mut secret = [0; SECRET];
        getrandom::fill(&mut secret)?;
        let mut public = [0; PUBLIC];
        getrandom::fill(&mut public)?;
        let text = [base64::encode(public), base64::encode(secret)].join(".");
        Ok((Self(secret), text))
    }

    /// The one that stands for an id of Flask-Session's kind, and how it is written. Each half is made from the id by a
    /// one-way function, so what a store has of it leads back to neither the id nor the other half.
    pub(crate) fn of_flask_id(id: &str) -> (Self, String) {
        let derive = |purpose: &[u8]| -> [u8; 32] {
            let digest = Sha256::new().chain_update(purpose).chain_update(id);
            digest.finalize().into()
        };
        let secret = derive(b"cloakroom ticket secret\0");
        let public = derive(b"cloakroom ticket public\0");
        let text = [base64::encode(&public[..PUBLIC]), base64::encode(secret)].join(".");
        (Self(secret), text)
    }

    /// A ticket as a browser may send it, in the one spelling that it has. Nothing else reaches a store.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (public, secret) = text.split_once('.')?;
        let _: [u8; PUBLIC] = decode(public)?;
        decode(secret).map(Self)
    }

    /// What keys are derived from.
    #[cfg(feature = "encrypted")]
    pub(crate) fn secret(&self) -> &[u8; SECRET] {
        &self.0
    }

    /// What the store keeps of the secret.
    pub(crate) fn secret_hash(&self) -> SecretHash {
        Sha256::digest(self.0).into()
    }

    /// Whether an entry with this hash is the ticket's. It takes as long whatever the two have in common.
    pub(crate) fn opens(&self, stored: &SecretHash) -> bool {
        self.secret_hash().ct_eq(stored).into()
    }
}

fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // The length is looked at first, so that a megabyte of base64 costs nothing.
    if text.len() != super::encoded_length(N) {
        return None;
    }
    base64::decode(text, Leniency::Strict).ok()?.try_into().ok()
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ticket")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn s01_s03_a_ticket_is_384_random_bits_and_nothing_else() {
        let mut seen = HashSet::new();
        let mut ones = [0_u32; 48 * 8];
        for _ in 0..4000 {
            let (_, text) = Ticket::generate().unwrap();
            let (public, secret) = text.split_once('.').unwrap();
            assert_eq!((public.len(), secret.len()), (Ticket::PUBLIC_LENGTH, 43));
            assert!(seen.insert(public.to_owned()) && seen.insert(secret.to_owned()));
            let bytes =
                [public, secret].map(|half| base64::decode(half, Leniency::Strict).unwrap());
            let bytes = bytes.concat();
            for (place, count) in ones.iter_mut().enumerate() {
                *count += u32::from(bytes[place / 8] >> (place % 8) & 1);
            }
        }
        // Each bit is one in about half of them: six standard deviations are 190.
        assert!(ones.iter().all(|count| (1810..=2190).contains(count)));
    }

    #[test]
    fn s06_the_ticket_for_an_id_of_flasks_kind_is_the_same_everywhere() {
        let (ticket, text) = Ticket::of_flask_id("kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDc");
        // printf 'cloakroom ticket public\0kRta…xDc' | sha256sum, the first half in base64; a dot; the same of `secret`.
        assert_eq!(
            text,
            "ibQrRSgXEJJsuIMOpzA_rg.jfnWBbBBiB6RgPqrN7x6fWeIVL1cSmILT_UkvjCQj-E"
        );
        assert_eq!(Ticket::parse(&text).unwrap().0, ticket.0);
        assert_ne!(
            Ticket::of_flask_id("kRtasPgzdZBA1SEoclYTR_kKMMFmOJSsdpI0trR3xDd").1[..5],
            text[..5]
        );
    }

    #[test]
    fn s05_a_ticket_has_one_spelling() {
        let (ticket, text) = Ticket::generate().unwrap();
        let text = text.as_str();
        assert_eq!(Ticket::parse(text).unwrap().0, ticket.0);
        let (public, secret) = text.split_once('.').unwrap();
        for other in [
            String::new(),
            ".".to_owned(),
            public.to_owned(),
            secret.to_owned(),
            format!("{public}{secret}"),
            format!("{public}.{secret}."),
            format!(".{public}.{secret}"),
            format!("{public}.{secret}="),
            format!("{public}==.{secret}"),
            format!("{public}.{secret} "),
            format!(" {public}.{secret}"),
            format!("{secret}.{public}"),
            format!("{public}.{}", &secret[1..]),
            format!("{}.{secret}", &public[1..]),
            format!("{public}:{secret}"),
            text.replace('.', ".\0"),
            "a".repeat(66),
            ".".repeat(66),
            "é".repeat(33),
        ] {
            assert!(Ticket::parse(&other).is_none(), "{other:?}");
        }
        // The bits of the last characters that no byte takes are zero.
        for (place, half) in [(21, public), (65, secret)] {
            let spellings = (b'!'..=b'~').filter(|last| {
                let mut bytes = text.as_bytes().to_vec();
                bytes[place] = *last;
                Ticket::parse(str::from_utf8(&bytes).unwrap()).is_some()
            });
            let bits = half.len() * 6 % 8;
            assert_eq!(spellings.count(), 64 >> bits, "{bits} unused bits");
        }
    }

    #[test]
    fn s07_a_ticket_opens_its_own_entry_alone() {
        let [(one, _), (other, _)] = [(); 2].map(|()| Ticket::generate().unwrap());
        let stored = one.secret_hash();
        assert!(one.opens(&stored) && !other.opens(&stored));
        for bit in 0..256 {
            let mut near = stored;
            near[bit / 8] ^= 1 << (bit % 8);
            assert!(!one.opens(&near), "bit {bit}");
        }
        assert_eq!(format!("{one:?}"), "Ticket");
    }
}
