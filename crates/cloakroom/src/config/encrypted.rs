use std::time::SystemTime;

use super::{ConfigError, SessionConfig};
use crate::{secret::Keys, token::encrypted::Padding};

/// Settings that only encrypted sessions have.
#[derive(Clone, Debug, Default)]
pub(crate) struct EncryptedSettings {
    pub(crate) tenant: Option<String>,
    pub(crate) padding: Padding,
    pub(crate) accept_signed: Option<AcceptSigned>,
}

/// Whose signed cookies are read as well, and until when.
#[derive(Clone, Debug)]
pub(crate) struct AcceptSigned {
    pub(crate) keys: Keys,
    pub(crate) until: SystemTime,
}

impl EncryptedSettings {
    /// For sessions that would not heed these settings: safety hangs on two of them.
    pub(crate) fn refuse_unheeded(&self) -> Result<(), ConfigError> {
        let refused = |name: &str, reason: &str| ConfigError::Conflict {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if self.tenant.is_some() {
            return Err(refused(
                "tenant",
                "only encrypted cookies have tenants: encrypt them, give each tenant a key or, in a store, a key_prefix of its own",
            ));
        }
        if self.accept_signed.is_some() {
            return Err(refused(
                "accept_signed",
                "only sessions in encrypted cookies take over signed ones: encrypt them, or leave it out",
            ));
        }
        Ok(())
    }
}

/// Settings for encrypted sessions.
impl SessionConfig {
    /// Whose sessions these are, where several customers or applications share the secret key: a cookie of
    /// another tenant is refused. None unless set, which is not the same as an empty one.
    ///
    /// Signed sessions and those in a store have none: there this is a [`ConfigError`].
    pub fn tenant(mut self, tenant: impl Into<String>) -> Self {
        self.encrypted.tenant = Some(tenant.into());
        self
    }

    /// How much the length of an encrypted cookie tells of what is in it; blocks of 64 bytes unless set.
    /// Padding counts in the 4096 bytes that a browser keeps.
    pub fn padding(mut self, padding: Padding) -> Self {
        self.encrypted.padding = padding;
        self
    }

    /// Until then, encrypted sessions also read the signed cookies of these keys, under the same cookie
    /// name: a site moves from Flask's cookie to the encrypted one and nobody is logged out. What is written
    /// is always encrypted; a session that came signed is written with its first change or, unless the
    /// [`refresh`](Self::refresh) is [`OnChange`](crate::Refresh::OnChange), when it is first opened.
    ///
    /// Afterwards a signed cookie is refused. It takes an end because a door that stays open is forgotten:
    /// whoever learns the key of then would write sessions for ever. A good one is the
    /// [`lifetime`](Self::lifetime) from the day on which Flask stops writing.
    /// [`SessionManager::accepts_signed_until`](crate::SessionManager::accepts_signed_until) shows it.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use cloakroom::{SecretKey, SessionConfig, SessionLayer};
    ///
    /// # let (flask_key, new_key) = (SecretKey::generate()?, SecretKey::generate()?);
    /// let until = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    /// let config = SessionConfig::native().cookie_name("session").accept_signed(flask_key, until);
    /// let sessions = SessionLayer::encrypted_with(new_key, config)?;
    /// assert_eq!(sessions.manager().accepts_signed_until(), Some(until));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What these keys open is counted by themselves: [`Keys::usage_at`](crate::Keys::usage_at) of a handle that was
    /// cloned says when nobody comes with a signed cookie any more.
    ///
    /// For signed sessions and those in a store this is a [`ConfigError`]; signed ones have
    /// [`KeyRing::fallback`](crate::KeyRing::fallback).
    pub fn accept_signed(mut self, keys: impl Into<Keys>, until: SystemTime) -> Self {
        self.encrypted.accept_signed = Some(AcceptSigned {
            keys: keys.into(),
            until,
        });
        self
    }
}
