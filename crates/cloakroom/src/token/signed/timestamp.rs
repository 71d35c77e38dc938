//! Signatures with a time.

use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    error::{TokenError, TokenErrorKind, TokenErrorReason},
    signer::{Signer, SignerOptions},
};
use crate::{
    secret::KeyRing,
    token::base64::{self, Leniency},
};

/// 2011-01-01, where itsdangerous up to 0.24 began to count.
const LEGACY_EPOCH: u64 = 1_293_840_000;

/// The last second of the year 9999, the last that Python can tell.
const LAST_SECOND: u64 = 253_402_300_799;

/// Signs values together with the time, and verifies both: itsdangerous' `TimestampSigner`.
///
/// ```
/// use std::time::Duration;
///
/// use cloakroom::{SecretKey, token::signed::TimestampSigner};
///
/// let signer = TimestampSigner::new(SecretKey::generate()?, "download");
/// let token = signer.sign("report.pdf");
/// assert_eq!(signer.unsign(&token, Duration::from_secs(60))?.value, b"report.pdf");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimestampSigner {
    signer: Signer,
    times: TimeRules,
}

/// A verified value, as the token holds it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unsigned<'t> {
    /// What was signed.
    pub value: &'t [u8],
    /// When, in Unix seconds.
    pub signed_at: u64,
    /// Which key signed: 0 for the signing key, 1 for the newest fallback, and so on.
    pub key_index: usize,
}

impl TimestampSigner {
    /// A signer for the purpose named by the salt, with the defaults of itsdangerous.
    pub fn new(keys: impl Into<KeyRing>, salt: impl AsRef<[u8]>) -> Self {
        Self::with_options(keys, salt, &SignerOptions::default())
    }

    /// A signer for the purpose named by the salt.
    pub fn with_options(
        keys: impl Into<KeyRing>,
        salt: impl AsRef<[u8]>,
        options: &SignerOptions,
    ) -> Self {
        Self {
            signer: Signer::with_options(keys, salt, options),
            times: TimeRules::default(),
        }
    }

    /// How far, in whole seconds, a token may be from the future although its age is limited. Zero by default, as in
    /// itsdangerous; then one second of difference between two servers' clocks makes a token invalid.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.times.leeway = leeway.as_secs();
        self
    }

    /// Whether times before 2011 are taken for those of itsdangerous 0.24 and before, which counted from 2011-01-01.
    /// Off by default.
    #[must_use]
    pub fn legacy_epoch(mut self, legacy_epoch: bool) -> Self {
        self.times.legacy_epoch = legacy_epoch;
        self
    }

    /// The value, the current time and the signature.
    pub fn sign(&self, value: impl AsRef<[u8]>) -> Vec<u8> {
        self.sign_at(value, unix_now())
    }

    /// The value, the time `now` in Unix seconds and the signature.
    pub fn sign_at(&self, value: impl AsRef<[u8]>, now: u64) -> Vec<u8> {
        let value = value.as_ref();
        let mut token = Vec::with_capacity(value.len() + self.signer.added_length());
        token.extend_from_slice(value);
        self.sign_into(&mut token, 0, now);
        token
    }

    /// Appends the separator, the time `now` in Unix seconds, the separator and the signature to the value
    /// `out[start..]`. Nothing is allocated but room in `out`.
    pub fn sign_into(&self, out: &mut Vec<u8>, start: usize, now: u64) {
        sign_into(&self.signer, out, start, now);
    }

    /// Verifies a token at the current time. Without `max_age` it may have any age; with it, it must be at most that old,
    /// in whole seconds, and not from the future.
    ///
    /// # Errors
    ///
    /// As [`unsign_parts`](Self::unsign_parts).
    pub fn unsign<'t>(
        &self,
        token: &'t (impl AsRef<[u8]> + ?Sized),
        max_age: impl Into<Option<Duration>>,
    ) -> Result<Unsigned<'t>, TokenError> {
        let max_age = max_age.into().map(|age| age.as_secs());
        self.unsign_parts(token.as_ref(), unix_now(), max_age)
    }

    /// Verifies a token at the time `now`; all in (Unix) seconds. Allocates nothing unless it fails.
    ///
    /// # Errors
    ///
    /// In this order: [`BadSignature`](TokenErrorKind::BadSignature), or
    /// [`BadTimeSignature`](TokenErrorKind::BadTimeSignature) if there seems to be a time; `BadTimeSignature` for no
    /// time or one that is no number of seconds up to the year 9999;
    /// [`SignatureExpired`](TokenErrorKind::SignatureExpired) for an age above `max_age`, or below zero by more than the
    /// leeway.
    pub fn unsign_parts<'t>(
        &self,
        token: &'t [u8],
        now: u64,
        max_age: Option<u64>,
    ) -> Result<Unsigned<'t>, TokenError> {
        unsign(&self.signer, self.times, token, now, max_age)
    }

    /// Whether [`unsign`](Self::unsign) would succeed.
    pub fn validate(&self, token: impl AsRef<[u8]>, max_age: impl Into<Option<Duration>>) -> bool {
        self.unsign(&token, max_age).is_ok()
    }
}

