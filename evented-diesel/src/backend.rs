//! Implements locks and writes for each database: how to lock a record, and how to write event and row together.

use diesel::QueryResult;
use evented_core::KeyValue;

use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::SqlTypes;
use crate::statements::{
    Append, Guard, Inserted, LARGEST_PORTION, Removed, RowLock, Written, insert_many_plain, portions,
};

#[cfg(feature = "__pg")]
mod pg;
#[cfg(feature = "sqlite")]
mod sqlite;

/// A database that can store evented models: PostgreSQL or SQLite.
///
/// Code that is generic over the database names this trait in bounds. Only this library implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that evented knows",
    note = "switch on one of the features `sqlite`, `postgres`, `async-sqlite`, `async-postgres` of `evented-diesel`"
)]
pub trait EventedBackend: SqlTypes {
    /// Locks a record's row until the end of the transaction. Returns whether the row is locked now. A row that does
    /// not exist cannot be locked, unless the database allows only one writer at a time.
    #[doc(hidden)]
    fn lock<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        key: &KeyValue,
        lock: RowLock,
    ) -> impl Future<Output = QueryResult<bool>> + Send;

    /// Locks the rows of several records until the end of the transaction, in the order of their keys.
    #[doc(hidden)]
    fn lock_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        keys: &[KeyValue],
        lock: RowLock,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Locks the whole table against other writers until the end of the transaction.
    #[doc(hidden)]
    fn lock_table<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Returns whether the connection's user may not see all rows of the model's table.
    #[doc(hidden)]
    fn hides_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> impl Future<Output = QueryResult<bool>> + Send;

    /// Returns why keys that differ can be equal in the model's table; `None` if they cannot.
    #[doc(hidden)]
    fn inexact_key<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> impl Future<Output = QueryResult<Option<String>>> + Send;

    /// Locks a number until the end of the transaction, for objects that have no row to lock. Other transactions that
    /// lock the same number wait.
    #[doc(hidden)]
    fn lock_number<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        number: i64,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Writes the first event of a record and its row.
    #[doc(hidden)]
    fn insert<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> impl Future<Output = QueryResult<Inserted<M>>> + Send;

    /// Writes an event and the changed columns of the row.
    #[doc(hidden)]
    fn update<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        guard: &Guard,
        row: &M,
        columns: &[usize],
    ) -> impl Future<Output = QueryResult<Written<M>>> + Send;

    /// Writes the event of a delete and deletes the row, whatever its state. Returns the deleted row and what the log
    /// knew of it.
    #[doc(hidden)]
    fn delete<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> impl Future<Output = QueryResult<Removed<M>>> + Send;

    /// Appends many events of one log, except those that exist already. Returns the records of the appended events.
    #[doc(hidden)]
    fn append_new<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> impl Future<Output = QueryResult<Vec<KeyValue>>> + Send;

    /// Appends many events of one log, in their order. An event that exists already is a unique violation.
    #[doc(hidden)]
    fn append_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Returns the columns of a unique constraint or index of the model's table, `None` for an expression. Empty if there is
    /// none of that name without a condition.
    #[doc(hidden)]
    fn columns_of_constraint<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        name: &str,
    ) -> impl Future<Output = QueryResult<Vec<Option<String>>>> + Send;

    /// Makes the database continue after the largest key, if it makes keys from a sequence and rows were inserted with
    /// keys that were not taken from it.
    #[doc(hidden)]
    fn continue_keys<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Writes the same columns of many rows. Returns the rows as the database stores them.
    #[doc(hidden)]
    fn change_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
        columns: &[usize],
    ) -> impl Future<Output = QueryResult<Vec<M>>> + Send;

    /// Inserts many rows with their keys. Returns the number of inserted rows.
    #[doc(hidden)]
    fn insert_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> impl Future<Output = QueryResult<usize>> + Send;

    /// Like [`EventedBackend::insert_rows`], but returns the rows as the database stores them.
    #[doc(hidden)]
    fn make_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> impl Future<Output = QueryResult<Vec<M>>> + Send;
}

/// Inserts rows in portions, with `VALUES` statements that work on every database.
async fn insert_values<DB: EventedBackend, M: ModelOn<DB>, D: Executor<DB>>(
    executor: &mut D,
    rows: &[(KeyValue, &M)],
) -> QueryResult<usize> {
    let mut inserted = 0;
    for rows in portions::<DB, _>(rows, M::WRITTEN.len() + M::KEY_COLUMNS.len()) {
        let statement = insert_many_plain::<DB, M>(rows);
        // The text of the largest portion is long and always the same, so Diesel should not build it for each
        // statement.
        inserted += if rows.len() == LARGEST_PORTION {
            executor.execute(statement.fixed::<M, LargestInsert>()).await?
        } else {
            executor.execute(statement).await?
        };
    }
    Ok(inserted)
}

/// The type that stands for the text of an insert of [`LARGEST_PORTION`] rows.
struct LargestInsert;
