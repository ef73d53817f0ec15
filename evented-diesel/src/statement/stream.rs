//! Statements that read a log as a stream: in the order in which its events became final.

use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{KeyKind, KeyValue, StoredEvent};
use uuid::Uuid;

use super::Statement;
use super::history::{UNVOUCHED_COLUMNS, UNVOUCHED_WIDTH, field, optional, read_key, read_unvouched};
use crate::backend::Dialect;
use crate::log::LogName;

/// The place of an event: its transaction and its position.
pub(crate) type Spot = (i64, i64);

/// An event of whatever model, as the stream of its log has it.
#[derive(Debug)]
pub(crate) struct Logged {
    /// The model, where several share the log.
    pub(crate) schema: Option<String>,
    pub(crate) record: KeyValue,
    pub(crate) event: StoredEvent,
}

/// The kind of a log's keys, as a type: rows are read without anything else at hand.
pub(crate) trait Keys: Send + 'static {
    const KIND: KeyKind;
}

/// [`Keys`] of one kind.
macro_rules! keys {
    ($($name:ident = $kind:ident),*) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Keys for $name {
            const KIND: KeyKind = KeyKind::$kind;
        }
    )*};
}
keys!(UuidKeys = Uuid, TextKeys = Text, IntKeys = Int, BigIntKeys = BigInt);

/// An event of a log with keys of one kind.
pub(crate) struct LoggedRow<K>(pub(crate) Logged, PhantomData<fn() -> K>);

impl<DB: Dialect, K: Keys> QueryableByName<DB> for LoggedRow<K> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let record = read_key(K::KIND, row, UNVOUCHED_WIDTH)?;
        let schema = optional(row, UNVOUCHED_WIDTH + 1, DB::read_text)?;
        let event = read_unvouched(row)?;
        Ok(Self(Logged { schema, record, event }, PhantomData))
    }
}

/// The columns of [`LoggedRow`] in their order: without the digest of the state, which nobody asks for on the way.
fn columns<DB: Dialect>(statement: &mut Statement<'_, DB>, shared: bool) {
    statement.sql(UNVOUCHED_COLUMNS).sql(", e.record_id, ").sql(if shared { "e.schema" } else { "NULL" });
}

/// The next events of a log after a place, of transactions before one that has not ended.
pub(crate) fn stream_page<'q, DB: Dialect>(
    log: LogName,
    shared: bool,
    after: Spot,
    before_txid: Option<i64>,
    limit: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    columns(&mut statement, shared);
    statement.sql(" FROM ").log(log);
    behind(&mut statement, after, before_txid, limit);
    statement
}

/// The place of the next event after a place, and its model as far as that can be read: where the event itself cannot.
pub(crate) fn next_place<'q, DB: Dialect>(
    log: LogName,
    after: Spot,
    before_txid: Option<i64>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "SELECT CAST(e.txid AS BIGINT), CAST(e.position AS BIGINT), CAST(e.schema AS TEXT) FROM ",
    );
    statement.log(log);
    behind(&mut statement, after, before_txid, 1);
    statement
}

/// A place in a log, and the model of the event there.
pub(crate) struct PlaceRow(pub(crate) Spot, pub(crate) Option<String>);

impl<DB: Dialect> QueryableByName<DB> for PlaceRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let place = (field(row, 0, DB::read_big_int)?, field(row, 1, DB::read_big_int)?);
        Ok(Self(place, optional(row, 2, DB::read_text)?))
    }
}

/// The events of a log after a place, in their order, of transactions before one that has not ended.
fn behind<DB: Dialect>(statement: &mut Statement<'_, DB>, after: Spot, before_txid: Option<i64>, limit: i64) {
    statement.sql(" e WHERE ");
    if DB::NUMBERS_TRANSACTIONS {
        statement.sql("(e.txid, e.position) > (").value(after.0).sql(", ").value(after.1).sql(")");
    } else {
        statement.sql("e.position > ").value(after.1);
    }
    if let Some(txid) = before_txid {
        statement.sql(" AND e.txid < ").value(txid);
    }
    let order = if DB::NUMBERS_TRANSACTIONS { "e.txid, e.position" } else { "e.position" };
    statement.sql(" ORDER BY ").sql(order).sql(" LIMIT ").value(limit);
}

/// What may have been committed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The first transaction that has not ended; none where writers come one after the other.
    pub(crate) horizon: Option<i64>,
    /// The first transaction that has not begun, likewise.
    pub(crate) next: Option<i64>,
    /// Differs from another one if anything was committed between the two.
    pub(crate) text: String,
}

impl<DB: Dialect> QueryableByName<DB> for Mark {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            horizon: optional(row, 0, DB::read_big_int)?,
            next: optional(row, 1, DB::read_big_int)?,
            text: field(row, 2, DB::read_text)?,
        })
    }
}

