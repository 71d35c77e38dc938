//! Sessions in SQL databases, in the table that Flask-Session 0.8 keeps through SQLAlchemy: `sessions`, with
//! `id`, `session_id` (prefix and session id), `data` and `expiry` (UTC without a zone).
//!
//! | file | knows |
//! | --- | --- |
//! | `sqlite.rs`, `postgres.rs`, `mysql.rs` | one database: its SQL, its error codes, how to connect |
//! | `sessions.rs` | what a store promises, in terms of the statements |
//! | `dialect.rs` | what differs between the databases |
//! | `statement.rs`, `table.rs`, `moment.rs` | named parameters, checked names, the `expiry` column |
//! | `pool.rs` | connections |

#![cfg_attr(
    not(all(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(dead_code, reason = "each database uses a part of it")
)]

mod dialect;
mod moment;
#[cfg(feature = "mysql")]
mod mysql;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod sessions;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod standard;
mod statement;
mod table;

#[cfg(feature = "mysql")]
pub use mysql::MySqlStore;
#[cfg(feature = "postgres")]
pub use postgres::PostgresStore;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

/// What the stores of all databases offer besides `connect`: settings, `migrate`, and being a driver.
macro_rules! store_methods {
    ($store:ident, $dialect:ident) => {
        impl $store {
            /// The table's name, `sessions` unless set otherwise (Flask-Session's `SESSION_SQLALCHEMY_TABLE`).
            ///
            /// # Errors
            ///
            /// `Refused` if it is not made of at most 56 ASCII letters, digits and underscores, or begins with a
            /// digit.
            #[doc(alias = "SESSION_SQLALCHEMY_TABLE")]
            pub fn table(self, name: impl Into<String>) -> Result<Self, $crate::store::StoreError> {
                let name = name.into();
                self.0.with_table(|table| table.set_name(name)).map(Self)
            }

            /// How many connections at most; this driver opens them when they are needed. Set it before the
            /// store is in use.
            #[must_use]
            pub fn max_connections(self, connections: usize) -> Self {
                Self(self.0.max_connections(connections))
            }

            /// How long connecting, and any one call, may take: two seconds unless set otherwise.
            #[must_use]
            pub fn timeout(self, timeout: std::time::Duration) -> Self {
                Self(self.0.timeout(timeout))
            }

            /// Where the time comes from; the system's clock unless set otherwise.
            #[must_use]
            pub fn clock(self, clock: $crate::Clock) -> Self {
                Self(self.0.clock(clock))
            }

            /// Makes the table if it is missing, and an index on `expiry` for
            /// [`delete_expired`](crate::store::Driver::delete_expired). Nothing else ever changes the schema. It
            /// can be run again and again, and on a table that Flask-Session made; building the index of a large
            /// one holds up its writers.
            ///
            /// Its SQL is [`migration`](Self::migration), should somebody else be the one who runs it.
            ///
            /// # Errors
            ///
            /// [`StoreError`](crate::store::StoreError), as when the database's user may not make tables.
            pub async fn migrate(&self) -> Result<(), $crate::store::StoreError> {
                self.0.migrate().await
            }

            /// The SQL that [`migrate`](Self::migrate) runs for a table of this name, for those who may not let a
            /// program make tables.
            ///
            /// # Errors
            ///
            /// As [`table`](Self::table).
            pub fn migration(table: &str) -> Result<String, $crate::store::StoreError> {
                $crate::store::sql::sessions::Sessions::<$dialect>::migration(table)
            }
        }

        /// Shows settings, neither the URL nor keys.
        impl std::fmt::Debug for $store {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(formatter)
            }
        }

        impl $crate::store::Driver for $store {
            fn name(&self) -> &'static str {
                self.0.name()
            }

            async fn load(
                &self,
                key: &str,
            ) -> Result<Option<$crate::store::Record>, $crate::store::StoreError> {
                self.0.load(key).await
            }

            async fn create(
                &self,
                key: &str,
                value: bytes::Bytes,
                ttl: std::time::Duration,
            ) -> Result<$crate::store::Record, $crate::store::CreateError> {
                self.0.create(key, value, ttl).await
            }

            async fn replace(
                &self,
                key: &str,
                base: &$crate::store::Record,
                value: bytes::Bytes,
                ttl: std::time::Duration,
            ) -> Result<$crate::store::Record, $crate::store::ReplaceError> {
                self.0.replace(key, base, value, ttl).await
            }

            async fn touch(
                &self,
                key: &str,
                ttl: std::time::Duration,
            ) -> Result<(), $crate::store::TouchError> {
                self.0.touch(key, ttl).await
            }

            async fn delete(
                &self,
                key: &str,
                expected: Option<&$crate::store::Record>,
                tombstone: std::time::Duration,
            ) -> Result<(), $crate::store::DeleteError> {
                self.0.delete(key, expected, tombstone).await
            }

            async fn delete_expired(
                &self,
                limit: usize,
            ) -> Result<usize, $crate::store::StoreError> {
                self.0.delete_expired(limit).await
            }

            async fn list(
                &self,
                prefix: &str,
                from: Option<$crate::store::Cursor>,
                limit: usize,
            ) -> Result<$crate::store::Page, $crate::store::StoreError> {
                self.0.list(prefix, from, limit).await
            }

            async fn expiry_index(
                &self,
            ) -> Result<$crate::store::ExpiryIndex, $crate::store::StoreError> {
                self.0.expiry_index().await
            }

            async fn prepare(&self) -> Result<$crate::store::Prepared, $crate::store::StoreError> {
                self.migrate().await?;
                Ok($crate::store::Prepared::Ready)
            }
        }
    };
}

use store_methods;
