//! `checkpoint` and `verify-checkpoints`: roots over parts of a hashed log.

use serde::Serialize;

use super::verify::{Check, Found};
use crate::backend::Dialect;
use crate::cli::failure::Failure;
use crate::cli::progress::Bar;
use crate::error::Error;
use crate::integrity::{
    Checkpoint, Checkpoints, MakeCheckpoint, Verdict, VerifyCheckpoint, VerifyCheckpoints,
};
use crate::log::EventLog;
use crate::operation::Operation;
use crate::run::driver::Driver;

/// The checkpoint that was made; `None` if there is no event since the last one.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Made {
    pub(in crate::cli) log: &'static str,
    pub(in crate::cli) checkpoint: Option<Checkpoint>,
}

/// A key, if there is one.
pub(in crate::cli) type Key = Option<[u8; 32]>;

pub(in crate::cli) async fn make<DB: Dialect, L: EventLog, D: Driver<DB>>(
    driver: &mut D,
    key: Key,
) -> Result<Made, Error> {
    let bar = Bar::counting(format!("{}: checkpoint", L::NAME.table)).ticking();
    let make = MakeCheckpoint::<L>::new();
    let make = if let Some(key) = key { make.keyed(key) } else { make };
    let made = make.perform(driver).await;
    bar.end();
    Ok(Made { log: L::NAME.table, checkpoint: made? })
}

/// The log against all checkpoints that it has itself.
pub(in crate::cli) async fn verify<DB: Dialect, L: EventLog, D: Driver<DB>>(
    driver: &mut D,
    key: Key,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::counting(format!("{log}: checkpoints")).ticking();
    let seen = Checkpoints::<L>::new().perform(driver).await?.len() as u64;
    let check = VerifyCheckpoints::<L>::new();
    let check = if let Some(key) = key { check.keyed(key) } else { check };
    let broken = check.perform(driver).await;
    bar.end();
    let broken = broken.map_err(keyed)?;
    let found = broken.iter().map(|(checkpoint, verdict)| Found::of_checkpoint(log, checkpoint, verdict));
    Ok((Check { check: "checkpoints", of: log.to_owned(), seen }, found.collect()))
}

/// The log against copies from elsewhere: who may write the log may write its own checkpoints, too.
pub(in crate::cli) async fn verify_copies<DB: Dialect, L: EventLog, D: Driver<DB>>(
    driver: &mut D,
    copies: Vec<Checkpoint>,
    key: Key,
) -> Result<(Check, Vec<Found>), Failure> {
    let log = L::NAME.table;
    let bar = Bar::to(copies.len() as u64, format!("{log}: copies of checkpoints"));
    let mut found = Vec::new();
    for copy in &copies {
        let check = VerifyCheckpoint::<L>::new(copy);
        let check = if let Some(key) = key { check.keyed(key) } else { check };
        let verdict = check.perform(driver).await.map_err(keyed)?;
        if verdict != Verdict::Holds {
            found.push(Found::of_checkpoint(log, copy, &verdict));
        }
        bar.add(1);
    }
    bar.end();
    Ok((Check { check: "checkpoints", of: log.to_owned(), seen: copies.len() as u64 }, found))
}

/// Here the key is said in another way than in code.
fn keyed(error: Error) -> Failure {
    match error {
        Error::CheckpointKey { log, number } => Failure::new(format!(
            "checkpoint {number} of the log `{log}` was made with a key; say where it is with --key-file"
        )),
        other => other.into(),
    }
}
