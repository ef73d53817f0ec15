//! Implements writes for PostgreSQL: event and row in one statement.
//!
//! A change locks the row first, appends the event only if the row is the one that the decision is based on, and writes
//! the row only if the event was appended. For a record whose key is new, the row comes first. The parts of one `WITH`
//! share a snapshot, so each part reads from the previous one to enforce this order.

use diesel::QueryResult;
use diesel::deserialize::{self, QueryableByName};
use diesel::pg::Pg;
use diesel::row::NamedRow;
use evented_core::{KeyPartKind, KeyValue};

mod catalog;
mod event_arrays;
mod row_arrays;
mod row_checks;

use crate::backend::{EventedBackend, insert_values};
use crate::error::RefusedRow;
use crate::exec::Executor;
use crate::model::ModelOn;
use crate::sql::{SqlTypes, Statement, Value, field, optional};
use crate::statements::{
    Append, Guard, HEAD_WIDTH, HeadRow, Inserted, InsertedRow, RecordOf, RecordRow, Removed, RowLock, Source,
    Written, WrittenRow, append_columns, insert_many, lock_rows, portions, push_append_values,
    push_insert_columns, push_insert_values, push_is_record, push_published, push_record_of,
    push_returned_for_publishing, push_set, read_written_offset, update_many,
};
use row_checks::{push_must_be_written, push_must_have_key};

/// A row of a result whose columns do not matter, only its existence.
struct Nothing;
impl QueryableByName<Pg> for Nothing {
    fn build<'a>(_: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

impl EventedBackend for Pg {
    async fn lock<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        key: &KeyValue,
        lock: RowLock,
    ) -> QueryResult<bool> {
        let mut statement = Statement::new("SELECT 1 FROM ");
        statement.table::<M>().sql(" WHERE ");
        push_is_record::<Self, M>(&mut statement, "", key);
        statement.sql(lock.sql(Self::DATABASE));
        executor.load::<Nothing>(statement).await.map(|rows| !rows.is_empty())
    }

