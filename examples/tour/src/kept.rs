//! Where the sessions are kept, and the list of who has which.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use cloakroom::store::{Prepared, Store, StoreError, Sweeper};

use crate::StartError;
use crate::start::unwritable;

/// Where sessions are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a signed cookie, as Flask's.
    SignedCookie,
    /// In an encrypted cookie.
    EncryptedCookie,
    /// In a store, as Flask-Session's.
    Store,
    /// In a store, encrypted.
    SealedStore,
}

impl Place {
    pub(crate) fn is_encrypted(self) -> bool {
        matches!(self, Self::EncryptedCookie | Self::SealedStore)
    }
}

/// Where sessions are kept, ready for use.
#[derive(Debug)]
pub struct Kept {
    /// Where.
    pub place: Place,
    /// The store of the sessions or, if they are in the cookie, of the list of who has which.
    pub store: Store,
    prepared: Prepared,
    /// Removes what has expired as long as this lives.
    _sweeper: Sweeper,
}

impl fmt::Display for Kept {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Place::SignedCookie => {
                return write!(formatter, "Sessions are in a signed cookie, Flask's own.");
            }
            Place::EncryptedCookie => {
                return write!(
                    formatter,
                    "Sessions are in an encrypted cookie: nobody but this server reads them, so a Flask app cannot."
                );
            }
            Place::Store | Place::SealedStore => {}
        }
        write!(
            formatter,
            "Sessions are kept in a store ({}), the browser has an id.",
            self.store.name()
        )?;
        if self.place == Place::SealedStore {
            write!(
                formatter,
                " They are sealed: whoever reads the store finds nothing in it, so a Flask app cannot read them."
            )?;
        }
        match self.prepared {
            Prepared::Ready => write!(formatter, " Its table was made if it was missing."),
            Prepared::NothingNeeded => Ok(()),
        }
    }
}

/// Sessions in the cookie, and the list of devices in a database in the data folder.
///
/// # Errors
///
/// [`StartError::Data`] if the folder cannot be made, [`StartError::Devices`] if the database cannot be used.
pub async fn cookie(data: &Path, encrypted: bool) -> Result<Kept, StartError> {
    let place = match encrypted {
        true => Place::EncryptedCookie,
        false => Place::SignedCookie,
    };
    fs::create_dir_all(data).map_err(|source| unwritable(data, source))?;
    let path = data.join("devices.sqlite");
    let url = format!("sqlite:{}", path.display());
    let opened = open(place, &url, None).await;
    opened.map_err(|source| StartError::Devices { path, source })
}

/// Sessions in the store at this URL, and the list of devices beside them.
///
/// # Errors
///
/// [`StartError::Store`] if it cannot be used. The URL, which may hold a password, is not in its text.
pub async fn store(url: &str, sealed: bool) -> Result<Kept, StartError> {
    moving_store(url, None, sealed).await
}

/// As [`store()`], while sessions still move there from another one, each at its first request.
///
/// # Errors
///
/// [`StartError::Store`] if one of both cannot be used.
pub async fn moving_store(url: &str, from: Option<&str>, sealed: bool) -> Result<Kept, StartError> {
    let place = match sealed {
        true => Place::SealedStore,
        false => Place::Store,
    };
    let opened = open(place, url, from).await;
    opened.map_err(|source| StartError::Store { source })
}

/// How often what has expired is removed.
const SWEEP: Duration = Duration::from_mins(10);

/// With its table made: this is a demonstration, a service leaves that to its operators.
async fn open(place: Place, url: &str, from: Option<&str>) -> Result<Kept, StoreError> {
    let store = Store::from_url(url).await?;
    let prepared = store.prepare().await?;
    let store = match from {
        None => store,
        Some("hashed") => store.clone().moving_from(store.hashed_keys()),
        Some(old) => store.moving_from(Store::from_url(old).await?),
    };
    Ok(Kept {
        place,
        prepared,
        _sweeper: store.sweep_every(SWEEP),
        store,
    })
}
