use std::{future::Future, io::ErrorKind, time::Duration};

use sqlx::error::DatabaseError;

use super::{
    moment::Moment,
    statement::{Statement, Statements, Values},
    table::Table,
};
use crate::store::StoreError;

/// What differs between the databases.
pub(super) trait Dialect: Send + Sync + 'static {
    type Connection: sqlx::Connection + Send + Sync + 'static;

    /// What the store is called in messages.
    const NAME: &'static str;
    /// What names are quoted with.
    const QUOTE: char;
    /// Makes the table `sessions`.
    const MIGRATION: &'static str;
    /// How many connections at most, unless set otherwise.
    const CONNECTIONS: usize;
    /// How many of them may write at the same time, where the database allows fewer.
    const WRITERS: Option<usize> = None;
    /// Whether the `expiry` column drops fractions of a second.
    const WHOLE_SECONDS: bool = false;

    fn statements(table: &Table) -> Statements;

    /// A new connection, with everything set that the statements rely on. No one of the server's calls takes
    /// longer on it than `timeout`, as far as the server can promise that.
    fn connect(
        &self,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self::Connection, sqlx::Error>> + Send;

    /// Runs the table's migration on a connection of its own.
    fn migrate(&self, table: &Table) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether there is an index that begins with `expiry`.
    fn has_expiry_index(
        connection: &mut Self::Connection,
        table: &Table,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// The rows that `load` selects: `session_id`, `data`, `expiry`.
    fn rows(
        connection: &mut Self::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Vec<Row>, sqlx::Error>> + Send;

    /// The rows that `list` selects: `id`, `session_id`, the length of `data`, `expiry`.
    fn listed(
        connection: &mut Self::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<Vec<ListedRow>, sqlx::Error>> + Send;

    /// Runs a statement and says how many rows it found.
    fn execute(
        connection: &mut Self::Connection,
        statement: &Statement,
        values: &Values<'_>,
    ) -> impl Future<Output = Result<u64, sqlx::Error>> + Send;

    /// Runs `BEGIN`, as this database writes it, or `COMMIT`.
    fn transaction(
        connection: &mut Self::Connection,
        step: Step,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// What an answer of the server means. Its text may quote keys and must not be passed on.
    fn failure(error: &dyn DatabaseError) -> Failure;
}

/// A step of a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Begin,
    Commit,
}

#[derive(Debug)]
pub(super) struct Row {
    pub(super) what: What,
    pub(super) data: Option<Vec<u8>>,
    pub(super) expiry: Moment,
}

/// What a row is by its key. Some collations find keys that differ in case, so they are compared here again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Entry,
    Tombstone,
    Another,
}

impl What {
    pub(super) fn of(key: &str, values: &Values<'_>) -> Self {
        match key {
            _ if key == values.key => Self::Entry,
            _ if key == values.gone => Self::Tombstone,
            _ => Self::Another,
        }
    }
}

#[derive(Debug)]
pub(super) struct ListedRow {
    pub(super) id: i64,
    pub(super) key: String,
    pub(super) size: i64,
    pub(super) expiry: Moment,
}

/// Why a statement failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// There is a row with this key.
    Duplicate,
    /// It was in another's way and undone as a whole: it may be tried again.
    Undone,
    /// The connection is no longer good.
    Lost(StoreError),
    /// The connection is as good as before.
    Failed(StoreError),
}

impl Failure {
    pub(super) fn of<D: Dialect>(error: sqlx::Error) -> Self {
        use sqlx::Error;
        match error {
            Error::Database(error) => D::failure(&*error),
            // What a certificate that is not trusted shows as.
            Error::Io(error) if error.kind() == ErrorKind::InvalidData => Self::no_tls::<D>(),
            Error::Tls(_) => Self::no_tls::<D>(),
            Error::Io(error) => Self::Lost(StoreError::unreachable(format!(
                "{}: {}",
                D::NAME,
                error.kind()
            ))),
            Error::Configuration(_) | Error::InvalidArgument(_) => Self::Lost(StoreError::refused(
                format!("{}: the URL or one of its options is not valid", D::NAME),
            )),
            Error::ColumnDecode { .. } | Error::Decode(_) | Error::ColumnNotFound(_) => {
                Self::Failed(StoreError::refused(format!(
                    "{}: a row of the table is not one of a session",
                    D::NAME
                )))
            }
            _ => Self::Lost(StoreError::unreachable(format!(
                "{}: the connection broke",
                D::NAME
            ))),
        }
    }

    fn no_tls<D: Dialect>() -> Self {
        Self::Lost(StoreError::unreachable(format!(
            "{}: TLS could not be agreed on: the server has none, or its certificate is not trusted",
            D::NAME
        )))
    }

    /// For answers that say no for good.
    pub(super) fn refused<D: Dialect>(reason: &str, code: &str) -> Self {
        Self::Failed(StoreError::refused(format!(
            "{}: {reason} (code {code})",
            D::NAME
        )))
    }

    /// For a missing table.
    pub(super) fn no_table<D: Dialect>(code: &str) -> Self {
        Self::refused::<D>(
            "there is no table for sessions, or it is not Flask-Session's: call `migrate()` once, or set its name with `table()`",
            code,
        )
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(error) | Failure::Failed(error) => error,
            Failure::Undone => Self::busy("other writers were in the way each time it was tried"),
            Failure::Duplicate => Self::refused("there is a row with this key already"),
        }
    }
}

