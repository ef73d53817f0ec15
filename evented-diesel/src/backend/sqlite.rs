//! SQLite: one writer at a time, so a write takes the lock first, and row and event are two statements under it.
//!
//! The row goes first, as it is the one that constraints refuse. Under the lock the event cannot meet another of its
//! revision; should it be refused all the same, the savepoint around both takes the row back, also where the caller
//! commits their transaction after the error.

use diesel::QueryResult;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::query_builder::AstPass;
use diesel::row::NamedRow;
use diesel::sqlite::Sqlite;
use evented_core::KeyValue;

use super::{Dialect, insert_values, log_types, make_values};
use crate::log::EventLog;
use crate::migrations::Flavour;
use crate::model::{Model, Rows};
use crate::run::driver::Driver;
use crate::statement::{
    Append, Appended, Guard, HeadRow, Inserted, RecordRow, Removed, Source, Statement, Text, Value, Written,
    append_columns, head_of, push_append_values, push_insert_columns, push_insert_values, remove_row, row_of,
    set_row,
};

struct Nothing;
impl QueryableByName<Sqlite> for Nothing {
    fn build<'a>(_: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

impl Dialect for Sqlite {
    const LOCKS_FIRST: bool = true;
    const FLAVOUR: Flavour = Flavour::Sqlite;
    const MAX_BINDS: usize = 32_766;
    const HAS_SEQUENCES: bool = false;
    const HORIZON: &'static str = "SELECT NULL";
    const NUMBERS_TRANSACTIONS: bool = false;
    // It differs when another connection has committed; the one that reads a stream does not write.
    const MARK: &'static str = "SELECT NULL, NULL, CAST(data_version AS TEXT) FROM pragma_data_version";
    const EPOCH: &'static str = "SELECT 0";
    const HOLDER: Option<&'static str> = None;
    // A transaction sees the same from its first reading on.
    const SEEN: &'static str = "SELECT NULL, NULL, NULL, 1";
    const WELL_TYPED: &'static str = "(typeof(e.revision) = 'integer' AND typeof(e.txid) = 'integer' \
         AND typeof(e.version) = 'integer' AND typeof(e.action) = 'text' AND typeof(e.schema) = 'text' \
         AND typeof(e.at) = 'text' AND typeof(e.payload) = 'text' AND typeof(e.meta) IN ('text', 'null') \
         AND typeof(e.id) = 'blob' AND typeof(e.state) = 'blob' AND typeof(e.hash) = 'blob')";
    const OVERRIDE_KEY: &'static str = "";
    const LOCK_ROWS: &'static str = "";
    // Nobody else can write while the lock is held: there is nothing to compare.
    const ROW_VERSION: &'static str = "''";

    log_types!(crate::sql_types::Uid, crate::sql_types::UtcTime);

    async fn lock<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, _: &KeyValue) -> QueryResult<bool> {
        lock_database::<M, D>(driver).await.map(|()| true)
    }

