//! Records in the log what other SQL did to a table.

mod differences;
mod record_changes;

use std::fmt;

use chrono::{DateTime, Utc};
use diesel::query_builder::QueryFragment;
use evented_core::Meta;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::maintenance::Skipped;
use crate::model::{Model, ModelOn, RowFilter, WithTable};
use differences::Pass;
pub use differences::RowsToCompare;
use record_changes::record_changes;

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

type Hook<M> = Box<dyn FnMut(&Unrecorded<'_, M>, &mut ExternalEvent) + Send>;

/// All rows and all records of the log: what [`Adopt`] compares unless a filter limits it.
#[derive(Debug, Clone, Copy)]
pub struct AllRows;

/// The rows that a filter matches. See [`Adopt::filter`].
#[derive(Debug, Clone, Copy)]
pub struct FilteredRows<F>(F);

/// What other SQL did to a record.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Unrecorded<'a, M> {
    /// There is a row, and the log has no such record, or has it as deleted.
    New(&'a M),
    /// The row differs from the log.
    Changed {
        /// The record in the log.
        log: &'a M,
        /// The row.
        row: &'a M,
    },
    /// The row is gone. Contains the record in the log.
    Gone(&'a M),
}

/// The data of an event besides what it changed. A hook can set it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExternalEvent {
    /// The time of the event. Default: now.
    pub at: DateTime<Utc>,
    /// The metadata of the event: who caused it, and why. Default: empty.
    pub meta: Meta,
}

impl ExternalEvent {
    /// An event of now, without metadata.
    pub(super) fn now() -> Self {
        Self { at: Utc::now(), meta: Meta::default() }
    }
}

/// The result of one chunk, or of the whole operation.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Adopted {
    /// The number of records that were compared. A row that the log did not know counts twice: its new event is compared as
    /// well.
    pub examined: u64,
    /// The number of rows that the log did not know, or had as deleted, and that have an event now.
    pub new: u64,
    /// The number of rows that differed, and whose differences have an event now.
    pub changed: u64,
    /// The number of records whose row was gone, which have an event now that ends them.
    pub gone: u64,
    /// Records that could not be recorded: a value that JSON or the digest cannot represent, or a history that cannot be
    /// replayed. They are as they were.
    pub skipped: Vec<Skipped>,
}

impl Adopted {
    /// The number of events that were written.
    #[must_use]
    pub fn recorded(&self) -> u64 {
        self.new + self.changed + self.gone
    }

    /// Adds the result of another chunk.
    fn add(&mut self, other: Self) {
        self.examined += other.examined;
        self.new += other.new;
        self.changed += other.changed;
        self.gone += other.gone;
        self.skipped.extend(other.skipped);
    }
}

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
