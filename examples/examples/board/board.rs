//! The boards: a database, and a hub that reads its changes.

use std::future::Future;
use std::time::Duration;

use diesel::prelude::*;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use evented_diesel::Error;
use evented_diesel::async_prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_feed::{Channel, Feed, Hub};

use crate::access::Viewer;
use crate::failed::Failed;
use crate::model::{Item, items};

/// A SQLite connection for async code.
pub type Conn = SyncConnectionWrapper<SqliteConnection>;

/// The number of connections for requests. SQLite has one writer at a time; the others read.
const CONNECTIONS: usize = 4;

/// The longest time that a request waits for a connection and for its answer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// All boards. Clones share the same hub and connections.
#[derive(Clone)]
pub struct Board {
    /// The hub that delivers the changes of items.
    pub hub: Hub,
    /// The connections for requests. The hub has a connection of its own.
    pool: Pool<Conn>,
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
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|file| Box::pin(connect(file.to_owned())));
        let manager = AsyncDieselConnectionManager::new_with_config(file.as_str(), config);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
        let hub = Hub::of::<Item>().spawn(move || connect(file.clone())).await?;
        Ok(Self { hub, pool, quiet: Duration::from_secs(15) })
    }

    /// Runs the work of a request on a connection of the pool, to its end: also if the client hangs up, which drops the
    /// handler of the request. Work that was dropped half-way would leave its connection within a transaction.
    pub async fn run<T, F>(&self, work: impl FnOnce(Object<Conn>) -> F + Send + 'static) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let conn = tokio::time::timeout(LONGEST_WAIT, self.pool.get()).await;
        let conn = conn.map_err(|_| Failed::busy())?.map_err(|_| Failed::busy())?;
        // The task goes on if this future is dropped, or if the time is up.
        let work = tokio::spawn(work(conn));
        tokio::time::timeout(LONGEST_WAIT, work)
            .await
            .map_err(|_| Failed::busy())?
            .map_err(|_| Failed::busy())?
    }

    /// Returns the items of an organisation, and a feed of the changes after them.
    pub async fn list_and_feed(&self, org: i32, viewer: Viewer) -> anyhow::Result<(Vec<Item>, Feed<Item>)> {
        // First the feed, then the list: a change that is written in between is in both, and the feed skips it by the
        // read point.
        let feed = self.hub.subscribe(channel(org, viewer))?;
        let list = self.run(async move |mut conn| {
            let done = conn.transaction::<_, Error, _>(async |conn| {
                let seen = Item::read_point().run(conn).await?;
                let mine = items::table.filter(items::org_id.eq(viewer.org)).order(items::id);
                Ok((seen, mine.select(Item::as_select()).load(conn).await?))
            });
            Ok(done.await?)
        });
        let (seen, list) = list.await?;
        Ok((list, feed.after(seen)))
    }
}

/// The channel of an organisation's items, as far as the viewer may see them.
pub fn channel(org: i32, viewer: Viewer) -> Channel<Item> {
    Item::changes().scope(Item::ORG.eq(org)).allowed_by(viewer)
}

async fn connect(file: String) -> ConnectionResult<Conn> {
    let mut conn = Conn::establish(&file).await?;
    let waits = conn.batch_execute("PRAGMA busy_timeout = 4000").await;
    waits.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    number: i64,
}
