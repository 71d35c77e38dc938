use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Extensions, HeaderMap, Request, Response, header::RETRY_AFTER};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::slot::{Closed, Closing, Opening, Routes, Slot};
use crate::{
    ConfigError, Error, FlaskSettings, OutagePolicy, Session, SessionConfig, SessionManager,
    secret::Keys, store::Store,
};

/// Gives the routes below it a session: a `tower` layer, for axum, tonic, hyper and whatever else
/// takes one.
///
/// A request whose handler does not ask for its session costs next to nothing: no cookie is read, no
/// signature verified, no header added. (Under [`Refresh::EachRequest`](crate::Refresh::EachRequest),
/// Flask's habit, permanent sessions are renewed all the same.)
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use cloakroom::{Error, SecretKey, Session, SessionLayer};
///
/// async fn index(session: Session) -> Result<String, Error> {
///     Ok(match session.get::<String>("username")? {
///         Some(name) => format!("Logged in as {name}"),
///         None => "You are not logged in".into(),
///     })
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = SessionLayer::signed(SecretKey::from_env("SECRET_KEY")?);
/// let app: Router = Router::new().route("/", get(index)).layer(sessions);
/// # Ok(()) }
/// ```
///
/// # Layers inside layers
///
/// A clone of a layer has the same sessions, whatever it says about [outages](Self::on_outage) and
/// [activity](Self::without_activity). If a request goes through two of them, it still has one session, which is
/// opened once and saved once, by the outer layer; what the inner one says holds for the routes below it, and what
/// it leaves open is as the outer one says. A middleware between the two has the same session. Layers of different
/// managers (two cookies, say) have nothing to do with each other, and a handler gets the session of the inner one.
#[derive(Clone, Debug)]
pub struct SessionLayer {
    manager: SessionManager,
    routes: Routes,
}

impl SessionLayer {
    /// Sessions in a signed cookie, Flask's own, with [`SessionConfig::default`].
    pub fn signed(keys: impl Into<Keys>) -> Self {
        // The default settings have no domain, a legal name and a plain separator: nothing to refuse.
        #[allow(clippy::expect_used)]
        Self::signed_with(keys, SessionConfig::default())
            .expect("the default settings are consistent")
    }

    /// Sessions in a signed cookie with other settings, such as [`SessionConfig::flask`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the cookie's attributes contradict each other or no browser would keep it.
    pub fn signed_with(keys: impl Into<Keys>, config: SessionConfig) -> Result<Self, ConfigError> {
        SessionManager::signed(keys, config).map(Self::new)
    }

    /// Sessions in an encrypted cookie, which the browser can neither read nor change, with
    /// [`SessionConfig::native`].
    ///
    /// ```
    /// use cloakroom::{SecretKey, SessionLayer};
    ///
    /// let sessions = SessionLayer::encrypted(SecretKey::generate()?);
    /// # Ok::<(), cloakroom::SecretKeyError>(())
    /// ```
    #[cfg(feature = "encrypted")]
    pub fn encrypted(keys: impl Into<Keys>) -> Self {
        // As above.
        #[allow(clippy::expect_used)]
        Self::encrypted_with(keys, SessionConfig::native())
            .expect("the native settings are consistent")
    }

    /// Sessions in an encrypted cookie with other settings, such as a [tenant](SessionConfig::tenant).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the cookie's attributes contradict each other or no browser would keep it.
    #[cfg(feature = "encrypted")]
    pub fn encrypted_with(
        keys: impl Into<Keys>,
        config: SessionConfig,
    ) -> Result<Self, ConfigError> {
        SessionManager::encrypted(keys, config).map(Self::new)
    }

    /// Sessions in a store, with [`SessionConfig::default`].
    ///
    /// ```
    /// use cloakroom::{SessionLayer, store::MemoryStore};
    ///
    /// let sessions = SessionLayer::stored(MemoryStore::new());
    /// ```
    pub fn stored(store: impl Into<Store>) -> Self {
        // As above.
        #[allow(clippy::expect_used)]
        Self::stored_with(store, SessionConfig::default())
            .expect("the default settings are consistent")
    }

