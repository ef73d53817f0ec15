//! A missing row, written from the log.

use evented_core::State;

use crate::backend::Dialect;
use crate::command::IntoTarget;
use crate::error::Error;
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{RecordRow, Until, insert_row, row_of};
use crate::steps::command::Record;
use crate::steps::load;
use crate::steps::transaction::Transaction;

/// Writes the missing row of a record that the log says is live: `Item::materialize(id)`.
///
/// No event is appended: the log is right already. If the row is there, [`Error::Exists`] says so.
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Materialize<M: Model> {
    key: M::Key,
}

impl<M: Model> Materialize<M> {
    /// For the record with this key.
    pub fn new(target: impl IntoTarget<M>) -> Self {
        Self { key: target.into_target().key }
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Materialize<M> {
    type Output = M;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<M, Error> {
        let record = Record::<M>::new(self.key);
        let transaction = Transaction::open(driver, &record.name()).await?;
        let result = steps(driver, &record).await;
        transaction.close(driver, &record.name(), result).await
    }
}

async fn steps<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
) -> Result<M, Error> {
    DB::lock::<M, D>(driver, &record.value).await.map_err(|error| record.failed(error))?;
    let replay = load::replay(driver, record, Until::default()).await?;
    let revision = replay.revision();
    let live = match replay.into_state() {
        State::Live(live) => live,
        State::Unknown => return Err(Error::NotFound { record: record.name() }),
        State::Deleted { at, revision } => {
            return Err(Error::Deleted { record: record.name(), at, revision });
        }
    };
    let existing = driver.load::<RecordRow<M>>(row_of::<DB, M>(&record.value)).await;
    if !existing.map_err(|error| record.failed(error))?.is_empty() {
        return Err(Error::Exists { record: record.name(), revision });
    }
    let statement = insert_row(&record.value, &live);
    let written = driver.load::<RecordRow<M>>(statement).await.map_err(|error| record.failed(error))?;
    let mut row = written.into_iter().next().map_or(live, |row| row.0);
    row.normalize();
    Ok(row)
}
