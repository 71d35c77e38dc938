use std::{collections::BTreeMap, time::Duration};

use super::{ConfigError, CookieLimit, Refresh, SessionConfig, flask_session};
use crate::{
    cookie::Rules,
    secret::{KeyRing, SecretKey, SecretKeyError},
    value::Value,
};

/// Flask's own configuration, so that one environment or file serves both applications.
///
/// Names are Flask's, in capitals. Settings that have nothing to do with sessions are left alone; one
/// that begins like a session setting and is none is an error, as is one of a wrong type, and all of
/// them name the setting.
///
/// ```
/// use cloakroom::{FlaskSettings, SessionLayer, Value};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), cloakroom::ConfigError> {
/// let settings = FlaskSettings::from_map([
///     ("SECRET_KEY", Value::from("6af7b8a2f0c94e6db3c2a1d4e5f60718")),
///     ("SESSION_COOKIE_SECURE", Value::from(true)),
///     ("PERMANENT_SESSION_LIFETIME", Value::from(7 * 24 * 60 * 60)),
/// ]);
/// let layer = SessionLayer::from_flask(&settings).await?;
/// # Ok(()) }
/// ```
///
/// `SECRET_KEY`, `SECRET_KEY_FALLBACKS`, `SESSION_COOKIE_NAME`, `…_DOMAIN`, `…_PATH`, `…_HTTPONLY`,
/// `…_SECURE`, `…_SAMESITE`, `…_PARTITIONED`, `PERMANENT_SESSION_LIFETIME` (seconds),
/// `SESSION_REFRESH_EACH_REQUEST`, `MAX_COOKIE_SIZE` and `APPLICATION_ROOT` are understood.
///
/// So are Flask-Session's: with `SESSION_TYPE` sessions are kept in a [`store`](Self::store), the one that
/// Flask-Session keeps them in, and `SESSION_PERMANENT`, `SESSION_USE_SIGNER`, `SESSION_KEY_PREFIX`,
/// `SESSION_ID_LENGTH` and `SESSION_SERIALIZATION_FORMAT` mean what they mean there.
///
/// [`csrf`](Self::csrf) has Flask-WTF's (`WTF_CSRF_…`), and [`flask_login`](Self::flask_login) Flask-Login's
/// (`REMEMBER_COOKIE_…`, `SESSION_PROTECTION`).
#[derive(Clone, Default)]
#[must_use]
pub struct FlaskSettings {
    map: BTreeMap<String, Value>,
}

const KNOWN: [&str; 31] = [
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "SESSION_COOKIE_NAME",
    "SESSION_COOKIE_DOMAIN",
    "SESSION_COOKIE_PATH",
    "SESSION_COOKIE_HTTPONLY",
    "SESSION_COOKIE_SECURE",
    "SESSION_COOKIE_SAMESITE",
    "SESSION_COOKIE_PARTITIONED",
    "PERMANENT_SESSION_LIFETIME",
    "SESSION_REFRESH_EACH_REQUEST",
    "MAX_COOKIE_SIZE",
    "APPLICATION_ROOT",
    // Flask-WTF's
    "WTF_CSRF_ENABLED",
    "WTF_CSRF_CHECK_DEFAULT",
    "WTF_CSRF_METHODS",
    "WTF_CSRF_FIELD_NAME",
    "WTF_CSRF_HEADERS",
    "WTF_CSRF_META_NAME",
    "WTF_CSRF_TIME_LIMIT",
    "WTF_CSRF_SSL_STRICT",
    "WTF_CSRF_SECRET_KEY",
    // Flask-Login's
    "SESSION_PROTECTION",
    "REMEMBER_COOKIE_NAME",
    "REMEMBER_COOKIE_DURATION",
    "REMEMBER_COOKIE_DOMAIN",
    "REMEMBER_COOKIE_PATH",
    "REMEMBER_COOKIE_SECURE",
    "REMEMBER_COOKIE_HTTPONLY",
    "REMEMBER_COOKIE_SAMESITE",
    "REMEMBER_COOKIE_REFRESH_EACH_REQUEST",
];

impl FlaskSettings {
    /// From names and values: `app.config` as it is.
    #[doc(alias = "from_mapping")]
    pub fn from_map<K: Into<String>>(map: impl IntoIterator<Item = (K, Value)>) -> Self {
        Self {
            map: map
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
        }
    }