    /// Sessions in a store with other settings, such as [`SessionConfig::flask`].
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the settings contradict each other or no browser would keep the cookie.
    pub fn stored_with(
        store: impl Into<Store>,
        config: SessionConfig,
    ) -> Result<Self, ConfigError> {
        SessionManager::stored(store, config).map(Self::new)
    }

    /// Sessions where Flask's settings say: with `SESSION_TYPE` in that store, else in a signed cookie. One
    /// configuration then serves both applications.
    ///
    /// ```no_run
    /// use cloakroom::{ConfigError, FlaskSettings, SessionLayer};
    ///
    /// # async fn example() -> Result<(), ConfigError> {
    /// // FLASK_SESSION_TYPE=redis FLASK_SESSION_REDIS=redis://127.0.0.1:6379
    /// let sessions = SessionLayer::from_flask(&FlaskSettings::from_env()).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the setting.
    #[doc(alias = "Flask-Session")]
    pub async fn from_flask(settings: &FlaskSettings) -> Result<Self, ConfigError> {
        SessionManager::from_flask(settings).await.map(Self::new)
    }

    /// The layer of a manager, which tests and tools can go on using beside it.
    pub fn new(manager: SessionManager) -> Self {
        Self {
            manager,
            routes: Routes::default(),
        }
    }

    /// What the routes below this layer do while the store is down; as
    /// [`SessionConfig::on_outage`] says unless set. The sessions are the same.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use cloakroom::{OutagePolicy, Session, SessionLayer, User, store::MemoryStore};
    ///
    /// async fn front_page(session: Session) -> String {
    ///     match session.subject() {
    ///         _ if session.is_unknown() => "Welcome".to_owned(),
    ///         Some(user) => format!("Welcome back, {user}"),
    ///         None => "Welcome. Log in?".to_owned(),
    ///     }
    /// }
    ///
    /// async fn account(user: User) -> String {
    ///     format!("The account of {}", user.id())
    /// }
    ///
    /// let sessions = SessionLayer::stored(MemoryStore::new());
    /// let public = Router::new()
    ///     .route("/", get(front_page))
    ///     .layer(sessions.clone().on_outage(OutagePolicy::Degrade));
    /// let app: Router = Router::new()
    ///     .route("/account", get(account))
    ///     .layer(sessions)
    ///     .merge(public);
    /// ```
    ///
    /// A layer may also stand around others: see [there](Self#layers-inside-layers).
    #[must_use]
    pub fn on_outage(mut self, policy: OutagePolicy) -> Self {
        self.routes.on_outage = Some(policy);
        self
    }

    /// Requests to the routes below this layer are no sign that somebody is there: unless they change the session,
    /// they give neither its entry nor its cookie a new time. For what pages ask by themselves, such as news every
    /// ten seconds, which would keep a session alive in front of an empty chair. The sessions are the same.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use cloakroom::{SessionLayer, User, store::MemoryStore};
    ///
    /// async fn news(user: User) -> String {
    ///     format!("No news for {}", user.id())
    /// }
    ///
    /// let sessions = SessionLayer::stored(MemoryStore::new());
    /// let polled = Router::new()
    ///     .route("/news", get(news))
    ///     .layer(sessions.clone().without_activity());
    /// let app: Router = Router::new()
    ///     .route("/", get(async || "a page"))
    ///     .layer(sessions)
    ///     .merge(polled);
    /// ```
    ///
    /// [`Session::without_activity`] says the same for one request.
    #[must_use]
    pub fn without_activity(mut self) -> Self {
        self.routes.without_activity = true;
        self
    }

    /// What opens and closes the sessions.
    pub fn manager(&self) -> &SessionManager {
        &self.manager
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService {
            inner,
            manager: self.manager.clone(),
            routes: self.routes,
        }
    }
}

