//! Tests connections from pools, transactions with closures, and tasks.

use diesel::connection::SimpleConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::{Connection, PgConnection, SqliteConnection};
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::Pool as Deadpool;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{Error, Id};
use evented_tests::db::{SyncPostgres, SyncSqlite};
use evented_tests::models::{AddValue, Item, NewItem};
use std::future::Future;
use uuid::Uuid;

fn lamp() -> NewItem {
    NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 0, note: None }
}

/// An error type of the user, which Diesel's and the library's errors convert into.
type Refused = Box<dyn std::error::Error + Send + Sync>;

macro_rules! blocking_pool {
    ($name:ident, $conn:ty, $db:expr, $at:expr, $open:expr) => {
        #[tokio::test]
        async fn $name() {
            use evented_diesel::prelude::*;
            let mut db = $db.await;
            let manager = ConnectionManager::<$conn>::new($at(&db));
            let pool = Pool::builder().max_size(4).build(manager).unwrap();
            let item = Item::insert(lamp()).run(&mut pool.get().unwrap()).unwrap();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let (pool, item) = (pool.clone(), item.clone());
                    std::thread::spawn(move || {
                        let mut conn = pool.get().unwrap();
                        conn.batch_execute($open).unwrap();
                        for _ in 0..5 {
                            item.add_value(AddValue(1)).run(&mut conn).unwrap();
                        }
                        // A transaction as Diesel users write it, with the library's error type or their own.
                        let done = conn.transaction::<_, Error, _>(|conn| {
                            item.add_value(AddValue(1)).run(conn)?;
                            batch([item.add_value(AddValue(1)), Item::insert(lamp())]).run(conn)
                        });
                        done.unwrap();
                        let refused = conn.transaction::<Item, Refused, _>(|conn| {
                            item.add_value(AddValue(100)).run(conn)?;
                            Err("on purpose".into())
                        });
                        assert_eq!(refused.unwrap_err().to_string(), "on purpose");
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
            let replayed = Item::replay(item.id).run(&mut pool.get().unwrap()).unwrap();
            assert_eq!(replayed.map(|item| item.value), Some(28));
            assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1 + 4 * 8);
        }
    };
}

const WAIT: &str = "PRAGMA busy_timeout = 20000";

blocking_pool!(
    commands_run_on_r2d2_connections_of_sqlite,
    SqliteConnection,
    SyncSqlite::new(),
    |db: &SyncSqlite| db.path().to_string_lossy().into_owned(),
    WAIT
);
blocking_pool!(
    commands_run_on_r2d2_connections_of_postgresql,
    PgConnection,
    SyncPostgres::new(),
    |db: &SyncPostgres| db.url.clone(),
    "SELECT 1"
);

/// Accepts only a future that is `Send`.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

macro_rules! async_pool {
    ($name:ident, $conn:ty, $db:expr, $at:expr, $open:expr) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name() {
            use diesel_async::SimpleAsyncConnection;
            use evented_diesel::async_prelude::*;
            let mut db = $db.await;
            let manager = AsyncDieselConnectionManager::<$conn>::new($at(&db));
            let pool = Deadpool::builder(manager).max_size(4).build().unwrap();
            let item = sent(Item::insert(lamp()).run(&mut pool.get().await.unwrap())).await.unwrap();
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let (pool, item) = (pool.clone(), item.clone());
                    tokio::spawn(async move {
                        let mut conn = pool.get().await.unwrap();
                        conn.batch_execute($open).await.unwrap();
                        for _ in 0..5 {
                            item.add_value(AddValue(1)).run(&mut conn).await.unwrap();
                        }
                        let done = conn
                            .transaction::<_, Error, _>(async |conn| {
                                item.add_value(AddValue(1)).run(conn).await?;
                                batch([item.add_value(AddValue(1)), Item::insert(lamp())]).run(conn).await
                            })
                            .await;
                        done.unwrap();
                        let refused = conn
                            .transaction::<Item, Refused, _>(async |conn| {
                                item.add_value(AddValue(100)).run(conn).await?;
                                Err("on purpose".into())
                            })
                            .await;
                        assert_eq!(refused.unwrap_err().to_string(), "on purpose");
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            let replayed = Item::replay(item.id).run(&mut pool.get().await.unwrap()).await.unwrap();
            assert_eq!(replayed.map(|item| item.value), Some(28));
            assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1 + 4 * 8);
        }
    };
}

async_pool!(
    commands_run_on_deadpool_connections_of_sqlite,
    SyncConnectionWrapper<SqliteConnection>,
    SyncSqlite::new(),
    |db: &SyncSqlite| db.path().to_string_lossy().into_owned(),
    WAIT
);
async_pool!(
    commands_run_on_deadpool_connections_of_postgresql,
    AsyncPgConnection,
    SyncPostgres::new(),
    |db: &SyncPostgres| db.url.clone(),
    "SELECT 1"
);
