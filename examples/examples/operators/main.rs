//! The command for operators, on the databases that the other examples leave behind.
//!
//! ```text
//! cargo run -p examples --example quickstart -- --db shop.db
//! cargo run -p examples --example operators -- --database-url shop.db log items <id>
//! cargo run -p examples --example operators -- --database-url shop.db show items <id> --at-revision 2
//! cargo run -p examples --example operators -- --database-url shop.db verify items
//!
//! DATABASE_URL=repository.db cargo run -p examples --example git_history -- <repository>
//! cargo run -p examples --example operators -- --database-url repository.db verify files --replay
//!
//! cargo run -p examples --example operators -- migrations print --database postgres
//! cargo run -p examples --example operators -- help
//! ```
//!
//! On PostgreSQL each of them has a schema of its own: `postgres://…?options=-csearch_path%3Devented_quickstart`, and
//! `git_history`.

#![allow(
    unreachable_pub,
    dead_code,
    reason = "the models are those of other programs, which do more with them"
)]

#[path = "../git_history/model.rs"]
mod git;
#[path = "../git_history/path.rs"]
mod path;
#[path = "../quickstart/model.rs"]
mod shop;

use std::process::ExitCode;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::Rows;
use evented_diesel::cli::{self, Operators};

/// A binary that knows its database does without this: the type of the connection is that of the URL.
fn main() -> ExitCode {
    match cli::database_url() {
        Some(url) if url.starts_with("postgres") => operators().run(PgConnection::establish),
        _ => operators().run(sqlite),
    }
}

fn operators<Conn: cli::Connection>() -> Operators<Conn>
where
    shop::Item: Rows<Conn::Backend>,
    git::File: Rows<Conn::Backend>,
{
    Operators::new().model::<shop::Item>().model::<git::File>()
}

/// Whoever looks after a database waits for those who write to it.
fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(url)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(conn)
}
