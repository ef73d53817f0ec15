//! Many commands at once: planned in memory, written in a few statements.
//!
//! The plan is for records at peace. Where anything is unusual (drift, a missing record, a repeated event, a violated
//! constraint), or where a statement per command costs nothing (SQLite), the commands are run one after the other in
//! the same transaction, which also finds out which of them is at fault.

use crate::backend::Dialect;
use crate::command::{Command, Options};
use crate::error::{Error, RecordName};
use crate::model::Rows;
use crate::run::driver::Driver;

use super::transaction::Transaction;

mod plan;
mod write;

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<M>, Error> {
    let name = RecordName { schema: M::SCHEMA, key: None };
    let transaction = Transaction::open(driver, &name).await?;
    let result = within(driver, commands, &name).await;
    transaction.close(driver, &name, result).await
}

async fn within<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    commands: &[Command<M>],
    name: &RecordName,
) -> Result<Vec<M>, Error> {
    let of = |error| Error::database(name.clone(), error);
    // A savepoint, so that the attempt can be taken back: within the caller's transaction, or within ours.
    driver.begin().await.map_err(of)?;
    let attempt = if DB::LOCKS_FIRST { Ok(None) } else { at_once(driver, commands).await };
    match attempt {
        Ok(Some(records)) => {
            driver.commit().await.map_err(of)?;
            return Ok(records);
        }
        Ok(None) | Err(Error::Constraint { .. }) => driver.rollback().await.map_err(of)?,
        Err(error) => {
            driver.rollback().await.map_err(of)?;
            return Err(error);
        }
    }
    driver.begin().await.map_err(of)?;
    match one_by_one(driver, commands).await {
        Ok(records) => {
            driver.commit().await.map_err(of)?;
            Ok(records)
        }
        Err(error) => {
            driver.rollback().await.map_err(of)?;
            Err(error)
        }
    }
}

async fn one_by_one<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<M>, Error> {
    // Each command locks its record, but in the order of the commands: whoever locks them all in the order of their
    // keys first does not meet another batch half way.
    let keys = write::keys(commands);
    if M::HAS_TABLE {
        write::lock::<DB, M, D>(driver, &keys).await?;
    } else {
        let name = || RecordName { schema: M::SCHEMA, key: None };
        let locked = super::log_only::lock::<DB, M, D>(driver, &keys).await;
        locked.map_err(|error| Error::database(name(), error))?;
    }
    let mut records = Vec::with_capacity(commands.len());
    for (index, command) in commands.iter().enumerate() {
        match super::command::run(driver, command).await {
            Ok(recorded) => records.push(recorded.record),
            Err(error) => return Err(Error::Batch { index, source: Box::new(error) }),
        }
    }
    Ok(records)
}

async fn at_once<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    commands: &[Command<M>],
) -> Result<Option<Vec<M>>, Error> {
    let is_special = |options: &Options| options.event_id.is_some() || !options.links.is_empty();
    let special = M::KEY.by_database() || M::PREPARES || !M::HAS_TABLE;
    if special || commands.iter().any(|command| is_special(&command.options)) {
        return Ok(None);
    }
    let Some(records) = write::read(driver, &write::keys(commands)).await? else { return Ok(None) };
    match plan::plan(commands, records)? {
        Some(plan) => write::write(driver, plan).await.map(Some),
        None => Ok(None),
    }
}