    async fn lock_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        keys: &[KeyValue],
        lock: RowLock,
    ) -> QueryResult<()> {
        executor.load::<Nothing>(lock_rows::<Self, M>(keys, lock)).await.map(drop)
    }

    async fn hides_rows<M: ModelOn<Self>, D: Executor<Self>>(executor: &mut D) -> QueryResult<bool> {
        catalog::hides_rows::<M, D>(executor).await
    }

    async fn inexact_key<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
    ) -> QueryResult<Option<String>> {
        catalog::inexact_key::<M, D>(executor).await
    }

    async fn columns_of_constraint<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        name: &str,
    ) -> QueryResult<Vec<Option<String>>> {
        catalog::columns_of_constraint::<M, D>(executor, name).await
    }

    async fn continue_keys<M: ModelOn<Self>, D: Executor<Self>>(executor: &mut D) -> QueryResult<()> {
        catalog::continue_keys::<M, D>(executor).await
    }

    async fn lock_number<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        number: i64,
    ) -> QueryResult<()> {
        let mut statement = Statement::new("SELECT pg_advisory_xact_lock(");
        statement.value(number).sql(")");
        executor.load::<Nothing>(statement).await.map(drop)
    }

    async fn insert<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> QueryResult<Inserted<M>> {
        let has_new_key = append.makes_key || append.fresh;
        let is_fixed = append.fresh && append.table.shards.is_empty() && append.published.is_empty();
        let rows = if is_fixed {
            executor.load::<InsertedRow<M>>(insert_row_first(append, row).fixed::<M, FreshRow>()).await?
        } else if has_new_key {
            executor.load::<InsertedRow<M>>(insert_row_first(append, row)).await?
        } else {
            executor.load::<InsertedRow<M>>(insert(append, row)).await?
        };
        let row = rows.into_iter().next();
        if row.is_none() && has_new_key {
            return Err(RefusedRow::NoRow.into_diesel());
        }
        Ok(Inserted { written: row.and_then(|row| row.0) })
    }

    async fn update<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        guard: &Guard,
        row: &M,
        columns: &[usize],
    ) -> QueryResult<Written<M>> {
        let rows = executor.load::<WrittenRow<M>>(update(append, guard, row, columns)).await?;
        rows.into_iter().next().map(|row| row.0).ok_or(diesel::NotFound)
    }

    async fn delete<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> QueryResult<Removed<M>> {
        let rows = executor.load::<RemovedRow<M>>(delete::<M>(append, expecting)).await?;
        rows.into_iter().next().map(|row| row.0).ok_or(diesel::NotFound)
    }

    async fn lock_table<M: ModelOn<Self>, D: Executor<Self>>(executor: &mut D) -> QueryResult<()> {
        // The lock mode also blocks transactions that lock a row in order to write it.
        let mut statement = Statement::new("LOCK TABLE ");
        statement.table::<M>().sql(" IN EXCLUSIVE MODE");
        executor.execute(statement).await.map(drop)
    }

    async fn insert_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<usize> {
        let mut remaining = row_arrays::RemainingRows::all(executor, rows).await?;
        let mut inserted = 0;
        while let Some(columns) = remaining.next()? {
            inserted += executor.execute(columns.insert::<M>()).await?;
        }
        Ok(inserted + insert_values(executor, remaining.rest()).await?)
    }

    async fn make_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<Vec<M>> {
        let mut remaining = row_arrays::RemainingRows::all(executor, rows).await?;
        let mut made = Vec::with_capacity(rows.len());
        while let Some(columns) = remaining.next()? {
            let mut statement = columns.insert::<M>();
            statement.sql(" RETURNING ").columns("", M::COLUMNS);
            made.extend(executor.load::<RecordRow<M>>(statement).await?.into_iter().map(|row| row.0));
        }
        made.extend(make_values(executor, remaining.rest()).await?);
        Ok(made)
    }

    async fn change_rows<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        rows: &[(KeyValue, &M)],
        columns: &[usize],
    ) -> QueryResult<Vec<M>> {
        let mut remaining = row_arrays::RemainingRows::of_fields(executor, rows, columns.to_vec()).await?;
        let mut changed = Vec::with_capacity(rows.len());
        while let Some(arrays) = remaining.next()? {
            changed.extend(
                executor
                    .load::<RecordRow<M>>(arrays.update::<M>(columns))
                    .await?
                    .into_iter()
                    .map(|row| row.0),
            );
        }
        for rows in portions::<Self, _>(remaining.rest(), columns.len() + M::KEY_PARTS.len()) {
            let mut statement = update_many::<Self, M>(rows, columns);
            statement.sql(" RETURNING ").columns("t.", M::COLUMNS);
            changed.extend(executor.load::<RecordRow<M>>(statement).await?.into_iter().map(|row| row.0));
        }
        Ok(changed)
    }

    async fn append_new<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<Vec<KeyValue>> {
        let columns = event_arrays::EventColumns::of(events);
        let records = executor.load::<RecordOf<M>>(columns.append_new()).await?;
        Ok(records.into_iter().map(|record| record.key).collect())
    }

    async fn append_many<M: ModelOn<Self>, D: Executor<Self>>(
        executor: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<()> {
        let columns = event_arrays::EventColumns::of(events);
        executor.load::<Nothing>(columns.append()).await.map(drop)
    }
}

/// Inserts rows in portions, with `VALUES`, and returns the rows as the database stores them.
async fn make_values<M: ModelOn<Pg>, D: Executor<Pg>>(
    executor: &mut D,
    rows: &[(KeyValue, &M)],
) -> QueryResult<Vec<M>> {
    let mut made = Vec::with_capacity(rows.len());
    for rows in portions::<Pg, _>(rows, M::WRITTEN.len() + M::KEY_COLUMNS.len()) {
        let rows = executor.load::<RecordRow<M>>(insert_many::<Pg, M>(rows)).await?;
        made.extend(rows.into_iter().map(|row| row.0));
    }
    Ok(made)
}

