//! `checkpoint` and `verify-checkpoints`: make and verify the checkpoints of a hashed log.

use serde::Serialize;

use crate::commands::verify::{Check, Found};
use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::checkpoints::{Checkpoint, Checkpointed, HmacKey};
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_diesel::{Error, EventLog};

/// The checkpoint that was made; `None` if there is no event since the last one.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    pub(crate) log: &'static str,
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// The key that checkpoints are signed with; `None` for checkpoints without a signature.
pub(crate) type Key = Option<HmacKey>;

pub(crate) async fn make<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    key: Key,
) -> Result<Made, Error> {
    let bar = Bar::counting(format!("{}: checkpoint", L::NAME.table)).ticking();
    let make = L::checkpoint();
    let make = if let Some(key) = key { make.signed_by(key) } else { make };
    let made = make.perform(executor).await;
    bar.end();
    Ok(Made { log: L::NAME.table, checkpoint: made? })
}

/// Verifies the log against the checkpoints that are stored in the database, and these against copies: a user that may
/// write the log may also write its stored checkpoints.
pub(crate) async fn verify<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    key: Key,
    copies: Vec<Checkpoint>,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::counting(format!("{log}: checkpoints")).ticking();
    let check = L::verify_checkpoints().against(copies);
    let check = if let Some(key) = key { check.signed_by(key) } else { check };
    let report = check.perform(executor).await;
    bar.end();
    let report = report?;
    let found = report.findings.iter().map(|finding| Found::of_checkpoint(log, finding));
    Ok((Check { check: "checkpoints", of: log.to_owned(), seen: report.checkpoints }, found.collect()))
}
