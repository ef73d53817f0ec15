//! Builds the statement that appends an event, and reads the database's answer.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{NamedRow, Row};
use evented_core::{Digest, EventHash, Json, KeyValue, LogOffset, Meta};
use uuid::Uuid;

use crate::domain::{Cause, Publication, PublicationRow, push_publications};
use crate::model::ModelOn;
use crate::sql::{EventTable, SqlTypes, Statement, Value, field, optional};
use crate::statements::events::HeadRow;
use crate::statements::key_columns::push_record_of;

/// An event to append.
#[derive(Debug, Clone)]
pub struct Append<'a> {
    pub(crate) table: EventTable,
    pub(crate) record: &'a KeyValue,
    pub(crate) event_id: Uuid,
    /// Whether the caller chose the id, so that the command may be repeated with it.
    pub(crate) given_id: bool,
    pub(crate) revision: i64,
    pub(crate) action: &'a str,
    pub(crate) version: i32,
    pub(crate) payload: &'a Json,
    pub(crate) meta: Option<&'a Json>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: &'a Digest,
    /// The hash of the event, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
    /// The transaction that orders the event before this one, 0 if there is none; `None` if it is not known.
    pub(crate) txid_before: Option<i64>,
    /// Whether the database makes the record's key when it inserts the row.
    pub(crate) makes_key: bool,
    /// Whether the record's key was generated just now, so that no event or row of it can exist.
    pub(crate) fresh: bool,
    /// Whether the caller wants the event's offset.
    pub(crate) placed: bool,
    /// The domain events that are published if the event is appended.
    pub(crate) published: &'a [Publication],
}

/// The condition that must still hold when a row is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// None: this transaction has locked the row.
    Locked,
    /// The row must have this version, as the database reports it.
    RowVersion(String),
    /// The row's revision column must have this revision, and the event of that revision must have left the caller's
    /// state.
    Revision {
        /// The name of the revision column.
        column: &'static str,
        /// The revision that the column must have.
        revision: i64,
        /// The digest of the caller's state.
        state: Digest,
        /// The schema version of that state.
        version: i32,
    },
}

/// The result of an insert.
#[derive(Debug)]
pub struct Inserted<M> {
    /// The event's offset and revision, and the row as the database stores it; `None` if the record or the event
    /// existed already.
    pub(crate) written: Option<(LogOffset, i64, M)>,
}

/// The result of an update.
#[derive(Debug)]
pub struct Written<M> {
    /// The event's offset; `None` if another writer was first.
    pub(crate) offset: Option<LogOffset>,
    /// The row as the database stores it.
    pub(crate) row: Option<M>,
}

/// The result of a delete.
#[derive(Debug)]
pub struct Removed<M> {
    /// The event's offset and revision; `None` if another writer was first or there was nothing to delete.
    pub(crate) appended: Option<(LogOffset, i64)>,
    /// The row that was deleted.
    pub(crate) row: Option<M>,
    /// The last event of the record before the delete.
    pub(crate) head: Option<HeadRow>,
}

/// Adds `INSERT INTO log (columns)`, in the order of [`push_append_values`].
///
/// `follows` says whether the record has an earlier event: see [`push_ordering_txid`]. `given_id` says whether the caller
/// chose the event's id.
pub(crate) fn append_columns<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    table: EventTable,
    given_id: bool,
    follows: bool,
) {
    statement.sql("INSERT INTO ").log(table.name);
    statement.sql(" (id, record_id, revision, action, version, payload, meta, at, state");
    if table.schema.is_some() {
        statement.sql(", schema");
    }
    if table.hashed {
        statement.sql(", hash");
    }
    if given_id {
        statement.sql(", given_id");
    }
    if numbers_itself::<DB>(table) {
        statement.sql(", position");
    }
    if follows && DB::NUMBERS_TRANSACTIONS {
        statement.sql(", txid");
    }
    statement.sql(") ");
}

/// Whether the statement must compute the event's position over all shards, because the database has no sequence for
/// it.
fn numbers_itself<DB: SqlTypes>(table: EventTable) -> bool {
    !DB::HAS_SEQUENCES && !table.shards.is_empty()
}

