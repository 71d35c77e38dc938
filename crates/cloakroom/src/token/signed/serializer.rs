//! Signed values of any serde type.

use std::{borrow::Cow, fmt, marker::PhantomData, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{TokenError, TokenErrorKind, TokenErrorReason},
    signer::{Signer, SignerOptions},
    timestamp::{self, TimeRules, unix_now},
};
use crate::{
    json::{self, JsonError, Limits, Style},
    secret::KeyRing,
    token::{
        base64::Leniency,
        payload::{self, Compression, PayloadError},
    },
    value::{self, ConversionError},
};

/// Signs values of any serde type as tokens of URL-safe characters: itsdangerous' `URLSafeSerializer`.
#[doc(alias = "URLSafeSerializer")]
pub type UrlSafeSerializer = Serializer<UrlSafe>;

/// Signs values of any serde type and the time as tokens of URL-safe characters: itsdangerous'
/// `URLSafeTimedSerializer`.
#[doc(alias = "URLSafeTimedSerializer")]
pub type UrlSafeTimedSerializer = TimedSerializer<UrlSafe>;

/// Signs values of any serde type: itsdangerous' `Serializer`, or, with [`UrlSafe`], its `URLSafeSerializer`.
///
/// The values are written and read as JSON, byte for byte as Python does.
///
/// ```
/// use cloakroom::{SecretKey, token::signed::UrlSafeSerializer};
///
/// let invitations = UrlSafeSerializer::new(SecretKey::generate()?, "invitation");
/// let token = invitations.dumps(&("team", 7))?;
/// assert_eq!(invitations.loads::<(String, u32)>(&token)?, ("team".to_owned(), 7));
///
/// // Made for one purpose, useless for another.
/// assert!(invitations.with_salt("password-reset").loads::<(String, u32)>(&token).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Serializer<P = PlainJson> {
    keys: KeyRing,
    salt: Vec<u8>,
    signer: Signer,
    options: SignerOptions,
    fallback_signers: Vec<Signer>,
    fallback_options: Vec<SignerOptions>,
    compression: Compression,
    max_size: usize,
    style: PhantomData<P>,
}

impl<P: PayloadStyle> Serializer<P> {
    /// The salt that itsdangerous' own serializers have unless told otherwise. Name your purpose instead.
    pub const DEFAULT_SALT: &str = "itsdangerous";

    /// A serializer for the purpose named by the salt, with the defaults of itsdangerous.
    pub fn new(keys: impl Into<KeyRing>, salt: impl AsRef<[u8]>) -> Self {
        Self::with_options(keys, salt, SignerOptions::default())
    }

    /// A serializer for the purpose named by the salt. The options are itsdangerous' `signer_kwargs`.
    #[doc(alias = "signer_kwargs")]
    pub fn with_options(
        keys: impl Into<KeyRing>,
        salt: impl AsRef<[u8]>,
        options: SignerOptions,
    ) -> Self {
        let (keys, salt) = (keys.into(), salt.as_ref().to_vec());
        Self {
            signer: Signer::with_options(keys.clone(), &salt, &options),
            keys,
            salt,
            options,
            fallback_signers: Vec::new(),
            fallback_options: Vec::new(),
            compression: Compression::default(),
            max_size: payload::DEFAULT_MAX_SIZE,
            style: PhantomData,
        }
    }

    /// Also accepts tokens that were signed with these options, so that for example the hash can change while old tokens
    /// stay good: one entry of itsdangerous' `fallback_signers`. They are tried in the order they were added.
    #[doc(alias = "fallback_signers")]
    #[must_use]
    pub fn fallback_signer(mut self, options: SignerOptions) -> Self {
        self.fallback_signers.push(Signer::with_options(
            self.keys.clone(),
            &self.salt,
            &options,
        ));
        self.fallback_options.push(options);
        self
    }

    /// Whether payloads are compressed. [`PlainJson`] never is.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// The largest JSON text, in bytes, that is read; [`payload::DEFAULT_MAX_SIZE`] by default.
    #[must_use]
    pub fn max_size(mut self, max_size: usize) -> Self {
        self.max_size = max_size;
        self
    }

