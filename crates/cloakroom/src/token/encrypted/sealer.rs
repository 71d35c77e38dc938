use std::{
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce, Tag,
    aead::{AeadInOut, KeyInit},
};

use super::{
    error::{OpenError, SealError},
    layout::{Header, Padding},
};
use crate::{
    secret::{KeyRing, SecretKey},
    token::{
        base64::{self, Leniency},
        compress::{self, InflateError},
        derive::Purpose,
        payload::{Compression, DEFAULT_MAX_SIZE, PayloadError},
    },
};

/// Before every token, and part of what its tag vouches for.
const VERSION: &[u8] = b"v1.";
const NONCE_LENGTH: usize = 12;
const TAG_LENGTH: usize = 16;

/// Makes encrypted tokens for one purpose, and opens them.
///
/// Keys are derived once, when it is made. The ring's signing key seals; every key of the ring opens.
///
/// ```
/// use std::time::Duration;
/// use cloakroom::{SecretKey, token::encrypted::{Purpose, Sealer}};
///
/// let key = SecretKey::generate()?;
/// let sealer = Sealer::new(key.clone(), &Purpose::new("invitation"));
/// let token = sealer.seal("alice@example.com", Duration::from_secs(3600))?;
///
/// assert_eq!(sealer.open(&token)?.content, b"alice@example.com");
/// assert!(!token.contains("alice"));
///
/// // Made for one purpose, useless for another.
/// let resets = Sealer::new(key, &Purpose::new("password-reset"));
/// assert!(resets.open(&token).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Sealer {
    sealing: Aes256GcmSiv,
    /// In the order in which they are tried; the one that seals is among them.
    opening: Vec<Aes256GcmSiv>,
    padding: Padding,
    compression: Compression,
    leeway: u64,
    max_size: usize,
}

/// What was in a token that one of the keys made and that is not expired. There is no other way to get one.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// What was sealed.
    pub content: Vec<u8>,
    /// When, in unix seconds.
    pub issued_at: u64,
    /// The last second, in unix seconds, in which the token is good.
    pub expires_at: u64,
    /// Which key opened it: 0 for the signing key, 1 for the newest fallback, and so on.
    pub key_index: usize,
}

impl Sealer {
    /// The most characters of a token, eight times what a browser keeps. A longer one is neither made nor decoded.
    pub const MAX_LENGTH: usize = 32 * 1024;

    /// A sealer for one purpose: [padded](Padding) to blocks of 64 bytes, without compression, without leeway.
    pub fn new(keys: impl Into<KeyRing>, purpose: &Purpose) -> Self {
        let keys = keys.into();
        let cipher = |key: &SecretKey| Aes256GcmSiv::new((&*purpose.derive(key)).into());
        Self {
            sealing: cipher(keys.signing()),
            opening: keys.verifying().map(cipher).collect(),
            padding: Padding::default(),
            compression: Compression::Never,
            leeway: 0,
            max_size: DEFAULT_MAX_SIZE,
        }
    }

    /// How much a token's length tells.
    #[must_use]
    pub fn padding(mut self, padding: Padding) -> Self {
        self.padding = padding;
        self
    }

