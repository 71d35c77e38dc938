//! Flask-Session's settings: which store, and how its entries look.

use super::{ConfigError, FlaskSettings, SessionConfig, flask::wrong, sqlalchemy};
use crate::{
    format::Serialization,
    store::{Kind, Store, StoreError},
    value::Value,
};

/// Settings of Flask-Session 0.8, and the type of store that each belongs to; none: to all.
pub(super) const NAMES: [(&str, Option<Type>); 25] = [
    ("SESSION_TYPE", None),
    ("SESSION_PERMANENT", None),
    ("SESSION_USE_SIGNER", None),
    ("SESSION_KEY_PREFIX", None),
    ("SESSION_ID_LENGTH", None),
    ("SESSION_SERIALIZATION_FORMAT", None),
    ("SESSION_CLEANUP_N_REQUESTS", Some(Type::SqlAlchemy)),
    ("SESSION_REDIS", Some(Type::Redis)),
    ("SESSION_MEMCACHED", Some(Type::Memcached)),
    ("SESSION_CACHELIB", Some(Type::Cachelib)),
    ("SESSION_FILE_DIR", Some(Type::Filesystem)),
    ("SESSION_FILE_THRESHOLD", Some(Type::Filesystem)),
    ("SESSION_FILE_MODE", Some(Type::Filesystem)),
    ("SESSION_MONGODB", Some(Type::MongoDb)),
    ("SESSION_MONGODB_DB", Some(Type::MongoDb)),
    ("SESSION_MONGODB_COLLECT", Some(Type::MongoDb)),
    ("SESSION_SQLALCHEMY", Some(Type::SqlAlchemy)),
    ("SESSION_SQLALCHEMY_TABLE", Some(Type::SqlAlchemy)),
    ("SESSION_SQLALCHEMY_SEQUENCE", Some(Type::SqlAlchemy)),
    ("SESSION_SQLALCHEMY_SCHEMA", Some(Type::SqlAlchemy)),
    ("SESSION_SQLALCHEMY_BIND_KEY", Some(Type::SqlAlchemy)),
    ("SESSION_DYNAMODB", Some(Type::DynamoDb)),
    ("SESSION_DYNAMODB_TABLE", Some(Type::DynamoDb)),
    ("SESSION_DYNAMODB_TABLE_NAME", Some(Type::DynamoDb)),
    ("SESSION_DYNAMODB_TABLE_EXISTS", Some(Type::DynamoDb)),
];

/// The values of `SESSION_TYPE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Redis,
    Memcached,
    Filesystem,
    Cachelib,
    MongoDb,
    SqlAlchemy,
    DynamoDb,
}

impl Type {
    fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "redis" => Self::Redis,
            "memcached" => Self::Memcached,
            "filesystem" => Self::Filesystem,
            "cachelib" => Self::Cachelib,
            "mongodb" => Self::MongoDb,
            "sqlalchemy" => Self::SqlAlchemy,
            "dynamodb" => Self::DynamoDb,
            _ => return None,
        })
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Memcached => "memcached",
            Self::Filesystem => "filesystem",
            Self::Cachelib => "cachelib",
            Self::MongoDb => "mongodb",
            Self::SqlAlchemy => "sqlalchemy",
            Self::DynamoDb => "dynamodb",
        }
    }
}

