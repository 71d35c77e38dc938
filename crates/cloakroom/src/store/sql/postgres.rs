use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Executor, PgConnection, Row as _,
    encode::{Encode, IsNull},
    error::{BoxDynError, DatabaseError},
    postgres::{
        PgArgumentBuffer, PgArguments, PgConnectOptions, PgRow, PgSslMode, PgTypeInfo,
        Postgres as Database, types::Oid,
    },
    query::Query,
};

use super::{
    dialect::{Dialect, Failure, ListedRow, Row, Step, What, bind, calls, check_scheme, check_tls},
    moment::Moment,
    sessions::{Sessions, TOMBSTONE_SUFFIX},
    standard,
    statement::{Parameter, Statement, Statements, Values},
    store_methods,
    table::Table,
};
use crate::store::StoreError;

/// Sessions in PostgreSQL, in Flask-Session's table.
///
/// Neither the time zone nor the clock of the server matters.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::PostgresStore;
///
/// let store = PostgresStore::connect("postgres://app:password@localhost/app").await?;
/// store.migrate().await?;
/// # Ok(()) }
/// ```
pub struct PostgresStore(Sessions<Postgres>);

impl PostgresStore {
    /// Connects to `postgres://user:password@host:port/database`, with libpq's parameters, such as `sslmode` or
    /// `host=/var/run/postgresql`, in the query.
    ///
    /// With the feature `sql-tls`, TLS is used where the server offers it. `sslmode=require` insists on it, and
    /// only `sslmode=verify-full` makes sure whose server it is: its certificate is checked against Mozilla's
    /// authorities and those in the file `sslrootcert`. Without the feature nothing is encrypted.
    ///
    /// # Errors
    ///
    /// `Unreachable` if no connection can be made within two seconds; `Refused` if the URL is not valid, or asks
    /// for TLS without the feature, or if the server does not let the user in. A missing table shows at the
    /// first call.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        check_scheme::<Postgres>(url, &["postgres://", "postgresql://"])?;
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::from(Failure::of::<Postgres>(error)))?
            .disable_statement_logging();
        check_tls::<Postgres>(matches!(
            options.get_ssl_mode(),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull
        ))?;
        let sessions = Sessions::new(Postgres { options }, Table::new(Postgres::QUOTE));
        sessions.check().await?;
        Ok(Self(sessions))
    }

    /// The schema that the table is in, the first of the server's `search_path` unless set otherwise
    /// (Flask-Session's `SESSION_SQLALCHEMY_SCHEMA`).
    ///
    /// # Errors
    ///
    /// As [`table`](Self::table).
    #[doc(alias = "SESSION_SQLALCHEMY_SCHEMA")]
    pub fn schema(self, name: impl Into<String>) -> Result<Self, StoreError> {
        let name = name.into();
        self.0.with_table(|table| table.set_schema(name)).map(Self)
    }
}

store_methods!(PostgresStore, Postgres);

pub(super) struct Postgres {
    options: PgConnectOptions,
}

/// Two who migrate at the same time would both find no table: they take turns. Any number will do.
const MIGRATION_LOCK: i64 = 0x0063_6c6f_616b_726d;

impl Dialect for Postgres {
    type Connection = PgConnection;

    const NAME: &'static str = "postgres";
    const QUOTE: char = '"';
    const MIGRATION: &'static str = include_str!("../../../migrations/postgres/0001_sessions.sql");
    const CONNECTIONS: usize = 10;