impl fmt::Debug for Unsigned<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Unsigned")
            .field("signed_at", &self.signed_at)
            .field("key_index", &self.key_index)
            .finish_non_exhaustive()
    }
}

/// How times are read and compared.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TimeRules {
    pub(super) leeway: u64,
    pub(super) legacy_epoch: bool,
}

impl TimeRules {
    fn read(self, text: &[u8], leniency: Leniency) -> Option<u64> {
        let mut seconds = base64::decode_number(text, leniency)?;
        if self.legacy_epoch && seconds < LEGACY_EPOCH {
            seconds += LEGACY_EPOCH;
        }
        (seconds <= LAST_SECOND).then_some(seconds)
    }

    fn check(self, signed_at: u64, now: u64, max_age: u64) -> Result<(), TokenErrorReason> {
        if signed_at.saturating_sub(now) > self.leeway {
            Err(TokenErrorReason::FromTheFuture)
        } else if now.saturating_sub(signed_at) > max_age {
            Err(TokenErrorReason::TooOld)
        } else {
            Ok(())
        }
    }
}

pub(super) fn sign_into(signer: &Signer, out: &mut Vec<u8>, start: usize, now: u64) {
    out.reserve(signer.added_length());
    out.extend_from_slice(signer.separator().as_bytes());
    let bytes = now.to_be_bytes();
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    base64::encode_into(out, &bytes[zeros..]);
    signer.sign_into(out, start);
}

pub(super) fn unsign<'t>(
    signer: &Signer,
    times: TimeRules,
    token: &'t [u8],
    now: u64,
    max_age: Option<u64>,
) -> Result<Unsigned<'t>, TokenError> {
    let bad_time = |reason| TokenError::new(TokenErrorKind::BadTimeSignature, reason);
    let (content, signature) = signer.split(token)?;
    let parts = signer.separator().split_last(content);
    let Some(key_index) = signer.verifying_key(content, signature) else {
        return Err(match parts {
            Some((value, time)) => bad_time(TokenErrorReason::SignatureMismatch)
                .with_payload(value)
                .with_date_signed(times.read(time, signer.leniency())),
            None => TokenError::new(
                TokenErrorKind::BadSignature,
                TokenErrorReason::SignatureMismatch,
            )
            .with_payload(content),
        });
    };
    let (value, time) =
        parts.ok_or_else(|| bad_time(TokenErrorReason::TimestampMissing).with_payload(content))?;
    let signed_at = times
        .read(time, signer.leniency())
        .ok_or_else(|| bad_time(TokenErrorReason::TimestampMalformed).with_payload(value))?;
    match max_age.map_or(Ok(()), |max_age| times.check(signed_at, now, max_age)) {
        Ok(()) => Ok(Unsigned {
            value,
            signed_at,
            key_index,
        }),
        Err(reason) => Err(TokenError::new(TokenErrorKind::SignatureExpired, reason)
            .with_payload(value)
            .with_date_signed(Some(signed_at))),
    }
}

/// The current time in Unix seconds.
pub(super) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
