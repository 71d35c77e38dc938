use std::{str::FromStr, time::Duration};

use sqlx::{
    ConnectOptions, Executor, MySqlConnection, Row as _,
    error::DatabaseError,
    mysql::{
        MySql as Database, MySqlArguments, MySqlConnectOptions, MySqlDatabaseError, MySqlRow,
        MySqlSslMode,
    },
    query::Query,
};

use super::{
    dialect::{Dialect, Failure, ListedRow, Row, Step, What, bind, calls, check_scheme, check_tls},
    moment::Moment,
    sessions::{Sessions, TOMBSTONE_SUFFIX},
    statement::{Parameter, Statement, Statements, Values},
    store_methods,
    table::Table,
};
use crate::store::StoreError;

/// Sessions in MySQL (8.0 or later) or MariaDB (10.6 or later), in Flask-Session's table.
///
/// The table that Flask-Session itself makes holds 64 KiB per session: more is refused, never cut off. The
/// table that [`migrate`](Self::migrate) makes holds what the server's `max_allowed_packet` lets through.
/// Neither the time zone nor the clock of the server matters.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::MySqlStore;
///
/// let store = MySqlStore::connect("mysql://app:password@localhost/app").await?;
/// store.migrate().await?;
/// # Ok(()) }
/// ```
pub struct MySqlStore(Sessions<MySql>);

impl MySqlStore {
    /// Connects to `mysql://user:password@host:port/database`, with parameters, such as `ssl-mode` or `socket`,
    /// in the query. `mariadb://` is the same.
    ///
    /// With the feature `sql-tls`, TLS is used where the server offers it. `ssl-mode=REQUIRED` insists on it, and
    /// only `ssl-mode=VERIFY_IDENTITY` makes sure whose server it is: its certificate is checked against Mozilla's
    /// authorities and those in the file `ssl-ca`. Without the feature nothing is encrypted.
    ///
    /// # Errors
    ///
    /// `Unreachable` if no connection can be made within two seconds; `Refused` if the URL is not valid, or asks
    /// for TLS without the feature, or if the server does not let the user in. A missing table shows at the
    /// first call.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        check_scheme::<MySql>(url, &["mysql://", "mariadb://"])?;
        let options = MySqlConnectOptions::from_str(url)
            .map_err(|error| StoreError::from(Failure::of::<MySql>(error)))?
            .disable_statement_logging();
        check_tls::<MySql>(matches!(
            options.get_ssl_mode(),
            MySqlSslMode::Required | MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
        ))?;
        let sessions = Sessions::new(MySql { options }, Table::new(MySql::QUOTE));
        sessions.check().await?;
        Ok(Self(sessions))
    }
}

store_methods!(MySqlStore, MySql);

pub(super) struct MySql {
    options: MySqlConnectOptions,
}

impl Dialect for MySql {
    type Connection = MySqlConnection;

    const NAME: &'static str = "mysql";
    const QUOTE: char = '`';
    const MIGRATION: &'static str = include_str!("../../../migrations/mysql/0001_sessions.sql");
    const CONNECTIONS: usize = 10;
    const WHOLE_SECONDS: bool = true;

