//! Implements writes for SQLite: a write takes the write lock first, and writes row and event in two statements.
//!
//! SQLite allows one writer at a time. The row comes first, because constraints can refuse it. Under the lock, no other
//! event can have the same revision. If the event is refused nevertheless, the savepoint around both statements removes
//! the row, even if the caller commits their transaction after the error.

mod pragmas;
mod several_rows;

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use diesel::sqlite::Sqlite;
use evented_core::{KeyValue, LogOffset};

use crate::backend::{EventedBackend, insert_values};
use crate::error::RefusedRow;
use crate::exec::Executor;
use crate::model::{EventLog, Model, ModelOn};
use crate::sql::{Statement, Text};
use crate::statements::{
    Append, Appended, Guard, HeadRow, Inserted, RecordRow, Removed, RowLock, Source, Written, append_columns,
    head_of, push_append_values, push_insert_columns, push_insert_values, push_is_record, remove_row, row_of,
    set_row,
};

struct Nothing;
impl QueryableByName<Sqlite> for Nothing {
    fn build<'a>(_: &impl NamedRow<'a, Sqlite>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

impl EventedBackend for Sqlite {
    async fn lock<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        _: &KeyValue,
        _: RowLock,
    ) -> QueryResult<bool> {
        lock_database::<M, D>(executor).await.map(|()| true)
    }

    async fn lock_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        _: &[KeyValue],
        _: RowLock,
    ) -> QueryResult<()> {
        lock_database::<M, D>(executor).await
    }

    async fn lock_number<M: ModelOn<Self>, D: Executor<Self>>(executor: &mut D, _: i64) -> QueryResult<()> {
        lock_database::<M, D>(executor).await
    }

    async fn insert<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> QueryResult<Inserted<M>> {
        let made = if append.makes_key {
            first(readable(executor, insert(append, row), None).await?)
        } else {
            insert_with_key(executor, append, row).await?
        };
        let Some(RecordRow(made)) = made else {
            // The database makes a key that no event has, so nothing else can have prevented the insert.
            let suppressed = append.makes_key;
            return if suppressed {
                Err(RefusedRow::NoRow.into_diesel())
            } else {
                Ok(Inserted { written: None })
            };
        };
        let key = M::key_value(&made.key());
        if !append.makes_key && key != *append.record {
            take_back::<M, D>(executor, Some(&key)).await?;
            return Err(RefusedRow::OtherKey(key.to_string()).into_diesel());
        }
        let revision =
            if append.makes_key { next_revision(executor, append, &key).await? } else { append.revision };
        let event = Append { record: &key, revision, ..append.clone() };
        match append_event::<M, D>(executor, &event).await {
            Ok(appended) => Ok(Inserted { written: Some((appended.offset, appended.revision, made)) }),
            Err(error) => {
                take_back::<M, D>(executor, Some(&key)).await?;
                Err(error)
            }
        }
    }

    async fn update<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        _: &Guard,
        row: &M,
        columns: &[usize],
    ) -> QueryResult<Written<M>> {
        let set = columns.is_empty()
            || executor.execute(set_row::<Self, M>(append.record, row, columns)).await? > 0;
        let row = row_of::<Self, M>(append.record).fixed::<M, RowByKey>();
        let row = first(executor.load::<RecordRow<M>>(row).await?).map(|row| row.0);
        if !set || row.is_none() {
            return Err(RefusedRow::NoRow.into_diesel());
        }
        let appended = append_event::<M, D>(executor, append).await?;
        Ok(Written { offset: Some(appended.offset), row })
    }

    async fn delete<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> QueryResult<Removed<M>> {
        let head = first(executor.load::<HeadRow>(head_of(append.table, append.record)).await?);
        let Some(known) = head.as_ref().filter(|head| expecting.is_none_or(|it| it == head.revision)) else {
            return Ok(Removed { appended: None, row: None, head });
        };
        let row = first(executor.load::<RecordRow<M>>(remove_row::<Self, M>(append.record)).await?)
            .map(|row| row.0);
        if row.is_none() {
            let row = row_of::<Self, M>(append.record).fixed::<M, RowByKey>();
            return match first(executor.load::<RecordRow<M>>(row).await?) {
                Some(_) => Err(RefusedRow::NoRow.into_diesel()),
                None => Ok(Removed { appended: None, row: None, head }),
            };
        }
        let event = Append { revision: known.revision.saturating_add(1), ..append.clone() };
        let appended = append_event::<M, D>(executor, &event).await?;
        Ok(Removed { appended: Some((appended.offset, appended.revision)), row, head })
    }

    async fn lock_table<M: ModelOn<Self>, D: Executor<Self>>(executor: &mut D) -> QueryResult<()> {
        lock_database::<M, D>(executor).await
    }

    async fn hides_rows<M: ModelOn<Self>, D: Executor<Self>>(_: &mut D) -> QueryResult<bool> {
        Ok(false)
    }

    async fn inexact_key<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> QueryResult<Option<String>> {
        pragmas::inexact_key::<M, D>(executor).await
    }

    async fn columns_of_constraint<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        name: &str,
    ) -> QueryResult<Vec<Option<String>>> {
        pragmas::columns_of_constraint::<M, D>(executor, name).await
    }

    async fn continue_keys<M: ModelOn<Self>, D: Executor<Self>>(_: &mut D) -> QueryResult<()> {
        // The next key is one more than the largest.
        Ok(())
    }

    async fn append_new<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<Vec<KeyValue>> {
        // Under the lock, no other writer can write between the check and the write.
        for event in events {
            unplaced::<M, D>(executor, &Append { placed: false, ..event.clone() }).await?;
        }
        Ok(events.iter().map(|event| event.record.clone()).collect())
    }

    async fn insert_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<usize> {
        insert_values(executor, rows).await
    }

    async fn make_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<Vec<M>> {
        insert_values(executor, rows).await?;
        let keys: Vec<KeyValue> = rows.iter().map(|(key, _)| key.clone()).collect();
        several_rows::rows_afterwards(executor, &keys).await
    }

    async fn change_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
        columns: &[usize],
    ) -> QueryResult<Vec<M>> {
        several_rows::change_rows(executor, rows, columns).await
    }

    async fn append_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<()> {
        several_rows::append::<M, D>(executor, events).await
    }
}

