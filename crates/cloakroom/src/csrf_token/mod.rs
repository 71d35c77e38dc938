//! Tokens that prove that a form was made for this session: Flask-WTF 1.3's.

mod error;

use std::{fmt, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderName, Method};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

pub use error::CsrfError;

use crate::{
    Clock, Error, Session,
    secret::{Keys, Prepared},
    token::signed::{Serializer, TokenErrorKind, UrlSafe, UrlSafeTimedSerializer},
};

/// What Flask-WTF names the purpose of its tokens.
const SALT: &str = "wtf-csrf-token";

/// The session holds 40 hexadecimal digits; a token that inflates to more than this is none of ours.
const MOST_JSON: usize = 1024;

/// Two servers' clocks may differ so much.
const LEEWAY: Duration = Duration::from_secs(5);

/// Makes and checks the tokens in forms, the same as Flask-WTF's: a form that one of the two rendered may be
/// posted to the other.
///
/// The session holds a random value under `csrf_token`. The page gets it signed and dated, in a hidden field or
/// for a script to send in a header. A page of another site can make the browser send the session, but it
/// cannot read a token that belongs to it.
///
/// The settings are Flask-WTF's with its defaults; [`FlaskSettings::csrf`](crate::FlaskSettings::csrf) reads
/// them under its names. [`CsrfLayer`](crate::csrf::CsrfLayer) checks every form of a site, or call
/// [`verify`](Self::verify) yourself:
///
/// ```
/// use cloakroom::{Error, SecretKey, Session, csrf::{CsrfError, CsrfTokens}};
///
/// async fn page(session: Session, tokens: CsrfTokens) -> Result<String, Error> {
///     let token = tokens.token(&session)?;
///     Ok(format!(r#"<form method="post"><input type="hidden" name="csrf_token" value="{token}">…"#))
/// }
///
/// async fn posted(session: Session, tokens: CsrfTokens, field: Option<String>) -> Result<&'static str, CsrfError> {
///     tokens.verify(&session, field.as_deref())?;
///     Ok("Saved")
/// }
///
/// let tokens = CsrfTokens::new(SecretKey::from_env("SECRET_KEY").or_else(|_| SecretKey::generate())?);
/// # Ok::<(), cloakroom::SecretKeyError>(())
/// ```
#[derive(Clone)]
#[must_use]
#[doc(alias = "generate_csrf")]
#[doc(alias = "validate_csrf")]
pub struct CsrfTokens {
    serializer: Arc<Prepared<UrlSafeTimedSerializer>>,
    pub(crate) enabled: bool,
    pub(crate) field: String,
    pub(crate) meta: String,
    pub(crate) headers: Vec<HeaderName>,
    pub(crate) methods: Vec<Method>,
    pub(crate) strict_referrer: bool,
    pub(crate) exempt: Vec<String>,
    time_limit: Option<Duration>,
    clock: Clock,
}

impl CsrfTokens {
    /// Tokens under the `SECRET_KEY` that Flask has too. Flask-WTF signs with the first key and knows no
    /// fallbacks; here those verify.
    #[doc(alias = "WTF_CSRF_SECRET_KEY")]
    pub fn new(keys: impl Into<Keys>) -> Self {
        let clock = Clock::system();
        let serializer = Prepared::new(keys.into(), clock.unix_seconds(), |ring| {
            let serializer = Serializer::<UrlSafe>::new(ring.clone(), SALT).max_size(MOST_JSON);
            UrlSafeTimedSerializer::from(serializer).leeway(LEEWAY)
        });
        Self {
            serializer: Arc::new(serializer),
            enabled: true,
            field: "csrf_token".to_owned(),
            meta: "csrf-token".to_owned(),
            headers: ["x-csrftoken", "x-csrf-token"]
                .map(HeaderName::from_static)
                .to_vec(),
            methods: vec![Method::POST, Method::PUT, Method::PATCH, Method::DELETE],
            strict_referrer: true,
            exempt: Vec::new(),
            time_limit: Some(Duration::from_secs(3600)),
            clock,
        }
    }

    /// The name of the form's field and of the session's entry; `csrf_token` if not called.
    #[doc(alias = "WTF_CSRF_FIELD_NAME")]
    pub fn field_name(mut self, name: impl Into<String>) -> Self {
        self.field = name.into();
        self
    }

    /// The name of the `<meta>` element that `csrf_meta_tag()` writes; `csrf-token` if not called.
    #[doc(alias = "WTF_CSRF_META_NAME")]
    pub fn meta_name(mut self, name: impl Into<String>) -> Self {
        self.meta = name.into();
        self
    }

    /// How long a page may stay open before its form is sent, in whole seconds: an hour if not called. With
    /// `None`, as long as the session lives.
    #[doc(alias = "WTF_CSRF_TIME_LIMIT")]
    pub fn time_limit(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.time_limit = limit.into();
        self
    }

