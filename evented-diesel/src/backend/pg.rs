//! PostgreSQL: event and row in one statement.
//!
//! Each statement locks the row first, appends the event only if the row is the one the decision was made on, and
//! writes the row only if the event was appended. The parts of one `WITH` share a snapshot, so the order is kept by
//! each part reading the one before it.

use diesel::QueryResult;
use diesel::deserialize::{self, FromSql, QueryableByName};
use diesel::pg::Pg;
use diesel::query_builder::AstPass;
use diesel::row::NamedRow;
use evented_core::KeyValue;
mod many;
mod rows;

use super::{Dialect, insert_values, log_types, make_values};
use crate::migrations::Flavour;
use crate::model::Rows;
use crate::run::driver::Driver;
use crate::statement::{
    Append, Guard, HEAD_WIDTH, HeadRow, Inserted, InsertedRow, RecordOf, RecordRow, Removed, Source,
    Statement, Value, Written, WrittenRow, append_columns, field, lock_rows, optional, push_append_values,
    push_insert_columns, push_insert_values, push_set, read_spot,
};

/// Any row of the answer will do where only the fact counts.
struct Nothing;
impl QueryableByName<Pg> for Nothing {
    fn build<'a>(_: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        Ok(Self)
    }
}

impl Dialect for Pg {
    const LOCKS_FIRST: bool = false;
    const FLAVOUR: Flavour = Flavour::Postgres;
    const MAX_BINDS: usize = 65_535;
    const HAS_SEQUENCES: bool = true;
    const HORIZON: &'static str = "SELECT txid_snapshot_xmin(txid_current_snapshot())";
    const NUMBERS_TRANSACTIONS: bool = true;
    const MARK: &'static str =
        "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s), s::text FROM txid_current_snapshot() s";
    // The cluster and the database in it: both a restore elsewhere and a copy beside it differ.
    const EPOCH: &'static str = "SELECT c.system_identifier # d.oid::bigint FROM pg_control_system() c, pg_database d \
        WHERE d.datname = current_database()";
    const HOLDER: Option<&'static str> = Some(
        "SELECT pid, name, owner, datname, state, since FROM ( \
            SELECT pid, application_name::text AS name, usename::text AS owner, datname::text, state, \
                xact_start AS since, age(backend_xid) AS age \
            FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() \
            UNION ALL \
            SELECT NULL, gid, owner::text, database::text, 'prepared', prepared, age(transaction) \
            FROM pg_prepared_xacts \
        ) h ORDER BY age DESC LIMIT 1",
    );
    const SEEN: &'static str = "SELECT txid_snapshot_xmin(s), txid_snapshot_xmax(s), \
        array_to_string(ARRAY(SELECT txid_snapshot_xip(s)), ','), \
        CASE WHEN current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN 1 ELSE 0 END \
        FROM txid_current_snapshot() s";
    const WELL_TYPED: &'static str = "1";
    const OVERRIDE_KEY: &'static str = " OVERRIDING SYSTEM VALUE";
    const LOCK_ROWS: &'static str = " FOR UPDATE OF t";
    // Every update makes a row version of its own: `xmin` names the transaction that wrote it, `ctid` tells versions
    // of one transaction apart.
    const ROW_VERSION: &'static str = "t.xmin::text || t.ctid::text";

    log_types!(diesel::sql_types::Uuid, diesel::sql_types::Timestamptz);

    async fn lock<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, key: &KeyValue) -> QueryResult<bool> {
        let mut statement = Statement::new("SELECT 1 FROM ");
        statement.table::<M>().sql(" WHERE ").identifier(M::KEY_COLUMN).sql(" = ").value(key);
        statement.sql(" FOR UPDATE");
        driver.load::<Nothing>(statement).await.map(|rows| !rows.is_empty())
    }

    async fn lock_many<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, keys: &[KeyValue]) -> QueryResult<()> {
        driver.load::<Nothing>(lock_rows::<Self, M>(keys)).await.map(drop)
    }

    async fn lock_number<M: Rows<Self>, D: Driver<Self>>(driver: &mut D, number: i64) -> QueryResult<()> {
        let mut statement = Statement::new("SELECT pg_advisory_xact_lock(");
        statement.value(number).sql(")");
        driver.load::<Nothing>(statement).await.map(drop)
    }

    async fn insert<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        row: &M,
    ) -> QueryResult<Inserted<M>> {
        let statement =
            if M::KEY.by_database() { insert_row_first(append, row) } else { insert(append, row) };
        let rows = driver.load::<InsertedRow<M>>(statement).await?;
        Ok(Inserted { written: rows.into_iter().next().and_then(|row| row.0) })
    }

    async fn update<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        guard: &Guard,
        row: &M,
        columns: &[usize],
    ) -> QueryResult<Written<M>> {
        let rows = driver.load::<WrittenRow<M>>(update(append, guard, row, columns)).await?;
        rows.into_iter().next().map(|row| row.0).ok_or(diesel::NotFound)
    }

    async fn delete<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        append: &Append<'_>,
        expecting: Option<i64>,
    ) -> QueryResult<Removed<M>> {
        let rows = driver.load::<RemovedRow<M>>(delete::<M>(append, expecting)).await?;
        rows.into_iter().next().map(|row| row.0).ok_or(diesel::NotFound)
    }

    async fn lock_table<M: Rows<Self>, D: Driver<Self>>(driver: &mut D) -> QueryResult<()> {
        // Not only against writers, but also against those who lock a row in order to write it.
        let mut statement = Statement::new("LOCK TABLE ");
        statement.table::<M>().sql(" IN EXCLUSIVE MODE");
        driver.execute(statement).await.map(drop)
    }

    async fn insert_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<usize> {
        let mut remaining = rows::Remaining::all(driver, rows).await?;
        let mut inserted = 0;
        while let Some(columns) = remaining.next()? {
            inserted += driver.execute(columns.insert::<M>()).await?;
        }
        Ok(inserted + insert_values(driver, remaining.rest()).await?)
    }

    async fn make_rows<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        rows: &[(KeyValue, &M)],
    ) -> QueryResult<Vec<M>> {
        let mut remaining = rows::Remaining::all(driver, rows).await?;
        let mut made = Vec::with_capacity(rows.len());
        while let Some(columns) = remaining.next()? {
            let mut statement = columns.insert::<M>();
            statement.sql(" RETURNING ").columns("", M::COLUMNS);
            made.extend(driver.load::<RecordRow<M>>(statement).await?.into_iter().map(|row| row.0));
        }
        made.extend(make_values(driver, remaining.rest()).await?);
        Ok(made)
    }

    async fn append_new<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<Vec<KeyValue>> {
        let columns = many::EventColumns::of(events);
        let records = driver.load::<RecordOf<M>>(columns.append_new()).await?;
        Ok(records.into_iter().map(|record| record.key).collect())
    }

    async fn append_many<M: Rows<Self>, D: Driver<Self>>(
        driver: &mut D,
        events: &[Append<'_>],
    ) -> QueryResult<()> {
        let columns = many::EventColumns::of(events);
        driver.load::<Nothing>(columns.append()).await.map(drop)
    }
}

