//! Changes many rows in chunks, each in a transaction of its own.

use std::fmt;

use diesel::query_builder::QueryFragment;
use evented_core::KeyValue;

use super::ManyRows;
use super::run_many::Many;
use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::model::{Model, ModelOn};
use crate::telemetry;

/// Changes or deletes the rows that a filter matches in chunks, in the order of their keys. See
/// [`ManyRows::in_chunks`].
///
/// Running it runs all chunks, and returns the number of records. A chunk that fails is rolled back, and the chunks
/// before it stay. To know how far it got, or to stop, run the chunks yourself:
///
/// ```text
/// let mut chunks = Item::delete_where(filter).in_chunks(1_000);
/// while let Some(records) = chunks.page().run(&mut conn)? {
///     …
/// }
/// ```
///
/// A row that begins to match while the chunks run is changed if its key comes after the last chunk. Within the caller's
/// transaction, the chunks are part of that transaction.
#[must_use = "an operation does nothing until it is run"]
pub struct ManyChunks<M: Model, F> {
    many: ManyRows<M, F>,
    size: i64,
    after: Option<KeyValue>,
    ended: bool,
}

impl<M: Model, F> ManyChunks<M, F> {
    pub(super) fn new(many: ManyRows<M, F>, rows: u16) -> Self {
        Self { many, size: i64::from(rows.max(1)), after: None, ended: false }
    }

    /// Changes the next chunk, and returns the number of its records; `None` at the end.
    pub fn page(&mut self) -> ManyChunk<'_, M, F> {
        ManyChunk(self)
    }
}

impl<M: Model, F> fmt::Debug for ManyChunks<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManyChunks")
            .field("after", &self.after)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Changes the next chunk. See [`ManyChunks::page`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct ManyChunk<'c, M: Model, F>(&'c mut ManyChunks<M, F>);

impl<M: Model, F> sealed::Operation for ManyChunk<'_, M, F> {}

impl<DB, M, F> Operation<DB> for ManyChunk<'_, M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: QueryFragment<DB> + Send + Sync,
{
    type Output = Option<u64>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<u64>, Error> {
        let chunks = self.0;
        if chunks.ended {
            return Ok(None);
        }
        let ManyRows { filter, what, options } = &chunks.many;
        let span = telemetry::many_rows(M::SCHEMA, chunks.many.action());
        let cascade = &options.cascade();
        let (many, range) =
            (Many { filter, what, options, cascade }, (chunks.after.as_ref(), Some(chunks.size)));
        let done = telemetry::within(span, Box::pin(many.run(executor, range))).await?;
        commit_hint(executor);
        let records = done.records.len() as u64;
        // Only after the commit, so that a chunk that was rolled back runs again.
        chunks.ended = i64::try_from(records).is_ok_and(|records| records < chunks.size);
        chunks.after = done.last.or(chunks.after.take());
        Ok((records > 0).then_some(records))
    }
}

impl<M: Model, F> sealed::Operation for ManyChunks<M, F> {}

impl<DB, M, F> Operation<DB> for ManyChunks<M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: QueryFragment<DB> + Send + Sync,
{
    type Output = u64;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<u64, Error> {
        let mut all = 0;
        while let Some(records) = self.page().perform(executor).await? {
            all += records;
        }
        Ok(all)
    }
}
