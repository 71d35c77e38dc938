use std::{str::FromStr, sync::Mutex, time::Duration};

use sqlx::{
    ConnectOptions, Executor, Row as _, SqliteConnection,
    error::DatabaseError,
    query::Query,
    sqlite::{Sqlite as Database, SqliteArguments, SqliteConnectOptions, SqliteRow},
};

use super::{
    dialect::{Dialect, Failure, ListedRow, Row, Step, What, bind, calls, check_scheme},
    moment::Moment,
    sessions::{Sessions, TOMBSTONE_SUFFIX},
    standard,
    statement::{Parameter, Statement, Statements, Values},
    store_methods,
    table::Table,
};
use crate::store::StoreError;

/// Sessions in SQLite, in Flask-Session's table, for one machine.
///
/// Several processes may use one file, a Flask-SQLAlchemy application among them. Writers take turns;
/// readers do not wait for them, because the file is put into write-ahead mode.
///
/// ```no_run
/// # async fn example() -> Result<(), cloakroom::store::StoreError> {
/// use cloakroom::store::SqliteStore;
///
/// let store = SqliteStore::connect("sqlite:sessions.db").await?;
/// store.migrate().await?;
/// # Ok(()) }
/// ```
pub struct SqliteStore(Sessions<Sqlite>);

impl SqliteStore {
    /// Opens `sqlite:sessions.db` (a path from the working directory), `sqlite:///var/lib/app/sessions.db`, or
    /// `sqlite::memory:`, which lives as long as this store does.
    ///
    /// A file that is not there is made by [`migrate`](Self::migrate), or by any call if the URL ends in
    /// `?mode=rwc`. Until then calls are refused.
    ///
    /// # Errors
    ///
    /// `Refused` if the URL is not one of SQLite's, or the file cannot be opened.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        check_scheme::<Sqlite>(url, &["sqlite:"])?;
        let options = SqliteConnectOptions::from_str(url)
            .map_err(|error| StoreError::from(Failure::of::<Sqlite>(error)))?
            .disable_statement_logging();
        let in_memory = url.contains(":memory:") || url.contains("mode=memory");
        // A file may be one that `migrate` has yet to make.
        let there = in_memory || url.contains("mode=rwc") || options.get_filename().exists();
        let keeper = match in_memory {
            true => Some(options.connect().await).transpose(),
            false => Ok(None),
        };
        let keeper = keeper.map_err(|error| StoreError::from(Failure::of::<Sqlite>(error)))?;
        let sqlite = Sqlite {
            options,
            _keeper: Mutex::new(keeper),
        };
        let mut sessions = Sessions::new(sqlite, Table::new(Sqlite::QUOTE));
        if in_memory {
            sessions = sessions.max_connections(1);
        }
        if there {
            sessions.check().await?;
        }
        Ok(Self(sessions))
    }
}

store_methods!(SqliteStore, Sqlite);

pub(super) struct Sqlite {
    options: SqliteConnectOptions,
    /// A database in memory is gone with its last connection: this one stays. Locked only to be `Sync`.
    _keeper: Mutex<Option<SqliteConnection>>,
}

impl Dialect for Sqlite {
    type Connection = SqliteConnection;

    const NAME: &'static str = "sqlite";
    const QUOTE: char = '"';
    const MIGRATION: &'static str = include_str!("../../../migrations/sqlite/0001_sessions.sql");
    const CONNECTIONS: usize = 4;
    /// One writer at a time is SQLite's rule; waiting here instead of in the file's lock is fair and quick.
    const WRITERS: Option<usize> = Some(1);