/// The event first: its unique revision decides between two writers, and the row follows.
pub(super) fn insert<'q, M: Rows<Pg>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH appended AS (");
    append_columns(&mut statement, append.place, append.follows());
    statement.sql("VALUES (");
    push_append_values(
        &mut statement,
        append,
        append.known_record(),
        append.known_revision(),
        append.follows(),
    );
    statement.sql(") ON CONFLICT DO NOTHING RETURNING txid, position, revision), made AS (");
    push_insert_columns::<Pg, M>(&mut statement);
    statement.sql("SELECT ");
    push_insert_values(&mut statement, append.record, row);
    statement.sql(" FROM appended RETURNING ").columns("", M::COLUMNS);
    statement
        .sql(") SELECT appended.txid, appended.position, appended.revision, ")
        .columns("made.", M::COLUMNS);
    statement.sql(" FROM appended, made");
    statement
}

/// The row first, where the database makes the key; the event takes it from there.
pub(super) fn insert_row_first<'q, M: Rows<Pg>>(append: &'q Append<'_>, row: &'q M) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH made AS (");
    push_insert_columns::<Pg, M>(&mut statement);
    statement.sql("SELECT ");
    push_insert_values(&mut statement, append.record, row);
    statement.sql(" RETURNING ").columns("", M::COLUMNS).sql("), appended AS (");
    append_columns(&mut statement, append.place, false);
    statement.sql("SELECT ");
    let record = Source::Sql("made.", Some(M::KEY_COLUMN));
    let revision = Source::NextRevision(append.place, M::KEY_COLUMN);
    push_append_values(&mut statement, append, record, revision, false);
    statement.sql(" FROM made RETURNING txid, position, revision)");
    statement
        .sql(" SELECT appended.txid, appended.position, appended.revision, ")
        .columns("made.", M::COLUMNS);
    statement.sql(" FROM appended, made");
    statement
}

