//! Tests the admin command as a real program, in each of the four settings.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, dead_code, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod program;

macro_rules! settings {
    ($($setting:ident: $db:ident, $url:expr, $wal:literal;)*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            use crate::program::{Outcome, Program};

            /// Returns the command for this database.
            fn program(db: &Db) -> Program {
                let url: fn(&Db) -> String = $url;
                Program { setting: stringify!($setting), url: Some(url(db)) }
            }

            /// Runs the command, and returns its outcome.
            fn run(db: &Db, arguments: &[&str]) -> Outcome {
                program(db).run(arguments)
            }

            #[path = "bad_input.rs"]
            mod bad_input;
            #[path = "checks.rs"]
            mod checks;
            #[path = "reading.rs"]
            mod reading;
            #[path = "maintenance.rs"]
            mod maintenance;
            #[path = $wal]
            mod write_ahead_log;
        }
    )*};
}

settings!(
    sync_sqlite: SyncSqlite, |db| db.path().to_string_lossy().into_owned(), "no_write_ahead_log.rs";
    async_sqlite: AsyncSqlite, |db| db.path().to_string_lossy().into_owned(), "no_write_ahead_log.rs";
    sync_postgres: SyncPostgres, |db| db.url.clone(), "write_ahead_log.rs";
    async_postgres: AsyncPostgres, |db| db.url.clone(), "write_ahead_log.rs";
);
