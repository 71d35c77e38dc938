use http::{HeaderName, Method};

use super::{
    ConfigError, FlaskSettings,
    flask::{key, wrong},
};
use crate::{csrf_token::CsrfTokens, secret::KeyRing, value::Value};

impl FlaskSettings {
    /// Flask-WTF's settings, `WTF_CSRF_…`, with its defaults: the tokens of forms.
    ///
    /// `WTF_CSRF_SECRET_KEY` takes the place of `SECRET_KEY` and its fallbacks if it is there.
    ///
    /// ```
    /// use cloakroom::{FlaskSettings, Value};
    ///
    /// let settings = FlaskSettings::from_map([
    ///     ("SECRET_KEY", Value::from("6af7b8a2f0c94e6db3c2a1d4e5f60718")),
    ///     ("WTF_CSRF_TIME_LIMIT", Value::from(600)),
    /// ]);
    /// let tokens = settings.csrf()?;
    /// # Ok::<(), cloakroom::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the setting.
    #[doc(alias = "CSRFProtect")]
    pub fn csrf(&self) -> Result<CsrfTokens, ConfigError> {
        self.refuse_unknown()?;
        let keys = match self.given("WTF_CSRF_SECRET_KEY") {
            Some(value) => KeyRing::new(key("WTF_CSRF_SECRET_KEY", value)?),
            None => self.keys()?,
        };
        let mut tokens = CsrfTokens::new(keys);
        if let Some(name) = self.text("WTF_CSRF_FIELD_NAME")? {
            tokens = tokens.field_name(name);
        }
        if let Some(name) = self.text("WTF_CSRF_META_NAME")? {
            tokens = tokens.meta_name(name);
        }
        match self.entry("WTF_CSRF_TIME_LIMIT") {
            Some(Value::None) => tokens = tokens.time_limit(None),
            _ => {
                if let Some(limit) = self.seconds("WTF_CSRF_TIME_LIMIT")? {
                    tokens = tokens.time_limit(limit);
                }
            }
        }
        if let Some(names) = self.names("WTF_CSRF_HEADERS")? {
            let names: Option<Vec<HeaderName>> =
                names.iter().map(|name| name.parse().ok()).collect();
            tokens = tokens
                .headers(names.ok_or_else(|| wrong("WTF_CSRF_HEADERS", "a list of header names"))?);
        }
        if let Some(names) = self.names("WTF_CSRF_METHODS")? {
            let methods: Option<Vec<Method>> = names.iter().map(|name| name.parse().ok()).collect();
            tokens = tokens
                .methods(methods.ok_or_else(|| wrong("WTF_CSRF_METHODS", "a list of methods"))?);
        }
        if self.bool("WTF_CSRF_CHECK_DEFAULT")? == Some(false) {
            tokens = tokens.methods([]);
        }
        if let Some(strict) = self.bool("WTF_CSRF_SSL_STRICT")? {
            tokens = tokens.strict_referrer(strict);
        }
        if let Some(enabled) = self.bool("WTF_CSRF_ENABLED")? {
            tokens = tokens.enabled(enabled);
        }
        Ok(tokens)
    }

    /// A list of text; Flask-WTF takes any collection.
    fn names(&self, name: &str) -> Result<Option<Vec<&str>>, ConfigError> {
        let Some(value) = self.given(name) else {
            return Ok(None);
        };
        let items: Option<Vec<&str>> = value
            .as_items()
            .and_then(|items| items.iter().map(Value::as_str).collect());
        items
            .map(Some)
            .ok_or_else(|| wrong(name, "a list of names"))
    }
}