    /// From environment variables that begin with `FLASK_`, read as Flask's `from_prefixed_env` does:
    /// a value that is JSON is that (`true`, `3600`, `["old key"]`), anything else is text.
    #[doc(alias = "from_prefixed_env")]
    pub fn from_env() -> Self {
        let named = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            let name = name.to_str()?.strip_prefix("FLASK_")?.to_owned();
            let value = value.to_str()?;
            Some((
                name,
                crate::json::from_text(value).unwrap_or_else(|_| value.into()),
            ))
        };
        Self::from_map(std::env::vars_os().filter_map(named))
    }

    /// From the text of a TOML file, as in `app.config.from_file("config.toml", load=tomllib.load,
    /// text=False)`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Source`] with the place of the mistake, without the text around it.
    #[cfg(feature = "toml")]
    #[doc(alias = "from_file")]
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let map: BTreeMap<String, Value> =
            toml::from_str(text).map_err(|error| ConfigError::Source {
                name: "the TOML text".to_owned(),
                reason: match error.span() {
                    Some(span) => format!("{} (at byte {})", error.message(), span.start),
                    None => error.message().to_owned(),
                },
            })?;
        Ok(Self { map })
    }

    /// From a TOML file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Source`] if the file cannot be read or is not TOML.
    #[cfg(feature = "toml")]
    pub fn from_toml_file(path: impl AsRef<std::path::Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let named = |reason| ConfigError::Source {
            name: path.display().to_string(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        Self::from_toml(&text).map_err(|error| match error {
            ConfigError::Source { reason, .. } => named(reason),
            other => other,
        })
    }

    /// The keys: `SECRET_KEY` signs, `SECRET_KEY_FALLBACKS` only verify.
    ///
    /// # Errors
    ///
    /// [`ConfigError::MissingKey`]; [`ConfigError::Key`] for a key that is too short or published;
    /// [`ConfigError::Value`] for fallbacks that are no list (Flask would take one text apart into
    /// keys of one character).
    #[doc(alias = "SECRET_KEY_FALLBACKS")]
    pub fn keys(&self) -> Result<KeyRing, ConfigError> {
        let signing = match self.map.get("SECRET_KEY") {
            None | Some(Value::None) => return Err(ConfigError::MissingKey),
            Some(value) => key("SECRET_KEY", value)?,
        };
        let fallbacks = match self.map.get("SECRET_KEY_FALLBACKS") {
            None | Some(Value::None) => &[][..],
            Some(value) => value
                .as_items()
                .ok_or_else(|| wrong("SECRET_KEY_FALLBACKS", "a list of keys, the oldest first"))?,
        };
        fallbacks
            .iter()
            .try_fold(KeyRing::new(signing), |ring, value| {
                Ok(ring.fallback(key("SECRET_KEY_FALLBACKS", value)?))
            })
    }

    /// The settings of the session layer, starting from [`SessionConfig::flask`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Unknown`], [`ConfigError::Value`], [`ConfigError::Conflict`], or
    /// [`ConfigError::Contradiction`], each naming the setting.
    pub fn session(&self) -> Result<SessionConfig, ConfigError> {
        self.refuse_unknown()?;
        let mut config = SessionConfig::flask();
        if let Some(name) = self.text("SESSION_COOKIE_NAME")? {
            config = config.cookie_name(name);
        }
        if let Some(domain) = self.text("SESSION_COOKIE_DOMAIN")? {
            config = config.domain(domain);
        }
        let root = self.text("APPLICATION_ROOT")?;
        if let Some(path) = self.text("SESSION_COOKIE_PATH")?.or(root) {
            config = config.path(path);
        }
        if let Some(http_only) = self.bool("SESSION_COOKIE_HTTPONLY")? {
            config = config.http_only(http_only);
        }
        if let Some(secure) = self.bool("SESSION_COOKIE_SECURE")? {
            config = config.secure(secure);
        }
        if let Some(same_site) = self.text("SESSION_COOKIE_SAMESITE")? {
            let same_site = same_site
                .parse()
                .map_err(|_| wrong("SESSION_COOKIE_SAMESITE", "Strict, Lax or None"))?;
            config = config.same_site(same_site);
        }
        if let Some(partitioned) = self.bool("SESSION_COOKIE_PARTITIONED")? {
            config = config.partitioned(partitioned);
        }
        if let Some(lifetime) = self.seconds("PERMANENT_SESSION_LIFETIME")? {
            config = config.lifetime(lifetime);
        }
        match self.bool("SESSION_REFRESH_EACH_REQUEST")? {
            Some(true) => config = config.refresh(Refresh::EachRequest),
            Some(false) => config = config.refresh(Refresh::OnChange),
            None => {}
        }
        if let Some(value) = self.given("MAX_COOKIE_SIZE") {
            let size = value.as_i64().and_then(|size| usize::try_from(size).ok());
            let size =
                size.ok_or_else(|| wrong("MAX_COOKIE_SIZE", "a number of bytes, 0 for no limit"))?;
            config = config.cookie_limit(CookieLimit::Warn(size));
        }
        config = self.stored(config)?;
        match config.cookie.clone().rules(Rules::Strict).prepare() {
            Ok(_) => Ok(config),
            Err(source) => Err(ConfigError::Contradiction {
                name: culprit(&source).to_owned(),
                source,
            }),
        }
    }

    /// The entry as it is, `None` included, where that means something else than nothing.
    pub(super) fn entry(&self, name: &str) -> Option<&Value> {
        self.map.get(name)
    }

    pub(super) fn given(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| **value != Value::None)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => value
                .as_str()
                .map(|text| Some(text.to_owned()))
                .ok_or_else(|| wrong(name, "text")),
        }
    }

    /// `true` and `false`, or 1 and 0; other text would count as true in Python, which is a trap.
    pub(super) fn bool(&self, name: &str) -> Result<Option<bool>, ConfigError> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => match (value.as_bool(), value.as_i64()) {
                (Some(value), _) => Ok(Some(value)),
                (None, Some(number @ (0 | 1))) => Ok(Some(number == 1)),
                _ => Err(wrong(name, "true or false")),
            },
        }
    }

    /// A number of seconds, or a `timedelta`, cut to whole seconds.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    pub(super) fn seconds(&self, name: &str) -> Result<Option<Duration>, ConfigError> {
        let seconds = match self.given(name) {
            None => return Ok(None),
            Some(Value::Int(seconds)) => seconds.as_u64(),
            Some(Value::TimeDelta(span)) => {
                Duration::try_from(*span).ok().map(|span| span.as_secs())
            }
            Some(Value::Float(seconds)) if (0.0..1e15).contains(seconds) => Some(*seconds as u64),
            Some(_) => None,
        };
        // A thousand million days is what Python's timedelta holds.
        match seconds.filter(|seconds| *seconds < 86_400 * 1_000_000_000) {
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
            None => Err(wrong(name, "a number of seconds, not negative")),
        }
    }

    pub(super) fn refuse_unknown(&self) -> Result<(), ConfigError> {
        let known = || {
            let theirs = flask_session::NAMES.iter().map(|(name, _)| *name);
            KNOWN.iter().copied().chain(theirs)
        };
        let starts = [
            "SESSION_",
            "PERMANENT_SESSION",
            "SECRET_KEY",
            "MAX_COOKIE_",
            "WTF_CSRF_",
            "REMEMBER_COOKIE_",
        ];
        for name in self.map.keys() {
            let ours = starts.iter().any(|start| name.starts_with(start));
            if !ours || known().any(|known| known == name) {
                continue;
            }
            let nearest = known().min_by_key(|known| distance(known, name));
            let suggestion = nearest
                .filter(|known| distance(known, name) <= 4)
                .map(str::to_owned);
            return Err(ConfigError::Unknown {
                name: name.clone(),
                suggestion,
            });
        }
        Ok(())
    }
}

