use super::{MemoryStore, Store, StoreError};

impl Store {
    /// The store that a URL names, so that a setting chooses it.
    ///
    /// | URL | store | cargo feature |
    /// | --- | --- | --- |
    /// | `memory:` | [`MemoryStore`]; each call gives an empty one | |
    /// | `file:sessions`, `file:///var/lib/app/sessions` | `FileStore` in a folder of our own | `file` |
    /// | `cachelib:flask_session` | `FileStore` in the folder of a cachelib `FileSystemCache`, as Flask-Session's `filesystem` type has it; entries are pickles there, so set [`Serialization::Pickle`](crate::format::Serialization::Pickle) | `file` |
    /// | `redis://HOST:PORT/DATABASE`, `redis+sentinel://…`, `redis+cluster://…`, `redis+unix://…`, and with `valkey` | `RedisStore` | `redis` |
    /// | `rediss://…`, `rediss+…`, `valkeys://…` | the same over TLS | `redis-tls` |
    /// | `memcached://HOST:PORT` | `MemcachedStore` | `memcached` |
    /// | `sqlite:sessions.db`, `sqlite:///var/lib/app/sessions.db` | `SqliteStore` | `sqlite` |
    /// | `postgres://…`, `postgresql://…` | `PostgresStore` | `postgres` |
    /// | `mysql://…`, `mariadb://…` | `MySqlStore` | `mysql` |
    /// | `dynamodb://REGION/TABLE` | `DynamoDbStore` | `dynamodb` |
    ///
    /// Each store's own `connect` or `open` tells what else its URL may say. SQL databases take two options
    /// more: `?table=` (`sessions` unless set) and, for PostgreSQL, `?schema=`. Paths are taken as they
    /// are, without percent-encoding.
    ///
    /// Nothing is created but folders: [`prepare`](Self::prepare) makes tables. Stores that do not remove
    /// expired entries by themselves need [`sweep_every`](Self::sweep_every).
    ///
    /// ```
    /// use cloakroom::{SessionLayer, store::Store};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let url = std::env::var("SESSION_STORE").unwrap_or("memory:".to_owned());
    /// let sessions = SessionLayer::stored(Store::from_url(&url).await?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Refused`](super::StoreErrorKind::Refused) for a scheme that is none of these, or whose cargo feature
    /// is off; otherwise as the store's own `connect`. No error quotes the URL, which may hold a password.
    pub async fn from_url(url: &str) -> Result<Self, StoreError> {
        let kind = Kind::of(url).ok_or_else(|| StoreError::refused(UNKNOWN))?;
        kind.check()?;
        kind.open(url).await
    }
}

const UNKNOWN: &str = "the URL of a store begins with memory:, file:, cachelib:, redis://, rediss://, \
                       redis+sentinel://, redis+cluster://, memcached://, sqlite:, postgres://, mysql:// or dynamodb://";

/// The kinds of stores that URLs name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    File,
    Cachelib,
    Redis,
    Memcached,
    Sqlite,
    Postgres,
    MySql,
    DynamoDb,
}

impl Kind {
    /// By the URL's scheme.
    pub(crate) fn of(url: &str) -> Option<Self> {
        let (scheme, _) = url.split_once(':')?;
        Some(match scheme {
            "memory" => Self::Memory,
            "file" => Self::File,
            "cachelib" => Self::Cachelib,
            "redis" | "rediss" | "valkey" | "valkeys" | "redis+unix" | "valkey+unix"
            | "redis+sentinel" | "rediss+sentinel" | "valkey+sentinel" | "valkeys+sentinel"
            | "redis+cluster" | "rediss+cluster" | "valkey+cluster" | "valkeys+cluster" => {
                Self::Redis
            }
            "memcached" => Self::Memcached,
            "sqlite" => Self::Sqlite,
            "postgres" | "postgresql" => Self::Postgres,
            "mysql" | "mariadb" => Self::MySql,
            "dynamodb" => Self::DynamoDb,
            _ => return None,
        })
    }

    /// Refused if the cargo feature is off that has this kind of store.
    pub(crate) fn check(self) -> Result<(), StoreError> {
        let (feature, on) = match self {
            Self::Memory => return Ok(()),
            Self::File | Self::Cachelib => ("file", cfg!(feature = "file")),
            Self::Redis => ("redis", cfg!(feature = "redis")),
            Self::Memcached => ("memcached", cfg!(feature = "memcached")),
            Self::Sqlite => ("sqlite", cfg!(feature = "sqlite")),
            Self::Postgres => ("postgres", cfg!(feature = "postgres")),
            Self::MySql => ("mysql", cfg!(feature = "mysql")),
            Self::DynamoDb => ("dynamodb", cfg!(feature = "dynamodb")),
        };
        match on {
            true => Ok(()),
            false => Err(StoreError::refused(format!(
                "this kind of store needs cloakroom's cargo feature `{feature}`, which is off"
            ))),
        }
    }