    /// Whether contents are compressed where that makes them shorter; [never](Compression::Never) unless set, because
    /// the length then tells how alike the parts of the content are: a visitor who chooses one part can find out another
    /// one (CRIME was that). Compressed tokens are opened in any case.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// How far, in whole seconds, a token may be from the future; zero unless set. An expiry has no leeway.
    #[must_use]
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway.as_secs();
        self
    }

    /// The most bytes a content may have when inflated; 1 MiB unless set.
    #[must_use]
    pub fn max_size(mut self, bytes: usize) -> Self {
        self.max_size = bytes;
        self
    }

    /// A token for the content, good for so many whole seconds from now on.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal(&self, content: impl AsRef<[u8]>, lifetime: Duration) -> Result<String, SealError> {
        let now = unix_now();
        self.seal_at(content, now, now.saturating_add(lifetime.as_secs()))
    }

    /// A token for the content, made `now` and good up to and including the second `expires_at`, both in unix seconds.
    ///
    /// # Errors
    ///
    /// [`SealError`].
    pub fn seal_at(
        &self,
        content: impl AsRef<[u8]>,
        now: u64,
        expires_at: u64,
    ) -> Result<String, SealError> {
        // 96 random bits: after 2^32 tokens a nonce may come twice, and even then AES-GCM-SIV gives away no more than
        // whether two contents are equal.
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| SealError::NoRandomness)?;
        self.seal_with(content.as_ref(), now, expires_at, nonce)
    }

    pub(super) fn seal_with(
        &self,
        content: &[u8],
        issued_at: u64,
        expires_at: u64,
        nonce: [u8; NONCE_LENGTH],
    ) -> Result<String, SealError> {
        const START: usize = NONCE_LENGTH + Header::LENGTH;
        let mut bytes = Vec::with_capacity(START + content.len() + TAG_LENGTH + 64);
        bytes.extend_from_slice(&nonce);
        bytes.resize(START, 0);
        let compressed = self.deflate_into(&mut bytes, content);
        if !compressed {
            bytes.extend_from_slice(content);
        }
        let header = Header {
            issued_at,
            expires_at,
            compressed,
        };
        header.frame(&mut bytes, NONCE_LENGTH, self.padding);
        let length = VERSION.len() + ((bytes.len() + TAG_LENGTH) * 4).div_ceil(3);
        let too_long = SealError::TooLong {
            length,
            limit: Self::MAX_LENGTH,
        };
        if length > Self::MAX_LENGTH {
            return Err(too_long);
        }
        let plaintext = bytes.get_mut(NONCE_LENGTH..).unwrap_or_default();
        // The one thing that AES-GCM-SIV refuses to encrypt is more than 64 GiB (RFC 8452, section 6).
        let tag = self
            .sealing
            .encrypt_inout_detached(&Nonce::from(nonce), VERSION, plaintext.into())
            .map_err(|_| too_long)?;
        bytes.extend_from_slice(&tag);
        let mut token = Vec::with_capacity(length);
        token.extend_from_slice(VERSION);
        base64::encode_into(&mut token, &bytes);
        // Base64 is ASCII, so nothing is lost.
        Ok(String::from_utf8(token).unwrap_or_default())
    }

    /// What is in a token, if it is good now.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, token: impl AsRef<[u8]>) -> Result<Opened, OpenError> {
        self.open_at(token, unix_now())
    }

    /// What is in a token, if it is good at the time `now` in unix seconds.
    ///
    /// # Errors
    ///
    /// In this order: [`TooLong`](OpenError::TooLong), [`Malformed`](OpenError::Malformed),
    /// [`Undecryptable`](OpenError::Undecryptable); and for what one of our keys made,
    /// [`UnknownLayout`](OpenError::UnknownLayout), [`FromTheFuture`](OpenError::FromTheFuture),
    /// [`Expired`](OpenError::Expired), [`Payload`](OpenError::Payload).
    pub fn open_at(&self, token: impl AsRef<[u8]>, now: u64) -> Result<Opened, OpenError> {
        let token = token.as_ref();
        if token.len() > Self::MAX_LENGTH {
            return Err(OpenError::TooLong {
                limit: Self::MAX_LENGTH,
            });
        }
        let text = token.strip_prefix(VERSION).ok_or(OpenError::Malformed)?;
        let mut bytes = base64::decode(text, Leniency::Strict).map_err(|_| OpenError::Malformed)?;
        let (key_index, plaintext) = self.decrypt(&mut bytes)?;
        let (header, content) = Header::read(plaintext)?;
        if header.issued_at.saturating_sub(now) > self.leeway {
            return Err(OpenError::FromTheFuture);
        }
        if now > header.expires_at {
            return Err(OpenError::Expired);
        }
        Ok(Opened {
            content: self.inflate(content, header.compressed)?,
            issued_at: header.issued_at,
            expires_at: header.expires_at,
            key_index,
        })
    }

    /// Whether a text claims to be a token of this format.
    pub(crate) fn is_token(text: &[u8]) -> bool {
        text.starts_with(VERSION)
    }

    /// Decrypts in place: which key did it, and what was encrypted.
    fn decrypt<'b>(&self, bytes: &'b mut [u8]) -> Result<(usize, &'b [u8]), OpenError> {
        let (nonce, rest) = bytes
            .split_first_chunk_mut::<NONCE_LENGTH>()
            .ok_or(OpenError::Malformed)?;
        let (text, tag) = rest
            .split_last_chunk_mut::<TAG_LENGTH>()
            .ok_or(OpenError::Malformed)?;
        let (nonce, tag) = (Nonce::from(*nonce), Tag::from(*tag));
        let key_index = self
            .opening
            .iter()
            // A key that does not open it leaves the text as it was.
            .position(|cipher| {
                cipher
                    .decrypt_inout_detached(&nonce, VERSION, (&mut *text).into(), &tag)
                    .is_ok()
            })
            .ok_or(OpenError::Undecryptable)?;
        Ok((key_index, text))
    }

    /// Whether the content is appended, compressed.
    fn deflate_into(&self, out: &mut Vec<u8>, content: &[u8]) -> bool {
        match (self.compression, content.len().checked_sub(1)) {
            (Compression::Never, _) | (_, None) => false,
            (Compression::Auto, Some(limit)) => {
                compress::deflate_within(content, limit, |stream| out.extend_from_slice(stream))
                    .is_some()
            }
        }
    }

    fn inflate(&self, content: &[u8], compressed: bool) -> Result<Vec<u8>, OpenError> {
        let too_large = PayloadError::TooLarge {
            limit: self.max_size,
        };
        if compressed {
            compress::inflate(content, self.max_size).map_err(|error| match error {
                InflateError::Broken => OpenError::Payload(PayloadError::Compression),
                InflateError::TooLarge => OpenError::Payload(too_large),
            })
        } else if content.len() > self.max_size {
            Err(OpenError::Payload(too_large))
        } else {
            Ok(content.to_vec())
        }
    }
}

fn unix_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sealer")
            .field("keys", &self.opening.len())
            .field("padding", &self.padding)
            .field("compression", &self.compression)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Opened")
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .field("key_index", &self.key_index)
            .finish_non_exhaustive()
    }
}
