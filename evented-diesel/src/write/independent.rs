//! Runs many commands, each of which succeeds or fails on its own.

use evented_core::{Create as _, KeyValue};

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, commit_hint, sealed};
use crate::model::{Model, ModelOn};
use crate::telemetry;
use crate::write::command::{Command, Kind};
use crate::write::{batch_run, batch_write, run_command};

/// Commands of one model that run as one operation, of which each takes effect unless it fails itself. See
/// [`Batch::independent`](crate::Batch::independent).
#[derive(Debug)]
#[must_use = "a batch does nothing until it is run"]
pub struct IndependentBatch<M: Model> {
    commands: Vec<Command<M>>,
}

impl<M: Model> IndependentBatch<M> {
    pub(crate) fn new(commands: Vec<Command<M>>) -> Self {
        Self { commands }
    }
}

impl<M: Model> Clone for IndependentBatch<M> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<M: Model> sealed::Operation for IndependentBatch<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for IndependentBatch<M> {
    type Output = Vec<Result<M, Error>>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Self::Output, Error> {
        let span = telemetry::batch(M::SCHEMA, self.commands.len());
        let name = Subject::Model(M::SCHEMA);
        let transaction = Transaction::open(executor, &name).await?;
        let result = telemetry::within(span, Box::pin(within(executor, &self.commands))).await;
        let results = transaction.close(executor, &name, result).await?;
        commit_hint(executor);
        Ok(results)
    }
}

/// The result of each command, once it is known.
type Results<M> = Vec<Option<Result<M, Error>>>;

/// The number of commands that may be refused before the others run one by one.
const REFUSALS: usize = 16;

async fn within<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<Result<M, Error>>, Error> {
    let mut results: Results<M> = commands.iter().map(|_| None).collect();
    let mut together = in_usual_state::<DB, M, D>(executor, commands).await?;
    let mut is_done = false;
    for _ in 0..REFUSALS {
        match run_together(executor, commands, &together, &mut results).await? {
            Together::Done => {
                is_done = true;
                break;
            }
            Together::Refused(index) => together.retain(|other| *other != index),
            Together::OneByOne => break,
        }
    }
    if !is_done {
        // What was refused so far was refused in a state that never came to be.
        results.iter_mut().for_each(|result| *result = None);
    }
    let mut all = Vec::with_capacity(commands.len());
    for (command, result) in commands.iter().zip(results) {
        all.push(match result {
            Some(result) => result,
            None => run_alone(executor, command).await?,
        });
    }
    Ok(all)
}

/// Locks the records of the commands, and returns the indices of the commands whose records are as their logs say.
async fn in_usual_state<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
) -> Result<Vec<usize>, Error> {
    if !M::HAS_TABLE {
        return Ok(Vec::new());
    }
    let keys = batch_write::keys(commands);
    let lock = batch_write::lock_of(commands);
    batch_write::lock::<DB, M, D>(executor, &keys, lock).await?;
    let usual = batch_write::read_locked::<DB, M, D>(executor, &keys).await?;
    let is_usual = |command: &Command<M>| match &command.kind {
        // An insert of a record that another command names comes after that command.
        Kind::Insert(new) => new.key().is_none_or(|key| {
            let key = M::key_value(&key);
            keys.binary_search(&key).is_err() || usual.contains_key(&key)
        }),
        Kind::Change(target, _) | Kind::Delete(target) | Kind::Savepoint(target) => {
            let key: KeyValue = M::key_value(target.key());
            usual.contains_key(&key)
        }
    };
    Ok(commands.iter().enumerate().filter(|(_, command)| is_usual(command)).map(|(index, _)| index).collect())
}

/// What became of commands that were to run together.
enum Together {
    Done,
    /// The command with this index was refused. Its result is known.
    Refused(usize),
    /// They must run one by one.
    OneByOne,
}

async fn run_together<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    commands: &[Command<M>],
    indices: &[usize],
    results: &mut Results<M>,
) -> Result<Together, Error> {
    if indices.is_empty() {
        return Ok(Together::Done);
    }
    let chosen: Vec<Command<M>> =
        indices.iter().filter_map(|index| commands.get(*index)).map(Command::clone).collect();
    let failed = |error| Error::database(Subject::Model(M::SCHEMA), error);
    executor.begin().await.map_err(failed)?;
    match batch_run::at_once(executor, &chosen).await {
        Ok(Some(records)) => {
            executor.commit().await.map_err(failed)?;
            for (index, record) in indices.iter().zip(records) {
                if let Some(result) = results.get_mut(*index) {
                    *result = Some(Ok(record));
                }
            }
            Ok(Together::Done)
        }
        Ok(None) => {
            executor.rollback().await.map_err(failed)?;
            Ok(Together::OneByOne)
        }
        Err(Error::Batch { index, error }) => {
            executor.rollback().await.map_err(failed)?;
            let Some(index) = indices.get(index).copied() else { return Err(*error) };
            if let Some(result) = results.get_mut(index) {
                *result = Some(Err(*error));
            }
            Ok(Together::Refused(index))
        }
        Err(error) => match executor.rollback().await {
            Ok(()) if batch_run::is_of_one_command(&error) => Ok(Together::OneByOne),
            _ => Err(error),
        },
    }
}

/// Runs a command so that nothing of it stays if it fails. An error that concerns the whole transaction is returned as
/// such.
async fn run_alone<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    command: &Command<M>,
) -> Result<Result<M, Error>, Error> {
    let failed = |error| Error::database(Subject::Model(M::SCHEMA), error);
    executor.begin().await.map_err(failed)?;
    match run_command::run(executor, command).await {
        Ok(done) => {
            executor.commit().await.map_err(failed)?;
            Ok(Ok(done.record))
        }
        // What the command found is recorded: that other SQL changed or removed the row.
        Err(error) if error.is_missing() || matches!(error, Error::Conflict { .. }) => {
            executor.commit().await.map_err(failed)?;
            Ok(Err(error))
        }
        Err(error) => match executor.rollback().await {
            Ok(()) if batch_run::is_of_one_command(&error) => Ok(Err(error)),
            _ => Err(error),
        },
    }
}