/// Adds the values of an event. `record` and `revision` may come from another part of the statement.
pub(crate) fn push_append_values<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    append: &'q Append<'_>,
    record: Source<'q, DB>,
    revision: Source<'q, DB>,
    follows: bool,
) {
    statement.value(append.event_id).sql(", ");
    record.push(statement);
    statement.sql(", ");
    revision.push(statement);
    statement.sql(", ").value(append.action).sql(", ").value(append.version).sql(", ");
    statement.value(Value::Json(append.payload.as_str())).sql(", ");
    statement.value(Value::Json(append.meta_text())).sql(", ");
    statement.value(append.at).sql(", ").value(Value::Bytes(append.state.as_bytes()));
    if let Some(schema) = append.table.schema {
        statement.sql(", ").value(schema);
    }
    if append.table.hashed {
        statement.sql(", ").value(Value::Bytes(append.hash.as_ref().map_or(&[], EventHash::as_bytes)));
    }
    if append.given_id {
        statement.sql(", TRUE");
    }
    if numbers_itself::<DB>(append.table) {
        for (index, shard) in append.table.shards.iter().enumerate() {
            statement.sql(if index == 0 {
                ", COALESCE((SELECT max(p) FROM (SELECT max(position) AS p FROM "
            } else {
                " UNION ALL SELECT max(position) FROM "
            });
            statement.log(*shard);
        }
        statement.sql(")), 0) + 1");
    }
    if follows && DB::NUMBERS_TRANSACTIONS {
        statement.sql(", ");
        match append.txid_before {
            Some(txid) => push_ordering_txid_after(statement, |statement| {
                statement.value(txid);
            }),
            None => push_ordering_txid(statement, append.table, |statement| {
                statement.of_record("p", append.table, append.record);
            }),
        }
    }
}

/// Adds the transaction id that orders an event, as [`push_ordering_txid`] does, if that of the event before it is known.
pub(crate) fn push_ordering_txid_after<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    before: impl Fn(&mut Statement<'q, DB>),
) {
    statement.sql("GREATEST(txid_current(), CASE WHEN ");
    before(statement);
    statement.sql(" < txid_snapshot_xmax(txid_current_snapshot()) THEN ");
    before(statement);
    statement.sql(" END)");
}

/// Adds the transaction id that orders an event: its own transaction's, or that of the previous event of its record, if
/// that is higher.
///
/// A transaction can get its number early and change a record late, after a younger transaction changed it. Ordered by
/// their own transactions alone, the record's events would swap. A reader that reads below the oldest open transaction
/// still misses nothing: while this transaction is open, readers do not read that far. A number that this server has
/// not reached yet belongs to another server from which the log was moved, and is ignored here.
pub(crate) fn push_ordering_txid<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    table: EventTable,
    of_record: impl FnOnce(&mut Statement<'q, DB>),
) {
    statement.sql("GREATEST(txid_current(), COALESCE((SELECT h.txid FROM (SELECT p.txid FROM ");
    statement.log(table.name).sql(" p WHERE ");
    of_record(statement);
    statement.sql(
        " ORDER BY p.revision DESC LIMIT 1) h WHERE h.txid < txid_snapshot_xmax(txid_current_snapshot())",
    );
    statement.sql("), 0))");
}

/// The source of a value of the event.
pub(crate) enum Source<'q, DB: SqlTypes> {
    /// A value that is known.
    Known(Value<'q>),
    /// An expression of another part of the statement.
    Sql(&'static str),
    /// An expression that this function writes.
    Written(fn(&mut Statement<'q, DB>)),
}

impl<'q, DB: SqlTypes> Source<'q, DB> {
    /// The key of the row that `made` contains.
    pub(crate) fn made_key<M: ModelOn<DB>>() -> Self {
        Self::Written(|statement| push_record_of::<DB, M>(statement, "made."))
    }

    /// One more than the last revision of the record whose row `made` contains. A key that the database reuses
    /// continues the revisions of its old record.
    pub(crate) fn next_revision<M: ModelOn<DB>>() -> Self {
        Self::Written(|statement| {
            let table = M::whole_log();
            statement.sql("COALESCE((SELECT max(l.revision) FROM ").log(table.name);
            statement.sql(" l WHERE l.record_id = ");
            push_record_of::<DB, M>(statement, "made.");
            statement.and_schema("l", table).sql("), 0) + 1");
        })
    }

    fn push(self, statement: &mut Statement<'q, DB>) {
        match self {
            Self::Known(value) => {
                statement.value(value);
            }
            Self::Sql(sql) => {
                statement.sql(sql);
            }
            Self::Written(write) => write(statement),
        }
    }
}

impl<'q> Append<'q> {
    pub(crate) fn known_record<DB: SqlTypes>(&self) -> Source<'q, DB> {
        Source::Known(self.record.into())
    }

    /// Returns the text of the metadata.
    pub(crate) fn meta_text(&self) -> &'q str {
        self.meta.map_or(Meta::NONE, Json::as_str)
    }

    /// Returns whether the record has an event before this one.
    pub(crate) fn follows(&self) -> bool {
        self.revision > 1
    }

    pub(crate) fn known_revision<DB: SqlTypes>(&self) -> Source<'q, DB> {
        Source::Known(self.revision.into())
    }
}

