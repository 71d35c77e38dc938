//! Encrypted tokens: what the browser may hold, but neither read nor change.
//!
//! A [`Sealer`] makes and opens them, for one [`Purpose`] and with the keys of a ring. A token is
//!
//! ```text
//! v1.BASE64(nonce ‖ ciphertext ‖ tag)
//! ```
//!
//! in URL-safe base64 without padding, of which there is one spelling. The cipher is AES-256-GCM-SIV (RFC 8452) with 12
//! random bytes of nonce, 16 bytes of tag, and `v1.` as additional data; [`Purpose`] says how its key is made. Encrypted
//! are, numbers with the highest byte first:
//!
//! | Bytes | |
//! | --- | --- |
//! | 8 | when the token was made, in unix seconds |
//! | 8 | the last second in which it is good |
//! | 1 | flags: 1 if the content is a zlib stream, else 0 |
//! | 2 | how many bytes of padding there are |
//! | | the content |
//! | | the padding, zeros |
//!
//! Nothing of a token is used before its tag is verified, and what does not verify is never handed out. The expiry is
//! inside, where no browser can move it.
//!
//! GCM-SIV rather than GCM, because of servers that are cloned or restored with the state of their random numbers: should
//! a nonce ever come twice, GCM gives its key away, GCM-SIV only that two contents are equal.

mod error;
mod layout;
mod sealer;
#[cfg(test)]
mod vectors;

pub use super::derive::Purpose;
pub use error::{OpenError, SealError};
pub use layout::Padding;
pub use sealer::{Opened, Sealer};
