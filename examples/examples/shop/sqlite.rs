//! The shop's database on SQLite.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tempfile::TempDir;

/// The kind of connection.
pub type Conn = SqliteConnection;

/// The column of a key that the database counts.
pub const KEY: &str = "INTEGER PRIMARY KEY AUTOINCREMENT";

/// The environment variable with the server of the tests. SQLite needs none.
#[cfg(test)]
pub const SERVER_OF_TESTS: Option<&str> = None;

/// Opens a connection.
pub fn open(database: &str) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(database)?;
    // Several processes read and write the file. On a busy machine they wait long for each other.
    let set = conn
        .batch_execute("PRAGMA busy_timeout = 60000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    set.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// A new database, and a folder for files beside it. The folder is deleted at the end.
pub struct Place {
    database: String,
    folder: TempDir,
}

impl Place {
    /// Uses a new file, by default one in the folder.
    pub fn new(file: Option<&str>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let temporary = || folder.path().join("shop.db").to_string_lossy().into_owned();
        let database = file.map_or_else(temporary, str::to_owned);
        ensure!(!Path::new(&database).exists(), "{database} exists already: name a new file");
        Ok(Self { database, folder })
    }

    /// Returns the path of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Returns the path of a file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