async fn lock_database<M: Model, D: Executor<Sqlite>>(executor: &mut D) -> QueryResult<()> {
    // An update of no rows takes the database's write lock and changes nothing.
    let mut statement = Statement::new("UPDATE ");
    // Any table works, but a view does not.
    statement
        .log(M::Log::SHARDS.first().copied().unwrap_or(M::Log::NAME))
        .sql(" SET position = position WHERE 0");
    executor.load::<Nothing>(statement).await.map(drop)
}

/// Writes a new row and reads it back, unless its record existed before.
///
/// Two statements are cheaper than `RETURNING`, for which SQLite builds a table in memory each time. They also show
/// what a trigger did after the insert.
async fn insert_with_key<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    append: &Append<'_>,
    row: &M,
) -> QueryResult<Option<RecordRow<M>>> {
    let made = if append.fresh {
        executor.execute(insert(append, row).fixed::<M, FreshRow>()).await?
    } else {
        executor.execute(insert(append, row)).await?
    };
    if made == 0 {
        let head = first(executor.load::<HeadRow>(head_of(append.table, append.record)).await?);
        let exists = head.is_some_and(|head| head.revision >= append.revision);
        return if exists { Ok(None) } else { Err(RefusedRow::NoRow.into_diesel()) };
    }
    let made = row_of::<Sqlite, M>(append.record).fixed::<M, RowByKey>();
    let rows = readable::<M, D>(executor, made, Some(append.record)).await?;
    match first(rows) {
        Some(row) => Ok(Some(row)),
        // A trigger deleted the row, or gave it another key.
        None => {
            take_back::<M, D>(executor, None).await?;
            Err(RefusedRow::NoRow.into_diesel())
        }
    }
}

