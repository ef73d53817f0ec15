//! Tests the log as a stream, and the hub, in the hard cases: transactions in any order, killed processes, server
//! crashes, copied databases.

mod broken;
mod busy;
mod copies;
mod ends;
mod equals_reread;
mod killed;
mod many_subscriptions;
mod promises;
pub(crate) mod resume;
mod reused_txids;
mod user_values;

/// Tests for PostgreSQL only: transactions that end in another order than they began, server crashes, hints from
/// process to process.
mod postgres {
    use super::{change, lamp, org, resume, server};

    mod any_order;
    mod delay;
    mod relay;
    mod resuming;
    mod server;
}

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::migrations::Database;
use evented_diesel::{Id, Model};
use evented_feed::{Change, Feed, Interruption};
use evented_test_server::{Cluster, Settings};
use evented_tests::models::{NewItem, Org};
use uuid::Uuid;

/// Starts a separate server for a test, with the tables, and returns it with its URL.
fn server() -> (Cluster, String) {
    let cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Database::Postgres)).unwrap();
    (cluster, url)
}

fn lamp(org_id: Id<Org>) -> NewItem {
    NewItem { org_id, name: "Lamp".into(), value: 0, note: None }
}

fn org() -> Id<Org> {
    Id::new(Uuid::now_v7())
}

async fn next<M: Model>(feed: &mut Feed<M>) -> Option<Result<Change<M>, Interruption>> {
    tokio::time::timeout(Duration::from_secs(60), feed.next()).await.expect("in time")
}

async fn change<M: Model>(feed: &mut Feed<M>) -> Change<M> {
    next(feed).await.expect("a change").expect("no error")
}
