//! `backfill`: writes a first event for each row that has none.

use evented_core::KeyValue;
use serde::Serialize;

use crate::commands::rebuild;
use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::ModelOn;
use evented_diesel::maintenance::{self, Backfill};
use evented_diesel::spi::{EventedBackend, Executor, Operation};

/// The result of a backfill.
#[derive(Debug, Serialize)]
pub(crate) struct Done {
    pub(crate) schema: &'static str,
    /// How many rows received an event.
    pub(crate) records: u64,
    pub(crate) skipped: Vec<Skipped>,
}

/// A row that no event can represent.
#[derive(Debug, Serialize)]
pub(crate) struct Skipped {
    pub(crate) record: KeyValue,
    pub(crate) message: String,
}

impl From<maintenance::Skipped> for Skipped {
    fn from(skipped: maintenance::Skipped) -> Self {
        Self { record: skipped.record, message: skipped.error.to_string() }
    }
}

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    chunk: u16,
) -> Result<Done, Failure> {
    rebuild::table::<M>()?;
    let mut backfill = Backfill::<M>::new().chunk(chunk);
    let rows = backfill.remaining().perform(executor).await?;
    let bar = Bar::to(rows, format!("{}: backfill", M::SCHEMA)).ticking();
    let (mut records, mut skipped) = (0, Vec::new());
    while let Some(done) = backfill.page().perform(executor).await? {
        records += done.records;
        bar.add(done.records + done.skipped.len() as u64);
        skipped.extend(done.skipped.into_iter().map(Skipped::from));
    }
    bar.end();
    Ok(Done { schema: M::SCHEMA, records, skipped })
}
