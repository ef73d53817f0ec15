//! The boards: a database, and a hub that reads its changes.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use evented_diesel::Error;
use evented_diesel::async_prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_feed::{Channel, Feed, Hub};
use tokio::sync::Mutex;

use crate::access::Viewer;
use crate::model::{Item, items};

/// A SQLite connection for async code.
pub type Conn = SyncConnectionWrapper<SqliteConnection>;

/// All boards. Clones share the same hub and connection.
#[derive(Clone)]
pub struct Board {
    /// The hub that delivers the changes of items.
    pub hub: Hub,
    /// One connection for all requests. A larger program uses a pool. The hub has its own connection in any case.
    pub conn: Arc<Mutex<Conn>>,
    /// After how long a silence the server sends a keep-alive to a page.
    pub quiet: Duration,
}

impl Board {
    /// Opens the file, and creates the tables if they do not exist.
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
            conn.batch_execute(&Migrations::new().log::<Item>().up_sql(Database::Sqlite)).await?;
        }
        let file = file.to_owned();
        let hub = Hub::of::<Item>().spawn(move || connect(file.clone())).await?;
        Ok(Self { hub, conn: Arc::new(Mutex::new(conn)), quiet: Duration::from_secs(15) })
    }

    /// Returns the items of an organisation, and a feed of the changes after them.
    pub async fn list_and_feed(&self, org: i32, viewer: Viewer) -> anyhow::Result<(Vec<Item>, Feed<Item>)> {
        // First the feed, then the list: a change that is written in between is in both, and the feed skips it by the
        // read point.
        let feed = self.hub.subscribe(channel(org, viewer))?;
        let mut conn = self.conn.lock().await;
        let (seen, list) = conn
            .transaction::<_, Error, _>(async |conn| {
                let seen = Item::read_point().run(conn).await?;
                let mine = items::table.filter(items::org_id.eq(viewer.org)).order(items::id);
                Ok((seen, mine.select(Item::as_select()).load(conn).await?))
            })
            .await?;
        Ok((list, feed.after(seen)))
    }
}

/// The channel of an organisation's items, as far as the viewer may see them.
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
