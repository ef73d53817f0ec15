//! Creates a new database, and reads from it with plain Diesel.

use anyhow::{Context, ensure};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::Id;
use evented_diesel::migrations::{Database, Migrations};

use crate::model::{Chat, Message, Room, chat_events, messages};

/// Opens SQLite, in a new file or in memory.
pub fn sqlite(url: &str) -> anyhow::Result<SqliteConnection> {
    ensure!(
        url == ":memory:" || !std::path::Path::new(url).exists(),
        "{url} exists already: name a new file"
    );
    let mut conn = SqliteConnection::establish(url).with_context(|| format!("cannot open {url}"))?;
    conn.batch_execute(
        "CREATE TABLE messages (
            id BLOB PRIMARY KEY, room_id BLOB NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
            posted_at TEXT NOT NULL, edited BOOLEAN NOT NULL
        )",
    )?;
    conn.batch_execute(&Migrations::new().event_log::<Chat>().up_sql(Database::Sqlite))?;
    Ok(conn)
}

/// Opens PostgreSQL, and creates the example's schema from scratch.
#[cfg(feature = "postgres")]
pub fn postgres(url: &str) -> anyhow::Result<PgConnection> {
    let mut conn = PgConnection::establish(url).context("cannot reach the server")?;
    conn.batch_execute(
        "SET client_min_messages = warning;
         DROP SCHEMA IF EXISTS evented_chat CASCADE;
         CREATE SCHEMA evented_chat;
         SET search_path = evented_chat;
         CREATE TABLE messages (
             id UUID PRIMARY KEY, room_id UUID NOT NULL, author TEXT NOT NULL, text TEXT NOT NULL,
             posted_at TIMESTAMPTZ NOT NULL, edited BOOLEAN NOT NULL
         )",
    )?;
    conn.batch_execute(&Migrations::new().event_log::<Chat>().up_sql(Database::Postgres))?;
    Ok(conn)
}

/// An event of any model of the log: its model, its revision, its action.
pub type LogLine = (String, i64, String);

/// The queries of the script, for one kind of connection.
pub struct Queries<Conn> {
    /// Reads the messages of a room, oldest first.
    pub messages: fn(&mut Conn, Id<Room>) -> QueryResult<Vec<Message>>,
    /// Reads the whole log in its order.
    pub log: fn(&mut Conn) -> QueryResult<Vec<LogLine>>,
}

macro_rules! queries {
    ($conn:ty) => {
        Queries {
            messages: |conn: &mut $conn, room| {
                messages::table
                    .filter(messages::room_id.eq(room))
                    .order(messages::posted_at)
                    .select(Message::as_select())
                    .load(conn)
            },
            log: |conn: &mut $conn| {
                chat_events::table
                    .order(chat_events::position)
                    .select((chat_events::schema, chat_events::revision, chat_events::action))
                    .load(conn)
            },
        }
    };
}

/// The queries on SQLite.
pub const QUERIES_SQLITE: Queries<SqliteConnection> = queries!(SqliteConnection);
/// The queries on PostgreSQL.
#[cfg(feature = "postgres")]
pub const QUERIES_POSTGRES: Queries<PgConnection> = queries!(PgConnection);
