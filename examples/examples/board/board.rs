//! The boards: a database, and a hub that listens to it.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use evented_diesel::Error;
use evented_diesel::async_prelude::*;
use evented_diesel::listen::{Channel, Feed, Hub, Snapshot};
use evented_diesel::migrations::{Flavour, Migrations};
use tokio::sync::Mutex;

use crate::access::Viewer;
use crate::model::{Item, items};

/// SQLite from async code.
pub type Conn = SyncConnectionWrapper<SqliteConnection>;

/// All boards. Clones are the same.
#[derive(Clone)]
pub struct Board {
    /// Tells of changes.
    pub hub: Hub,
    /// One connection for all requests. A larger program takes a pool; the hub has a connection of its own either way.
    pub conn: Arc<Mutex<Conn>>,
    /// After how long a silence a page is sent a sign of life.
    pub quiet: Duration,
}

impl Board {
    /// Opens the file, and makes the tables if need be.
    pub async fn open(file: &str) -> anyhow::Result<Self> {
        let mut conn = connect(file.to_owned()).await?;
        conn.batch_execute(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE IF NOT EXISTS items (
                id BLOB PRIMARY KEY, org_id INTEGER NOT NULL, name TEXT NOT NULL
             )",
        )
        .await?;
        let log = "SELECT count(*) AS number FROM sqlite_master WHERE name = 'items_events'";
        if diesel::sql_query(log).get_result::<Number>(&mut conn).await?.number == 0 {
            conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Flavour::Sqlite)).await?;
        }
        let file = file.to_owned();
        let hub = Hub::of::<Item>().spawn(move || connect(file.clone())).await?;
        Ok(Self { hub, conn: Arc::new(Mutex::new(conn)), quiet: Duration::from_secs(15) })
    }

    /// The items of an organisation, and a feed of what changes after.
    pub async fn list_and_feed(&self, org: i32, viewer: Viewer) -> anyhow::Result<(Vec<Item>, Feed<Item>)> {
        // First the feed, then the list: what is written in between is in both, and the snapshot says what to pass over.
        let feed = self.hub.subscribe(channel(org, viewer))?;
        let mut conn = self.conn.lock().await;
        let (seen, list) = conn
            .transaction::<_, Error, _>(async |conn| {
                let seen = Snapshot::of::<Item>().run(conn).await?;
                let mine = items::table.filter(items::org_id.eq(viewer.org)).order(items::id);
                Ok((seen, mine.select(Item::as_select()).load(conn).await?))
            })
            .await?;
        Ok((list, feed.after(seen)))
    }
}

/// What a viewer hears of an organisation.
pub fn channel(org: i32, viewer: Viewer) -> Channel<Item> {
    Item::changes().scope(Item::ORG.eq(org)).allowed_by(viewer)
}

async fn connect(file: String) -> anyhow::Result<Conn> {
    let mut conn = Conn::establish(&file).await?;
    conn.batch_execute("PRAGMA busy_timeout = 10000").await?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}
