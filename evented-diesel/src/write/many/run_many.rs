//! Runs one change of many rows: locks and selects them, and writes their events and rows.
//!
//! Records in their usual state are planned in memory and written in a few statements, as a batch is. The others (drift,
//! an event of an older version of the model) are changed one by one in the same transaction, and so are all if a hook
//! runs or a constraint is violated: that finds the record.

use std::collections::HashMap;
use std::sync::Arc;

use diesel::query_builder::QueryFragment;
use evented_core::{KeyValue, RecordRef};

use super::What;
use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::model::{Cascade, Model, ModelOn, Record, table_failed};
use crate::read::load;
use crate::statements::{MatchingRow, RowLock, Until, matching_rows};
use crate::telemetry;
use crate::write::batch_plan::{Working, plan};
use crate::write::command::{Command, Kind};
use crate::write::options::Options;
use crate::write::{batch_run, batch_write, delete, run_command};

/// What is done, on which database.
pub(super) struct Many<'m, DB, M: Model> {
    pub(super) filter: &'m (dyn QueryFragment<DB> + Sync),
    pub(super) what: &'m What<M>,
    pub(super) options: &'m Options,
    /// The delete that this one is a part of, if it deletes.
    pub(super) cascade: &'m Cascade,
}

/// The records of one run, in the order of their keys.
pub(super) struct Done<M> {
    pub(super) records: Vec<M>,
    /// The key of the last record.
    pub(super) last: Option<KeyValue>,
}

