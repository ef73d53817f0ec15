//! `rebuild`: a table made what its log says.

use serde::Serialize;

use super::verify::Found;
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::cli::progress::Bar;
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::upkeep::Rebuild;

/// What was written.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Done {
    pub(in crate::cli) schema: &'static str,
    pub(in crate::cli) inserted: u64,
    pub(in crate::cli) updated: u64,
    pub(in crate::cli) removed: u64,
}

/// What would be.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Differences {
    pub(in crate::cli) schema: &'static str,
    pub(in crate::cli) findings: Vec<Found>,
}

pub(in crate::cli) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
) -> Result<Done, Failure> {
    table::<M>()?;
    let bar = Bar::counting(format!("{}: rebuild", M::SCHEMA)).ticking();
    let shown = bar.clone();
    let rebuild = Rebuild::<M>::new()
        .progress(move |progress| shown.reach(progress.seen, format!("{} rows written", progress.written)));
    let rebuilt = rebuild.perform(driver).await;
    bar.end();
    let rebuilt = rebuilt?;
    let (inserted, updated, removed) = (rebuilt.inserted, rebuilt.updated, rebuilt.removed);
    Ok(Done { schema: M::SCHEMA, inserted, updated, removed })
}

pub(in crate::cli) async fn dry_run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
) -> Result<Differences, Failure> {
    table::<M>()?;
    let bar = Bar::counting(format!("{}: rows against the log", M::SCHEMA)).ticking();
    let findings = Rebuild::<M>::new().dry_run().perform(driver).await;
    bar.end();
    let findings = findings?.into_iter().map(|finding| Found::of("table", finding)).collect();
    Ok(Differences { schema: M::SCHEMA, findings })
}

pub(super) fn table<M: crate::model::Model>() -> Result<(), Failure> {
    if M::HAS_TABLE {
        return Ok(());
    }
    Err(Failure::new(format!("{} has no table: its records are in the log alone", M::SCHEMA)))
}
