//! Signed tokens: itsdangerous 2.2.0, the signature under Flask's session cookie.
//!
//! Everybody can read a signed token; nobody without the key can change it. Four kinds, from the inside out:
//!
//! | Type | Token | In Python |
//! | --- | --- | --- |
//! | [`Signer`] | value, signature | `Signer` |
//! | [`TimestampSigner`] | value, time, signature | `TimestampSigner` |
//! | [`UrlSafeSerializer`], [`Serializer`] | any serde type, signature | `URLSafeSerializer`, `Serializer` |
//! | [`UrlSafeTimedSerializer`], [`TimedSerializer`] | any serde type, time, signature | `URLSafeTimedSerializer`, `TimedSerializer` |
//!
//! The salt says what a token is for. One made for another salt does not verify, so a link that confirms an address is
//! no link that resets a password.
//!
//! # A link that resets a password
//!
//! ```
//! use std::time::Duration;
//!
//! use cloakroom::{SecretKey, token::signed::{TokenErrorKind, UrlSafeTimedSerializer}};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Reset {
//!     user: u64,
//!     // Changes with the password, so that the link works once.
//!     password_changed: u64,
//! }
//!
//! let resets = UrlSafeTimedSerializer::new(SecretKey::generate()?, "password-reset");
//!
//! let token = resets.dumps(&Reset { user: 42, password_changed: 1_699_990_000 })?;
//! let link = format!("https://example.com/reset/{token}");
//!
//! // Later, when the link is opened:
//! let presented = link.rsplit('/').next().unwrap_or_default();
//! match resets.loads::<Reset>(presented, Duration::from_secs(3600)) {
//!     Ok(reset) => assert_eq!(reset.user, 42),
//!     Err(error) if error.is(TokenErrorKind::SignatureExpired) => println!("Ask for a new link."),
//!     Err(_) => println!("This link is not ours."),
//! }
//! # assert!(resets.loads::<Reset>(presented, Duration::from_secs(3600)).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod mac;
mod serializer;
mod signer;
mod timestamp;

pub use error::{TokenError, TokenErrorKind, TokenErrorReason};
pub use mac::{Digest, KeyDerivation};
pub use serializer::{
    PayloadStyle, PlainJson, SerializeError, Serializer, TimedSerializer, Timestamped, Unverified,
    UrlSafe, UrlSafeSerializer, UrlSafeTimedSerializer,
};
pub use signer::{Separator, SeparatorError, Signer, SignerOptions};
pub use timestamp::{TimestampSigner, Unsigned};
