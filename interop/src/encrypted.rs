//! Encrypted tokens behind the line protocol; bytes are hexadecimal digits.

use std::fmt::Write as _;

use std::error::Error;

use cloakroom::token::encrypted::{OpenError, Padding, Purpose, Sealer};
use cloakroom::token::payload::Compression;
use cloakroom::{KeyRing, SecretKey};
use serde::Deserialize;

use crate::Answer;

/// For which purpose, with which keys, the newest first.
#[derive(Deserialize)]
pub(crate) struct Tokens {
    secrets: Vec<String>,
    purpose: String,
    name: String,
    tenant: Option<String>,
    now: u64,
}

/// A content to seal.
#[derive(Deserialize)]
pub(crate) struct Sealing {
    #[serde(flatten)]
    tokens: Tokens,
    expires_at: u64,
    block: u16,
    compress: bool,
    content: String,
}

/// A token to open.
#[derive(Deserialize)]
pub(crate) struct Unsealing {
    #[serde(flatten)]
    tokens: Tokens,
    token: String,
}

impl Tokens {
    fn sealer(&self) -> Result<Sealer, Box<dyn Error>> {
        let (newest, older) = self.secrets.split_first().ok_or("there is no secret")?;
        let ring = older
            .iter()
            .rev() // a key ring takes the oldest first
            .try_fold(KeyRing::new(key(newest)?), |ring, secret| {
                key(secret).map(|key| ring.fallback(key))
            })?;
        let mut purpose = Purpose::new(unhex(&self.purpose)?).name(unhex(&self.name)?);
        if let Some(tenant) = &self.tenant {
            purpose = purpose.tenant(unhex(tenant)?);
        }
        Ok(Sealer::new(ring, &purpose))
    }
}

impl Sealing {
    pub(crate) fn answer(self) -> Result<Answer, Box<dyn Error>> {
        let compression = match self.compress {
            true => Compression::Auto,
            false => Compression::Never,
        };
        let sealer = self.tokens.sealer()?;
        let token = sealer
            .padding(Padding::Blocks(self.block))
            .compression(compression)
            .seal_at(unhex(&self.content)?, self.tokens.now, self.expires_at)?;
        Ok(Answer::Cookie(token))
    }
}

impl Unsealing {
    pub(crate) fn answer(self) -> Result<Answer, Box<dyn Error>> {
        let opened = self.tokens.sealer()?.open_at(&self.token, self.tokens.now);
        Ok(match opened {
            Ok(opened) => Answer::Content {
                content: hex(&opened.content),
                key_index: opened.key_index,
                issued_at: opened.issued_at,
                expires_at: opened.expires_at,
            },
            Err(error) => Answer::Refused(match error {
                OpenError::Malformed => "malformed",
                OpenError::TooLong { .. } => "too_long",
                OpenError::Undecryptable => "undecryptable",
                OpenError::UnknownLayout => "unknown_layout",
                OpenError::Expired => "expired",
                OpenError::FromTheFuture => "from_the_future",
                OpenError::Payload(_) => "payload",
                _ => "for another reason",
            }),
        })
    }
}

fn key(secret: &str) -> Result<SecretKey, Box<dyn Error>> {
    Ok(SecretKey::new(unhex(secret)?)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // Text takes whatever is written to it.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn unhex(digits: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?))
        .collect()
}