    async fn lock_many<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, _: &[KeyValue]) -> QueryResult<()> {
        lock_database::<M, D>(driver).await
    }

    async fn lock_number<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, _: i64) -> QueryResult<()> {
        lock_database::<M, D>(driver).await
    }

    async fn insert<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> QueryResult<Inserted<M>> {
        let made = if M::KEY.by_database() {
            first(readable(driver, insert(append, row), None).await?)
        } else {
            insert_with_key(driver, append, row).await?
        };
        let Some(RecordRow(made)) = made else { return Ok(Inserted { written: None }) };
        let key = M::key_value(made.key());
        let revision =
            if M::KEY.by_database() { next_revision(driver, append, &key).await? } else { append.revision };
        let event = Append { record: &key, revision, ..append.clone() };
        match append_event::<M, D>(driver, &event).await {
            Ok(appended) => Ok(Inserted { written: Some((appended.spot, appended.revision, made)) }),
            Err(error) => {
                take_back::<M, D>(driver, Some(&key)).await?;
                Err(error)
            }
        }
    }

    async fn update<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        _: &Guard,
        row: &M,
        columns: &[usize],
    ) -> QueryResult<Written<M>> {
        if !columns.is_empty() {
            driver.execute(set_row::<Self, M>(append.record, row, columns)).await?;
        }
        let row = row_of::<Self, M>(append.record).fixed::<M, RowByKey>();
        let row = first(driver.load::<RecordRow<M>>(row).await?).map(|row| row.0);
        let appended = append_event::<M, D>(driver, append).await?;
        Ok(Written { spot: Some(appended.spot), row })
    }

    async fn delete<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> QueryResult<Removed<M>> {
        let head = first(driver.load::<HeadRow>(head_of(append.place, append.record)).await?);
        let Some(known) = head.as_ref().filter(|head| expecting.is_none_or(|it| it == head.revision)) else {
            return Ok(Removed { appended: None, row: None, head });
        };
        let row =
            first(driver.load::<RecordRow<M>>(remove_row::<Self, M>(append.record)).await?).map(|row| row.0);
        if row.is_none() {
            return Ok(Removed { appended: None, row, head });
        }
        let event = Append { revision: known.revision.saturating_add(1), ..append.clone() };
        let appended = append_event::<M, D>(driver, &event).await?;
        Ok(Removed { appended: Some((appended.spot, appended.revision)), row, head })
    }

    async fn lock_table<M: Rows<Self>, D: Driver<Self>>(driver: &mut D) -> QueryResult<()> {
        lock_database::<M, D>(driver).await
    }

    async fn append_new<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<Vec<KeyValue>> {
        // Under the lock nothing comes between the look and the write.
        for event in events {
            unplaced::<M, D>(driver, &Append { placed: false, ..event.clone() }).await?;
        }
        Ok(events.iter().map(|event| event.record.clone()).collect())
    }

    async fn insert_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<usize> {
        insert_values(driver, rows).await
    }

    async fn make_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<Vec<M>> {
        make_values(driver, rows).await
    }

    async fn append_many<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<()> {
        for event in events {
            append_event::<M, D>(driver, event).await?;
        }
        Ok(())
    }
}

async fn lock_database<M: Model, D: Driver<Sqlite>>(driver: &mut D) -> QueryResult<()> {
    // An update of no row takes the database's write lock and changes nothing.
    let mut statement = Statement::new("UPDATE ");
    // Any table does; a view would not.
    statement
        .log(M::Log::SHARDS.first().copied().unwrap_or(M::Log::NAME))
        .sql(" SET position = position WHERE 0");
    driver.load::<Nothing>(statement).await.map(drop)
}

/// Writes a new row and reads it, unless its record was there before.
///
/// Two statements are cheaper than `RETURNING`, for which SQLite makes a table in memory each time; and what a trigger
/// does after the insert is seen, too.
async fn insert_with_key<M: Rows<Sqlite>, D: Driver<Sqlite>>(
    driver: &mut D,
    append: &Append<'_>,
    row: &M,
) -> QueryResult<Option<RecordRow<M>>> {
    let made = if append.fresh {
        driver.execute(insert(append, row).fixed::<M, FreshRow>()).await?
    } else {
        driver.execute(insert(append, row)).await?
    };
    if made == 0 {
        return Ok(None);
    }
    let made = row_of::<Sqlite, M>(append.record).fixed::<M, RowByKey>();
    let rows = readable::<M, D>(driver, made, Some(append.record)).await?;
    // If a trigger has removed it, the next write finds the drift.
    Ok(first(rows).or_else(|| Some(RecordRow(row.clone()))))
}

