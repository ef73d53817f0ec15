//! `rebuild`: rewrites a table from its log.

use serde::Serialize;

use crate::commands::verify::Found;
use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::ModelOn;
use evented_diesel::maintenance::Rebuild;
use evented_diesel::spi::{EventedBackend, Executor, Operation};

/// How many rows were written and removed.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) schema: &'static str,
    pub(crate) inserted: u64,
    pub(crate) updated: u64,
    pub(crate) removed: u64,
}

/// The differences that a rebuild would resolve.
#[derive(Debug, Serialize)]
pub(crate) struct Differences {
    pub(crate) schema: &'static str,
    pub(crate) findings: Vec<Found>,
}

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
) -> Result<Done, Failure> {
    table::<M>()?;
    let bar = Bar::counting(format!("{}: rebuild", M::SCHEMA)).ticking();
    let shown = bar.clone();
    let rebuild = Rebuild::<M>::new().progress(move |progress| {
        shown.reach(progress.examined, format!("{} rows written", progress.written));
    });
    let rebuilt = rebuild.perform(executor).await;
    bar.end();
    let rebuilt = rebuilt?;
    let (inserted, updated, removed) = (rebuilt.inserted, rebuilt.updated, rebuilt.removed);
    Ok(Done { schema: M::SCHEMA, inserted, updated, removed })
}

pub(crate) async fn dry_run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
) -> Result<Differences, Failure> {
    table::<M>()?;
    let bar = Bar::counting(format!("{}: rows against the log", M::SCHEMA)).ticking();
    let findings = Rebuild::<M>::new().dry_run().perform(executor).await;
    bar.end();
    let findings = findings?.into_iter().map(|finding| Found::of("table", finding)).collect();
    Ok(Differences { schema: M::SCHEMA, findings })
}

pub(super) fn table<M: evented_diesel::Model>() -> Result<(), Failure> {
    if M::HAS_TABLE {
        return Ok(());
    }
    Err(Failure::new(format!("{} has no table: its records are in the log alone", M::SCHEMA)))
}