    /// The same serializer for another purpose: the `salt` argument of Python's `dumps` and `loads`. Keep it to use it
    /// again; the keys are derived here.
    #[must_use]
    pub fn with_salt(&self, salt: impl AsRef<[u8]>) -> Self {
        let salt = salt.as_ref();
        let signer =
            |options: &SignerOptions| Signer::with_options(self.keys.clone(), salt, options);
        Self {
            keys: self.keys.clone(),
            salt: salt.to_vec(),
            signer: signer(&self.options),
            options: self.options.clone(),
            fallback_signers: self.fallback_options.iter().map(signer).collect(),
            fallback_options: self.fallback_options.clone(),
            ..*self
        }
    }

    /// The token of a value.
    ///
    /// # Errors
    ///
    /// [`SerializeError`] if the value has no JSON form.
    pub fn dumps<T: Serialize + ?Sized>(&self, value: &T) -> Result<String, SerializeError> {
        let mut token = self.payload(value)?;
        self.signer.sign_into(&mut token, 0);
        Ok(into_text(token))
    }

    /// The value of a token.
    ///
    /// # Errors
    ///
    /// [`BadSignature`](TokenErrorKind::BadSignature), then [`BadPayload`](TokenErrorKind::BadPayload).
    pub fn loads<T: DeserializeOwned>(&self, token: impl AsRef<[u8]>) -> Result<T, TokenError> {
        let token = token.as_ref();
        let payload = self.verified(|signer| signer.unsign(token))?;
        self.load_payload(payload)
    }

    /// The value of a token even if the signature is wrong. Use this to look into a token, never to trust it.
    ///
    /// # Errors
    ///
    /// [`BadPayload`](TokenErrorKind::BadPayload) if the signature is right and the payload is not, as in Python.
    pub fn loads_unsafe<T: DeserializeOwned>(
        &self,
        token: impl AsRef<[u8]>,
    ) -> Result<Unverified<T>, TokenError> {
        self.unverified(self.loads(token))
    }

    /// What the first signer that accepts the token makes of it, or why the last one does not. An expired token is not
    /// tried further: its signature is right.
    fn verified<R>(
        &self,
        unsign: impl Fn(&Signer) -> Result<R, TokenError>,
    ) -> Result<R, TokenError> {
        let mut result = unsign(&self.signer);
        for signer in &self.fallback_signers {
            match &result {
                Err(error) if error.kind() != TokenErrorKind::SignatureExpired => {
                    result = unsign(signer);
                }
                _ => break,
            }
        }
        result
    }

    fn unverified<T: DeserializeOwned>(
        &self,
        loaded: Result<T, TokenError>,
    ) -> Result<Unverified<T>, TokenError> {
        match loaded {
            Ok(value) => Ok(Unverified {
                verified: true,
                value: Some(value),
            }),
            Err(error) if error.is(TokenErrorKind::BadSignature) => {
                let value = error
                    .payload()
                    .and_then(|payload| self.load_payload(payload).ok());
                Ok(Unverified {
                    verified: false,
                    value,
                })
            }
            Err(error) => Err(error),
        }
    }

    fn payload<T: Serialize + ?Sized>(&self, value: &T) -> Result<Vec<u8>, SerializeError> {
        let json = json::to_bytes(&value::to_value(value)?, P::JSON)?;
        let mut token = Vec::with_capacity(json.len() * 4 / 3 + 4 + self.signer.added_length());
        P::encode_into(&mut token, &json, self.compression);
        Ok(token)
    }

    fn load_payload<T: DeserializeOwned>(&self, payload: &[u8]) -> Result<T, TokenError> {
        let json = P::decode(payload, self.signer.leniency(), self.max_size)
            .map_err(|error| TokenError::bad_payload(TokenErrorReason::Payload(error)))?;
        let value = json::from_slice(&json, Limits::default())
            .map_err(|error| TokenError::bad_payload(TokenErrorReason::Json(error)))?;
        value::from_value(value)
            .map_err(|error| TokenError::bad_payload(TokenErrorReason::Type(error)))
    }
}

