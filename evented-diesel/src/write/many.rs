//! Changes or deletes all rows that a filter matches: `Item::update_where(filter, changes)`.

mod chunks;
mod run_many;

use std::fmt;
use std::sync::Arc;

use diesel::query_builder::QueryFragment;
use evented_core::AnyAction;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::model::{Model, ModelOn};
use crate::telemetry;
use crate::write::options::{Options, event_options};

pub use chunks::{ManyChunk, ManyChunks};
pub(crate) use run_many::delete_matching;

/// The same change of every row that a filter matches, or their deletion: `Item::update_where(…)`,
/// `Item::execute_where(…)`, `Item::delete_where(…)`.
///
/// ```ignore
/// let archived = Item::execute_where(items::value.lt(10), Archive { reason: "cheap".into() })
///     .by("nightly")
///     .run(&mut conn)?;
/// ```
///
/// Running it appends an event for each of the records, as if each were changed by a command, and returns how many there
/// were. All of them are changed, or none: the first error of a record is returned, and names it. The rows are locked in
/// the order of their keys, so two such operations cannot deadlock. All of the records are in memory meanwhile;
/// [`in_chunks`](Self::in_chunks) takes some at a time.
///
/// The filter is any condition of Diesel's over the columns of the model's table, with subqueries if need be. It is
/// evaluated once, by the database, under the lock of each row.
#[must_use = "an operation does nothing until it is run"]
pub struct ManyRows<M: Model, F> {
    filter: F,
    what: What<M>,
    options: Options,
}

/// What is done with each of the records.
enum What<M: Model> {
    Change(Arc<dyn AnyAction<M>>),
    Delete,
}

impl<M: Model, F> ManyRows<M, F> {
    /// Runs an action on each of the records.
    pub(crate) fn change(filter: F, change: impl AnyAction<M> + 'static) -> Self {
        Self { filter, what: What::Change(Arc::new(change)), options: Options::default() }
    }

    /// Deletes each of the records.
    pub(crate) fn delete(filter: F) -> Self {
        Self { filter, what: What::Delete, options: Options::default() }
    }

    event_options!();

    /// Makes the operation return the records in the order of their keys, instead of their number: as they are after
    /// the change, or as they were before they were deleted.
    pub fn records(self) -> ManyRecords<M, F> {
        ManyRecords(self)
    }

    /// Changes this many rows at a time, each chunk in a transaction of its own, so that other writers and the readers
    /// of the log wait for one chunk at most. 0 counts as 1.
    pub fn in_chunks(self, rows: u16) -> ManyChunks<M, F> {
        ManyChunks::new(self, rows)
    }
}

impl<M: Model, F: Clone> Clone for ManyRows<M, F> {
    fn clone(&self) -> Self {
        let what = match &self.what {
            What::Change(action) => What::Change(Arc::clone(action)),
            What::Delete => What::Delete,
        };
        Self { filter: self.filter.clone(), what, options: self.options.clone() }
    }
}

impl<M: Model, F> fmt::Debug for ManyRows<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManyRows").field("action", &self.action()).finish_non_exhaustive()
    }
}

impl<M: Model, F> sealed::Operation for ManyRows<M, F> {}

impl<DB, M, F> Operation<DB> for ManyRows<M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: QueryFragment<DB> + Send + Sync,
{
    type Output = u64;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<u64, Error> {
        let records = self.run(executor).await?;
        Ok(records.len() as u64)
    }
}

/// Changes or deletes the rows that a filter matches, and returns the records. See [`ManyRows::records`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct ManyRecords<M: Model, F>(ManyRows<M, F>);

impl<M: Model, F: Clone> Clone for ManyRecords<M, F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Model, F> sealed::Operation for ManyRecords<M, F> {}

impl<DB, M, F> Operation<DB> for ManyRecords<M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: QueryFragment<DB> + Send + Sync,
{
    type Output = Vec<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<M>, Error> {
        self.0.run(executor).await
    }
}

impl<M: Model, F> ManyRows<M, F> {
    /// The name of the action in the log.
    fn action(&self) -> &str {
        match &self.what {
            What::Change(action) => action.name(),
            What::Delete => evented_core::names::DELETE,
        }
    }

    async fn run<DB, D>(&self, executor: &mut D) -> Result<Vec<M>, Error>
    where
        DB: EventedBackend,
        M: ModelOn<DB>,
        F: QueryFragment<DB> + Send + Sync,
        D: Executor<DB>,
    {
        let span = telemetry::many_rows(M::SCHEMA, self.action());
        let (what, options, cascade) = (&self.what, &self.options, &self.options.cascade());
        let many = run_many::Many { filter: &self.filter, what, options, cascade };
        let done = telemetry::within(span, Box::pin(many.run(executor, (None, None)))).await?;
        commit_hint(executor);
        Ok(done.records)
    }
}
