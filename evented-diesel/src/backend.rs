//! What differs between databases, and nothing else: how a statement binds and reads the log's own types, how a
//! record is locked, and how event and row are written as one.

use chrono::{DateTime, Utc};
use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::deserialize;
use diesel::query_builder::AstPass;
use evented_core::KeyValue;
use uuid::Uuid;

use crate::migrations::Flavour;
use crate::model::Rows;
use crate::run::driver::Driver;
use crate::statement::{
    Append, Guard, Inserted, LARGEST_PORTION, RecordRow, Removed, Value, Written, insert_many,
    insert_many_plain, portions,
};

#[cfg(feature = "__pg")]
mod pg;
#[cfg(feature = "sqlite")]
mod sqlite;

/// A database that can hold evented models: PostgreSQL and SQLite.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a database that evented knows",
    note = "switch on one of the features `sqlite`, `postgres`, `async-sqlite`, `async-postgres` of `evented-diesel`"
)]
pub trait Dialect: Backend + Sized + 'static {
    /// Whether a write locks before it reads. One writer at a time makes every other order futile.
    #[doc(hidden)]
    const LOCKS_FIRST: bool;
    /// In which SQL its log tables are made.
    #[doc(hidden)]
    const FLAVOUR: Flavour;
    /// How many values one statement may bind.
    #[doc(hidden)]
    const MAX_BINDS: usize;
    /// Whether several tables can take their numbers from one sequence.
    #[doc(hidden)]
    const HAS_SEQUENCES: bool;

    #[doc(hidden)]
    fn push_value<'b>(value: &'b Value<'_>, out: AstPass<'_, 'b, Self>) -> QueryResult<()>;
    #[doc(hidden)]
    fn read_uuid(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Uuid>;
    #[doc(hidden)]
    fn read_text(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String>;
    #[doc(hidden)]
    fn read_json(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String>;
    #[doc(hidden)]
    fn read_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i32>;
    #[doc(hidden)]
    fn read_big_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i64>;
    #[doc(hidden)]
    fn read_time(value: Option<Self::RawValue<'_>>) -> deserialize::Result<DateTime<Utc>>;
    #[doc(hidden)]
    fn read_bytes(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Vec<u8>>;

    /// The query for the first transaction that has not ended yet; null where writers come one after the other.
    #[doc(hidden)]
    const HORIZON: &'static str;
    /// Whether transactions have numbers, and an event can become final later than one behind it.
    #[doc(hidden)]
    const NUMBERS_TRANSACTIONS: bool;
    /// The query for what may have been committed so far: the first transaction that has not ended, the first that has
    /// not begun, and a text that differs after each commit.
    #[doc(hidden)]
    const MARK: &'static str;
    /// The query for a number that tells this database apart from copies of it; 0 if nothing does.
    #[doc(hidden)]
    const EPOCH: &'static str;
    /// The query for who has kept a transaction open longest, where others wait behind it.
    #[doc(hidden)]
    const HOLDER: Option<&'static str>;
    /// The query for what the present transaction sees: the first transaction that had not ended, the first that had
    /// not begun, those between them that had not ended, and whether later statements see the same.
    #[doc(hidden)]
    const SEEN: &'static str;
    /// What a query that reads rows of `t` ends with to lock them.
    #[doc(hidden)]
    const LOCK_ROWS: &'static str;
    /// Whether every column of an event `e` in a hashed log holds a value of its type, as 1 or 0: where columns take
    /// anything, a number may be read from a text that is none.
    #[doc(hidden)]
    const WELL_TYPED: &'static str;
    /// What stands before the values of a row whose key the database would make, where that is said.
    #[doc(hidden)]
    const OVERRIDE_KEY: &'static str;
    /// The SQL that names the version of a row of the user's table, if the database keeps one.
    #[doc(hidden)]
    const ROW_VERSION: &'static str;

    /// Locks a record's row, within a transaction, until its end; says whether it is held now. A row that does not
    /// exist cannot be, where other writers are not kept out altogether.
    #[doc(hidden)]
    fn lock<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        key: &KeyValue,
    ) -> impl Future<Output = QueryResult<bool>> + Send;

    /// Locks the rows of several records, in the order of their keys.
    #[doc(hidden)]
    fn lock_many<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        keys: &[KeyValue],
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Keeps other writers from the whole table, within a transaction, until its end.
    #[doc(hidden)]
    fn lock_table<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Keeps others out who lock the same number, within a transaction, until its end: for what has no row to lock.
    #[doc(hidden)]
    fn lock_number<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        number: i64,
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Writes a first event and its row.
    #[doc(hidden)]
    fn insert<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> impl Future<Output = QueryResult<Inserted<M>>> + Send;

    /// Writes an event and the changed columns of its row.
    #[doc(hidden)]
    fn update<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        guard: &Guard,
        row: &M,
        columns: &[usize],
    ) -> impl Future<Output = QueryResult<Written<M>>> + Send;

    /// Writes a last event and removes the row, whatever its state; says what was removed and what the log knew.
    #[doc(hidden)]
    fn delete<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> impl Future<Output = QueryResult<Removed<M>>> + Send;

    /// Appends many events of one log but those that are there already; gives the records of the others.
    #[doc(hidden)]
    fn append_new<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> impl Future<Output = QueryResult<Vec<KeyValue>>> + Send;

    /// Appends many events of one log, in their order. One that is there already is a unique violation.
    #[doc(hidden)]
    fn append_many<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> impl Future<Output = QueryResult<()>> + Send;

    /// Inserts many rows, with their keys; says how many there were.
    #[doc(hidden)]
    fn insert_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> impl Future<Output = QueryResult<usize>> + Send;

    /// [`Dialect::insert_rows`], and the rows as the database holds them.
    #[doc(hidden)]
    fn make_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> impl Future<Output = QueryResult<Vec<M>>> + Send;
}

/// Inserts rows of any types, in any database.
async fn insert_values<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    rows: &[(KeyValue, &M)],
) -> QueryResult<usize> {
    let mut inserted = 0;
    for rows in portions::<DB, _>(rows, M::WRITTEN.len() + 1) {
        let statement = insert_many_plain::<DB, M>(rows);
        // The text of the largest portions is long, and always the same.
        inserted += if rows.len() == LARGEST_PORTION {
            driver.execute(statement.fixed::<M, LargestInsert>()).await?
        } else {
            driver.execute(statement).await?
        };
    }
    Ok(inserted)
}

/// An insert of as many rows as one statement may have.
struct LargestInsert;

/// [`insert_values`], and the rows as the database holds them.
async fn make_values<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    rows: &[(KeyValue, &M)],
) -> QueryResult<Vec<M>> {
    let mut made = Vec::with_capacity(rows.len());
    for rows in portions::<DB, _>(rows, M::WRITTEN.len() + 1) {
        let rows = driver.load::<RecordRow<M>>(insert_many::<DB, M>(rows)).await?;
        made.extend(rows.into_iter().map(|row| row.0));
    }
    Ok(made)
}

