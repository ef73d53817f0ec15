//! The admin command with models whose keys have several columns. `DATABASE_URL` is the database.
#![allow(missing_docs, reason = "a part of the tests")]

use std::process::ExitCode;

use diesel::{Connection as _, PgConnection, SqliteConnection};
use evented_adoption_tests::keys::{Setting, ShopUser};
use evented_adoption_tests::logs::{Draft, Trip, TripEvents};
use evented_cli::{Admin, Connection};
use evented_diesel::ModelOn;

fn admin<Conn: Connection>() -> Admin<Conn>
where
    ShopUser: ModelOn<Conn::Backend>,
    Setting: ModelOn<Conn::Backend>,
    Trip: ModelOn<Conn::Backend>,
    Draft: ModelOn<Conn::Backend>,
{
    Admin::new()
        .model::<ShopUser>()
        .model::<Setting>()
        .model::<Trip>()
        .model::<Draft>()
        .event_log::<TripEvents>()
}

fn main() -> ExitCode {
    match std::env::var("DATABASE_URL") {
        Ok(url) if url.starts_with("postgres") => admin().run(PgConnection::establish),
        _ => admin().run(SqliteConnection::establish),
    }
}
