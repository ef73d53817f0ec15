//! Writes a first event for each row that has none.

use std::fmt;

use evented_core::KeyValue;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::maintenance::record_changes::{Hook, record_changes};
use crate::maintenance::{ExternalEvent, Skipped, Unrecorded};
use crate::model::{Model, ModelOn, table_failed};
use crate::statements::{Number, RecordRow, Unlogged, count_without_events, rows_without_events};
use crate::verify::keys_are_exact;

/// Writes a first event for each row that has none, so that the log knows the row: `Item::backfill()`.
///
/// The event has the action `external`, for a change that nobody recorded, and contains all fields of the row. The row
/// does not change; it keeps its key and its timestamps.
///
/// A backfill works in chunks, each in a transaction of its own, while other connections write. A writer that reaches
/// such a row first adopts it as usual. You can stop a backfill at any time and run it again later: it skips rows that
/// have an event.
///
/// ```text
/// let mut backfill = Item::backfill();
/// while let Some(done) = backfill.page().run(&mut conn)? {
///     …
/// }
/// ```
///
/// Within the caller's transaction, the chunks are part of that transaction.
#[must_use = "an operation does nothing until it is run"]
pub struct Backfill<M: Model> {
    size: i64,
    each: Option<Hook<M>>,
    after: Option<KeyValue>,
    done: bool,
}

/// The result of one chunk, or of a whole backfill.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Backfilled {
    /// The number of rows for which an event was written.
    pub records: u64,
    /// Rows that could not be recorded (a value that JSON or the digest cannot represent). They still have no event.
    pub skipped: Vec<Skipped>,
    /// The key of the last row that was read.
    pub last: Option<KeyValue>,
}

const CHUNK: i64 = 1_000;

impl<M: Model> fmt::Debug for Backfill<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backfill").field("after", &self.after).finish_non_exhaustive()
    }
}

impl<M: Model> Backfill<M> {
    /// Backfills the log of the model's table.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { size: CHUNK, each: None, after: None, done: false }
    }

    /// Sets the number of rows in a chunk. Default: 1,000. 0 counts as 1. A chunk locks its rows until it is committed;
    /// on SQLite it blocks all other writers.
    pub fn chunk(mut self, rows: u16) -> Self {
        self.size = i64::from(rows.max(1));
        self
    }

    /// Sets a hook that is called for each row before its event is written, for example to set the time when the row
    /// was created.
    pub fn each(mut self, mut hook: impl FnMut(&M, &mut ExternalEvent) + Send + 'static) -> Self {
        self.each = Some(Box::new(move |unrecorded, event| {
            if let Unrecorded::New(row) = unrecorded {
                hook(row, event);
            }
        }));
        self
    }

    /// Backfills the next chunk; `None` at the end.
    pub fn page(&mut self) -> BackfillPage<'_, M> {
        BackfillPage(self)
    }

    /// Counts the rows that have no event yet.
    pub fn remaining(&self) -> BackfillRemaining<M> {
        BackfillRemaining(std::marker::PhantomData)
    }
}

/// Backfills the next chunk. See [`Backfill::page`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct BackfillPage<'b, M: Model>(&'b mut Backfill<M>);

impl<M: Model> sealed::Operation for BackfillPage<'_, M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for BackfillPage<'_, M> {
    type Output = Option<Backfilled>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Backfilled>, Error> {
        let backfill = self.0;
        if backfill.done {
            return Ok(None);
        }
        if backfill.after.is_none() {
            keys_are_exact::<DB, M, D>(executor).await?;
        }
        let statement = rows_without_events::<DB, M>(backfill.after.as_ref(), backfill.size, Unlogged::Many);
        let rows = executor.load::<RecordRow<M>>(statement).await.map_err(table_failed::<M>)?;
        let keys: Vec<KeyValue> = rows.iter().map(|row| M::key_value(&row.0.key())).collect();
        let ended = i64::try_from(keys.len()).is_ok_and(|read| read < backfill.size);
        let last = keys.last().cloned();
        let recorded = record_changes(executor, keys, backfill.each.as_mut()).await?;
        // Update the progress only after the commit, so that a chunk that was rolled back runs again.
        backfill.after = last.clone().or(backfill.after.take());
        backfill.done = ended;
        Ok(Some(Backfilled { records: recorded.recorded(), skipped: recorded.skipped, last }))
    }
}

/// Runs all chunks. The result contains the skipped rows of all chunks; it does not report progress.
impl<M: Model> sealed::Operation for Backfill<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Backfill<M> {
    type Output = Backfilled;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Backfilled, Error> {
        let mut all = Backfilled::default();
        while let Some(done) = self.page().perform(executor).await? {
            all.records += done.records;
            all.skipped.extend(done.skipped);
            all.last = done.last.or(all.last);
        }
        Ok(all)
    }
}

/// Counts the rows that have no event yet. See [`Backfill::remaining`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct BackfillRemaining<M>(std::marker::PhantomData<fn() -> M>);

impl<M: Model> sealed::Operation for BackfillRemaining<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for BackfillRemaining<M> {
    type Output = u64;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<u64, Error> {
        let rows =
            executor.load::<Number>(count_without_events::<DB, M>()).await.map_err(table_failed::<M>)?;
        let count = rows.into_iter().next().and_then(|number| number.0).unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }
}
