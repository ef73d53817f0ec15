//! The database of the small programs, from their command line.

use std::env;

use anyhow::{Context, bail};

/// The database that the user chose.
#[derive(Debug)]
pub enum Target {
    /// SQLite in memory: nothing is kept. The default.
    Memory,
    /// SQLite in this file, which the program creates.
    File(String),
    /// The PostgreSQL server at this URL.
    #[cfg(feature = "postgres")]
    Postgres(String),
}

impl Target {
    /// Reads the one argument of the program, a file or a URL. Without an argument, `DATABASE_URL` counts.
    ///
    /// # Errors
    ///
    /// There are more arguments, or an option; or the examples were built without the feature `postgres` and the
    /// argument is a URL of PostgreSQL.
    pub fn from_args() -> anyhow::Result<Self> {
        let mut arguments = env::args_os().skip(1);
        let given = arguments.next().or_else(|| env::var_os("DATABASE_URL"));
        let Some(given) = given else { return Ok(Self::Memory) };
        let given = given.into_string().ok().context("the name of the database is not UTF-8")?;
        if given.starts_with('-') || arguments.next().is_some() {
            bail!(
                "give one argument: a new SQLite file, or the URL of a PostgreSQL server; none for SQLite in memory"
            );
        }
        if !given.starts_with("postgres://") && !given.starts_with("postgresql://") {
            return Ok(Self::File(given.strip_prefix("sqlite://").unwrap_or(&given).to_owned()));
        }
        #[cfg(feature = "postgres")]
        return Ok(Self::Postgres(given));
        #[cfg(not(feature = "postgres"))]
        bail!("PostgreSQL is a feature of the examples: add `--features postgres` to the command");
    }
}
