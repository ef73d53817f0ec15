//! The boards: connections for requests, and a store of live values for pages.

use std::future::Future;
use std::time::Duration;

use diesel::sqlite::Sqlite;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig};
use evented_feed::Hub;
use evented_live::{self as live, AsyncSet, AsyncStore, LiveDsl as _, LiveError};

use crate::access::Viewer;
use crate::database::{Conn, connect, create};
use crate::failed::Failed;
use crate::model::{Org, Person, Tag};
use crate::state::State;
use crate::tree::ItemCard;

/// The number of connections for requests. SQLite has one writer at a time; the others read.
const CONNECTIONS: usize = 4;

/// The longest time that a request waits for a connection and for its answer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The greatest number of items that a column shows, and of tags that are suggested.
const MOST: usize = 200;

/// All boards. Clones share the same store and connections.
#[derive(Clone)]
pub struct Board {
    /// The live values of all pages. The store and its hub have connections of their own.
    pub store: AsyncStore<Conn>,
    /// The connections for requests.
    pool: Pool<Conn>,
}

impl Board {
    /// Opens the file, and creates the tables if they do not exist.
    pub async fn open(file: &str) -> anyhow::Result<Self> {
        let file = file.to_owned();
        let path = file.clone();
        tokio::task::spawn_blocking(move || create(&path)).await??;
        let mut config = ManagerConfig::default();
        config.custom_setup = Box::new(|file| Box::pin(connect(file.to_owned())));
        let manager = AsyncDieselConnectionManager::new_with_config(file.as_str(), config);
        let pool = Pool::builder(manager).max_size(CONNECTIONS).build()?;
        let open = move || connect(file.clone());
        let hub = Hub::of::<Org>().and_all::<ItemCard, Sqlite>().spawn(open.clone()).await?;
        Ok(Self { store: live::over(&hub).spawn(open).await?, pool })
    }

    /// Returns the labels of a viewer's page. A turn of the set is of one moment: an item that moves to another column leaves the
    /// first and enters the second in one event.
    pub fn page(&self, viewer: Viewer) -> Result<AsyncSet<Conn>, LiveError> {
        let mut page = self.store.set();
        page.show("org", Org::live().one(viewer.org).allowed_by(viewer))?;
        page.show("me", Person::live().one(viewer.person).allowed_by(viewer))?;
        page.show("tags", Tag::live().order(|tag| tag.name.asc()).limit(MOST).allowed_by(viewer))?;
        for state in State::ALL {
            let column = ItemCard::live().filter(|item| item.state.eq(state)).order(|item| item.rank.asc());
            page.show(state.name(), column.limit(MOST).allowed_by(viewer))?;
        }
        Ok(page)
    }

    /// Runs the work of a request on a connection of the pool, to its end: also if the client hangs up, which drops the
    /// handler of the request. Work that was dropped half-way would leave its connection within a transaction.
    pub async fn run<T, F>(&self, work: impl FnOnce(Object<Conn>) -> F + Send + 'static) -> Result<T, Failed>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Failed>> + Send + 'static,
    {
        let conn = tokio::time::timeout(LONGEST_WAIT, self.pool.get()).await;
        let conn = conn.map_err(|_| Failed::Busy)?.map_err(|_| Failed::Busy)?;
        // The task goes on if this future is dropped, or if the time is up.
        let work = tokio::spawn(work(conn));
        tokio::time::timeout(LONGEST_WAIT, work).await.map_err(|_| Failed::Busy)?.map_err(|_| Failed::Busy)?
    }
}
