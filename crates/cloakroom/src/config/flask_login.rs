use super::{ConfigError, FlaskSettings, flask::wrong};
use crate::{
    cookie::{Cookie, CookieError},
    flask_login::{FlaskLogin, SessionProtection},
    value::Value,
};

impl FlaskSettings {
    /// Flask-Login's settings, `REMEMBER_COOKIE_…` and `SESSION_PROTECTION`, with its defaults: a cookie that
    /// is hidden from scripts, for a year, and nothing else.
    ///
    /// ```
    /// use cloakroom::{FlaskSettings, Value};
    ///
    /// let settings = FlaskSettings::from_map([
    ///     ("SECRET_KEY", Value::from("6af7b8a2f0c94e6db3c2a1d4e5f60718")),
    ///     ("REMEMBER_COOKIE_DURATION", Value::from(14 * 24 * 60 * 60)),
    ///     ("SESSION_PROTECTION", Value::from("strong")),
    /// ]);
    /// let flask_login = settings.flask_login()?;
    /// # Ok::<(), cloakroom::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`], naming the setting.
    #[doc(alias = "LoginManager")]
    pub fn flask_login(&self) -> Result<FlaskLogin, ConfigError> {
        self.refuse_unknown()?;
        let plain = Cookie::new("remember_token").http_only(true);
        let mut login = FlaskLogin::with(self.keys()?.into(), plain);
        if let Some(name) = self.text("REMEMBER_COOKIE_NAME")? {
            login = login.cookie_name(name);
        }
        if let Some(duration) = self.seconds("REMEMBER_COOKIE_DURATION")? {
            login = login.duration(duration);
        }
        if let Some(domain) = self.text("REMEMBER_COOKIE_DOMAIN")? {
            login = login.domain(domain);
        }
        if let Some(path) = self.text("REMEMBER_COOKIE_PATH")? {
            login = login.path(path);
        }
        if let Some(secure) = self.bool("REMEMBER_COOKIE_SECURE")? {
            login = login.secure(secure);
        }
        if let Some(http_only) = self.bool("REMEMBER_COOKIE_HTTPONLY")? {
            login = login.http_only(http_only);
        }
        if let Some(same_site) = self.text("REMEMBER_COOKIE_SAMESITE")? {
            login = login.same_site(
                same_site
                    .parse()
                    .map_err(|_| wrong("REMEMBER_COOKIE_SAMESITE", "Strict, Lax or None"))?,
            );
        }
        if let Some(refresh) = self.bool("REMEMBER_COOKIE_REFRESH_EACH_REQUEST")? {
            login = login.refresh_each_request(refresh);
        }
        if let Some(protection) = self.protection()? {
            login = login.protection(protection);
        }
        match login.check() {
            Ok(()) => Ok(login),
            Err(source) => Err(ConfigError::Contradiction {
                name: culprit(&source).to_owned(),
                source,
            }),
        }
    }

    /// Flask-Login takes any other text for no protection, which is a trap.
    fn protection(&self) -> Result<Option<SessionProtection>, ConfigError> {
        const NAME: &str = "SESSION_PROTECTION";
        let Some(value) = self.entry(NAME) else {
            return Ok(None);
        };
        match (value, value.as_str()) {
            (Value::None | Value::Bool(false), _) => Ok(Some(SessionProtection::None)),
            (_, Some("basic")) => Ok(Some(SessionProtection::Basic)),
            (_, Some("strong")) => Ok(Some(SessionProtection::Strong)),
            _ => Err(wrong(NAME, "`basic`, `strong` or none")),
        }
    }
}

/// The setting to look at for what the cookie rules found.
fn culprit(error: &CookieError) -> &'static str {
    match error {
        CookieError::SameSiteNoneWithoutSecure => "REMEMBER_COOKIE_SAMESITE",
        CookieError::IllegalName { .. }
        | CookieError::PrefixRequirement { .. }
        | CookieError::PrefixLookalike { .. } => "REMEMBER_COOKIE_NAME",
        CookieError::IllegalPath { .. } => "REMEMBER_COOKIE_PATH",
        _ => "REMEMBER_COOKIE_DOMAIN",
    }
}