/// Appends an event and does not touch the row.
pub(crate) fn append<'q, DB: SqlTypes>(append: &'q Append<'_>) -> Statement<'q, DB> {
    // SQLite writes them in a statement of their own.
    let publishes = DB::NUMBERS_TRANSACTIONS && !append.published.is_empty();
    let mut statement = Statement::new(if publishes { "WITH appended AS (" } else { "" });
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
    if publishes {
        statement.sql(", record_id)");
        push_published(&mut statement, append.published);
        statement.sql(" SELECT txid, position, revision FROM appended");
    }
    statement
}

/// Adds the columns of the event that the parts of [`push_published`] read, at the end of the part `appended`.
pub(crate) fn push_returned_for_publishing<DB: SqlTypes>(
    statement: &mut Statement<'_, DB>,
    append: &Append<'_>,
) {
    statement.sql(if append.published.is_empty() { "" } else { ", record_id" });
}

/// Adds the parts of a `WITH` that publish domain events, one for each bus, if the part `appended` has a row.
pub(crate) fn push_published<'q, DB: SqlTypes>(
    statement: &mut Statement<'q, DB>,
    published: &'q [Publication],
) {
    let rows = published.iter().map(|publication| PublicationRow { publication, cause: Cause::Appended });
    for (index, of_bus) in by_bus(rows).into_iter().enumerate() {
        statement.sql(", published").number(index).sql(" AS (");
        push_publications(statement, &of_bus);
        statement.sql(")");
    }
}

/// Groups events by their table. The events of a table keep their order.
pub(crate) fn by_bus<'q>(
    published: impl IntoIterator<Item = PublicationRow<'q>>,
) -> Vec<Vec<PublicationRow<'q>>> {
    let mut groups: Vec<Vec<PublicationRow<'q>>> = Vec::new();
    let table = |row: &PublicationRow<'_>| (row.publication.bus, row.publication.delayed.is_some());
    for row in published {
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| table(first) == table(&row))) {
            Some(group) => group.push(row),
            None => groups.push(vec![row]),
        }
    }
    groups
}

/// The result of [`append`].
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) offset: LogOffset,
    pub(crate) revision: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for Appended {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let offset = read_written_offset(row)?.ok_or("an event without an offset")?;
        Ok(Self { offset, revision: field(row, 2, DB::read_big_int)? })
    }
}

/// Reads `txid, position`; `None` if the event was not written.
pub(crate) fn read_written_offset<'a, DB: SqlTypes>(
    row: &impl Row<'a, DB>,
) -> deserialize::Result<Option<LogOffset>> {
    let txid = optional(row, 0, DB::read_big_int)?;
    let position = optional(row, 1, DB::read_big_int)?;
    Ok(txid.zip(position).map(|(txid, position)| LogOffset { txid, position }))
}

/// A result row of `txid`, `position`, `revision` and the columns of the row.
pub(crate) struct InsertedRow<M>(pub(crate) Option<(LogOffset, i64, M)>);

impl<DB: SqlTypes, M: ModelOn<DB>> QueryableByName<DB> for InsertedRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let Some(offset) = read_written_offset(row)? else { return Ok(Self(None)) };
        Ok(Self(Some((offset, field(row, 2, DB::read_big_int)?, M::read(row, 3)?))))
    }
}

/// A result row of `txid`, `position`, whether there is a row, and the columns of the row.
pub(crate) struct WrittenRow<M>(pub(crate) Written<M>);

impl<DB: SqlTypes, M: ModelOn<DB>> QueryableByName<DB> for WrittenRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let offset = read_written_offset(row)?;
        let exists = optional(row, 2, DB::read_int)?.is_some();
        let record = if exists { Some(M::read(row, 3)?) } else { None };
        Ok(Self(Written { offset, row: record }))
    }
}