impl<DB: EventedBackend, M: ModelOn<DB>> Many<'_, DB, M> {
    /// Changes the matching rows after a key, up to a number of them, in a transaction.
    pub(super) async fn run<D: Executor<DB>>(
        &self,
        executor: &mut D,
        range: (Option<&KeyValue>, Option<i64>),
    ) -> Result<Done<M>, Error> {
        let name = Subject::Model(M::SCHEMA);
        let transaction = Transaction::around(executor, &name, true).await?;
        let result = self.within(executor, range, &name).await;
        transaction.close(executor, &name, result).await
    }

    async fn within<D: Executor<DB>>(
        &self,
        executor: &mut D,
        range: (Option<&KeyValue>, Option<i64>),
        name: &Subject,
    ) -> Result<Done<M>, Error> {
        if DB::LOCKS_FIRST {
            DB::lock_number::<M, D>(executor, 0).await.map_err(table_failed::<M>)?;
        }
        let lock = match self.what {
            What::Change(_) => RowLock::Change,
            What::Delete => RowLock::Delete,
        };
        let found =
            executor.load::<MatchingRow<M>>(matching_rows::<DB, M>(self.filter, range, Some(lock))).await;
        let (mut keys, mut usual) = (Vec::new(), HashMap::new());
        for MatchingRow { head, row } in found.map_err(table_failed::<M>)? {
            let key = M::key_value(&row.key());
            if self.cascade.is_deleting::<M>(&key) {
                continue;
            }
            keys.push(key);
            usual.extend(head.and_then(|head| batch_write::verified(&head, row)));
        }
        telemetry::record("records", keys.len());
        let last = keys.last().cloned();
        // A row that is deleted with its parent must not be gone before its own event is written.
        let by_parents = M::HAS_CHILDREN && usual.len() < keys.len();
        if M::RUNS_HOOK || M::PUBLISHES || by_parents {
            return Ok(Done { records: self.one_by_one(executor, &keys).await?, last });
        }
        let failed = |error| Error::database(name.clone(), error);
        executor.begin().await.map_err(failed)?;
        match self.at_once(executor, &keys, usual).await {
            Ok(records) => {
                executor.commit().await.map_err(failed)?;
                Ok(Done { records, last })
            }
            Err(error) => match executor.rollback().await {
                Ok(()) if batch_run::is_of_one_command(&error) => {
                    Ok(Done { records: self.one_by_one(executor, &keys).await?, last })
                }
                _ => Err(error),
            },
        }
    }

    /// Writes locked records: those in their usual state in a few statements, the others one by one.
    async fn at_once<D: Executor<DB>>(
        &self,
        executor: &mut D,
        keys: &[KeyValue],
        usual: HashMap<KeyValue, Working<M>>,
    ) -> Result<Vec<M>, Error> {
        let is_usual: Vec<bool> = keys.iter().map(|key| usual.contains_key(key)).collect();
        let of = |wanted: bool| -> Vec<KeyValue> {
            let of_kind = keys.iter().zip(&is_usual).filter(|(_, usual)| **usual == wanted);
            of_kind.map(|(key, _)| key.clone()).collect()
        };
        if M::HAS_CHILDREN && matches!(self.what, What::Delete) {
            M::delete_children(executor, keys, &self.cascade.of::<M>(keys)).await?;
        }
        let (together, alone) = (of(true), of(false));
        let together = match plan(&self.commands(&together)?, usual).map_err(of_record)? {
            Some(plan) => batch_write::write(executor, plan).await?,
            None => self.one_by_one(executor, &together).await?,
        };
        let alone = self.one_by_one(executor, &alone).await?;
        let (mut together, mut alone) = (together.into_iter(), alone.into_iter());
        let in_order =
            is_usual.into_iter().filter_map(|usual| if usual { together.next() } else { alone.next() });
        Ok(in_order.collect())
    }

    async fn one_by_one<D: Executor<DB>>(
        &self,
        executor: &mut D,
        keys: &[KeyValue],
    ) -> Result<Vec<M>, Error> {
        let mut records = Vec::with_capacity(keys.len());
        for key in keys {
            records.push(self.alone(executor, key).await?);
        }
        Ok(records)
    }

    /// Runs the command for one record, in whatever state it is.
    async fn alone<D: Executor<DB>>(&self, executor: &mut D, key: &KeyValue) -> Result<M, Error> {
        let done = match self.what {
            What::Change(_) => run_command::run(executor, &self.command(key)?).await?,
            What::Delete => {
                let record = Record::of_stored(key.clone())?;
                match delete::among(executor, &record, self.options, self.cascade).await {
                    // It was deleted as a child of one of the others.
                    Err(Error::Deleted { revision, .. }) if M::HAS_CHILDREN => {
                        return as_it_was(executor, &record, revision.saturating_sub(1)).await;
                    }
                    done => done?,
                }
            }
        };
        Ok(done.record)
    }

    /// A command for each record.
    fn commands(&self, keys: &[KeyValue]) -> Result<Vec<Command<M>>, Error> {
        keys.iter().map(|key| self.command(key)).collect()
    }

    fn command(&self, key: &KeyValue) -> Result<Command<M>, Error> {
        let record = RecordRef::by_key(Record::<M>::of_stored(key.clone())?.key);
        let kind = match self.what {
            What::Change(action) => Kind::Change(record, Arc::clone(action)),
            What::Delete => Kind::Delete(record),
        };
        Ok(Command { kind, options: self.options.clone() })
    }
}

/// The error of the record, which names it. Its number among the records says nothing to the caller.
fn of_record(error: Error) -> Error {
    match error {
        Error::Batch { error, .. } => *error,
        other => other,
    }
}

/// Returns the record after this revision.
async fn as_it_was<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    record: &Record<M>,
    revision: i64,
) -> Result<M, Error> {
    let until = Until { revision: Some(revision), ..Until::default() };
    let replay = load::replay(executor, record, until).await?;
    replay.into_state().live().ok_or_else(|| Error::NotFound { record: record.name() })
}

/// Deletes the records whose rows match a filter, as a part of another delete.
pub(crate) async fn delete_matching<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    filter: &(dyn QueryFragment<DB> + Sync),
    cascade: &Cascade,
) -> Result<(), Error> {
    let options = Options::of_children(cascade);
    let many = Many { filter, what: &What::<M>::Delete, options: &options, cascade };
    many.run(executor, (None, None)).await.map(drop)
}
