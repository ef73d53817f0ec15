//! Removes and inserts rows in an order that the constraints of the table allow.
//!
//! Rows of one table can refer to each other, and a row can need a unique value of one that is still to be removed. The log
//! gives them in the order of their keys, page by page. What a constraint refuses is postponed: only the keys are kept, and
//! they are tried again after the last page, until all are written or none can be.

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::error::{ConstraintKind, Error, Subject};
use crate::exec::Executor;
use crate::maintenance::Rebuilt;
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::read::load;
use crate::statements::{RecordRow, columns_to_write, key_portions, remove_many_plain, rows_of, set_row};

/// Writes rows, and keeps the keys of those that a constraint refused for now.
#[derive(Debug, Default)]
pub(super) struct RowWriter {
    pub(super) done: Rebuilt,
    to_remove: Vec<KeyValue>,
    to_update: Vec<KeyValue>,
    to_insert: Vec<KeyValue>,
    /// The last refusal: the error if the postponed rows can never be written.
    refusal: Option<Error>,
}

impl RowWriter {
    /// Removes rows, or postpones those that others refer to.
    pub(super) async fn remove<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        keys: Vec<KeyValue>,
    ) -> Result<(), Error> {
        for keys in key_portions::<DB, M>(&keys) {
            executor.begin().await.map_err(table_failed::<M>)?;
            let removed = executor.execute(remove_many_plain::<DB, M>(keys)).await;
            match self.finish::<DB, M, D>(executor, removed).await? {
                Some(rows) => {
                    self.done.removed += rows;
                    if rows < keys.len() as u64 {
                        are_gone::<DB, M, D>(executor, keys).await?;
                    }
                }
                None => self.to_remove.extend_from_slice(keys),
            }
        }
        Ok(())
    }

    /// Writes columns of rows, or postpones them.
    pub(super) async fn update<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        rows: Vec<(KeyValue, M, Vec<usize>)>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        executor.begin().await.map_err(table_failed::<M>)?;
        let mut updated = Ok(0);
        for (key, state, fields) in &rows {
            let statement = set_row::<DB, M>(key, state, &columns_to_write::<M>(fields.clone()));
            updated = match (updated, executor.execute(statement).await) {
                (Ok(before), Ok(rows)) => Ok(before + rows),
                (_, result) => result,
            };
            if updated.is_err() {
                break;
            }
        }
        match self.finish::<DB, M, D>(executor, updated).await? {
            Some(updated) => self.done.updated += written::<M>(updated, rows.len())?,
            None => self.to_update.extend(rows.into_iter().map(|(key, ..)| key)),
        }
        Ok(())
    }

    /// Inserts rows, or postpones them if one refers to a row that is missing or needs a value that is taken.
    pub(super) async fn insert<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        rows: Vec<(KeyValue, M)>,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = rows.iter().map(|(key, state)| (key.clone(), state)).collect();
        executor.begin().await.map_err(table_failed::<M>)?;
        let inserted = DB::insert_rows(executor, &rows).await;
        match self.finish::<DB, M, D>(executor, inserted).await? {
            Some(inserted) => self.done.inserted += written::<M>(inserted, rows.len())?,
            None => self.to_insert.extend(rows.into_iter().map(|(key, _)| key)),
        }
        Ok(())
    }

    /// Writes the postponed rows: many at once while that works, then one by one.
    pub(super) async fn write_postponed<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
    ) -> Result<(), Error> {
        let mut one_by_one = false;
        loop {
            let (to_remove, to_update, to_insert) = (
                std::mem::take(&mut self.to_remove),
                std::mem::take(&mut self.to_update),
                std::mem::take(&mut self.to_insert),
            );
            let postponed = to_remove.len() + to_update.len() + to_insert.len();
            if postponed == 0 {
                return Ok(());
            }
            let size = if one_by_one { 1 } else { POSTPONED_AT_ONCE };
            for keys in to_remove.chunks(size) {
                self.remove::<DB, M, D>(executor, keys.to_vec()).await?;
            }
            for keys in to_insert.chunks(POSTPONED_AT_ONCE) {
                let mut rows = states::<DB, M, D>(executor, keys).await?;
                while !rows.is_empty() {
                    let portion = rows.split_off(rows.len().saturating_sub(size));
                    self.insert(executor, portion).await?;
                }
            }
            for keys in to_update.chunks(POSTPONED_AT_ONCE) {
                let all: Vec<usize> = (0..M::FIELDS.len()).collect();
                let mut rows: Vec<_> = states::<DB, M, D>(executor, keys)
                    .await?
                    .into_iter()
                    .map(|(key, state)| (key, state, all.clone()))
                    .collect();
                while !rows.is_empty() {
                    let portion = rows.split_off(rows.len().saturating_sub(size));
                    self.update(executor, portion).await?;
                }
            }
            let made_no_progress =
                self.to_remove.len() + self.to_update.len() + self.to_insert.len() == postponed;
            match self.refusal.take() {
                Some(refusal) if made_no_progress && one_by_one => return Err(refusal),
                _ => one_by_one |= made_no_progress,
            }
        }
    }

    /// Commits or rolls back the savepoint around a statement. Returns `None` if a constraint refused the statement and
    /// may accept it later.
    async fn finish<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
        &mut self,
        executor: &mut D,
        result: diesel::QueryResult<usize>,
    ) -> Result<Option<u64>, Error> {
        match result.map_err(table_failed::<M>) {
            Ok(rows) => {
                executor.commit().await.map_err(table_failed::<M>)?;
                Ok(Some(rows as u64))
            }
            Err(error) => {
                executor.rollback().await.map_err(table_failed::<M>)?;
                let may_pass_later = matches!(
                    error,
                    Error::Constraint { kind: ConstraintKind::ForeignKey | ConstraintKind::Unique, .. }
                );
                if !may_pass_later {
                    return Err(error);
                }
                self.refusal = Some(error);
                Ok(None)
            }
        }
    }
}

/// Replays records, and returns those that are live.
async fn states<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    keys: &[KeyValue],
) -> Result<Vec<(KeyValue, M)>, Error> {
    let mut states = Vec::with_capacity(keys.len());
    for (key, replay) in load::replays::<DB, M, D>(executor, keys).await? {
        states.extend(replay?.into_state().live().map(|state| (key, state)));
    }
    Ok(states)
}

/// Checks that as many rows were written as there were to write.
fn written<M: Model>(written: u64, rows: usize) -> Result<u64, Error> {
    if written == rows as u64 {
        return Ok(written);
    }
    Err(Error::NotWritten { record: Subject::Model(M::SCHEMA) })
}

/// Checks that rows are gone: removed, or by a cascade of the database.
async fn are_gone<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    keys: &[KeyValue],
) -> Result<(), Error> {
    let rows = executor.load::<RecordRow<M>>(rows_of::<DB, M>(keys)).await.map_err(table_failed::<M>)?;
    match rows.first() {
        Some(RecordRow(row)) => Err(Error::NotWritten { record: Record::<M>::new(row.key()).name() }),
        None => Ok(()),
    }
}

/// The number of postponed rows that are tried together.
const POSTPONED_AT_ONCE: usize = 1_024;
