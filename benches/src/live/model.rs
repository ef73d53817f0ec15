//! A model with live values, and stores whose statements are counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use diesel::connection::{Instrumentation, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;
use evented_feed::Hub;
use evented_live::{self as live, BlockingStore};

use serde::Serialize;

use crate::setup::Bench;

/// How long a measurement waits for anything.
pub(crate) const WAIT: Duration = Duration::from_secs(300);

diesel::table! { spots (id) { id -> Integer, org_id -> Integer, rank -> Integer, name -> Text } }

/// A spot of an organisation.
#[derive(Evented, Queryable, Selectable, Identifiable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = spots)]
#[evented(live, scopes(org = org_id))]
pub(crate) struct Spot {
    #[evented(given)]
    pub(crate) id: i32,
    pub(crate) org_id: i32,
    pub(crate) rank: i32,
    pub(crate) name: String,
}

pub(crate) fn new(id: i32, org_id: i32) -> NewSpot {
    NewSpot { id, org_id, rank: id, name: format!("spot {id}") }
}

pub(crate) fn ranked(rank: i32) -> SpotChanges {
    SpotChanges { rank: Some(rank), ..Default::default() }
}

/// Creates a schema with the table and its log, and returns the URL of the schema.
pub(crate) fn postgres(bench: &Bench, schema: &str) -> anyhow::Result<String> {
    let url = bench.fresh(schema)?;
    let mut conn = PgConnection::establish(&url)?;
    let log = Migrations::new().log::<Spot>().up_sql(Database::Postgres);
    conn.batch_execute(&format!(
        "CREATE TABLE spots (id INTEGER PRIMARY KEY, org_id INTEGER NOT NULL, rank INTEGER NOT NULL, name TEXT NOT NULL); \
         CREATE INDEX ON spots (org_id, rank, id); {log}"
    ))?;
    Ok(url)
}

/// A connection that writes without waiting for the disk, where what is measured comes after the commit.
pub(crate) fn writer(url: &str) -> anyhow::Result<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    conn.batch_execute("SET synchronous_commit = off")?;
    Ok(conn)
}

pub(crate) fn hub(url: &str) -> anyhow::Result<Hub> {
    let url = url.to_owned();
    Ok(Hub::of::<Spot>().start(move || PgConnection::establish(&url))?)
}

/// Counts the statements of a store's connections.
struct Count(Arc<AtomicU64>);

impl Instrumentation for Count {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        if let InstrumentationEvent::StartQuery { .. } = event {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A store, and the number of statements that it has run.
pub(crate) fn store(hub: &Hub, url: &str) -> anyhow::Result<(BlockingStore<PgConnection>, Arc<AtomicU64>)> {
    let statements = Arc::new(AtomicU64::new(0));
    let (url, counted) = (url.to_owned(), Arc::clone(&statements));
    let connect = move || {
        let mut conn = PgConnection::establish(&url)?;
        conn.set_instrumentation(Count(Arc::clone(&counted)));
        Ok::<_, ConnectionError>(conn)
    };
    let store = live::over(hub).max_idle_rows(1_000_000).start(connect)?;
    Ok((store, statements))
}