pub(super) fn update<'q, M: Rows<Pg>>(
    append: &'q Append<'_>,
    guard: &'q Guard,
    row: &'q M,
    columns: &[usize],
) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH k AS (SELECT 1 FROM ");
    statement.table::<M>().sql(" t WHERE t.").identifier(M::KEY_COLUMN).sql(" = ").value(append.record);
    match guard {
        Guard::Locked => {}
        Guard::RowVersion(version) => {
            statement.sql(" AND ").sql(Pg::ROW_VERSION).sql(" = ").value(version.as_str());
        }
        Guard::Revision { column, revision, state, version } => {
            statement.sql(" AND t.").identifier(column).sql(" = ").value(*revision);
            statement.sql(" AND EXISTS (SELECT FROM ").log(append.place.table).sql(" e WHERE ");
            statement.of_record("e", append.place, append.record).sql(" AND e.revision = ").value(*revision);
            statement.sql(" AND e.state = ").value(Value::Bytes(state.as_bytes()));
            statement.sql(" AND e.version = ").value(*version).sql(")");
        }
    }
    statement.sql(" FOR UPDATE), appended AS (");
    append_columns(&mut statement, append.place, true);
    statement.sql("SELECT ");
    push_append_values(&mut statement, append, append.known_record(), append.known_revision(), true);
    statement.sql(" FROM k ON CONFLICT DO NOTHING RETURNING txid, position), changed AS (");
    if columns.is_empty() {
        statement.sql("SELECT ").columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE t.");
    } else {
        statement.sql("UPDATE ").table::<M>().sql(" t SET ");
        push_set(&mut statement, row, columns);
        statement.sql(" WHERE t.");
    }
    statement.identifier(M::KEY_COLUMN).sql(" = ").value(append.record);
    statement.sql(" AND EXISTS (SELECT FROM appended)");
    if !columns.is_empty() {
        statement.sql(" RETURNING ").columns("t.", M::COLUMNS);
    }
    statement.sql(") SELECT a.txid, a.position, c.one, ").columns("c.", M::COLUMNS);
    statement.sql(" FROM (SELECT) nothing LEFT JOIN appended a ON true");
    statement.sql(" LEFT JOIN (SELECT 1 AS one, changed.* FROM changed) c ON true");
    statement
}

pub(super) fn delete<'q, M: Rows<Pg>>(append: &'q Append<'_>, expecting: Option<i64>) -> Statement<'q, Pg> {
    let mut statement = Statement::new("WITH k AS (SELECT ");
    statement.columns("t.", M::COLUMNS).sql(" FROM ").table::<M>().sql(" t WHERE t.");
    statement.identifier(M::KEY_COLUMN).sql(" = ").value(append.record).sql(" FOR UPDATE), head AS (SELECT ");
    statement.sql("e.revision, e.version, e.state FROM ").log(append.place.table).sql(" e WHERE ");
    statement
        .of_record("e", append.place, append.record)
        .sql(" ORDER BY e.revision DESC LIMIT 1), appended AS (");
    append_columns(&mut statement, append.place, true);
    statement.sql("SELECT ");
    let revision = Source::Sql("head.revision + 1", None);
    push_append_values(&mut statement, append, append.known_record(), revision, true);
    statement.sql(" FROM k, head");
    if let Some(revision) = expecting {
        statement.sql(" WHERE head.revision = ").value(revision);
    }
    statement.sql(" ON CONFLICT DO NOTHING RETURNING txid, position, revision), gone AS (DELETE FROM ");
    statement.table::<M>().sql(" t USING appended WHERE t.").identifier(M::KEY_COLUMN).sql(" = ");
    statement.value(append.record).sql(") SELECT ");
    statement.sql(
        "appended.txid, appended.position, appended.revision, e.revision, e.version, e.state, NULL, k.one, ",
    );
    statement.columns("k.", M::COLUMNS).sql(" FROM (SELECT) nothing");
    statement.sql(" LEFT JOIN (SELECT 1 AS one, k.* FROM k) k ON true LEFT JOIN head e ON true");
    statement.sql(" LEFT JOIN appended ON true");
    statement
}

struct RemovedRow<M>(Removed<M>);

impl<M: Rows<Pg>> QueryableByName<Pg> for RemovedRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, Pg>) -> deserialize::Result<Self> {
        let appended = match read_spot(row)? {
            Some(spot) => Some((spot, field(row, 2, Pg::read_big_int)?)),
            None => None,
        };
        let known = optional(row, 3, Pg::read_big_int)?.is_some();
        let head = if known { Some(HeadRow::read(row, 3)?) } else { None };
        let exists = optional(row, 3 + HEAD_WIDTH, Pg::read_int)?.is_some();
        let record = if exists { Some(M::read(row, 4 + HEAD_WIDTH)?) } else { None };
        Ok(Self(Removed { appended, row: record, head }))
    }
}