pub(super) fn key(name: &str, value: &Value) -> Result<SecretKey, ConfigError> {
    let named = |source: SecretKeyError| ConfigError::Key {
        name: name.to_owned(),
        source,
    };
    match value {
        Value::Text(text) => match text.as_str() {
            Some(text) => SecretKey::checked(text).map_err(named),
            None => Err(wrong(name, "text or bytes")),
        },
        Value::Bytes(bytes) => SecretKey::checked(bytes).map_err(named),
        _ => Err(wrong(name, "text or bytes")),
    }
}

pub(super) fn wrong(name: &str, expected: &'static str) -> ConfigError {
    ConfigError::Value {
        name: name.to_owned(),
        expected,
    }
}

/// The setting to look at for what the cookie rules found.
fn culprit(error: &crate::cookie::CookieError) -> &'static str {
    use crate::cookie::CookieError;
    match error {
        CookieError::SameSiteNoneWithoutSecure => "SESSION_COOKIE_SAMESITE",
        CookieError::IllegalName { .. }
        | CookieError::PrefixRequirement { .. }
        | CookieError::PrefixLookalike { .. } => "SESSION_COOKIE_NAME",
        CookieError::IllegalPath { .. } => "SESSION_COOKIE_PATH",
        _ => "SESSION_COOKIE_DOMAIN",
    }
}

/// How many letters have to change to make one name from the other.
fn distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, here) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = index + 1;
        for (column, there) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(here != there);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

/// Shows the names of the settings, never their values: one of them is the secret key.
impl std::fmt::Debug for FlaskSettings {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_set().entries(self.map.keys()).finish()
    }
}