/// Writes the event first: its unique revision decides between two writers. The row follows.
pub(super) fn insert<'q, M: ModelOn<Pg>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH appended AS (");
    append_columns(&mut statement, append.table, append.given_id, append.follows());
    statement.sql("VALUES (");
    push_append_values(
        &mut statement,
        append,
        append.known_record(),
        append.known_revision(),
        append.follows(),
    );
    statement.sql(") ON CONFLICT DO NOTHING RETURNING txid, position, revision");
    push_returned_for_publishing(&mut statement, append);
    statement.sql("), made AS (");
    push_insert_columns::<Pg, M>(&mut statement, append);
    statement.sql("SELECT ");
    push_insert_values(&mut statement, append, row);
    statement.sql(" FROM appended RETURNING ").columns("", M::COLUMNS).sql(")");
    push_published(&mut statement, append.published);
    statement
        .sql(" SELECT appended.txid, appended.position, appended.revision, ")
        .columns("made.", M::COLUMNS);
    push_must_be_written(&mut statement, "appended.position", "made.one");
    push_must_have_key::<M>(&mut statement, append.record);
    statement.sql(" FROM appended LEFT JOIN (SELECT 1 AS one, made.* FROM made) made ON true");
    statement
}

/// The insert of a record with a new key, whose statement has one text for each model.
struct FreshRow;

/// Writes the row first, because no other event can have its key: the database generates the key, or the library made a
/// new one. The event takes the key from the row. If the row is suppressed, no event is written.
pub(super) fn insert_row_first<'q, M: ModelOn<Pg>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH made AS (");
    push_insert_columns::<Pg, M>(&mut statement, append);
    if M::WRITTEN.is_empty() {
        statement.sql(" DEFAULT VALUES");
    } else {
        statement.sql("SELECT ");
        push_insert_values(&mut statement, append, row);
    }
    statement.sql(" RETURNING ").columns("", M::COLUMNS).sql("), appended AS (");
    append_columns(&mut statement, append.table, append.given_id, false);
    statement.sql("SELECT ");
    let record = Source::made_key::<M>();
    let revision = if append.fresh { append.known_revision() } else { Source::next_revision::<M>() };
    push_append_values(&mut statement, append, record, revision, false);
    statement.sql(" FROM made RETURNING txid, position, revision");
    push_returned_for_publishing(&mut statement, append);
    statement.sql(")");
    push_published(&mut statement, append.published);
    statement
        .sql(" SELECT appended.txid, appended.position, appended.revision, ")
        .columns("made.", M::COLUMNS);
    if append.fresh {
        push_must_have_key::<M>(&mut statement, append.record);
    }
    statement.sql(" FROM appended, made");
    statement
}

pub(super) fn update<'q, M: ModelOn<Pg>>(
    append: &'q Append<'_>,
    guard: &'q Guard,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH k AS (SELECT 1 FROM ");
    statement.table::<M>().sql(" t WHERE ");
    push_is_record::<Pg, M>(&mut statement, "t.", append.record);
    match guard {
        Guard::Locked => {}
        Guard::RowVersion(version) => {
            statement.sql(" AND ").sql(Pg::ROW_VERSION_SQL).sql(" = ").value(version.as_str());
        }
        Guard::Revision { column, revision, state, version } => {
            statement.sql(" AND t.").identifier(column).sql(" = ").value(*revision);
            statement.sql(" AND EXISTS (SELECT FROM ").log(append.table.name).sql(" e WHERE ");
            statement.of_record("e", append.table, append.record).sql(" AND e.revision = ").value(*revision);
            statement.sql(" AND e.state = ").value(Value::Bytes(state.as_bytes()));
            statement.sql(" AND e.version = ").value(*version).sql(")");
        }
    }
    statement.sql(" FOR NO KEY UPDATE), appended AS (");
    append_columns(&mut statement, append.table, append.given_id, true);
    statement.sql("SELECT ");
    push_append_values(&mut statement, append, append.known_record(), append.known_revision(), true);
    statement.sql(" FROM k ON CONFLICT DO NOTHING RETURNING txid, position");
    if !append.published.is_empty() {
        statement.sql(", revision");
    }
    push_returned_for_publishing(&mut statement, append);
    statement.sql("), changed AS (");
    if columns.is_empty() {
        statement.sql("SELECT ").columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    } else {
        statement.sql("UPDATE ").table::<M>().sql(" t SET ");
        push_set(&mut statement, row, columns);
        statement.sql(" WHERE ");
    }
    push_is_record::<Pg, M>(&mut statement, "t.", append.record);
    statement.sql(" AND EXISTS (SELECT FROM appended)");
    if !columns.is_empty() {
        statement.sql(" RETURNING ").columns("t.", M::COLUMNS);
    }
    statement.sql(")");
    push_published(&mut statement, append.published);
    statement.sql(" SELECT a.txid, a.position, c.one, ").columns("c.", M::COLUMNS);
    push_must_be_written(&mut statement, "a.position", "c.one");
    statement.sql(" FROM (SELECT) nothing LEFT JOIN appended a ON true");
    statement.sql(" LEFT JOIN (SELECT 1 AS one, changed.* FROM changed) c ON true");
    statement
}

