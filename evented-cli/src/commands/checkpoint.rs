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

/// The keys that checkpoints are signed with, the current one first; empty for checkpoints without a signature.
pub(crate) type Keys = Vec<HmacKey>;

pub(crate) async fn make<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    keys: Keys,
    continue_unsigned: bool,
) -> Result<Made, Error> {
    let bar = Bar::counting(format!("{}: checkpoint", L::NAME.table)).ticking();
    let mut make = L::checkpoint();
    let mut keys = keys.into_iter();
    if let Some(key) = keys.next() {
        make = make.signed_by(key);
    }
    make = keys.fold(make, |make, key| make.continuing(key));
    if continue_unsigned {
        make = make.continuing_unsigned();
    }
    let made = make.perform(executor).await;
    bar.end();
    Ok(Made { log: L::NAME.table, checkpoint: made? })
}

/// Verifies the log against the checkpoints that are stored in the database, and these against copies: a user that may
/// write the log may also write its stored checkpoints.
pub(crate) async fn verify<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    keys: Keys,
    copies: Vec<Checkpoint>,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::counting(format!("{log}: checkpoints")).ticking();
    let check = L::verify_checkpoints().against(copies);
    let check = keys.into_iter().fold(check, |check, key| check.signed_by(key));
    let report = check.perform(executor).await;
    bar.end();
    let report = report?;
    let found = report.findings.iter().map(|finding| Found::of_checkpoint(log, finding));
    Ok((
        Check {
            check: "checkpoints",
            of: log.to_owned(),
            seen: report.checkpoints,
            later: Some(report.later),
        },
        found.collect(),
    ))
}
