//! The admin command with subscribers. `DATABASE_URL` is the database.
#![allow(missing_docs, reason = "a part of the tests")]

use std::process::ExitCode;

use diesel::{Connection as _, PgConnection, SqliteConnection};
use evented_cli::Admin;
use evented_react_tests::{Comment, Post};

fn main() -> ExitCode {
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("postgres") => {
            Admin::new().model::<Post>().model::<Comment>().react().run(PgConnection::establish)
        }
        _ => Admin::new().model::<Post>().model::<Comment>().react().run(SqliteConnection::establish),
    }
}
