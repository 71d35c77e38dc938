use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde::de::DeserializeOwned;

use super::{Operation, Session, TypedKey, convert};
use crate::Error;

/// Whether a value that only one request may have was there when this request took it.
#[derive(Clone)]
pub(crate) struct Taking(Arc<AtomicBool>);

impl Taking {
    fn new() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    /// The store held another state of the session: this is whether the value was still there.
    pub(crate) fn again(&self, there: bool) {
        self.0.store(there, Ordering::SeqCst);
    }

    fn succeeded(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Session {
    /// Takes a value that may be had only once, such as the token of a password reset, and saves the session:
    /// of all the requests that ask for it at the same time, one gets it, and the others get nothing.
    ///
    /// That is so with a store, which is asked before this answers. A session in the cookie is the browser's own: whoever
    /// has a copy of the cookie can use it again, so keep such a token on the server.
    ///
    /// ```
    /// # use cloakroom::{Error, Session};
    /// async fn reset(session: Session) -> Result<&'static str, Error> {
    ///     match session.take_once::<String>("reset_token").await? {
    ///         Some(token) => Ok("The password is reset"),
    ///         None => Ok("This link was used already"),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`take`](Self::take) and [`save`](Self::save); nobody knows then whether it is used up, so do not
    /// go on as if it were yours.
    #[doc(alias = "pop")]
    pub async fn take_once<T: DeserializeOwned>(
        &self,
        key: impl TypedKey<T>,
    ) -> Result<Option<T>, Error> {
        let key = key.as_key().to_owned();
        let taking = Taking::new();
        let value = {
            let mut state = self.write_open()?;
            let Some(value) = state.entries.get(self.format(), &key) else {
                return Ok(None);
            };
            let value = convert(&key, value)?;
            state.entries.remove(self.format(), &key);
            state.changed(|| Operation::TakeOnce(key.clone(), taking.clone()));
            value
        };
        self.save().await?;
        Ok(taking.succeeded().then_some(value))
    }
}
