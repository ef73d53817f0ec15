//! `bring-up`: a first event for each row that has none.

use serde::Serialize;

use super::{key_json, rebuild};
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::cli::progress::Bar;
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::upkeep::BringUp;

/// What was done.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Done {
    pub(in crate::cli) schema: &'static str,
    /// How many rows have got an event.
    pub(in crate::cli) records: u64,
    pub(in crate::cli) skipped: Vec<Skipped>,
}

/// A row that no event can say.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Skipped {
    pub(in crate::cli) record: serde_json::Value,
    pub(in crate::cli) message: String,
}

pub(in crate::cli) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    chunk: u16,
) -> Result<Done, Failure> {
    rebuild::table::<M>()?;
    let mut bring_up = BringUp::<M>::new().chunk(chunk);
    let rows = bring_up.remaining().perform(driver).await?;
    let bar = Bar::to(rows, format!("{}: bring up", M::SCHEMA)).ticking();
    let (mut records, mut skipped) = (0, Vec::new());
    while let Some(done) = bring_up.page().perform(driver).await? {
        records += done.records;
        bar.add(done.records + done.skipped.len() as u64);
        skipped.extend(
            done.skipped
                .into_iter()
                .map(|row| Skipped { record: key_json(&row.record), message: row.error.to_string() }),
        );
    }
    bar.end();
    Ok(Done { schema: M::SCHEMA, records, skipped })
}
