//! The log as a stream, and the hub, where it is hard: transactions in any order, processes that are killed, servers that
//! crash, databases that are copied.
#![cfg(unix)]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod any_order;
mod broken;
mod busy;
mod comes_back;
mod copies;
mod delay;
mod ends;
mod equal;
mod given_again;
#[path = "../crash/kill.rs"]
mod kill;
mod killed;
mod many;
mod promises;
mod relay;
mod resuming;
mod server;

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::listen::{Change, Feed, Interruption};
use evented_diesel::migrations::Flavour;
use evented_diesel::{Id, Model};
use evented_test_server::{Cluster, Settings};
use evented_tests::models::{NewItem, Org};
use uuid::Uuid;

/// A server of a test's own with the tables, and its URL.
fn server() -> (Cluster, String) {
    let cluster = Cluster::start(Settings::default()).unwrap();
    let url = cluster.url();
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute(&evented_tests::db::tables(Flavour::Postgres)).unwrap();
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
