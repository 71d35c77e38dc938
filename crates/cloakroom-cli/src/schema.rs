//! `cloakroom schema`: the SQL that `sessions prepare` runs, for those who let no program make tables.

use clap::{Args, ValueEnum};
#[cfg(feature = "mysql")]
use cloakroom::store::MySqlStore;
#[cfg(feature = "postgres")]
use cloakroom::store::PostgresStore;
#[cfg(feature = "sqlite")]
use cloakroom::store::SqliteStore;
use serde_json::Map;

use crate::output::{Answer, Failure};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Whose SQL
    database: Database,

    /// The table's name (Flask-Session's `SESSION_SQLALCHEMY_TABLE`)
    #[arg(long, value_name = "NAME", default_value = "sessions")]
    table: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Database {
    #[cfg(feature = "sqlite")]
    Sqlite,
    #[cfg(feature = "postgres")]
    #[value(alias = "postgresql")]
    Postgres,
    #[cfg(feature = "mysql")]
    #[value(alias = "mariadb")]
    Mysql,
}

pub(crate) fn run(arguments: &Arguments) -> Result<Answer, Failure> {
    let table = arguments.table.as_str();
    let sql = match arguments.database {
        #[cfg(feature = "sqlite")]
        Database::Sqlite => SqliteStore::migration(table),
        #[cfg(feature = "postgres")]
        Database::Postgres => PostgresStore::migration(table),
        #[cfg(feature = "mysql")]
        Database::Mysql => MySqlStore::migration(table),
    };
    let sql = sql.map_err(|error| Failure::Misuse(error.to_string()))?;
    Ok(Answer {
        text: sql.trim_end().to_owned(),
        json: Map::from_iter([("sql".to_owned(), sql.into())]),
        session: None,
        notes: Vec::new(),
    })
}