    /// Two things are different here. A statement may not have a subquery on the table that it updates, so
    /// the search for the tombstone is put into a derived table, which `LIMIT` keeps from being merged. And
    /// collations may take keys that differ in case for equal, so what the index finds is compared byte by
    /// byte.
    fn statements(table: &Table) -> Statements {
        const EXACTLY: &str =
            "CAST(CONVERT(session_id USING utf8mb4) AS BINARY) = CAST(:key AS BINARY)";
        const NOT_GONE: &str = "NOT EXISTS (SELECT 1 FROM
             (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now LIMIT 1) AS gone)";
        const NO_TOMBSTONE: &str = "NOT EXISTS (SELECT 1 FROM
             (SELECT 1 FROM {table} WHERE session_id = :gone LIMIT 1) AS gone)";
        let table = table.quoted();
        let statement = |text: &str| {
            let text = text
                .replace("{exactly}", EXACTLY)
                .replace("{no_tombstone}", NO_TOMBSTONE)
                .replace("{not_gone}", NOT_GONE);
            Statement::new(&text, &table, false, |parameter, _| match parameter {
                Parameter::Now | Parameter::Expiry => {
                    "(TIMESTAMP '1970-01-01 00:00:00' + INTERVAL ? MICROSECOND)".to_owned()
                }
                _ => "?".to_owned(),
            })
        };
        Statements {
            load: statement(
                "SELECT session_id, data, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expiry) FROM {table}
                 WHERE session_id IN (:key, :gone) AND expiry > :now",
            ),
            // Not from a `SELECT` with a condition: that locks the whole table's counter of rows.
            create: statement(
                "INSERT INTO {table} (session_id, data, expiry) VALUES (:key, :value, :expiry)",
            ),
            take_over: Some(statement(
                "UPDATE {table} SET data = :value, expiry = :expiry
                 WHERE session_id = :key AND {exactly}
                 AND (expiry IS NULL OR expiry <= :now) AND {not_gone}",
            )),
            replace: statement(
                "UPDATE {table} SET data = :value, expiry = :expiry
                 WHERE session_id = :key AND {exactly}
                 AND data = :base AND expiry > :now AND {not_gone}",
            ),
            touch: statement(
                "UPDATE {table} SET expiry = :expiry
                 WHERE session_id = :key AND {exactly} AND expiry > :now AND {not_gone}",
            ),
            entomb: statement(
                "UPDATE {table} SET session_id = :gone, data = :value, expiry = :expiry
                 WHERE session_id = :key AND {exactly} AND {no_tombstone}",
            ),
            entomb_expected: statement(
                "UPDATE {table} SET session_id = :gone, data = :value, expiry = :expiry
                 WHERE session_id = :key AND {exactly}
                 AND data = :base AND expiry > :now AND {no_tombstone}",
            ),
            delete: statement("DELETE FROM {table} WHERE session_id = :key AND {exactly}"),
            delete_expected: statement(
                "DELETE FROM {table} WHERE session_id = :key AND {exactly}
                 AND data = :base AND expiry > :now AND {not_gone}",
            ),
            bury: statement(
                "INSERT INTO {table} (session_id, data, expiry) VALUES (:gone, :value, :expiry)
                 ON DUPLICATE KEY UPDATE data = :value,
                 expiry = CASE WHEN expiry > :expiry THEN expiry ELSE :expiry END",
            ),
            delete_expired: statement(
                "DELETE FROM {table} WHERE expiry <= :now ORDER BY expiry LIMIT :limit",
            ),
            list: statement(
                "SELECT CAST(id AS SIGNED), session_id, CAST(LENGTH(data) AS SIGNED),
                 TIMESTAMPDIFF(MICROSECOND, '1970-01-01', expiry)
                 FROM {table} AS entry
                 WHERE id > :from AND expiry > :now AND data IS NOT NULL
                 AND LEFT(CAST(CONVERT(session_id USING utf8mb4) AS BINARY), LENGTH(:prefix))
                 = CAST(:prefix AS BINARY)
                 AND NOT EXISTS (SELECT 1 FROM {table} AS gone
                 WHERE gone.session_id = CONCAT(entry.session_id, :suffix) AND gone.expiry > :now)
                 ORDER BY id LIMIT :limit",
            ),
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // Strict, so that too long a value is an error and not a shorter value; read committed, so that a
        // search for a tombstone locks nothing but the rows it finds.
        let settings = format!(
            "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), SESSION innodb_lock_wait_timeout = {};
             SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            timeout.as_secs().clamp(1, 1_000_000)
        );
        connection
            .execute(sqlx::raw_sql(sqlx::AssertSqlSafe(settings)))
            .await?;
        Ok(connection)
    }

    async fn migrate(&self, table: &Table) -> Result<(), sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let sql = table.migration(Self::MIGRATION);
        let migration = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        match connection.execute(migration).await {
            Err(sqlx::Error::Database(error)) if number(&*error) == DUPLICATE_INDEX => Ok(()),
            result => result.map(|_| ()),
        }
    }

    async fn has_expiry_index(
        connection: &mut MySqlConnection,
        table: &Table,
    ) -> Result<bool, sqlx::Error> {
        let found = sqlx::query(
            "SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE()
             AND table_name = ? AND seq_in_index = 1 AND column_name = 'expiry' LIMIT 1",
        );
        let found = found.bind(table.name().to_owned());
        Ok(found.fetch_optional(connection).await?.is_some())
    }

    calls!(bind_one, expiry);

    async fn transaction(connection: &mut MySqlConnection, step: Step) -> Result<(), sqlx::Error> {
        let sql = match step {
            Step::Begin => "BEGIN",
            Step::Commit => "COMMIT",
        };
        connection.execute(sqlx::raw_sql(sql)).await?;
        Ok(())
    }

    fn failure(error: &dyn DatabaseError) -> Failure {
        let number = number(error);
        let code = number.to_string();
        let failed = |reason: &str| Failure::refused::<Self>(reason, &code);
        // https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html and
        // https://mariadb.com/kb/en/mariadb-error-code-reference/
        match number {
            1062 => Failure::Duplicate,
            // A deadlock, over rows or the counter of rows, and MariaDB's "record has changed since last read".
            1213 | 1467 | 1020 => Failure::Undone,
            1146 | 1054 => Failure::no_table::<Self>(&code),
            // A wait for a lock, and limits of the server's on time.
            1205 | 1969 | 3024 => Failure::Failed(StoreError::timed_out(format!(
                "mysql: the statement took too long (code {code})"
            ))),
            1406 => failed("the value is larger than the column `data`: make it LONGBLOB"),
            // The server hangs up after this one.
            1153 => Failure::Lost(StoreError::refused(
                "mysql: the value is larger than the server's max_allowed_packet (code 1153)",
            )),
            1366 | 3988 => failed("the key cannot be stored in the table's character set"),
            1142 | 1143 | 1227 | 1370 => failed("the user may not do this"),
            1044 | 1045 | 1049 | 1698 => Failure::Lost(StoreError::refused(format!(
                "mysql: the server does not let this user into this database (code {code})"
            ))),
            1290 | 1792 | 1836 => failed("the server can only be read"),
            1037
            | 1040
            | 1041
            | 1053
            | 1077..=1080
            | 1129
            | 1152
            | 1158..=1161
            | 1203
            | 1226
            | 1927
            | 4031 => Failure::Lost(StoreError::unreachable(format!(
                "mysql: the server is not able to answer (code {code})"
            ))),
            _ => failed("the statement failed"),
        }
    }
}

const DUPLICATE_INDEX: u16 = 1061;

fn number(error: &dyn DatabaseError) -> u16 {
    error
        .try_downcast_ref::<MySqlDatabaseError>()
        .map_or(0, MySqlDatabaseError::number)
}

fn bind_one<'q>(
    query: Query<'q, Database, MySqlArguments>,
    parameter: Parameter,
    values: &Values<'_>,
) -> Query<'q, Database, MySqlArguments> {
    bind!(query, parameter, values, Moment::unix_micros)
}

fn expiry(row: &MySqlRow, column: usize) -> Result<Moment, sqlx::Error> {
    let micros: i64 = row.try_get_unchecked(column)?;
    Ok(Moment::from_unix_micros(micros))
}
