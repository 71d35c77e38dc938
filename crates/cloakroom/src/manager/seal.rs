//! How a cookie session becomes a token and back: signed or encrypted.

use std::time::Duration;
#[cfg(feature = "encrypted")]
use std::time::{SystemTime, UNIX_EPOCH};

use super::look::Look;
use crate::{
    Error,
    config::SessionConfig,
    secret::KeyRing,
    session::{Protection, Refusal},
    token::{
        payload::{self, PayloadError},
        signed::{SignerOptions, TimestampSigner, TokenError, TokenErrorReason},
    },
};
#[cfg(feature = "encrypted")]
use crate::{
    secret::{Keys, Prepared},
    token::encrypted::{OpenError, Purpose, SealError, Sealer},
};

/// All that is made of a key ring.
pub(super) enum Seal {
    Signed(TimestampSigner),
    #[cfg(feature = "encrypted")]
    Encrypted {
        sealer: Box<Sealer>,
        /// While a site moves: what reads the cookies of before, and until when.
        signed: Option<(Prepared<TimestampSigner>, SystemTime)>,
    },
}

/// A document whose cookie was good.
pub(super) struct Unsealed {
    pub(super) document: Vec<u8>,
    /// In unix seconds.
    pub(super) signed_at: u64,
    pub(super) key_index: usize,
    pub(super) protection: Protection,
}

impl Seal {
    pub(super) fn new(protection: Protection, keys: &KeyRing, config: &SessionConfig) -> Self {
        match protection {
            Protection::Signed => Self::Signed(signer(keys, config)),
            #[cfg(feature = "encrypted")]
            Protection::Encrypted => Self::Encrypted {
                sealer: Box::new(sealer(keys, config)),
                signed: (config.encrypted.accept_signed.as_ref())
                    .map(|accept| (prepared_signer(accept.keys.clone(), config), accept.until)),
            },
        }
    }

    /// What a token holds that was made at most a lifetime ago.
    pub(super) fn open(
        &self,
        token: &[u8],
        now: u64,
        config: &SessionConfig,
        #[cfg_attr(not(feature = "encrypted"), expect(unused_variables))] look: Look,
    ) -> Result<Unsealed, Refusal> {
        match self {
            Self::Signed(signer) => unsign(signer, token, now, config),
            #[cfg(feature = "encrypted")]
            Self::Encrypted { sealer, signed } => match signed {
                // What looks encrypted is never tried as a signed one, nor the other way round.
                _ if Sealer::is_token(token) => decrypt(sealer, token, now, config),
                Some((signer, until)) if is_before(now, *until) => {
                    let signer = signer.at(now);
                    let unsealed = unsign(&signer.value, token, now, config)?;
                    if look == Look::Counted {
                        signer.verified(unsealed.key_index, now);
                    }
                    Ok(unsealed)
                }
                _ => Err(Refusal::BadSignature),
            },
        }
    }

    /// The token of a document that is to live so long.
    #[cfg_attr(
        not(feature = "encrypted"),
        allow(clippy::unnecessary_wraps, reason = "only encryption can fail")
    )]
    pub(super) fn seal(
        &self,
        document: &[u8],
        now: u64,
        #[cfg_attr(
            not(feature = "encrypted"),
            expect(
                unused_variables,
                reason = "a signed cookie only tells when it was made"
            )
        )]
        ttl: Duration,
        config: &SessionConfig,
    ) -> Result<Vec<u8>, Error> {
        match self {
            Self::Signed(signer) => {
                let mut token = Vec::with_capacity(document.len() * 4 / 3 + 128);
                payload::encode_into(&mut token, document, config.compression);
                signer.sign_into(&mut token, 0, now);
                Ok(token)
            }
            #[cfg(feature = "encrypted")]
            Self::Encrypted { sealer, .. } => {
                let expires_at = now.saturating_add(ttl.as_secs());
                let token = sealer.seal_at(document, now, expires_at)?;
                Ok(token.into_bytes())
            }
        }
    }

    /// Until when signed cookies are read although new ones are encrypted.
    #[cfg(feature = "encrypted")]
    pub(super) fn accepts_signed_until(&self) -> Option<SystemTime> {
        match self {
            Self::Encrypted {
                signed: Some((_, until)),
                ..
            } => Some(*until),
            Self::Signed(_) | Self::Encrypted { signed: None, .. } => None,
        }
    }
}