    /// The headers in which scripts send the token; `X-CSRFToken` and `X-CSRF-Token` if not called.
    #[doc(alias = "WTF_CSRF_HEADERS")]
    pub fn headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        self.headers = names.into_iter().collect();
        self
    }

    /// The methods that [`CsrfLayer`](crate::csrf::CsrfLayer) asks a token of; POST, PUT, PATCH and DELETE if
    /// not called. With none at all, handlers check themselves (Flask-WTF's `WTF_CSRF_CHECK_DEFAULT = False`).
    #[doc(alias = "WTF_CSRF_METHODS")]
    #[doc(alias = "WTF_CSRF_CHECK_DEFAULT")]
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Whether a form sent over HTTPS must also name a page of the same origin in `Referer`; yes if not
    /// called. A server behind a proxy knows that it is reached over HTTPS only from
    /// [`CrossSiteLayer::origin`](crate::csrf::CrossSiteLayer::origin).
    #[doc(alias = "WTF_CSRF_SSL_STRICT")]
    pub fn strict_referrer(mut self, strict: bool) -> Self {
        self.strict_referrer = strict;
        self
    }

    /// A path whose requests need no token, such as a payment provider's callback; with `/*` at the end, all
    /// below it. It is compared with the path as the layer sees it, byte for byte.
    #[doc(alias = "csrf_exempt")]
    pub fn exempt(mut self, path: impl Into<String>) -> Self {
        self.exempt.push(path.into());
        self
    }

    /// Switches the layer's and the extractors' checks off, for tests of an application; [`verify`](Self::verify)
    /// goes on checking.
    #[doc(alias = "WTF_CSRF_ENABLED")]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// Where the time comes from; the system if not called.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The token for a page's forms: Flask-WTF's `generate_csrf()`, in templates `csrf_token()`.
    ///
    /// The session gets its random value the first time, which is a change of the session; later tokens sign
    /// the same value. All tokens of one request are equal.
    ///
    /// # Errors
    ///
    /// [`Error::ResponseStarted`] if the session gets its value too late, [`Error::Random`].
    #[doc(alias = "generate_csrf")]
    #[doc(alias = "csrf_token")]
    pub fn token(&self, session: &Session) -> Result<String, Error> {
        let value = match self.value_of(session) {
            Some(value) => value,
            None => {
                let value = random_value()?;
                session.insert(self.field.as_str(), &value)?;
                value
            }
        };
        // Signing the same value at the same second gives the same text.
        let second = session.with_state(|state| {
            let now = || self.clock.unix_seconds();
            *state.token_second.get_or_insert_with(now)
        });
        // Text always has a JSON form; were it not so, an empty token is one that nobody accepts.
        Ok(self
            .serializer
            .at(second)
            .value
            .dumps_at(&value, second)
            .unwrap_or_default())
    }

    /// Forgets the session's random value, so that forms rendered before are refused and the next token signs a
    /// new one. Do this at a login.
    pub fn rotate(&self, session: &Session) {
        session.remove(self.field.as_str());
    }

    /// Whether the token belongs to this session and is young enough: Flask-WTF's `validate_csrf`. No token is
    /// a refusal. Takes the same time for every wrong one.
    ///
    /// # Errors
    ///
    /// [`CsrfError::Missing`], [`CsrfError::MissingSessionToken`], [`CsrfError::Expired`],
    /// [`CsrfError::BadSignature`] or [`CsrfError::Mismatch`], looked for in this order.
    #[doc(alias = "validate_csrf")]
    pub fn verify<'t>(
        &self,
        session: &Session,
        token: impl Into<Option<&'t str>>,
    ) -> Result<(), CsrfError> {
        let token = token.into().unwrap_or_default();
        if token.is_empty() {
            return Err(CsrfError::Missing);
        }
        let value = self
            .value_of(session)
            .ok_or(CsrfError::MissingSessionToken)?;
        let now = self.clock.unix_seconds();
        let signed = self
            .serializer
            .at(now)
            .value
            .loads_at::<String>(token, now, self.time_limit)
            .map_err(|error| match error.kind() {
                TokenErrorKind::SignatureExpired => CsrfError::Expired,
                _ => CsrfError::BadSignature,
            })?
            .value;
        match bool::from(value.as_bytes().ct_eq(signed.as_bytes())) {
            true => Ok(()),
            false => Err(CsrfError::Mismatch),
        }
    }

    /// The token in the [headers](Self::headers) of a script's request, to be [verified](Self::verify).
    pub fn in_headers<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        self.headers
            .iter()
            .filter_map(|name| headers.get(name)?.to_str().ok())
            .find(|token| !token.is_empty())
    }

    /// The session's random value. What is not text was not put there by Flask-WTF or by us.
    fn value_of(&self, session: &Session) -> Option<String> {
        let value = session.get::<String>(self.field.as_str()).ok().flatten();
        value.filter(|value| !value.is_empty())
    }
}

/// Shows the settings, no key.
impl fmt::Debug for CsrfTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CsrfTokens")
            .field("enabled", &self.enabled)
            .field("field", &self.field)
            .field("time_limit", &self.time_limit)
            .field("exempt", &self.exempt)
            .finish_non_exhaustive()
    }
}

/// The SHA-1 of 64 random bytes in hexadecimal digits, as Flask-WTF makes it: 160 bits that nobody guesses.
fn random_value() -> Result<String, Error> {
    let mut random = Zeroizing::new([0; 64]);
    getrandom::fill(random.as_mut_slice()).map_err(|error| Error::Random(error.to_string()))?;
    let digest = Sha1::digest(random.as_slice());
    Ok(crate::hexadecimal::hexadecimal(&digest))
}