/// Binds and reads the log's own types: the same lines for every database, over its own conversions.
macro_rules! log_types {
    ($uuid:ty, $time:ty) => {
        fn push_value<'b>(value: &'b Value<'_>, mut out: AstPass<'_, 'b, Self>) -> QueryResult<()> {
            use crate::sql_types::JsonText;
            use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};
            match value {
                Value::Uuid(value) => out.push_bind_param::<$uuid, uuid::Uuid>(value),
                Value::Text(value) => out.push_bind_param::<Text, str>(value),
                Value::Int(value) => out.push_bind_param::<Integer, i32>(value),
                Value::BigInt(value) => out.push_bind_param::<BigInt, i64>(value),
                Value::Json(value) => out.push_bind_param::<JsonText, str>(value),
                Value::OptionalJson(value) => out.push_bind_param::<Nullable<JsonText>, Option<&str>>(value),
                Value::Time(value) => out.push_bind_param::<$time, chrono::DateTime<chrono::Utc>>(value),
                Value::Bytes(value) => out.push_bind_param::<Binary, [u8]>(value),
            }
        }
        fn read_uuid(value: Option<Self::RawValue<'_>>) -> deserialize::Result<uuid::Uuid> {
            FromSql::<$uuid, Self>::from_nullable_sql(value)
        }
        fn read_text(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String> {
            FromSql::<diesel::sql_types::Text, Self>::from_nullable_sql(value)
        }
        fn read_json(value: Option<Self::RawValue<'_>>) -> deserialize::Result<String> {
            FromSql::<crate::sql_types::JsonText, Self>::from_nullable_sql(value)
        }
        fn read_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i32> {
            FromSql::<diesel::sql_types::Integer, Self>::from_nullable_sql(value)
        }
        fn read_big_int(value: Option<Self::RawValue<'_>>) -> deserialize::Result<i64> {
            FromSql::<diesel::sql_types::BigInt, Self>::from_nullable_sql(value)
        }
        fn read_time(
            value: Option<Self::RawValue<'_>>,
        ) -> deserialize::Result<chrono::DateTime<chrono::Utc>> {
            FromSql::<$time, Self>::from_nullable_sql(value)
        }
        fn read_bytes(value: Option<Self::RawValue<'_>>) -> deserialize::Result<Vec<u8>> {
            FromSql::<diesel::sql_types::Binary, Self>::from_nullable_sql(value)
        }
    };
}
use log_types;
