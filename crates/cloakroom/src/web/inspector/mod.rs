//! A page for development that shows what requests do to their sessions, while they do it.
//!
//! Mount it around everything else, tell it where the server listens, and open `/_sessions`:
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use cloakroom::{SecretKey, SessionConfig, SessionLayer, inspector::Inspector};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = SessionConfig::default().secure(false);
//! let sessions = SessionLayer::signed_with(SecretKey::from_env("SECRET_KEY")?, config)?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! let app = Router::new()
//!     .route("/", get(async || "a page"))
//!     .layer(sessions.clone())
//!     .layer(Inspector::new(&sessions, listener.local_addr()?)?);
//! axum::serve(listener, app).await?;
//! # Ok(()) }
//! ```
//!
//! It shows the session that your browser has now: each key with its value, type and bytes, how full the cookie is, which key
//! verified it, and how long it still lives. Below are the latest requests with their sessions before and after, what happened
//! to sessions as it happens, and, with [`user_sessions`](crate::SessionConfig::user_sessions), where you are logged in, with
//! a button to end each of those. The page looks again every second, and works without a script too.
//!
//! # Who sees what
//!
//! It refuses to start for an address that other machines can reach, and to answer a request for another host than
//! this machine, such as one that a page elsewhere makes the browser send, or one that comes through a proxy.
//! [`Inspector::exposed`] lifts both.
//!
//! Values are shown of one session only: the one whose cookie the browser sends that looks at the page, with what it was
//! before. Of others there are the keys with their types and sizes, never values or users, unless
//! [`reveal`](Inspector::reveal) says so. Paths are shown without their query. Never shown are cookies, ids
//! and secret keys.
//!
//! # What it costs
//!
//! A request that brings no session cookie and gets none is noted and no more. Else the cookie is opened once more, and
//! once more again if the response sets another one. With a store that is one more load, and another one after a request
//! that has opened its session. The page itself loads the viewer's session, and asks how long it lives where loading does
//! not tell. Looking counts for nothing: no event, no metric, no count of what a key verified, no
//! renewal, no write. What was seen is kept in memory, the latest 200 requests and 500 events.

mod answer;
mod book;
mod chart;
mod html;
mod lists;
mod page;
mod service;
mod side;
mod viewer;

use std::{fmt, net::SocketAddr, sync::Arc};

use tower_layer::Layer;

use self::book::Book;
pub use self::service::InspectorService;
use crate::{SessionLayer, SessionManager, token::base64};

/// The look of the inspector's pages, for pages that stand beside it, such as those of `cloakroom inspect`. It follows the
/// visitor's choice of light or dark; names of classes may change with any release.
pub const STYLE_SHEET: &str = include_str!("style.css");

/// The icon of these pages: an SVG image, with its drawing under the id `ticket`.
pub const ICON: &str = include_str!("icon.svg");

/// Shows what requests do to their sessions: a `tower` layer for axum that goes around everything else.
/// [The module](self) says what it shows, to whom, and what it costs.
///
/// ```
/// use cloakroom::{SecretKey, SessionLayer, inspector::Inspector};
///
/// let sessions = SessionLayer::signed(SecretKey::generate()?);
/// let inspector = Inspector::new(&sessions, "127.0.0.1:3000".parse()?)?;
///
/// // Other machines reach this address, so it does not start.
/// assert!(Inspector::new(&sessions, "0.0.0.0:3000".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Inspector {
    manager: SessionManager,
    book: Arc<Book>,
    settings: Arc<Settings>,
}

/// Why an [`Inspector`] does not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectorError {
    /// Other machines can reach the server.
    #[error(
        "the inspector does not start on {0}, which other machines can reach: listen on 127.0.0.1, leave the inspector \
         out, or use Inspector::exposed"
    )]
    NotLoopback(SocketAddr),
    /// The path is none that a page can have.
    #[error(
        "`{0}` is no path for the inspector: write one such as `/_sessions`, of letters, digits, `-`, `_`, `.` and `/`"
    )]
    Path(String),
    /// There are no random numbers for the tokens of its forms.
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
}

#[derive(Clone)]
struct Settings {
    path: String,
    reveal: bool,
    exposed: bool,
    /// What the page's forms carry, so that no other page can make them up.
    form_token: String,
}

impl Inspector {
    /// An inspector of these sessions, for a server that listens at this address.
    ///
    /// # Errors
    ///
    /// [`InspectorError::NotLoopback`] if other machines can reach the address.
    pub fn new(sessions: &SessionLayer, listening_at: SocketAddr) -> Result<Self, InspectorError> {
        // An IPv4 address in IPv6's clothes is still what it is.
        match listening_at.ip().to_canonical().is_loopback() {
            true => Self::start(sessions, false),
            false => Err(InspectorError::NotLoopback(listening_at)),
        }
    }

    /// An inspector that answers everybody who reaches the server, whatever the address: for a container or a machine
    /// that only developers reach. Put an access check of your own around it.
    ///
    /// # Errors
    ///
    /// [`InspectorError::Random`].
    pub fn exposed(sessions: &SessionLayer) -> Result<Self, InspectorError> {
        Self::start(sessions, true)
    }

    fn start(sessions: &SessionLayer, exposed: bool) -> Result<Self, InspectorError> {
        let random = |error: getrandom::Error| InspectorError::Random(error.to_string());
        let mut token = [0; 32];
        getrandom::fill(&mut token).map_err(random)?;
        let manager = sessions.manager().clone();
        let book = Arc::new(Book::new(manager.config().clock.clone()).map_err(random)?);
        let heard = Arc::downgrade(&book);
        manager.config().observer.watch(move |event| {
            if let Some(book) = heard.upgrade() {
                book.note_event(event);
            }
        });
        let build = if cfg!(debug_assertions) {
            ""
        } else {
            " in a release build"
        };
        let reach = if exposed {
            "everybody who reaches this server"
        } else {
            "this machine only"
        };
        tracing::warn!("the session inspector is on{build}, for {reach}; it is for development");
        Ok(Self {
            manager,
            book,
            settings: Arc::new(Settings {
                path: "/_sessions".to_owned(),
                reveal: false,
                exposed,
                form_token: base64::encode(token),
            }),
        })
    }

    /// Where the page is; `/_sessions` unless set. It answers everything below, too.
    ///
    /// # Errors
    ///
    /// [`InspectorError::Path`] if no page can be there.
    pub fn path(mut self, path: &str) -> Result<Self, InspectorError> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let good = path.strip_prefix('/').is_some_and(|path| {
            path.split('/')
                .all(|part| !part.is_empty() && part.bytes().all(is_plain))
        });
        if !good {
            return Err(InspectorError::Path(path.to_owned()));
        }
        path.clone_into(&mut Arc::make_mut(&mut self.settings).path);
        Ok(self)
    }

    /// Whether values and users of all sessions are shown, and the sessions of any user can be listed and ended; no unless
    /// set.
    pub fn reveal(mut self, reveal: bool) -> Self {
        Arc::make_mut(&mut self.settings).reveal = reveal;
        self
    }
}

impl<S> Layer<S> for Inspector {
    type Service = InspectorService<S>;

    fn layer(&self, inner: S) -> InspectorService<S> {
        InspectorService::new(inner, self.clone())
    }
}

/// Shows where it is, never what it has seen.
impl fmt::Debug for Inspector {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Inspector")
            .field("path", &self.settings.path)
            .field("reveal", &self.settings.reveal)
            .field("exposed", &self.settings.exposed)
            .finish_non_exhaustive()
    }
}