/// The options' own parsers take any scheme. The URL may hold a password and is not quoted.
pub(super) fn check_scheme<D: Dialect>(url: &str, schemes: &[&str]) -> Result<(), StoreError> {
    match schemes.iter().any(|scheme| url.starts_with(scheme)) {
        true => Ok(()),
        false => Err(StoreError::refused(format!(
            "{}: the URL has to begin with `{}`",
            D::NAME,
            schemes.join("` or `")
        ))),
    }
}

/// The driver would say so too, but not which feature is missing.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) fn check_tls<D: Dialect>(asked_for: bool) -> Result<(), StoreError> {
    match asked_for && !cfg!(feature = "sql-tls") {
        false => Ok(()),
        true => Err(StoreError::refused(format!(
            "{}: the URL asks for TLS, which this program was built without: it needs cloakroom's feature `sql-tls`",
            D::NAME
        ))),
    }
}

/// The calls of a [`Dialect`], for a database of sqlx's: `bind` adds one parameter to a query, `expiry` reads
/// a column.
macro_rules! calls {
    ($bind:path, $expiry:path) => {
        async fn rows(
            connection: &mut Self::Connection,
            statement: &Statement,
            values: &Values<'_>,
        ) -> Result<Vec<Row>, sqlx::Error> {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement.sql.clone()));
            let query = statement
                .parameters
                .iter()
                .fold(query, |query, parameter| $bind(query, *parameter, values));
            let rows = query.fetch_all(connection).await?;
            rows.iter()
                .map(|row| {
                    Ok(Row {
                        what: What::of(row.try_get_unchecked(0)?, values),
                        data: row.try_get_unchecked(1)?,
                        expiry: $expiry(row, 2)?,
                    })
                })
                .collect()
        }

        async fn listed(
            connection: &mut Self::Connection,
            statement: &Statement,
            values: &Values<'_>,
        ) -> Result<Vec<ListedRow>, sqlx::Error> {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement.sql.clone()));
            let query = statement
                .parameters
                .iter()
                .fold(query, |query, parameter| $bind(query, *parameter, values));
            let rows = query.fetch_all(connection).await?;
            rows.iter()
                .map(|row| {
                    Ok(ListedRow {
                        id: row.try_get_unchecked(0)?,
                        key: row.try_get_unchecked(1)?,
                        size: row.try_get_unchecked(2)?,
                        expiry: $expiry(row, 3)?,
                    })
                })
                .collect()
        }

        async fn execute(
            connection: &mut Self::Connection,
            statement: &Statement,
            values: &Values<'_>,
        ) -> Result<u64, sqlx::Error> {
            let query = sqlx::query(sqlx::AssertSqlSafe(statement.sql.clone()));
            let query = statement
                .parameters
                .iter()
                .fold(query, |query, parameter| $bind(query, *parameter, values));
            Ok(query.execute(connection).await?.rows_affected())
        }
    };
}

/// Adds one parameter to a query; `$moment` turns a moment into what the database takes.
macro_rules! bind {
    ($query:expr, $parameter:expr, $values:expr, $moment:expr) => {
        match $parameter {
            Parameter::Key => $query.bind($values.key),
            Parameter::Gone => $query.bind($values.gone),
            Parameter::Base => $query.bind($values.base),
            Parameter::Value => $query.bind($values.value),
            Parameter::Expiry => $query.bind($moment($values.expiry)),
            Parameter::Now => $query.bind($moment($values.now)),
            Parameter::Suffix => $query.bind(TOMBSTONE_SUFFIX),
            Parameter::Prefix => $query.bind($values.prefix),
            Parameter::From => $query.bind($values.from),
            Parameter::Limit => $query.bind($values.limit),
        }
    };
}

pub(super) use {bind, calls};