/// Reads a new row back, and deletes it if it cannot be read.
async fn readable<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    statement: Statement<'_, Sqlite, impl Text>,
    key: Option<&KeyValue>,
) -> QueryResult<Vec<RecordRow<M>>> {
    match executor.load::<RecordRow<M>>(statement).await {
        Err(error @ diesel::result::Error::DeserializationError(_)) => {
            take_back::<M, D>(executor, key).await?;
            Err(error)
        }
        rows => rows,
    }
}

/// Deletes the row that was inserted last, by its key if that is known. Deleting a new row is simple, and it saves
/// every insert in a caller's transaction a savepoint.
async fn take_back<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    key: Option<&KeyValue>,
) -> QueryResult<()> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.table::<M>().sql(" WHERE ");
    match key {
        Some(key) => push_is_record::<Sqlite, M>(&mut statement, "", key),
        None => drop(statement.sql("rowid = last_insert_rowid()")),
    }
    executor.execute(statement).await.map(drop)
}

/// Kinds of statements that every insert runs. Finding their prepared form by text took a fifth of the time of an
/// insert.
struct FreshRow;
struct RowByKey;
struct UnplacedEvent;

/// Inserts the row of a new record, unless the record's first event exists.
pub(super) fn insert<'q, M: ModelOn<Sqlite>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Sqlite> {
    let mut statement = Statement::new("");
    push_insert_columns::<Sqlite, M>(&mut statement, append);
    let guarded = !append.makes_key && !append.fresh;
    if append.makes_key && M::WRITTEN.is_empty() {
        statement.sql(" DEFAULT VALUES RETURNING ").columns("", M::COLUMNS);
        return statement;
    }
    statement.sql(if guarded { "SELECT " } else { "VALUES (" });
    push_insert_values(&mut statement, append, row);
    if guarded {
        statement.sql(" WHERE NOT EXISTS (SELECT 1 FROM ").log(append.table.name).sql(" e WHERE ");
        statement
            .of_record("e", append.table, append.record)
            .sql(" AND e.revision >= ")
            .value(append.revision);
    }
    statement.sql(")");
    if append.makes_key {
        statement.sql(" RETURNING ").columns("", M::COLUMNS);
    }
    statement
}

pub(super) fn event<'q>(append: &'q Append<'_>) -> Statement<'q, Sqlite> {
    let mut statement = Statement::new("");
    append_columns(&mut statement, append.table, append.given_id, false);
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

/// Appends an event. `RETURNING` takes SQLite as much as a third of the time of the insert, so it is used only if the
/// caller wants the position.
async fn append_event<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    append: &Append<'_>,
) -> QueryResult<Appended> {
    if !append.placed {
        unplaced::<M, D>(executor, append).await?;
        return Ok(Appended { offset: LogOffset::default(), revision: append.revision });
    }
    first(executor.load::<Appended>(event(append)).await?).ok_or(diesel::NotFound)
}

/// Appends an event without `RETURNING`. The statement has one text for every event of a model, unless the model's log
/// has shards or the caller chose the event's id.
async fn unplaced<M: ModelOn<Sqlite>, D: Executor<Sqlite>>(
    executor: &mut D,
    append: &Append<'_>,
) -> QueryResult<usize> {
    if append.table.shards.is_empty() && !append.given_id {
        executor.execute(event(append).fixed::<M, UnplacedEvent>()).await
    } else {
        executor.execute(event(append)).await
    }
}

async fn next_revision<D: Executor<Sqlite>>(
    executor: &mut D,
    append: &Append<'_>,
    key: &KeyValue,
) -> QueryResult<i64> {
    // SQLite reuses the key of the last row after it was deleted. The new record then continues the old record's
    // revisions.
    let head = first(executor.load::<HeadRow>(head_of(append.table, key)).await?);
    Ok(head.map_or(1, |head| head.revision + 1))
}

fn first<T>(rows: Vec<T>) -> Option<T> {
    rows.into_iter().next()
}