    fn statements(table: &Table) -> Statements {
        let table = table.quoted();
        let statement =
            |text: &str| Statement::new(text, &table, true, |_, position| format!("?{position}"));
        Statements {
            load: statement(standard::LOAD),
            create: statement(
                "INSERT INTO {table} (session_id, data, expiry)
                 SELECT :key, :value, :expiry
                 WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE session_id = :gone AND expiry > :now)
                 ON CONFLICT (session_id) DO UPDATE SET data = excluded.data, expiry = excluded.expiry
                 WHERE expiry IS NULL OR expiry <= :now",
            ),
            take_over: None,
            replace: statement(standard::REPLACE),
            touch: statement(standard::TOUCH),
            entomb: statement(standard::ENTOMB),
            entomb_expected: statement(standard::ENTOMB_EXPECTED),
            delete: statement(standard::DELETE),
            delete_expected: statement(standard::DELETE_EXPECTED),
            bury: statement(
                "INSERT INTO {table} (session_id, data, expiry) VALUES (:gone, :value, :expiry)
                 ON CONFLICT (session_id) DO UPDATE SET data = excluded.data,
                 expiry = CASE WHEN expiry > excluded.expiry THEN expiry ELSE excluded.expiry END",
            ),
            delete_expired: statement(
                "DELETE FROM {table} WHERE id IN
                 (SELECT id FROM {table} WHERE expiry <= :now ORDER BY expiry LIMIT :limit)",
            ),
            list: statement(
                "SELECT id, session_id, length(data), expiry FROM {table} AS entry
                 WHERE id > :from AND expiry > :now AND data IS NOT NULL
                 AND substr(CAST(session_id AS BLOB), 1, length(CAST(:prefix AS BLOB))) = CAST(:prefix AS BLOB)
                 AND NOT EXISTS (SELECT 1 FROM {table} AS gone
                 WHERE gone.session_id = entry.session_id || :suffix AND gone.expiry > :now)
                 ORDER BY id LIMIT :limit",
            ),
        }
    }

    async fn connect(&self, timeout: Duration) -> Result<SqliteConnection, sqlx::Error> {
        let options = self.options.clone().busy_timeout(timeout);
        let mut connection = options.connect().await?;
        // Lasts in the file. It fails while another program is at work there, and then everything works
        // without it, only slower.
        let _ = connection.execute("PRAGMA journal_mode = WAL").await;
        Ok(connection)
    }

    async fn migrate(&self, table: &Table) -> Result<(), sqlx::Error> {
        let options = self.options.clone().create_if_missing(true);
        let mut connection = options.connect().await?;
        let _ = connection.execute("PRAGMA journal_mode = WAL").await;
        let sql = table.migration(Self::MIGRATION);
        let migration = sqlx::raw_sql(sqlx::AssertSqlSafe(sql));
        migration.execute(&mut connection).await?;
        Ok(())
    }

    async fn has_expiry_index(
        connection: &mut SqliteConnection,
        table: &Table,
    ) -> Result<bool, sqlx::Error> {
        let found = sqlx::query(
            "SELECT 1 FROM pragma_index_list(?1) AS list, pragma_index_info(list.name) AS info
             WHERE list.partial = 0 AND info.seqno = 0 AND info.name = 'expiry' LIMIT 1",
        );
        let found = found.bind(table.name().to_owned());
        Ok(found.fetch_optional(connection).await?.is_some())
    }

    calls!(bind_one, expiry);

    async fn transaction(connection: &mut SqliteConnection, step: Step) -> Result<(), sqlx::Error> {
        let sql = match step {
            // A transaction that read first could not become a writer while another one writes.
            Step::Begin => "BEGIN IMMEDIATE",
            Step::Commit => "COMMIT",
        };
        connection.execute(sql).await?;
        Ok(())
    }

    fn failure(error: &dyn DatabaseError) -> Failure {
        let code = error.code().unwrap_or_default();
        // The lower byte is the code, the rest says more about it: https://www.sqlite.org/rescode.html
        let primary = code.parse::<i32>().unwrap_or_default() & 0xFF;
        let failed = |reason: &str| Failure::refused::<Self>(reason, &code);
        match primary {
            // Busy and locked: another program has been writing for as long as we wait.
            5 | 6 => Failure::Failed(StoreError::timed_out(format!(
                "sqlite: another program keeps the database locked (code {code})"
            ))),
            // The only way to tell a missing table from other errors of a statement; nothing is quoted.
            1 if error.message().starts_with("no such ") => Failure::no_table::<Self>(&code),
            3 => failed("no permission to open the database file"),
            8 => failed("the database can only be read"),
            10 => Failure::Lost(StoreError::unreachable(format!(
                "sqlite: reading or writing the disk failed (code {code})"
            ))),
            11 | 26 => failed("the file is damaged, or not a database"),
            13 => failed("the disk is full"),
            14 => Failure::Lost(StoreError::refused(format!(
                "sqlite: the database file is missing or cannot be opened: call `migrate()` once to make it (code {code})"
            ))),
            18 => failed("the value is too large"),
            19 if error.is_unique_violation() => Failure::Duplicate,
            _ => failed("the statement failed"),
        }
    }
}

fn bind_one<'q>(
    query: Query<'q, Database, SqliteArguments>,
    parameter: Parameter,
    values: &Values<'_>,
) -> Query<'q, Database, SqliteArguments> {
    bind!(query, parameter, values, |moment: Moment| moment
        .to_string())
}

/// Text that is no date, but comes later than today in the alphabet, is taken as of no end.
fn expiry(row: &SqliteRow, column: usize) -> Result<Moment, sqlx::Error> {
    let text: &str = row.try_get_unchecked(column)?;
    Ok(Moment::parse(text).unwrap_or_else(|| Moment::default().after(Duration::MAX)))
}
