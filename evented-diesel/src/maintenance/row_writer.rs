//! Removes and inserts rows in an order that the constraints of the table allow.
//!
//! Rows of one table can refer to each other, and a row can need a unique value of one that is still to be removed. The log
//! gives them in the order of their keys, page by page. What a constraint refuses is postponed: only the keys are kept, and
//! they are tried again after the last page, until all are written or none can be.

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::error::{ConstraintKind, Error};
use crate::exec::Executor;
use crate::maintenance::Rebuilt;
use crate::model::{ModelOn, table_failed};
use crate::read::load;
use crate::statements::{key_portions, remove_many_plain};

/// Writes rows, and keeps the keys of those that a constraint refused for now.
#[derive(Debug, Default)]
pub(super) struct RowWriter {
    pub(super) done: Rebuilt,
    to_remove: Vec<KeyValue>,
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
                Some(rows) => self.done.removed += rows,
                None => self.to_remove.extend_from_slice(keys),
            }
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
            Some(rows) => self.done.inserted += rows,
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
            let (to_remove, to_insert) =
                (std::mem::take(&mut self.to_remove), std::mem::take(&mut self.to_insert));
            let postponed = to_remove.len() + to_insert.len();
            if postponed == 0 {
                return Ok(());
            }
            let size = if one_by_one { 1 } else { POSTPONED_AT_ONCE };
            for keys in to_remove.chunks(size) {
                self.remove::<DB, M, D>(executor, keys.to_vec()).await?;
            }
            for keys in to_insert.chunks(POSTPONED_AT_ONCE) {
                let mut rows = Vec::with_capacity(keys.len());
                for (key, replay) in load::replays::<DB, M, D>(executor, keys).await? {
                    rows.extend(replay?.into_state().live().map(|state| (key, state)));
                }
                while !rows.is_empty() {
                    let portion = rows.split_off(rows.len().saturating_sub(size));
                    self.insert(executor, portion).await?;
                }
            }
            let made_no_progress = self.to_remove.len() + self.to_insert.len() == postponed;
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

/// The number of postponed rows that are tried together.
const POSTPONED_AT_ONCE: usize = 1_024;