/// The answer to [`last_spot`].
pub(crate) struct LastSpot(pub(crate) Option<Spot>);

impl<DB: Dialect> QueryableByName<DB> for LastSpot {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let txid = optional(row, 0, DB::read_big_int)?;
        let position = optional(row, 1, DB::read_big_int)?;
        Ok(Self(txid.zip(position)))
    }
}

/// The last place of a log, in the order of its stream.
pub(crate) fn last_spot<'q, DB: Dialect>(log: LogName) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.txid, e.position FROM ");
    statement.log(log).sql(" e ORDER BY ");
    statement.sql(if DB::NUMBERS_TRANSACTIONS { "e.txid DESC, e.position DESC" } else { "e.position DESC" });
    statement.sql(" LIMIT 1");
    statement
}

/// The answer to [`final_event`].
pub(crate) struct FinalEvent(pub(crate) Spot, pub(crate) Uuid);

impl<DB: Dialect> QueryableByName<DB> for FinalEvent {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let spot = (field(row, 0, DB::read_big_int)?, field(row, 1, DB::read_big_int)?);
        Ok(Self(spot, field(row, 2, DB::read_uuid)?))
    }
}

/// The last event of a log of transactions before one that has not ended.
pub(crate) fn final_event<'q, DB: Dialect>(log: LogName, before_txid: Option<i64>) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.txid, e.position, e.id FROM ");
    statement.log(log).sql(" e");
    if let Some(txid) = before_txid {
        statement.sql(" WHERE e.txid < ").value(txid);
    }
    statement.sql(" ORDER BY ");
    statement.sql(if DB::NUMBERS_TRANSACTIONS { "e.txid DESC, e.position DESC" } else { "e.position DESC" });
    statement.sql(" LIMIT 1");
    statement
}

/// The id of the event at a place.
pub(crate) fn event_at<'q, DB: Dialect>(log: LogName, at: Spot) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.id FROM ");
    statement.log(log).sql(" e WHERE e.txid = ").value(at.0).sql(" AND e.position = ").value(at.1);
    statement
}

/// The answer to [`event_at`].
pub(crate) struct EventId(pub(crate) Uuid);

impl<DB: Dialect> QueryableByName<DB> for EventId {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        field(row, 0, DB::read_uuid).map(Self)
    }
}

/// Who keeps a transaction open that others wait behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HolderRow {
    pub(crate) pid: Option<i32>,
    pub(crate) name: String,
    pub(crate) user: String,
    pub(crate) database: String,
    pub(crate) state: String,
    pub(crate) since: Option<DateTime<Utc>>,
}

impl<DB: Dialect> QueryableByName<DB> for HolderRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let text = |index| optional(row, index, DB::read_text).map(Option::unwrap_or_default);
        Ok(Self {
            pid: optional(row, 0, DB::read_int)?,
            name: text(1)?,
            user: text(2)?,
            database: text(3)?,
            state: text(4)?,
            since: optional(row, 5, DB::read_time)?,
        })
    }
}

/// The events of several records of a log's table, each up to a revision, oldest first: all of them, or from the last
/// savepoint on.
pub(crate) fn histories<'q, DB: Dialect>(
    table: LogName,
    schema: Option<&'q str>,
    wanted: &'q [(KeyValue, i64)],
    from_savepoint: bool,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT ");
    columns(&mut statement, schema.is_some());
    statement.sql(" FROM ").log(table).sql(" e WHERE (");
    for (index, (record, revision)) in wanted.iter().enumerate() {
        statement.sql(if index == 0 { "(" } else { " OR (" });
        statement.sql("e.record_id = ").value(record);
        if let Some(schema) = schema {
            statement.sql(" AND e.schema = ").value(schema);
        }
        statement.sql(" AND e.revision <= ").value(*revision);
        if !from_savepoint {
            statement.sql(")");
            continue;
        }
        statement.sql(" AND e.revision >= COALESCE((SELECT max(s.revision) FROM ").log(table);
        statement.sql(" s WHERE s.action = 'savepoint' AND s.record_id = ").value(record);
        if let Some(schema) = schema {
            statement.sql(" AND s.schema = ").value(schema);
        }
        statement.sql(" AND s.revision <= ").value(*revision);
        statement.sql("), 0))");
    }
    statement.sql(") ORDER BY e.record_id, e.revision");
    statement
}

/// The positions of the events of transactions from one on.
pub(crate) fn positions_from<'q, DB: Dialect>(log: LogName, txid: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT e.position FROM ");
    statement.log(log).sql(" e WHERE e.txid >= ").value(txid);
    statement
}
