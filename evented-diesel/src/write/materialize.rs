//! Writes a missing row from the log.

use evented_core::{IntoRecordRef, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, Transaction, sealed};
use crate::model::{Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{RecordRow, RowLock, Until, insert_row, row_of};

/// Writes the missing row of a record that is live according to the log: `Item::materialize(id)`.
///
/// It appends no event, because the log is complete already. If the row exists, it fails with [`Error::Exists`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Materialize<M: Model> {
    key: M::Key,
}

impl<M: Model> Materialize<M> {
    /// Materializes the record with this key.
    pub fn new(target: impl IntoRecordRef<M>) -> Self {
        Self { key: target.into_record_ref().into_key() }
    }
}

impl<M: Model> sealed::Operation for Materialize<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Materialize<M> {
    type Output = M;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<M, Error> {
        let record = Record::<M>::new(self.key);
        let transaction = Transaction::open(executor, &record.name()).await?;
        let result = write(executor, &record).await;
        transaction.close(executor, &record.name(), result).await
    }
}

async fn write<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    record: &Record<M>,
) -> Result<M, Error> {
    DB::lock::<M, D>(executor, &record.value, RowLock::Change).await.map_err(|error| record.failed(error))?;
    let replay = load::replay(executor, record, Until::default()).await?;
    let revision = replay.revision();
    let live = match replay.into_state() {
        State::Live(live) => live,
        State::Unknown => return Err(Error::NotFound { record: record.name() }),
        State::Deleted { at, revision } => {
            return Err(Error::Deleted { record: record.name(), at, revision });
        }
    };
    let existing = record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(&record.value)).await?;
    if let Some(RecordRow(row)) = existing {
        record.check_row(&row)?;
        return Err(Error::Exists { record: record.name(), revision });
    }
    if DB::hides_rows::<M, D>(executor).await.map_err(|error| record.failed(error))? {
        return Err(Error::RowSecurity { record: record.name() });
    }
    let statement = insert_row(&record.value, &live);
    let RecordRow(mut row) = record.write::<RecordRow<M>, _, _>(executor, statement).await?;
    DB::continue_keys::<M, D>(executor).await.map_err(|error| record.failed(error))?;
    row.normalize();
    Ok(row)
}
