//! Runs many commands at once: plans them in memory and writes them in a few statements.
//!
//! The plan handles records in their usual state. In unusual situations (drift, a missing record, a repeated event, a
//! violated constraint) the commands run one by one in the same transaction. That also finds out which command failed.

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::model::ModelOn;
use crate::write::batch_plan::plan;
use crate::write::command::{Command, Kind};
use crate::write::options::Options;
use crate::write::{batch_write, log_only, run_command};

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<M>, Error> {
    let name = Subject::Model(M::SCHEMA);
    let transaction = Transaction::open(executor, &name).await?;
    let result = within(executor, commands, &name).await;
    transaction.close(executor, &name, result).await
}

async fn within<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
    name: &Subject,
) -> Result<Vec<M>, Error> {
    let failed = |error| Error::database(name.clone(), error);
    // Opens a savepoint in the caller's transaction, or a transaction, so that the attempt can be rolled back.
    executor.begin().await.map_err(failed)?;
    match at_once(executor, commands).await {
        Ok(Some(records)) => {
            executor.commit().await.map_err(failed)?;
            return Ok(records);
        }
        Ok(None) => executor.rollback().await.map_err(failed)?,
        Err(error) => match executor.rollback().await {
            Ok(()) if is_of_one_command(&error) => {}
            // The first error is the one that matters: the database may have ended the transaction already.
            _ => return Err(error),
        },
    }
    executor.begin().await.map_err(failed)?;
    match one_by_one(executor, commands).await {
        Ok(records) => {
            executor.commit().await.map_err(failed)?;
            Ok(records)
        }
        Err(error) => {
            let _ = executor.rollback().await;
            Err(error)
        }
    }
}

/// Returns whether an error of several commands may be that of one of them, which is found by running them one by one.
pub(crate) fn is_of_one_command(error: &Error) -> bool {
    !matches!(
        error,
        Error::Batch { .. }
            | Error::SerializationFailure { .. }
            | Error::Busy { .. }
            | Error::AnswerLost { .. }
    )
}

async fn one_by_one<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<M>, Error> {
    // Each command locks its record, in the order of the commands. Locking all records in the order of their keys first
    // prevents a deadlock with another batch.
    let keys = batch_write::keys(commands);
    if M::HAS_TABLE {
        batch_write::lock::<DB, M, D>(executor, &keys, batch_write::lock_of(commands)).await?;
    } else {
        let name = || Subject::Model(M::SCHEMA);
        let locked = log_only::lock::<DB, M, D>(executor, &keys).await;
        locked.map_err(|error| Error::database(name(), error))?;
    }
    let mut records = Vec::with_capacity(commands.len());
    for (index, command) in commands.iter().enumerate() {
        match run_command::run(executor, command).await {
            Ok(recorded) => records.push(recorded.record),
            Err(error) => return Err(Error::Batch { index, error: Box::new(error) }),
        }
    }
    Ok(records)
}

pub(crate) async fn at_once<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
) -> Result<Option<Vec<M>>, Error> {
    let is_special = |options: &Options| options.event_id.is_some() || !options.links.is_empty();
    let cascades = M::HAS_CHILDREN && commands.iter().any(|command| matches!(command.kind, Kind::Delete(_)));
    let special = M::RUNS_HOOK || !M::HAS_TABLE || cascades;
    if special || commands.iter().any(|command| is_special(&command.options)) {
        return Ok(None);
    }
    let Some(records) =
        batch_write::read(executor, &batch_write::keys(commands), batch_write::lock_of(commands)).await?
    else {
        return Ok(None);
    };
    match plan(commands, records)? {
        Some(plan) => batch_write::write(executor, plan).await.map(Some),
        None => Ok(None),
    }
}
