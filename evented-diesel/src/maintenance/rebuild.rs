//! Rebuilds a whole table from its log.

use std::fmt;

use evented_core::KeyValue;
use serde::Serialize;

use crate::backend::EventedBackend;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, sealed};
use crate::maintenance::Progress;
use crate::maintenance::row_writer::RowWriter;
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::read::load;
use crate::statements::{ColumnNames, Until, column_names};
use crate::verify::{Comparison, Difference, Finding, Issue, VerifyTable};

/// Makes every row equal to its log: `Item::rebuild()`. It inserts missing rows, updates columns that differ, and
/// deletes rows of records that the log does not know or has as deleted.
///
/// It runs in one transaction and streams the log in bounded memory. Other writers wait in the meantime; readers do
/// not. It does not touch rows that are correct, nor columns that belong to the database (`external`).
///
/// [`Rebuild::dry_run`] reports what would be done and writes nothing. It runs the same comparison as [`VerifyTable`].
///
/// # Errors
///
/// Running it: [`Error::IncompleteModel`] for a model that does not have all columns of its table, because the others
/// could not be restored; [`Error::Replay`] if the log of a record cannot be replayed. Nothing is written then.
#[must_use = "an operation does nothing until it is run"]
pub struct Rebuild<M: Model> {
    progress: Option<Callback>,
    comparison: Comparison<M>,
}

/// The number of events that one statement reads. With large pages, few statements write the rows.
const EVENTS_PER_PAGE: i64 = 8_192;

type Callback = Box<dyn FnMut(&Progress) + Send>;

impl<M: Model> fmt::Debug for Rebuild<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuild").finish_non_exhaustive()
    }
}

/// The result of a rebuild.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The number of rows that were missing and have been inserted.
    pub inserted: u64,
    /// The number of rows that differed and have been updated.
    pub updated: u64,
    /// The number of rows without a live record in the log, which have been deleted.
    pub removed: u64,
}

impl Rebuilt {
    fn written(&self) -> u64 {
        self.inserted + self.updated + self.removed
    }
}

impl<M: Model> Rebuild<M> {
    /// Rebuilds the model's table.
    #[expect(clippy::new_without_default, reason = "an operation has no default value")]
    pub fn new() -> Self {
        Self { progress: None, comparison: Comparison::with_page_size(EVENTS_PER_PAGE) }
    }

    /// Sets a callback that is called after each page of events.
    pub fn progress(mut self, callback: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.progress = Some(Box::new(callback));
        self
    }

    /// Reports what would be done, as findings: the rows and columns that differ from the log.
    pub fn dry_run(self) -> DryRun<M> {
        DryRun(VerifyTable::new())
    }
}

/// Reports what a rebuild would do. See [`Rebuild::dry_run`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct DryRun<M: Model>(VerifyTable<M>);

impl<M: Model> sealed::Operation for DryRun<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for DryRun<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Finding>, Error> {
        covers_its_table::<DB, M, D>(executor).await?;
        self.0.perform(executor).await
    }
}

impl<M: Model> sealed::Operation for Rebuild<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Rebuild<M> {
    type Output = Rebuilt;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Rebuilt, Error> {
        covers_its_table::<DB, M, D>(executor).await?;
        let name = Subject::Model(M::SCHEMA);
        let transaction = Transaction::open(executor, &name).await?;
        let result = within(executor, self).await;
        transaction.close(executor, &name, result).await
    }
}

async fn within<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    rebuild: Rebuild<M>,
) -> Result<Rebuilt, Error> {
    let Rebuild { mut progress, mut comparison } = rebuild;
    let failed = table_failed::<M>;
    DB::lock_table::<M, D>(executor).await.map_err(failed)?;
    if DB::hides_rows::<M, D>(executor).await.map_err(failed)? {
        return Err(Error::RowSecurity { record: Subject::Model(M::SCHEMA) });
    }
    let (mut rows, mut examined) = (RowWriter::default(), 0);
    while let Some(differences) = comparison.next::<DB, D>(executor).await? {
        examined += differences.examined;
        let last = differences.found.last().map(|difference| difference.key().clone());
        write(executor, differences.found, &mut rows).await?;
        if let Some(callback) = &mut progress {
            callback(&Progress { examined, written: rows.done.written(), last });
        }
    }
    rows.write_postponed::<DB, M, D>(executor).await?;
    if rows.done.inserted > 0 {
        DB::continue_keys::<M, D>(executor).await.map_err(failed)?;
    }
    Ok(rows.done)
}

async fn write<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    found: Vec<Difference<M>>,
    rows: &mut RowWriter,
) -> Result<(), Error> {
    let (mut missing, mut differing, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
    for difference in found {
        match difference {
            Difference::Missing(key, state) => missing.push((key, state)),
            Difference::Differs(key, state, fields) => differing.push((key, state, fields)),
            Difference::Surplus(key) => surplus.push(key),
            Difference::Unreadable(key) => return Err(unreadable::<DB, M, D>(executor, key).await),
        }
    }
    // Delete first, so that the other rows can reuse the unique values of the deleted ones.
    rows.remove::<DB, M, D>(executor, surplus).await?;
    rows.update(executor, differing).await?;
    rows.insert(executor, missing).await
}

/// Returns the error that says why the record's events cannot be replayed.
async fn unreadable<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    key: KeyValue,
) -> Error {
    let name = Subject::Record { schema: M::SCHEMA, key: key.clone() };
    let unknown =
        || Error::Encode { record: name.clone(), error: Issue::RowWithoutEvents.to_string().into() };
    let Some(key) = M::key_from(key) else { return unknown() };
    match load::replay(executor, &Record::<M>::new(key), Until::default()).await {
        Err(error) => error,
        Ok(_) => unknown(),
    }
}

/// Fails if the table has columns that the model does not know: its rows could not be restored.
async fn covers_its_table<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
) -> Result<(), Error> {
    let names = executor.load::<ColumnNames>(column_names::<DB, M>()).await.map_err(table_failed::<M>)?;
    let columns: Vec<String> = names
        .into_iter()
        .flat_map(|names| names.0)
        .filter(|name| !M::COLUMNS.contains(&name.as_str()))
        .collect();
    if columns.is_empty() { Ok(()) } else { Err(Error::IncompleteModel { schema: M::SCHEMA, columns }) }
}
