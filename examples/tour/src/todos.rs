//! The to-do list in `SQLite`. Every statement names the owner; every value is bound.

use std::path::Path;

use serde::Serialize;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{Error, FromRow, SqlitePool};

/// All tasks of everybody.
#[derive(Clone, Debug)]
pub struct Todos(SqlitePool);

/// One task.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct Todo {
    /// Its number.
    pub id: i64,
    /// What is to be done.
    pub title: String,
    /// Whether it is.
    pub done: bool,
}

impl Todos {
    /// Opens the database, makes the file when it is missing, and brings its tables up to date.
    ///
    /// # Errors
    ///
    /// What `SQLite` says, or a migration that was changed after it ran.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self(pool))
    }

    /// The tasks of one owner, oldest first.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub async fn of(&self, owner: &str) -> Result<Vec<Todo>, Error> {
        sqlx::query_as("SELECT id, title, done FROM todos WHERE owner = ? ORDER BY id")
            .bind(owner)
            .fetch_all(&self.0)
            .await
    }

    /// Adds a task to the list of `owner`.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub async fn add(&self, owner: &str, title: &str) -> Result<(), Error> {
        sqlx::query("INSERT INTO todos (owner, title) VALUES (?, ?)")
            .bind(owner)
            .bind(title)
            .execute(&self.0)
            .await
            .map(drop)
    }

    /// Marks a task of `owner` as done, or as not done again. Somebody else's stays as it is.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub async fn toggle(&self, owner: &str, id: i64) -> Result<(), Error> {
        sqlx::query("UPDATE todos SET done = NOT done WHERE id = ? AND owner = ?")
            .bind(id)
            .bind(owner)
            .execute(&self.0)
            .await
            .map(drop)
    }

    /// Deletes a task of `owner`. Somebody else's stays.
    ///
    /// # Errors
    ///
    /// What `SQLite` says.
    pub async fn delete(&self, owner: &str, id: i64) -> Result<(), Error> {
        sqlx::query("DELETE FROM todos WHERE id = ? AND owner = ?")
            .bind(id)
            .bind(owner)
            .execute(&self.0)
            .await
            .map(drop)
    }
}