impl<P> fmt::Debug for Serializer<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Serializer")
            .field("keys", &self.keys)
            .field("options", &self.options)
            .field("fallback_options", &self.fallback_options)
            .field("compression", &self.compression)
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}

/// Signs values of any serde type together with the time: itsdangerous' `TimedSerializer`, or, with [`UrlSafe`], its
/// `URLSafeTimedSerializer`.
///
/// See [the example](super#a-link-that-resets-a-password). To set compression, size limit or fallback signers, make it
/// from a [`Serializer`].
#[derive(Clone, Debug)]
pub struct TimedSerializer<P = PlainJson> {
    serializer: Serializer<P>,
    times: TimeRules,
}

impl<P: PayloadStyle> From<Serializer<P>> for TimedSerializer<P> {
    fn from(serializer: Serializer<P>) -> Self {
        Self {
            serializer,
            times: TimeRules::default(),
        }
    }
}

impl<P: PayloadStyle> TimedSerializer<P> {
    /// A serializer for the purpose named by the salt, with the defaults of itsdangerous.
    pub fn new(keys: impl Into<KeyRing>, salt: impl AsRef<[u8]>) -> Self {
        Serializer::new(keys, salt).into()
    }

    /// A serializer for the purpose named by the salt. The options are itsdangerous' `signer_kwargs`.
    pub fn with_options(
        keys: impl Into<KeyRing>,
        salt: impl AsRef<[u8]>,
        options: SignerOptions,
    ) -> Self {
        Serializer::with_options(keys, salt, options).into()
    }

    /// As [`TimestampSigner::leeway`](super::TimestampSigner::leeway).
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.times.leeway = leeway.as_secs();
        self
    }

    /// As [`TimestampSigner::legacy_epoch`](super::TimestampSigner::legacy_epoch).
    #[must_use]
    pub fn legacy_epoch(mut self, legacy_epoch: bool) -> Self {
        self.times.legacy_epoch = legacy_epoch;
        self
    }

    /// As [`Serializer::with_salt`].
    #[must_use]
    pub fn with_salt(&self, salt: impl AsRef<[u8]>) -> Self {
        Self {
            serializer: self.serializer.with_salt(salt),
            times: self.times,
        }
    }

    /// The token of a value at the current time.
    ///
    /// # Errors
    ///
    /// [`SerializeError`] if the value has no JSON form.
    pub fn dumps<T: Serialize + ?Sized>(&self, value: &T) -> Result<String, SerializeError> {
        self.dumps_at(value, unix_now())
    }

    /// The token of a value at the time `now` in Unix seconds.
    ///
    /// # Errors
    ///
    /// [`SerializeError`] if the value has no JSON form.
    pub fn dumps_at<T: Serialize + ?Sized>(
        &self,
        value: &T,
        now: u64,
    ) -> Result<String, SerializeError> {
        let mut token = self.serializer.payload(value)?;
        timestamp::sign_into(&self.serializer.signer, &mut token, 0, now);
        Ok(into_text(token))
    }

    /// The value of a token. Without `max_age` it may have any age; with it, it must be at most that old, in whole
    /// seconds, and not from the future.
    ///
    /// # Errors
    ///
    /// Those of [`TimestampSigner::unsign`](super::TimestampSigner::unsign), then
    /// [`BadPayload`](TokenErrorKind::BadPayload).
    pub fn loads<T: DeserializeOwned>(
        &self,
        token: impl AsRef<[u8]>,
        max_age: impl Into<Option<Duration>>,
    ) -> Result<T, TokenError> {
        self.loads_at(token, unix_now(), max_age)
            .map(|timestamped| timestamped.value)
    }

    /// The value of a token at the time `now` in Unix seconds, and when it was signed: Python's `return_timestamp=True`.
    ///
    /// # Errors
    ///
    /// As [`loads`](Self::loads).
    #[doc(alias = "return_timestamp")]
    pub fn loads_at<T: DeserializeOwned>(
        &self,
        token: impl AsRef<[u8]>,
        now: u64,
        max_age: impl Into<Option<Duration>>,
    ) -> Result<Timestamped<T>, TokenError> {
        let (token, max_age) = (token.as_ref(), max_age.into().map(|age| age.as_secs()));
        let unsigned = self
            .serializer
            .verified(|signer| timestamp::unsign(signer, self.times, token, now, max_age))?;
        let value = self.serializer.load_payload(unsigned.value)?;
        Ok(Timestamped {
            value,
            signed_at: unsigned.signed_at,
        })
    }

    /// The value of a token even if the signature or the time is wrong. Use this to look into a token, never to trust it.
    ///
    /// # Errors
    ///
    /// [`BadPayload`](TokenErrorKind::BadPayload) if signature and time are right and the payload is not, as in Python.
    pub fn loads_unsafe<T: DeserializeOwned>(
        &self,
        token: impl AsRef<[u8]>,
        max_age: impl Into<Option<Duration>>,
    ) -> Result<Unverified<T>, TokenError> {
        self.serializer.unverified(self.loads(token, max_age))
    }
}

