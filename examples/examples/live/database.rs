//! The database, and the store of live values over it.

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionResult, SqliteConnection};
use diesel_async::AsyncConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use evented_feed::Hub;
use evented_live::{self as live, AsyncStore};

use crate::model::{NewOrg, Org, Ticket};

pub type Conn = SyncConnectionWrapper<SqliteConnection>;
pub type Store = AsyncStore<Conn>;

const TABLES: &str = "PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 10000;
    CREATE TABLE IF NOT EXISTS orgs (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS tickets (id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, title TEXT NOT NULL,
        urgency SMALLINT NOT NULL, closed BOOLEAN NOT NULL);
    CREATE INDEX IF NOT EXISTS tickets_of_orgs ON tickets (org_id, closed, urgency DESC);";

/// Opens a blocking connection.
pub fn open(file: &str) -> ConnectionResult<SqliteConnection> {
    let mut conn = SqliteConnection::establish(file)?;
    let set = conn.batch_execute("PRAGMA busy_timeout = 10000; PRAGMA synchronous = NORMAL");
    set.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Opens an async connection.
pub async fn connect(file: &str) -> ConnectionResult<Conn> {
    Conn::establish(file).await
}

/// Creates the tables and two organisations, unless they exist.
pub fn create(file: &str) -> anyhow::Result<()> {
    let mut conn = open(file)?;
    conn.batch_execute(TABLES)?;
    Migrations::of::<Org>().log::<Ticket>().run(&mut conn)?;
    for (id, name) in [(1, "Ark"), (2, "Bay")] {
        if Org::replay(id).run(&mut conn)?.is_none() {
            Org::insert(NewOrg { id, name: name.to_owned() }).run(&mut conn)?;
        }
    }
    Ok(())
}

/// Starts a hub, and a store over it.
pub async fn store(file: &str) -> anyhow::Result<Store> {
    let file = file.to_owned();
    let connect = move || {
        let file = file.clone();
        async move { connect(&file).await }
    };
    let hub = Hub::of::<Org>().and::<Ticket>().spawn(connect.clone()).await?;
    Ok(live::over(&hub).spawn(connect).await?)
}
