//! The command for operators: the real one, run as a program, in each of the four settings.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, dead_code, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

#[path = "../integrity/models.rs"]
mod models;
mod program;

macro_rules! settings {
    ($($setting:ident: $db:ident, $url:expr, $wal:literal;)*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            use crate::program::{Outcome, Program};

            /// The command on this database.
            fn program(db: &Db) -> Program {
                let url: fn(&Db) -> String = $url;
                Program { setting: stringify!($setting), url: Some(url(db)) }
            }

            /// What it says when it is asked for JSON.
            fn run(db: &Db, arguments: &[&str]) -> Outcome {
                program(db).run(arguments)
            }

            #[path = "bad_input.rs"]
            mod bad_input;
            #[path = "checks.rs"]
            mod checks;
            #[path = "reading.rs"]
            mod reading;
            #[path = "upkeep.rs"]
            mod upkeep;
            #[path = $wal]
            mod wal;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite, |db| db.path().to_string_lossy().into_owned(), "no_wal.rs";
    async_sqlite: AsyncSqlite, |db| db.path().to_string_lossy().into_owned(), "no_wal.rs";
    sync_postgres: SyncPostgres, |db| db.url.clone(), "wal.rs";
    async_postgres: AsyncPostgres, |db| db.url.clone(), "wal.rs";
);