/// A value and when it was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamped<T> {
    /// What was signed.
    pub value: T,
    /// When, in Unix seconds.
    pub signed_at: u64,
}

/// A value that may not be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unverified<T> {
    /// Whether the token verifies after all.
    pub verified: bool,
    /// What the token says, where it can be read.
    pub value: Option<T>,
}

/// Why a value cannot become a token. It names types only, never what the value holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SerializeError {
    /// The value is nothing that Python could hold.
    #[error(transparent)]
    Conversion(#[from] ConversionError),
    /// The value has no JSON form.
    #[error(transparent)]
    Json(#[from] JsonError),
}

/// How a serializer writes the JSON text into the token: [`PlainJson`] or [`UrlSafe`].
pub trait PayloadStyle: sealed::Coding {}

/// The JSON text itself, with spaces and ASCII escapes as Python's `json.dumps` writes it.
#[derive(Clone, Copy, Debug)]
pub enum PlainJson {}

/// The compact JSON text, compressed where that saves something, as base64; see [`payload`].
#[derive(Clone, Copy, Debug)]
pub enum UrlSafe {}

impl PayloadStyle for PlainJson {}
impl PayloadStyle for UrlSafe {}

mod sealed {
    use super::{Compression, Cow, Leniency, PayloadError, PlainJson, Style, UrlSafe, payload};

    pub trait Coding {
        const JSON: Style;

        fn encode_into(out: &mut Vec<u8>, json: &[u8], compression: Compression);

        fn decode(
            payload: &[u8],
            leniency: Leniency,
            max_size: usize,
        ) -> Result<Cow<'_, [u8]>, PayloadError>;
    }

    impl Coding for PlainJson {
        const JSON: Style = Style::PYTHON;

        fn encode_into(out: &mut Vec<u8>, json: &[u8], _: Compression) {
            out.extend_from_slice(json);
        }

        fn decode(
            payload: &[u8],
            _: Leniency,
            max_size: usize,
        ) -> Result<Cow<'_, [u8]>, PayloadError> {
            if payload.len() > max_size {
                return Err(PayloadError::TooLarge { limit: max_size });
            }
            Ok(Cow::Borrowed(payload))
        }
    }

    impl Coding for UrlSafe {
        const JSON: Style = Style::COMPACT;

        fn encode_into(out: &mut Vec<u8>, json: &[u8], compression: Compression) {
            payload::encode_into(out, json, compression);
        }

        fn decode(
            payload: &[u8],
            leniency: Leniency,
            max_size: usize,
        ) -> Result<Cow<'_, [u8]>, PayloadError> {
            payload::decode(payload, leniency, max_size).map(Cow::Owned)
        }
    }
}

fn into_text(token: Vec<u8>) -> String {
    // Nothing is lost: JSON, base64 and separators are text.
    String::from_utf8(token).unwrap_or_default()
}