fn signer(keys: &KeyRing, config: &SessionConfig) -> TimestampSigner {
    let options = SignerOptions::flask()
        .digest(config.digest)
        .leniency(config.leniency);
    TimestampSigner::with_options(keys.clone(), &config.salt, &options)
        .leeway(config.leeway)
        .legacy_epoch(config.legacy_epoch)
}

/// With keys of its own, which are replaced at other times than those that encrypt.
#[cfg(feature = "encrypted")]
fn prepared_signer(keys: Keys, config: &SessionConfig) -> Prepared<TimestampSigner> {
    let (now, settings) = (config.clock.unix_seconds(), config.clone());
    Prepared::new(keys, now, move |ring| signer(ring, &settings))
}

fn unsign(
    signer: &TimestampSigner,
    token: &[u8],
    now: u64,
    config: &SessionConfig,
) -> Result<Unsealed, Refusal> {
    let unsigned = signer.unsign_parts(token, now, Some(config.longest_idle().as_secs()))?;
    Ok(Unsealed {
        document: payload::decode(unsigned.value, config.leniency, config.max_inflated_size)?,
        signed_at: unsigned.signed_at,
        key_index: unsigned.key_index,
        protection: Protection::Signed,
    })
}

#[cfg(feature = "encrypted")]
fn sealer(keys: &KeyRing, config: &SessionConfig) -> Sealer {
    let mut purpose = Purpose::new(&config.salt).name(config.cookie.name());
    if let Some(tenant) = &config.encrypted.tenant {
        purpose = purpose.tenant(tenant);
    }
    Sealer::new(keys.clone(), &purpose)
        .padding(config.encrypted.padding)
        .compression(config.compression)
        .leeway(config.leeway)
        .max_size(config.max_inflated_size)
}

#[cfg(feature = "encrypted")]
fn decrypt(
    sealer: &Sealer,
    token: &[u8],
    now: u64,
    config: &SessionConfig,
) -> Result<Unsealed, Refusal> {
    let opened = sealer.open_at(token, now)?;
    // The lifetime may have become shorter since.
    if now.saturating_sub(opened.issued_at) > config.longest_idle().as_secs() {
        return Err(Refusal::Expired);
    }
    Ok(Unsealed {
        document: opened.content,
        signed_at: opened.issued_at,
        key_index: opened.key_index,
        protection: Protection::Encrypted,
    })
}

#[cfg(feature = "encrypted")]
fn is_before(unix_seconds: u64, end: SystemTime) -> bool {
    let end = end.duration_since(UNIX_EPOCH);
    end.is_ok_and(|end| Duration::from_secs(unix_seconds) < end)
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error.reason() {
            TokenErrorReason::TimestampMissing | TokenErrorReason::TimestampMalformed => {
                Self::BadTimestamp
            }
            TokenErrorReason::TooOld => Self::Expired,
            TokenErrorReason::FromTheFuture => Self::FromTheFuture,
            _ => Self::BadSignature,
        }
    }
}

impl From<PayloadError> for Refusal {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::TooLarge { .. } => Self::TooLarge,
            _ => Self::BadPayload,
        }
    }
}

#[cfg(feature = "encrypted")]
impl From<OpenError> for Refusal {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Malformed | OpenError::TooLong { .. } | OpenError::Undecryptable => {
                Self::BadSignature
            }
            OpenError::UnknownLayout => Self::BadPayload,
            OpenError::Expired => Self::Expired,
            OpenError::FromTheFuture => Self::FromTheFuture,
            OpenError::Payload(error) => error.into(),
        }
    }
}

#[cfg(feature = "encrypted")]
impl From<SealError> for Error {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoRandomness => Self::Random(error.to_string()),
            SealError::TooLong { length, limit } => Self::CookieTooLarge {
                size: length,
                limit,
                largest: Vec::new(),
            },
        }
    }
}
