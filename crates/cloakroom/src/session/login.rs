use std::fmt;

/// Who logs in, and what is worth knowing of it.
///
/// ```
/// use cloakroom::{Error, Login, Session};
///
/// # fn handler(session: Session) -> Result<(), Error> {
/// session.login("alice")?;
/// // With a second factor, and what a list of devices shows:
/// session.login(Login::new("alice").level(2).agent("Firefox on Linux").address("203.0.113.7"))?;
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Login {
    pub(crate) subject: String,
    pub(crate) level: Option<u8>,
    pub(crate) agent: Option<String>,
    pub(crate) address: Option<String>,
}

impl Login {
    /// The login of this user: whatever the application knows users by, and never gives to another one.
    pub fn new(subject: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            level: None,
            agent: None,
            address: None,
        }
    }

    /// How sure the application is of it, the more the higher: 1 for a password, 2 for a second factor, say.
    pub fn level(mut self, level: u8) -> Self {
        self.level = Some(level);
        self
    }

    /// The browser, for a list of the user's devices; its `User-Agent` header unless set.
    pub fn agent(mut self, agent: impl Into<String>) -> Self {
        self.agent = Some(agent.into());
        self
    }

    /// The network address, for a list of the user's devices. It is shown there and checked nowhere.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }
}

impl<T: Into<String>> From<T> for Login {
    fn from(subject: T) -> Self {
        Self::new(subject)
    }
}

/// Shows the level, never who it is.
impl fmt::Debug for Login {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Login")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