    #[cfg_attr(
        not(any(
            feature = "redis",
            feature = "memcached",
            feature = "sqlite",
            feature = "postgres",
            feature = "mysql",
            feature = "dynamodb"
        )),
        allow(clippy::unused_async)
    )]
    async fn open(self, url: &str) -> Result<Store, StoreError> {
        match self {
            Self::Memory => match url {
                "memory:" | "memory://" => Ok(MemoryStore::new().into()),
                _ => Err(StoreError::refused(
                    "nothing comes after memory: in the URL",
                )),
            },
            #[cfg(feature = "file")]
            Self::File => Ok(super::FileStore::open(folder(url)?)?.into()),
            #[cfg(feature = "file")]
            Self::Cachelib => Ok(super::FileStore::cachelib(folder(url)?)?.into()),
            #[cfg(feature = "redis")]
            Self::Redis => Ok(super::RedisStore::connect(url).await?.into()),
            #[cfg(feature = "memcached")]
            Self::Memcached => Ok(super::MemcachedStore::connect(url).await?.into()),
            #[cfg(feature = "sqlite")]
            Self::Sqlite => {
                let named = Named::split(url)?.without_schema()?;
                let store = super::SqliteStore::connect(&named.url).await?;
                Ok(match named.table {
                    Some(table) => store.table(table)?,
                    None => store,
                }
                .into())
            }
            #[cfg(feature = "postgres")]
            Self::Postgres => {
                let named = Named::split(url)?;
                let mut store = super::PostgresStore::connect(&named.url).await?;
                if let Some(table) = named.table {
                    store = store.table(table)?;
                }
                if let Some(schema) = named.schema {
                    store = store.schema(schema)?;
                }
                Ok(store.into())
            }
            #[cfg(feature = "mysql")]
            Self::MySql => {
                let named = Named::split(url)?.without_schema()?;
                let store = super::MySqlStore::connect(&named.url).await?;
                Ok(match named.table {
                    Some(table) => store.table(table)?,
                    None => store,
                }
                .into())
            }
            #[cfg(feature = "dynamodb")]
            Self::DynamoDb => Ok(super::DynamoDbStore::connect(url).await?.into()),
            // Those whose feature is off.
            #[allow(unreachable_patterns)]
            other => other
                .check()
                .and(Err(StoreError::refused("this kind of store is not there"))),
        }
    }
}

/// The path of `file:PATH`, `file:///PATH` and the same with `cachelib`.
#[cfg(feature = "file")]
fn folder(url: &str) -> Result<&str, StoreError> {
    let path = url.split_once(':').map_or("", |(_, path)| path);
    let path = match path.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        Some(_) => {
            return Err(StoreError::refused(
                "after file:// comes a path from the root, as in file:///var/lib/app/sessions; \
                 a path from the working directory is file:sessions",
            ));
        }
        None => path,
    };
    match path {
        "" => Err(StoreError::refused("the URL names no folder")),
        path => Ok(path),
    }
}

/// A database's URL without the options that are ours.
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
struct Named {
    url: String,
    table: Option<String>,
    schema: Option<String>,
}

#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
impl Named {
    fn split(url: &str) -> Result<Self, StoreError> {
        let mut named = Self {
            url: url.to_owned(),
            table: None,
            schema: None,
        };
        let Some((before, query)) = url.split_once('?') else {
            return Ok(named);
        };
        let mut others = Vec::new();
        for option in query.split('&') {
            let given = match option.split_once('=') {
                Some(("table", name)) => named.table.replace(name.to_owned()),
                Some(("schema", name)) => named.schema.replace(name.to_owned()),
                _ => {
                    others.push(option);
                    None
                }
            };
            if given.is_some() {
                return Err(StoreError::refused(
                    "the URL says table or schema more than once",
                ));
            }
        }
        named.url = match others.as_slice() {
            [] => before.to_owned(),
            others => format!("{before}?{}", others.join("&")),
        };
        Ok(named)
    }

    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    fn without_schema(self) -> Result<Self, StoreError> {
        match self.schema {
            None => Ok(self),
            Some(_) => Err(StoreError::refused(
                "only PostgreSQL has schemas: take schema out of the URL",
            )),
        }
    }
}
