//! `projection`: recomputes derived tables, and compares them with what their `SELECT` returns.

use serde::Serialize;

use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_react::{Difference, RegisterError, Subscriber};

/// How many rows a rebuild wrote and deleted.
#[derive(Debug, Serialize)]
pub(crate) struct Rebuilt {
    pub(crate) projection: String,
    pub(crate) written: usize,
    pub(crate) deleted: usize,
}

/// The rows that differ, whether they are all of them, and how many events the workers have not handled.
#[derive(Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) projection: String,
    pub(crate) rows: Vec<Difference>,
    pub(crate) complete: bool,
    pub(crate) unhandled: Option<u64>,
}

/// The most rows that `evented_react::verify` lists.
const MOST_LISTED: usize = 1_000;

/// Recomputes a derived table.
pub(crate) async fn rebuild<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    projection: &Subscriber<C>,
) -> Result<Rebuilt, Failure> {
    let name = projection.name();
    let bar = Bar::waiting(format!("{name}: rebuild")).ticking();
    let rebuilt = evented_react::rebuild(projection).perform(executor).await;
    bar.end();
    let rebuilt = rebuilt?.map_err(refused)?;
    Ok(Rebuilt { projection: name.to_owned(), written: rebuilt.written, deleted: rebuilt.deleted })
}

/// Compares a derived table with what its `SELECT` returns.
pub(crate) async fn verify<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    projection: &Subscriber<C>,
) -> Result<Verified, Failure> {
    let name = projection.name();
    let bar = Bar::waiting(format!("{name}: rows against the SELECT")).ticking();
    let found = evented_react::verify(projection).perform(executor).await;
    bar.end();
    let found = found?.map_err(refused)?;
    let complete = found.rows.len() < MOST_LISTED;
    Ok(Verified { projection: name.to_owned(), rows: found.rows, complete, unhandled: found.unhandled })
}

/// Returns the failure for a projection that cannot be registered, or is none.
fn refused(error: RegisterError) -> Failure {
    Failure::new(error.to_string())
}
