//! The admin command, for the databases that the other examples leave behind.
//!
//! ```text
//! cargo run -p examples --example quickstart -- shop.db
//! cargo run -p examples --features admin --example admin -- --database-url shop.db log items <id>
//! cargo run -p examples --features admin --example admin -- --database-url shop.db show items <id> --at-revision 2
//! cargo run -p examples --features admin --example admin -- --database-url shop.db verify items
//!
//! DATABASE_URL=repository.db cargo run -p examples --features git --example git_history -- <repository>
//! cargo run -p examples --features admin --example admin -- --database-url repository.db verify files --replay
//!
//! cargo run -p examples --features admin --example admin -- migrations print --database postgres
//! cargo run -p examples --features admin --example admin -- help
//! ```
//!
//! On PostgreSQL each example has its own schema: `postgres://…?options=-csearch_path%3Devented_quickstart`, for
//! example, or `git_history`.

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
use evented_cli::Admin;
use evented_diesel::ModelOn;

/// Chooses the type of the connection by the URL. A binary that works on one kind of database needs only one of these
/// calls.
fn main() -> ExitCode {
    match evented_cli::database_url() {
        Some(url) if url.starts_with("postgres") => admin().run(PgConnection::establish),
        _ => admin().run(sqlite),
    }
}

fn admin<Conn: evented_cli::Connection>() -> Admin<Conn>
where
    shop::Item: ModelOn<Conn::Backend>,
    git::File: ModelOn<Conn::Backend>,
{
    Admin::new().model::<shop::Item>().model::<git::File>()
}

/// Opens the database. The busy timeout makes the command wait for other writers.
fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(url)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000")?;
    Ok(conn)
}