/// Reads a new row, and takes it back if it cannot be read.
async fn readable<M: Rows<Sqlite>, D: Driver<Sqlite>>(
    driver: &mut D,
    statement: Statement<'_, Sqlite, impl Text>,
    key: Option<&KeyValue>,
) -> QueryResult<Vec<RecordRow<M>>> {
    match driver.load::<RecordRow<M>>(statement).await {
        Err(error @ diesel::result::Error::DeserializationError(_)) => {
            take_back::<M, D>(driver, key).await?;
            Err(error)
        }
        rows => rows,
    }
}

/// Removes the row that was inserted last: by its key, if that is known. Taking a new row back is simple, and spares
/// every insert within a caller's transaction a savepoint.
async fn take_back<M: Rows<Sqlite>, D: Driver<Sqlite>>(
    driver: &mut D,
    key: Option<&KeyValue>,
) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ");
    match key {
        Some(key) => statement.identifier(M::KEY_COLUMN).sql(" = ").value(key),
        None => statement.sql("rowid = last_insert_rowid()"),
    };
    driver.execute(statement).await.map(drop)
}

/// The kinds of statement that every insert runs: finding their prepared form by their text was a fifth of its time.
struct FreshRow;
struct RowByKey;
struct UnplacedEvent;

/// The row of a new record, unless its first event exists.
pub(super) fn insert<'q, M: Rows<Sqlite>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Sqlite> {
    let mut statement = Statement::new("");
    push_insert_columns::<Sqlite, M>(&mut statement);
    let guarded = !M::KEY.by_database() && !append.fresh;
    statement.sql(if guarded { "SELECT " } else { "VALUES (" });
    push_insert_values(&mut statement, append.record, row);
    if guarded {
        statement.sql(" WHERE NOT EXISTS (SELECT 1 FROM ").log(append.place.table).sql(" e WHERE ");
        statement
            .of_record("e", append.place, append.record)
            .sql(" AND e.revision >= ")
            .value(append.revision);
    }
    statement.sql(")");
    if M::KEY.by_database() {
        statement.sql(" RETURNING ").columns("", M::COLUMNS);
    }
    statement
}

pub(super) fn event<'q>(append: &'q Append<'_>) -> Statement<'q, Sqlite> {
    let mut statement = Statement::new("");
    append_columns(&mut statement, append.place, false);
    statement.sql("VALUES (");
    push_append_values(
        &mut statement,
        append,
        Source::Known(append.record.into()),
        append.known_revision(),
        false,
    );
    statement.sql(")");
    if append.placed {
        statement.sql(" RETURNING txid, position, revision");
    }
    statement
}

/// `RETURNING` costs SQLite as much as a third of the insert: it is asked only where somebody wants the position.
async fn append_event<M: Rows<Sqlite>, D: Driver<Sqlite>>(
    driver: &mut D,
    append: &Append<'_>,
) -> QueryResult<Appended> {
    if !append.placed {
        unplaced::<M, D>(driver, append).await?;
        return Ok(Appended { spot: (0, 0), revision: append.revision });
    }
    first(driver.load::<Appended>(event(append)).await?).ok_or(diesel::NotFound)
}

/// One text for every event of a model, unless its shards have several.
async fn unplaced<M: Rows<Sqlite>, D: Driver<Sqlite>>(
    driver: &mut D,
    append: &Append<'_>,
) -> QueryResult<usize> {
    if append.place.shards.is_empty() {
        driver.execute(event(append).fixed::<M, UnplacedEvent>()).await
    } else {
        driver.execute(event(append)).await
    }
}

async fn next_revision<D: Driver<Sqlite>>(
    driver: &mut D,
    append: &Append<'_>,
    key: &KeyValue,
) -> QueryResult<i64> {
    // SQLite gives the key of a deleted last row again: the new record goes on with the old one's revisions.
    let head = first(driver.load::<HeadRow>(head_of(append.place, key)).await?);
    Ok(head.map_or(1, |head| head.revision + 1))
}

fn first<T>(rows: Vec<T>) -> Option<T> {
    rows.into_iter().next()
}
