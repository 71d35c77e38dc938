use super::{
    Checkup, Severity, Site,
    cookies::{
        domain, long_lived, not_secure_on_https, same_site_missing, script_readable,
        secure_on_plain_http,
    },
    finding::finding,
};
use crate::{
    ConfigError, FlaskSettings, SecretKey, SecretKeyError, SessionConfig, SessionManager,
    cookie::{CookieError, Received},
    session::Protection,
    store::MemoryStore,
};

impl SessionManager {
    /// What browsers and attackers will make of these settings on such a site, without asking anybody anything; the
    /// [store](crate::doctor::check_store) is looked at by itself.
    ///
    /// ```
    /// use cloakroom::{SecretKey, SessionConfig, SessionManager, doctor::Site};
    ///
    /// let manager = SessionManager::signed(SecretKey::generate()?, SessionConfig::default())?;
    /// let checkup = manager.checkup(&Site::of(&"http://shop.example".parse()?));
    /// assert_eq!(checkup.findings()[0].code, "secure_on_plain_http");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn checkup(&self, site: &Site) -> Checkup {
        let mut checkup = Checkup::default();
        self.check_cookie(&mut checkup, site);
        self.check_keys(&mut checkup);
        check_lifetimes(&mut checkup, self.config(), &subject(self.cookie_name()));
        if self.protection() == Some(Protection::Signed) {
            checkup.add(finding(
                "readable_session",
                Severity::Note,
                &subject(self.cookie_name()),
                "the session in it is signed and not encrypted: nobody can change it, and whoever has the browser can read it",
                "keep secrets out of the session, or use SessionLayer::encrypted or a store",
            ));
        }
        checkup
    }

    fn check_cookie(&self, checkup: &mut Checkup, site: &Site) {
        let name = self.cookie_name();
        let header = format!("{name}=-; {}", self.cookie_attributes());
        // It was checked when the manager was made, so that browsers do not drop it.
        let Ok(cookie) = Received::read(header.as_bytes()) else {
            return;
        };
        let subject = &subject(name);
        let transport = match cookie.secure {
            true => secure_on_plain_http(subject, site),
            false => not_secure_on_https(subject, site),
        };
        checkup.judge(transport, || match cookie.secure {
            true => format!("{subject}: Secure"),
            false => format!("{subject}: not Secure, and not known to be on https"),
        });
        let scripts = (!cookie.http_only).then(|| script_readable(subject));
        checkup.judge(scripts, || format!("{subject}: HttpOnly"));
        let others = cookie
            .same_site
            .is_none()
            .then(|| same_site_missing(subject));
        checkup.judge(others, || format!("{subject}: has SameSite"));
        let shared = domain(subject, site, cookie.domain.as_deref(), true);
        checkup.judge(shared, || format!("{subject}: for its host alone"));
    }

    fn check_keys(&self, checkup: &mut Checkup) {
        let Some(keys) = self.keys() else {
            return;
        };
        let weak = keys.weak_at(self.config().clock.unix_seconds());
        if weak.is_empty() {
            checkup.note_fine("keys: none is published, none is short");
        }
        for (id, error) in weak {
            add_key(checkup, &format!("key `{id}`"), &error);
        }
    }
}

/// What Flask's settings will come to on such a site. A setting that [`FlaskSettings`] refuses is a finding here,
/// `settings_refused`. No store is asked.
pub fn check_flask(settings: &FlaskSettings, site: &Site) -> Checkup {
    let mut checkup = Checkup::default();
    let config = match settings.session() {
        Ok(config) => config,
        Err(error) => {
            add_error(&mut checkup, &error);
            if let Err(error @ ConfigError::Key { .. }) = settings.keys() {
                add_error(&mut checkup, &error);
            }
            return checkup;
        }
    };
    let manager = match config.stored.demanded {
        // The settings alone are looked at, so any store does.
        true => SessionManager::stored(MemoryStore::new(), config),
        false => match settings.keys() {
            Ok(keys) => SessionManager::signed(keys, config),
            Err(error) => {
                add_error(&mut checkup, &error);
                SecretKey::generate()
                    .map_err(|_| error)
                    .and_then(|key| SessionManager::signed(key, config))
            }
        },
    };
    match manager {
        Ok(manager) => checkup.extend(manager.checkup(site)),
        Err(error) => add_error(&mut checkup, &error),
    }
    checkup
}

fn add_error(checkup: &mut Checkup, error: &ConfigError) {
    let code = match error {
        ConfigError::Key {
            name,
            source: source @ (SecretKeyError::Published | SecretKeyError::TooShort),
        } => return add_key(checkup, &format!("setting {name}"), source),
        ConfigError::Contradiction { source, .. } => match source {
            CookieError::SameSiteNoneWithoutSecure => "same_site_none_without_secure",
            CookieError::PrefixRequirement { .. } | CookieError::PrefixLookalike { .. } => {
                "prefix_rules"
            }
            _ => "settings_refused",
        },
        _ => "settings_refused",
    };
    checkup.add(finding(
        code,
        Severity::Problem,
        "settings",
        error.to_string(),
        "correct it: Flask goes on without a word, and browsers or attackers do what nobody meant",
    ));
}

fn add_key(checkup: &mut Checkup, subject: &str, error: &SecretKeyError) {
    let (code, happens) = match error {
        SecretKeyError::Published => (
            "published_key",
            "it stands in a tutorial or a framework's documentation: anybody can write a session and be whoever they like",
        ),
        _ => (
            "short_key",
            "it has fewer than 16 bytes, so one cookie is enough to search for it on any computer",
        ),
    };
    checkup.add(finding(
        code,
        Severity::Problem,
        subject,
        happens,
        "make one with `cloakroom keygen` and give it to all servers of the site",
    ));
}

fn check_lifetimes(checkup: &mut Checkup, config: &SessionConfig, subject: &str) {
    let idle = config.longest_idle();
    checkup.judge(long_lived(subject, idle.as_secs()), || {
        format!("{subject}: asks for no more than 400 days")
    });
    if let Some(absolute) = config.absolute_lifetime
        && idle > absolute
    {
        checkup.add(finding(
            "idle_longer_than_absolute",
            Severity::Warning,
            "lifetimes",
            "the idle lifetime is longer than the absolute one, so it never ends a session",
            "make the idle lifetime the shorter of the two",
        ));
    }
}

fn subject(name: &str) -> String {
    format!("cookie `{name}`")
}