impl FlaskSettings {
    /// The store that `SESSION_TYPE` names, connected; none without it, and sessions live in the cookie.
    ///
    /// Flask-Session takes its clients as objects. Here they are text: URLs as
    /// [`Store::from_url`](crate::store::Store::from_url) takes them. What is not set is Flask-Session's
    /// default.
    ///
    /// | `SESSION_TYPE` | settings | unless set |
    /// | --- | --- | --- |
    /// | `redis` | `SESSION_REDIS` | `redis://127.0.0.1:6379` |
    /// | `memcached` | `SESSION_MEMCACHED` | `memcached://127.0.0.1:11211` |
    /// | `filesystem` | `SESSION_FILE_DIR`; `SESSION_FILE_MODE` can only be 384 (0600); `SESSION_FILE_THRESHOLD` is accepted and nothing is ever pruned by it | `flask_session` |
    /// | `cachelib` | `SESSION_CACHELIB`: the folder of a `FileSystemCache`; other caches are not there | `flask_session` |
    /// | `sqlalchemy` | `SESSION_SQLALCHEMY`, or `SESSION_SQLALCHEMY_BIND_KEY` in `SQLALCHEMY_BINDS`, or `SQLALCHEMY_DATABASE_URI`, each a URL in SQLAlchemy's form (`postgresql+psycopg2://…`, `mysql+pymysql://…`, `sqlite:///app.db`); `SESSION_SQLALCHEMY_TABLE`, `…_SCHEMA` | table `sessions` |
    /// | `dynamodb` | `SESSION_DYNAMODB`, `SESSION_DYNAMODB_TABLE` | `dynamodb://us-west-2/Sessions?endpoint=http://localhost:8000` |
    ///
    /// A relative path to SQLite is below the folder `instance` in `SQLALCHEMY_…`, where Flask-SQLAlchemy 3
    /// has it, and below the working directory in `SESSION_SQLALCHEMY`. `SESSION_CLEANUP_N_REQUESTS` is
    /// accepted; expired entries are removed in the background, by
    /// [`Store::sweep_every`](crate::store::Store::sweep_every). Tables that are missing are made by
    /// [`Store::prepare`](crate::store::Store::prepare), not by this.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Conflict`] for a setting without `SESSION_TYPE`, of another type's, or that asks for
    /// what is not there; [`ConfigError::Value`] or [`ConfigError::Unknown`]; [`ConfigError::Store`] if the
    /// store cannot be opened. Each names the setting, and none its value.
    #[doc(alias = "SESSION_TYPE")]
    #[doc(alias = "SESSION_REDIS")]
    #[doc(alias = "SESSION_MEMCACHED")]
    #[doc(alias = "SESSION_FILE_DIR")]
    #[doc(alias = "SESSION_CACHELIB")]
    #[doc(alias = "SESSION_SQLALCHEMY")]
    #[doc(alias = "SESSION_DYNAMODB")]
    pub async fn store(&self) -> Result<Option<Store>, ConfigError> {
        let Some(place) = self.place()? else {
            return Ok(None);
        };
        place
            .kind()
            .check()
            .map_err(|source| failed("SESSION_TYPE", source))?;
        let store = Store::from_url(&place.url).await;
        store.map(Some).map_err(|source| failed(place.name, source))
    }

    /// The store's URL and the setting that it comes from.
    fn place(&self) -> Result<Option<Place>, ConfigError> {
        self.refuse_unknown()?;
        let Some(session_type) = self.session_type()? else {
            let mut names = NAMES.iter();
            return match names.find(|(name, _)| self.given(name).is_some()) {
                None => Ok(None),
                Some((name, _)) => Err(conflict(
                    name,
                    "it is for sessions in a store: set SESSION_TYPE too, or remove it to keep sessions in the cookie",
                )),
            };
        };
        for (name, owner) in NAMES {
            if let Some(owner) = owner.filter(|owner| *owner != session_type)
                && self.given(name).is_some()
            {
                return Err(conflict(
                    name,
                    format!(
                        "it is of use with SESSION_TYPE={} only, and that is {}",
                        owner.as_str(),
                        session_type.as_str()
                    ),
                ));
            }
        }
        let place = match session_type {
            Type::Redis => self.url(
                "SESSION_REDIS",
                Kind::Redis,
                "redis://127.0.0.1:6379",
                "the URL of a server, as in redis://127.0.0.1:6379/0",
            )?,
            Type::Memcached => self.url(
                "SESSION_MEMCACHED",
                Kind::Memcached,
                "memcached://127.0.0.1:11211",
                "the URL of a server, as in memcached://127.0.0.1:11211",
            )?,
            Type::Filesystem => self.filesystem()?,
            Type::Cachelib => self.folder("SESSION_CACHELIB")?,
            Type::SqlAlchemy => self.sqlalchemy()?,
            Type::DynamoDb => self.dynamodb()?,
            Type::MongoDb => {
                return Err(conflict(
                    "SESSION_TYPE",
                    "there is no store for mongodb here; redis, memcached, filesystem, cachelib, sqlalchemy and dynamodb there are",
                ));
            }
        };
        Ok(Some(place))
    }