pub(super) fn delete<'q, M: ModelOn<Pg>>(
    append: &'q Append<'_>,
    expecting: Option<i64>,
) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH k AS (SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE ");
    push_is_record::<Pg, M>(&mut statement, "t.", append.record);
    if M::KEY_PARTS.contains(&KeyPartKind::Text) {
        // The row of this key, and of no other that is equal for the table's collation.
        statement.sql(" AND convert_to(");
        push_record_of::<Pg, M>(&mut statement, "t.");
        statement.sql(", 'UTF8') = convert_to(").value(append.record).sql(", 'UTF8')");
    }
    statement.sql(" FOR UPDATE), head AS (SELECT ");
    statement.sql("e.revision, e.version, e.state, e.txid FROM ").log(append.table.name).sql(" e WHERE ");
    statement
        .of_record("e", append.table, append.record)
        .sql(" ORDER BY e.revision DESC LIMIT 1), appended AS (");
    append_columns(&mut statement, append.table, append.given_id, true);
    statement.sql("SELECT ");
    let revision = Source::Sql("head.revision + 1");
    push_append_values(&mut statement, append, append.known_record(), revision, true);
    statement.sql(" FROM k, head");
    if let Some(revision) = expecting {
        statement.sql(" WHERE head.revision = ").value(revision);
    }
    statement.sql(" ON CONFLICT DO NOTHING RETURNING txid, position, revision");
    push_returned_for_publishing(&mut statement, append);
    statement.sql("), gone AS (DELETE FROM ");
    statement.table::<M>().sql(" t USING appended WHERE ");
    push_is_record::<Pg, M>(&mut statement, "t.", append.record);
    statement.sql(" RETURNING 1 AS one)");
    push_published(&mut statement, append.published);
    statement.sql(
        " SELECT appended.txid, appended.position, appended.revision, e.revision, e.version, e.state, NULL, e.txid, k.one, ",
    );
    statement.columns("k.", M::COLUMNS);
    push_must_be_written(&mut statement, "appended.position", "gone.one");
    statement.sql(" FROM (SELECT) nothing");
    statement.sql(" LEFT JOIN (SELECT 1 AS one, k.* FROM k) k ON true LEFT JOIN head e ON true");
    statement.sql(" LEFT JOIN appended ON true LEFT JOIN gone ON true");
    statement
}

struct RemovedRow<M>(Removed<M>);

impl<M: ModelOn<Pg>> QueryableByName<Pg> for RemovedRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let appended = match read_written_offset(row)? {
            Some(offset) => Some((offset, field(row, 2, Pg::read_big_int)?)),
            None => None,
        };
        let known = optional(row, 3, Pg::read_big_int)?.is_some();
        let head = if known { Some(HeadRow::read(row, 3)?) } else { None };
        let exists = optional(row, 3 + HEAD_WIDTH, Pg::read_int)?.is_some();
        let record = if exists { Some(M::read(row, 4 + HEAD_WIDTH)?) } else { None };
        Ok(Self(Removed { appended, row: record, head }))
    }
}