    fn statements(table: &Table) -> Statements {
        let table = table.quoted();
        let statement =
            |text: &str| Statement::new(text, &table, true, |_, position| format!("${position}"));
        Statements {
            load: statement(standard::LOAD),
            create: statement(
                "INSERT INTO {table} AS entry (session_id, data, expiry)
                 SELECT :key, :value, :expiry
                 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now)
                 ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry
                 WHERE entry.expiry IS NULL OR entry.expiry <= :now",
            ),
            take_over: None,
            replace: statement(standard::REPLACE),
            touch: statement(standard::TOUCH),
            entomb: statement(standard::ENTOMB),
            entomb_expected: statement(standard::ENTOMB_EXPECTED),
            delete: statement(standard::DELETE),
            delete_expected: statement(standard::DELETE_EXPECTED),
            bury: statement(
                "INSERT INTO {table} AS entry (session_id, data, expiry) VALUES (:gone, :value, :expiry)
                 ON CONFLICT (session_id) DO UPDATE SET data = excluded.data,
                 expiry = GREATEST(entry.expiry, excluded.expiry)",
            ),
            delete_expired: statement(
                "DELETE FROM {table} WHERE id = ANY (ARRAY
                 (SELECT id FROM {table} WHERE expiry <= :now ORDER BY expiry LIMIT :limit
                 FOR UPDATE SKIP LOCKED))",
            ),
            list: statement(
                "SELECT CAST(id AS bigint), session_id, CAST(octet_length(data) AS bigint), expiry
                 FROM {table} AS entry
                 WHERE id > :from AND expiry > :now AND data IS NOT NULL
                 AND starts_with(session_id, :prefix)
                 AND NOT EXISTS (SELECT 1 FROM {table} AS gone
                 WHERE gone.session_id = entry.session_id || :suffix AND gone.expiry > :now)
                 ORDER BY id LIMIT :limit",
            ),
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // Not as start-up options: poolers and proxies in between refuse those.
        let settings = format!(
            "SET statement_timeout = {0}; SET lock_timeout = {0};
             SET default_transaction_isolation = 'read committed'",
            timeout.as_millis().clamp(1, 1_000_000_000)
        );
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings)))
            .await?;
        Ok(connection)
    }

    async fn migrate(&self, table: &Table) -> Result<(), sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let sql = format!(
            "BEGIN; SET LOCAL client_min_messages = warning; SELECT pg_advisory_xact_lock({MIGRATION_LOCK}); {} COMMIT",
            table.migration(Self::MIGRATION)
        );
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql)))
            .await?;
        Ok(())
    }

    async fn has_expiry_index(
        connection: &mut PgConnection,
        table: &Table,
    ) -> Result<bool, sqlx::Error> {
        let found = sqlx::query(
            "SELECT 1 FROM pg_catalog.pg_index AS list JOIN pg_catalog.pg_attribute AS first
             ON first.attrelid = list.indrelid AND first.attnum = list.indkey[0]
             WHERE list.indrelid = to_regclass($1) AND first.attname = 'expiry'
             AND list.indisvalid AND list.indpred IS NULL LIMIT 1",
        );
        let found = found.bind(table.quoted());
        Ok(found.fetch_optional(connection).await?.is_some())
    }

    calls!(bind_one, expiry);

    async fn transaction(connection: &mut PgConnection, step: Step) -> Result<(), sqlx::Error> {
        let sql = match step {
            Step::Begin => "BEGIN",
            Step::Commit => "COMMIT",
        };
        connection.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    }

    fn failure(error: &dyn DatabaseError) -> Failure {
        let code = error.code().unwrap_or_default();
        let failed = |reason: &str| Failure::refused::<Self>(reason, &code);
        // https://www.postgresql.org/docs/current/errcodes-appendix.html
        match &*code {
            "23505" => Failure::Duplicate,
            "40001" | "40P01" => Failure::Undone,
            "42P01" | "42703" | "3F000" | "42P10" => Failure::no_table::<Self>(&code),
            "57014" | "55P03" => Failure::Failed(StoreError::timed_out(format!(
                "postgres: the statement took too long (code {code})"
            ))),
            "42501" => failed("the user may not do this"),
            "25006" => failed("the server can only be read"),
            code if code.starts_with("28") => Failure::Lost(StoreError::refused(format!(
                "postgres: the server does not let this user in (code {code})"
            ))),
            "3D000" => failed("there is no such database"),
            code if ["08", "53", "57", "58", "XX"]
                .iter()
                .any(|class| code.starts_with(class)) =>
            {
                Failure::Lost(StoreError::unreachable(format!(
                    "postgres: the server is not able to answer (code {code})"
                )))
            }
            code if code.starts_with("22") => failed("the key or value cannot be stored"),
            _ => failed("the statement failed"),
        }
    }
}

fn bind_one<'q>(
    query: Query<'q, Database, PgArguments>,
    parameter: Parameter,
    values: &Values<'_>,
) -> Query<'q, Database, PgArguments> {
    bind!(query, parameter, values, Timestamp)
}

/// A `timestamp without time zone`: microseconds since 2000.
struct Timestamp(Moment);

/// 2000-01-01 in microseconds since 1970.
const EPOCH: i64 = 946_684_800_000_000;

impl sqlx::Type<Database> for Timestamp {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1114))
    }
}

impl Encode<'_, Database> for Timestamp {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Database>::encode(self.0.unix_micros() - EPOCH, buffer)
    }
}

/// Unchecked, so that the bytes are read as the number that they are; `infinity` is the largest.
fn expiry(row: &PgRow, column: usize) -> Result<Moment, sqlx::Error> {
    let since_2000: i64 = row.try_get_unchecked(column)?;
    Ok(Moment::from_unix_micros(since_2000.saturating_add(EPOCH)))
}