    /// What only sessions in a store have.
    pub(super) fn stored(&self, mut config: SessionConfig) -> Result<SessionConfig, ConfigError> {
        if let Some(permanent) = self.bool("SESSION_PERMANENT")? {
            config = config.permanent_by_default(permanent);
        }
        if self.bool("SESSION_USE_SIGNER")? == Some(true) {
            config = config.sign_ids(self.keys().map_err(|error| match error {
                ConfigError::MissingKey => conflict(
                    "SESSION_USE_SIGNER",
                    "it needs SECRET_KEY, which is missing",
                ),
                other => other,
            })?);
        }
        if let Some(prefix) = self.text("SESSION_KEY_PREFIX")? {
            config = config.key_prefix(prefix);
        }
        if let Some(value) = self.given("SESSION_ID_LENGTH") {
            let bytes = value.as_i64().and_then(|bytes| usize::try_from(bytes).ok());
            let bytes = bytes.filter(|bytes| crate::session::ID_BYTES.contains(bytes));
            let bytes =
                bytes.ok_or_else(|| wrong("SESSION_ID_LENGTH", "16 to 128 random bytes"))?;
            config = config.id_length(bytes);
        }
        let format = match self.text("SESSION_SERIALIZATION_FORMAT")?.as_deref() {
            None => None,
            Some("msgpack") => Some(Serialization::MessagePack),
            Some("json") => Some(Serialization::Json),
            Some(_) => return Err(wrong("SESSION_SERIALIZATION_FORMAT", "msgpack or json")),
        };
        let session_type = self.session_type()?;
        // These two ignore the setting: cachelib pickles.
        let format = match session_type {
            Some(Type::Filesystem | Type::Cachelib) => Some(Serialization::Pickle),
            _ => format,
        };
        if let Some(format) = format {
            config = config.serialization(format);
        }
        config.stored.demanded = session_type.is_some();
        Ok(config)
    }

    fn session_type(&self) -> Result<Option<Type>, ConfigError> {
        let Some(text) = self.text("SESSION_TYPE")? else {
            return Ok(None);
        };
        match Type::parse(&text) {
            Some(session_type) => Ok(Some(session_type)),
            None => Err(wrong(
                "SESSION_TYPE",
                "redis, memcached, filesystem, cachelib, sqlalchemy or dynamodb; without it, sessions live in the cookie",
            )),
        }
    }

    fn url(
        &self,
        name: &'static str,
        kind: Kind,
        default: &str,
        expected: &'static str,
    ) -> Result<Place, ConfigError> {
        let url = self.text(name)?.unwrap_or_else(|| {
            tracing::warn!(
                setting = name,
                default,
                "no store is named: this is the default"
            );
            default.to_owned()
        });
        match Kind::of(&url) == Some(kind) {
            true => Ok(Place { name, kind, url }),
            false => Err(wrong(name, expected)),
        }
    }

    fn folder(&self, name: &'static str) -> Result<Place, ConfigError> {
        let folder = match self.text(name)? {
            Some(folder) if folder.is_empty() || folder.contains("://") => {
                return Err(wrong(name, "the folder of a FileSystemCache"));
            }
            Some(folder) => folder,
            None => "flask_session".to_owned(),
        };
        Ok(Place {
            name,
            kind: Kind::Cachelib,
            url: format!("cachelib:{folder}"),
        })
    }

    fn filesystem(&self) -> Result<Place, ConfigError> {
        if let Some(mode) = self.given("SESSION_FILE_MODE")
            && mode.as_i64() != Some(0o600)
        {
            return Err(wrong(
                "SESSION_FILE_MODE",
                "384, which is 0600 in octal: files of sessions are for their owner alone",
            ));
        }
        self.count("SESSION_FILE_THRESHOLD")?;
        self.folder("SESSION_FILE_DIR")
    }

    fn dynamodb(&self) -> Result<Place, ConfigError> {
        const NAME: &str = "SESSION_DYNAMODB";
        const TABLE: &str = "SESSION_DYNAMODB_TABLE";
        if self.given("SESSION_DYNAMODB_TABLE_NAME").is_some() {
            return Err(conflict(
                "SESSION_DYNAMODB_TABLE_NAME",
                "Flask-Session 0.8 reads SESSION_DYNAMODB_TABLE, whatever its documentation says",
            ));
        }
        self.bool("SESSION_DYNAMODB_TABLE_EXISTS")?;
        let mut place = self.url(
            NAME,
            Kind::DynamoDb,
            "dynamodb://us-west-2?endpoint=http://localhost:8000",
            "the URL of a table, as in dynamodb://us-west-2/Sessions",
        )?;
        if let Some(table) = self.text(TABLE)? {
            let not_a_url = |_| {
                wrong(
                    NAME,
                    "the URL of a table, as in dynamodb://us-west-2/Sessions",
                )
            };
            let mut url = url::Url::parse(&place.url).map_err(not_a_url)?;
            match url.path().trim_start_matches('/') {
                "" => url.set_path(&format!("/{table}")),
                named if named == table => {}
                _ => return Err(conflict(TABLE, "SESSION_DYNAMODB names another table")),
            }
            place.url = url.into();
        }
        Ok(place)
    }

