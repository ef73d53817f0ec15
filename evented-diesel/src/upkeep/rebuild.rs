//! A whole table, written anew from its log.

use std::fmt;

use evented_core::KeyValue;

use super::Progress;
use crate::backend::Dialect;
use crate::error::{Error, RecordName};
use crate::integrity::{Comparison, Damage, Difference, Finding};
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{ColumnNames, column_names, columns_to_write, portions, remove_many_plain, set_row};
use crate::steps::transaction::Transaction;

/// Makes every row what its log says: writes rows that are missing, the columns that differ, and removes rows of records
/// that the log does not know or knows deleted. `Item::rebuild()`.
///
/// All in one transaction, streamed, in bounded memory. Other writers wait meanwhile; readers do not. Rows that are right
/// are not touched. Columns that belong to the database (`external`) are left to it.
///
/// [`Rebuild::dry_run`] gives what would be done, and does nothing: see
/// [`VerifyTable`](crate::integrity::VerifyTable), which it is.
///
/// # Errors
///
/// Running it: [`Error::Partial`] for a model that has not all columns of its table, since the others could not be
/// restored; [`Error::Replay`] if the log of a record cannot be replayed. Nothing is written then.
#[must_use = "an operation does nothing until it is run"]
pub struct Rebuild<M: Model> {
    progress: Option<Callback>,
    comparison: Comparison<M>,
}

/// How many events are read at once: the rows they lead to are written with few statements then.
const PAGE: i64 = 8_192;

type Callback = Box<dyn FnMut(&Progress) + Send>;

impl<M: Model> fmt::Debug for Rebuild<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rebuild").finish_non_exhaustive()
    }
}

/// What a rebuild has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Rows that were missing.
    pub inserted: u64,
    /// Rows that differed.
    pub updated: u64,
    /// Rows that the log has no record of.
    pub removed: u64,
}

impl Rebuilt {
    fn written(&self) -> u64 {
        self.inserted + self.updated + self.removed
    }
}

impl<M: Model> Rebuild<M> {
    /// Of the model's table.
    #[expect(clippy::new_without_default, reason = "an order, not a value to start from")]
    pub fn new() -> Self {
        Self { progress: None, comparison: Comparison::with_pages_of(PAGE) }
    }

    /// Calls this from time to time.
    pub fn progress(mut self, callback: impl FnMut(&Progress) + Send + 'static) -> Self {
        self.progress = Some(Box::new(callback));
        self
    }

    /// Says what would be done: the rows, and their columns, that differ from the log.
    pub fn dry_run(self) -> DryRun<M> {
        DryRun(crate::integrity::VerifyTable::new())
    }
}

/// See [`Rebuild::dry_run`].
#[derive(Debug)]
#[must_use = "a check does nothing until it is run"]
pub struct DryRun<M: Model>(crate::integrity::VerifyTable<M>);

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for DryRun<M> {
    type Output = Vec<Finding>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<Finding>, Error> {
        covers_its_table::<DB, M, D>(driver).await?;
        self.0.perform(driver).await
    }
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Rebuild<M> {
    type Output = Rebuilt;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Rebuilt, Error> {
        covers_its_table::<DB, M, D>(driver).await?;
        let name = RecordName { schema: M::SCHEMA, key: None };
        let transaction = Transaction::open(driver, &name).await?;
        let result = within(driver, self).await;
        transaction.close(driver, &name, result).await
    }
}

async fn within<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    rebuild: Rebuild<M>,
) -> Result<Rebuilt, Error> {
    let Rebuild { mut progress, mut comparison } = rebuild;
    DB::lock_table::<M, D>(driver).await.map_err(failed::<M>)?;
    let (mut done, mut seen) = (Rebuilt::default(), 0);
    while let Some(differences) = comparison.next::<DB, D>(driver).await? {
        seen += differences.seen;
        let last = differences.found.last().map(|difference| difference.key().clone());
        write(driver, differences.found, &mut done).await?;
        if let Some(callback) = &mut progress {
            callback(&Progress { seen, written: done.written(), last });
        }
    }
    Ok(done)
}

async fn write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    found: Vec<Difference<M>>,
    done: &mut Rebuilt,
) -> Result<(), Error> {
    let (mut missing, mut differing, mut surplus) = (Vec::new(), Vec::new(), Vec::new());
    for difference in found {
        match difference {
            Difference::Missing(key, state) => missing.push((key, state)),
            Difference::Differs(key, state, fields) => differing.push((key, state, fields)),
            Difference::Surplus(key) => surplus.push(key),
            Difference::Unreadable(key) => return Err(unreadable::<DB, M, D>(driver, key).await),
        }
    }
    // What they leave free can be taken then.
    for keys in portions::<DB, KeyValue>(&surplus, 1) {
        done.removed += count(driver.execute(remove_many_plain::<DB, M>(keys)).await.map_err(failed::<M>)?);
    }
    for (key, state, fields) in &differing {
        let statement = set_row::<DB, M>(key, state, &columns_to_write::<M>(fields.clone()));
        done.updated += count(driver.execute(statement).await.map_err(failed::<M>)?);
    }
    let missing: Vec<_> = missing.iter().map(|(key, state)| (key.clone(), state)).collect();
    done.inserted += count(DB::insert_rows(driver, &missing).await.map_err(failed::<M>)?);
    Ok(())
}

fn count(rows: usize) -> u64 {
    rows as u64
}

/// The error that says why.
async fn unreadable<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(driver: &mut D, key: KeyValue) -> Error {
    use crate::statement::Until;
    use crate::steps::{command::Record, load};
    let name = RecordName { schema: M::SCHEMA, key: Some(key.clone()) };
    let unknown = || Error::Form { record: name.clone(), source: Damage::RowSurplus.to_string().into() };
    let Some(key) = M::key_from(key) else { return unknown() };
    match load::replay(driver, &Record::<M>::new(key), Until::default()).await {
        Err(error) => error,
        Ok(_) => unknown(),
    }
}

/// A row cannot be made again if the model does not know all of it.
async fn covers_its_table<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(driver: &mut D) -> Result<(), Error> {
    let names = driver.load::<ColumnNames>(column_names::<DB, M>()).await.map_err(failed::<M>)?;
    let columns: Vec<String> = names
        .into_iter()
        .flat_map(|names| names.0)
        .filter(|name| !M::COLUMNS.contains(&name.as_str()))
        .collect();
    if columns.is_empty() { Ok(()) } else { Err(Error::Partial { schema: M::SCHEMA, columns }) }
}

fn failed<M: Model>(error: diesel::result::Error) -> Error {
    Error::database(RecordName { schema: M::SCHEMA, key: None }, error)
}
