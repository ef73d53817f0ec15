//! `checkpoint` and `verify-checkpoints`: make and verify roots over parts of a hashed log.

use serde::Serialize;

use crate::commands::verify::{Check, Found};
use crate::failure::Failure;
use crate::progress::Bar;
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_diesel::verify::{Checkpoint, LogChecks, Verdict};
use evented_diesel::{Error, EventLog};

/// The checkpoint that was made; `None` if there is no event since the last one.
#[derive(Debug, Serialize)]
pub(crate) struct Made {
    pub(crate) log: &'static str,
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// The key of the checkpoints; `None` for checkpoints without a key.
pub(crate) type Key = Option<[u8; 32]>;

pub(crate) async fn make<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    key: Key,
) -> Result<Made, Error> {
    let bar = Bar::counting(format!("{}: checkpoint", L::NAME.table)).ticking();
    let make = L::checkpoint();
    let make = if let Some(key) = key { make.keyed(key) } else { make };
    let made = make.perform(executor).await;
    bar.end();
    Ok(Made { log: L::NAME.table, checkpoint: made? })
}

/// Verifies the log against all checkpoints that are stored in the database.
pub(crate) async fn verify<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    key: Key,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::counting(format!("{log}: checkpoints")).ticking();
    let seen = L::checkpoints().perform(executor).await?.len() as u64;
    let check = L::verify_checkpoints();
    let check = if let Some(key) = key { check.keyed(key) } else { check };
    let broken = check.perform(executor).await;
    bar.end();
    let broken = broken.map_err(keyed)?;
    let found = broken.iter().map(|(checkpoint, verdict)| Found::of_checkpoint(log, checkpoint, verdict));
    Ok((Check { check: "checkpoints", of: log.to_owned(), seen }, found.collect()))
}

/// Verifies the log against copies of checkpoints that are stored elsewhere: a user that may write the log may also
/// write its stored checkpoints.
pub(crate) async fn verify_copies<DB: EventedBackend, L: EventLog, E: Executor<DB>>(
    executor: &mut E,
    copies: Vec<Checkpoint>,
    key: Key,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::to(copies.len() as u64, format!("{log}: copies of checkpoints"));
    let mut found = Vec::new();
    for copy in &copies {
        let check = L::verify_checkpoint(copy);
        let check = if let Some(key) = key { check.keyed(key) } else { check };
        let verdict = check.perform(executor).await.map_err(keyed)?;
        if verdict != Verdict::Holds {
            found.push(Found::of_checkpoint(log, copy, &verdict));
        }
        bar.add(1);
    }
    bar.end();
    Ok((Check { check: "checkpoints", of: log.to_owned(), seen: copies.len() as u64 }, found))
}

/// Adapts the error about a missing key: here the key is an argument, not a call in code.
fn keyed(error: Error) -> Failure {
    match error {
        Error::CheckpointKey { log, number } => Failure::new(format!(
            "checkpoint {number} of the log `{log}` was made with a key; pass its file with --key-file"
        )),
        other => other.into(),
    }
}
