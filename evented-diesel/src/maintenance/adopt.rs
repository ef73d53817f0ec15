//! Records in the log what other SQL did to a table.

mod differences;

use std::fmt;

use diesel::query_builder::QueryFragment;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::maintenance::record_changes::{Adopted, Hook, record_changes};
use crate::maintenance::{ExternalEvent, Unrecorded};
use crate::model::{Model, ModelOn, RowFilter, WithTable};
use differences::Pass;
pub use differences::RowsToCompare;

/// Records in the log what other SQL did to the table: plain SQL, a cascade, a trigger, an import. `Item::adopt()`.
///
/// Each row that differs from its log, each row that the log does not know, and each record of the log whose row is gone
/// gets an event with the action `external`, which leads from the log's state to the row. The rows do not change, except
/// that a revision field takes the revision of the event. What the model's drift policy says does not matter: whoever
/// runs this has decided that the rows are right. To make the log win instead, [rebuild](super::Rebuild) the table.
///
/// It works in chunks beside other writers. A chunk in which rows and log agree only reads. Otherwise the rows that
/// differ are locked and compared again, and their events are written in one transaction for the chunk. You can stop
/// at any time and run it again: what has been recorded agrees, and is not recorded twice.
///
/// ```text
/// let mut adopt = Item::adopt();
/// while let Some(done) = adopt.page().run(&mut conn)? {
///     …
/// }
/// ```
///
/// Within the caller's transaction, the chunks are part of that transaction.
///
/// # Errors
///
/// Running it: [`Error::RowSecurity`] if records have no row, and row level security applies to the connection's user: the
/// rows may only be hidden. [`Error::InexactKey`] if the database takes keys for equal that differ.
#[must_use = "an operation does nothing until it is run"]
pub struct Adopt<M: Model, F = AllRows> {
    rows: F,
    size: i64,
    each: Option<Hook<M>>,
    pass: Pass,
}

/// All rows and all records of the log: what [`Adopt`] compares unless a filter limits it.
#[derive(Debug, Clone, Copy)]
pub struct AllRows;

/// The rows that a filter matches. See [`Adopt::filter`].
#[derive(Debug, Clone, Copy)]
pub struct FilteredRows<F>(F);

const CHUNK: i64 = 1_000;

impl<M: Model, F> fmt::Debug for Adopt<M, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Adopt").field("size", &self.size).field("pass", &self.pass).finish_non_exhaustive()
    }
}

impl<M: Model> Adopt<M> {
    /// Compares the whole table and the whole log.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { rows: AllRows, size: CHUNK, each: None, pass: Pass::Start }
    }

    /// Compares only the rows that a condition of Diesel's matches. Records whose row is gone are not looked for: no
    /// condition can match them.
    pub fn filter<F: RowFilter<M>>(self, filter: F) -> Adopt<M, FilteredRows<F>>
    where
        M: WithTable,
    {
        Adopt { rows: FilteredRows(filter), size: self.size, each: self.each, pass: self.pass }
    }
}

impl<M: Model, F> Adopt<M, F> {
    /// Sets the number of records that a chunk compares, and whose events it writes in one transaction. Default: 1,000. 0
    /// counts as 1.
    pub fn chunk(mut self, records: u16) -> Self {
        self.size = i64::from(records.max(1));
        self
    }

    /// Sets a hook that is called for each difference before its event is written, for example to set who caused it. A
    /// difference may be passed again, if other writers were in between or the chunk was rolled back.
    pub fn each(mut self, hook: impl FnMut(&Unrecorded<'_, M>, &mut ExternalEvent) + Send + 'static) -> Self {
        self.each = Some(Box::new(hook));
        self
    }

    /// Compares the next chunk and records what differs; `None` at the end.
    pub fn page(&mut self) -> AdoptPage<'_, M, F> {
        AdoptPage(self)
    }
}

/// Compares the next chunk and records what differs. See [`Adopt::page`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct AdoptPage<'a, M: Model, F = AllRows>(&'a mut Adopt<M, F>);

impl<M: Model, F> sealed::Operation for AdoptPage<'_, M, F> {}

impl<DB, M, F> Operation<DB> for AdoptPage<'_, M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: RowsToCompare<DB>,
{
    type Output = Option<Adopted>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<Adopted>, Error> {
        let Adopt { rows, size, each, pass } = self.0;
        let Some(found) = pass.next::<DB, M, D>(executor, rows.filter(), *size).await? else {
            return Ok(None);
        };
        let mut adopted = record_changes(executor, found.suspects, each.as_mut()).await?;
        if adopted.recorded() > 0 {
            commit_hint(executor);
        }
        adopted.examined = found.examined;
        // Only after the commit, so that a chunk that was rolled back runs again.
        *pass = found.then;
        Ok(Some(adopted))
    }
}

/// Runs all chunks. The result contains the skipped records of all chunks; it does not report progress.
impl<M: Model, F> sealed::Operation for Adopt<M, F> {}

impl<DB, M, F> Operation<DB> for Adopt<M, F>
where
    DB: EventedBackend,
    M: ModelOn<DB>,
    F: RowsToCompare<DB>,
{
    type Output = Adopted;

    async fn perform<D: Executor<DB>>(mut self, executor: &mut D) -> Result<Adopted, Error> {
        let mut all = Adopted::default();
        while let Some(done) = self.page().perform(executor).await? {
            all.add(done);
        }
        Ok(all)
    }
}

impl<DB: EventedBackend> RowsToCompare<DB> for AllRows {
    fn filter(&self) -> Option<&(dyn QueryFragment<DB> + Sync)> {
        None
    }
}

impl<DB: EventedBackend, F: QueryFragment<DB> + Send + Sync> RowsToCompare<DB> for FilteredRows<F> {
    fn filter(&self) -> Option<&(dyn QueryFragment<DB> + Sync)> {
        Some(&self.0)
    }
}