    fn sqlalchemy(&self) -> Result<Place, ConfigError> {
        if self.given("SESSION_SQLALCHEMY_SEQUENCE").is_some() {
            return Err(conflict(
                "SESSION_SQLALCHEMY_SEQUENCE",
                "ids of rows come from the column's own default here; remove it, and give the column that default",
            ));
        }
        self.count("SESSION_CLEANUP_N_REQUESTS")?;
        let (name, text, instance) = self.database()?;
        let Some((kind, mut url)) = sqlalchemy::translate(&text, instance) else {
            return Err(wrong(
                name,
                "the URL of PostgreSQL, MySQL, MariaDB or SQLite in SQLAlchemy's form, as in \
                 postgresql+psycopg2://user:password@host/database, with no options but those that are known here",
            ));
        };
        let schema = self.text("SESSION_SQLALCHEMY_SCHEMA")?;
        if schema.is_some() && kind != Kind::Postgres {
            return Err(conflict(
                "SESSION_SQLALCHEMY_SCHEMA",
                "only PostgreSQL has schemas",
            ));
        }
        for (option, setting, value) in [
            (
                "table",
                "SESSION_SQLALCHEMY_TABLE",
                self.text("SESSION_SQLALCHEMY_TABLE")?,
            ),
            ("schema", "SESSION_SQLALCHEMY_SCHEMA", schema),
        ] {
            let Some(value) = value else { continue };
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if value.is_empty() || !value.bytes().all(legal) {
                return Err(wrong(
                    setting,
                    "a name of ASCII letters, digits and underscores",
                ));
            }
            let separator = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{separator}{option}={value}");
        }
        Ok(Place { name, kind, url })
    }

    /// The setting with the database's URL, its text, and where relative paths begin.
    fn database(&self) -> Result<(&'static str, String, Option<&'static str>), ConfigError> {
        const INSTANCE: Option<&str> = Some("instance");
        if let Some(url) = self.text("SESSION_SQLALCHEMY")? {
            return Ok(("SESSION_SQLALCHEMY", url, None));
        }
        if let Some(key) = self.text("SESSION_SQLALCHEMY_BIND_KEY")? {
            let binds = self.given("SQLALCHEMY_BINDS").and_then(Value::as_dict);
            let bind = binds.and_then(|binds| binds.get(key.as_str()));
            let url = bind.and_then(|bind| match bind.as_dict() {
                Some(options) => options.get("url").and_then(Value::as_str),
                None => bind.as_str(),
            });
            return match url {
                Some(url) => Ok(("SQLALCHEMY_BINDS", url.to_owned(), INSTANCE)),
                None => Err(conflict(
                    "SESSION_SQLALCHEMY_BIND_KEY",
                    "SQLALCHEMY_BINDS has no URL under this key",
                )),
            };
        }
        match self.text("SQLALCHEMY_DATABASE_URI")? {
            Some(url) => Ok(("SQLALCHEMY_DATABASE_URI", url, INSTANCE)),
            None => Err(conflict(
                "SESSION_TYPE",
                "sqlalchemy needs a database: set SQLALCHEMY_DATABASE_URI or SESSION_SQLALCHEMY",
            )),
        }
    }

    /// Checks a number that changes nothing here.
    fn count(&self, name: &str) -> Result<(), ConfigError> {
        match self.given(name).map(Value::as_i64) {
            None | Some(Some(0..)) => Ok(()),
            Some(_) => Err(wrong(name, "a whole number, not negative")),
        }
    }
}

/// Where sessions are.
struct Place {
    /// The setting that says so.
    name: &'static str,
    kind: Kind,
    url: String,
}

impl Place {
    fn kind(&self) -> Kind {
        self.kind
    }
}

fn conflict(name: &str, reason: impl Into<String>) -> ConfigError {
    ConfigError::Conflict {
        name: name.to_owned(),
        reason: reason.into(),
    }
}

fn failed(name: &str, source: StoreError) -> ConfigError {
    ConfigError::Store {
        name: name.to_owned(),
        source,
    }
}