impl Session {
    /// The session of a request that came through a [`SessionLayer`], for servers that have no
    /// extractors. It is opened the first time; later calls for the same request give the same.
    ///
    /// ```
    /// use cloakroom::{Error, Session};
    ///
    /// async fn handler<B>(request: http::Request<B>) -> Result<http::Response<String>, Error> {
    ///     let session = Session::open(request.headers(), request.extensions()).await?;
    ///     let visits = session.update("visits", |visits: Option<u64>| visits.unwrap_or(0) + 1)?;
    ///     Ok(http::Response::new(visits.to_string()))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::MissingLayer`]; with a store, as [`SessionManager::open`].
    pub async fn open(headers: &HeaderMap, extensions: &Extensions) -> Result<Self, Error> {
        let slot = extensions.get::<Slot>().ok_or(Error::MissingLayer)?;
        match slot.open(headers) {
            Opening::Now(opened) => opened,
            Opening::Later(opening) => opening.await,
        }
    }
}

/// The service that [`SessionLayer`] makes.
#[derive(Clone, Debug)]
pub struct SessionService<S> {
    inner: S,
    manager: SessionManager,
    routes: Routes,
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for SessionService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = SessionFuture<S::Future, ResponseBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        let slot = Slot::new(&self.manager, self.routes, request.headers());
        let outer = request.extensions_mut().insert(slot.clone());
        let shared = outer.and_then(|slot| slot.within(&self.manager, self.routes));
        let ours = match shared {
            Some(shared) => {
                request.extensions_mut().insert(shared);
                slot.end();
                None
            }
            None => Some(slot),
        };
        SessionFuture {
            inner: self.inner.call(request),
            slot: ours,
            closing: None,
        }
    }
}

pin_project! {
    /// The response of [`SessionService`], with what became of the session in its headers.
    pub struct SessionFuture<F, ResponseBody> {
        #[pin]
        inner: F,
        // None if a layer around this one closes the session.
        slot: Option<Slot>,
        // Boxed: few responses wait, and every request would carry the room.
        closing: Option<Box<Waiting<ResponseBody>>>,
    }
}

/// A response that waits for the store.
type Waiting<Body> = (Response<Body>, Pin<Box<dyn Future<Output = Closed> + Send>>);

impl<F, ResponseBody, E> Future for SessionFuture<F, ResponseBody>
where
    F: Future<Output = Result<Response<ResponseBody>, E>>,
    ResponseBody: Default,
{
    type Output = Result<Response<ResponseBody>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if this.closing.is_none() {
            let response = ready!(this.inner.poll(context))?;
            let closing = match this.slot.take() {
                Some(slot) => slot.close(),
                None => Closing::Now(Closed::Untouched),
            };
            match closing {
                Closing::Now(closed) => return Poll::Ready(Ok(finish(response, closed))),
                Closing::Later(later) => *this.closing = Some(Box::new((response, later))),
            }
        }
        let Some(waiting) = this.closing else {
            return Poll::Pending;
        };
        let closed = ready!(waiting.1.as_mut().poll(context));
        match this.closing.take() {
            Some(waiting) => Poll::Ready(Ok(finish(waiting.0, closed))),
            None => Poll::Pending,
        }
    }
}

/// The response with what became of its session.
fn finish<Body: Default>(mut response: Response<Body>, closed: Closed) -> Response<Body> {
    let Closed::Committed {
        manager,
        session,
        result,
    } = closed
    else {
        return response;
    };
    let mut headers = HeaderMap::new();
    let headers_to_use = if result.is_ok() {
        response.headers_mut()
    } else {
        &mut headers
    };
    let Err(error) = manager.finish(&session, result, headers_to_use) else {
        return response;
    };
    // The handler's answer would claim that something is stored which is not.
    tracing::error!(%error, "session not saved");
    response = Response::default();
    *response.status_mut() = error.status();
    *response.headers_mut() = headers;
    if let Some(after) = error.retry_after() {
        response
            .headers_mut()
            .insert(RETRY_AFTER, after.as_secs().into());
    }
    response
}

impl<F, ResponseBody> std::fmt::Debug for SessionFuture<F, ResponseBody> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SessionFuture")
            .finish_non_exhaustive()
    }
}
