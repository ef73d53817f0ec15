//! The event to append, and what the database answers.

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, QueryableByName};
use diesel::row::{NamedRow, Row};
use evented_core::{Digest, EventHash, Json, KeyValue};
use uuid::Uuid;

use super::{HeadRow, Spot, Statement, Value};
use crate::backend::Dialect;
use crate::log::Place;
use crate::model::Rows;
use crate::statement::history::{field, optional};

/// An event about to be appended.
#[derive(Debug, Clone)]
pub struct Append<'a> {
    pub(crate) place: Place,
    pub(crate) schema: &'static str,
    pub(crate) record: &'a KeyValue,
    pub(crate) event_id: Uuid,
    pub(crate) revision: i64,
    pub(crate) action: &'a str,
    pub(crate) version: i32,
    pub(crate) payload: &'a Json,
    pub(crate) meta: Option<&'a Json>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: &'a Digest,
    /// Its hash, in a log that chains its events.
    pub(crate) hash: Option<EventHash>,
    /// Whether the record's key was made just now, so that nothing of it can be there.
    pub(crate) fresh: bool,
    /// Whether somebody wants to know its position.
    pub(crate) placed: bool,
}

/// What must still hold for a row to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The row is locked by this transaction.
    Locked,
    /// The row is of this version, as the database counts.
    RowVersion(String),
    /// The row's revision column has this revision, and its event left the state that the caller has at hand.
    Revision {
        /// The column.
        column: &'static str,
        /// What it must hold.
        revision: i64,
        /// The digest of the state at hand.
        state: Digest,
        /// The schema version it is of.
        version: i32,
    },
}

/// The answer to an insert.
#[derive(Debug)]
pub struct Inserted<M> {
    /// Place and revision of the event and the row as the database holds it, unless the record or the event
    /// existed.
    pub(crate) written: Option<(Spot, i64, M)>,
}

/// The answer to an update.
#[derive(Debug)]
pub struct Written<M> {
    /// The event's place, unless another writer was first.
    pub(crate) spot: Option<Spot>,
    /// The row as the database holds it.
    pub(crate) row: Option<M>,
}

/// The answer to a delete.
#[derive(Debug)]
pub struct Removed<M> {
    /// The event's place and revision, unless another writer was first or there is nothing to delete.
    pub(crate) appended: Option<(Spot, i64)>,
    /// The row that was there.
    pub(crate) row: Option<M>,
    /// What the log knew of it.
    pub(crate) head: Option<HeadRow>,
}

/// `INSERT INTO log (columns)`, in the order of [`push_append_values`].
///
/// `follows` says whether there is an event of the record before it: see [`push_turn`].
pub(crate) fn append_columns<'q, DB: Dialect>(
    statement: &mut Statement<'q, DB>,
    place: Place,
    follows: bool,
) {
    statement.sql("INSERT INTO ").log(place.table);
    statement.sql(" (id, schema, record_id, revision, action, version, payload, meta, at, state");
    if place.hashed {
        statement.sql(", hash");
    }
    if numbers_itself::<DB>(place) {
        statement.sql(", position");
    }
    if follows && DB::NUMBERS_TRANSACTIONS {
        statement.sql(", txid");
    }
    statement.sql(") ");
}

/// Whether an event must be told its position: that of all shards, where no sequence of the database's gives it.
fn numbers_itself<DB: Dialect>(place: Place) -> bool {
    !DB::HAS_SEQUENCES && !place.shards.is_empty()
}

/// The values of an event. `record` and `revision` may come from elsewhere in the statement.
pub(crate) fn push_append_values<'q, DB: Dialect>(
    statement: &mut Statement<'q, DB>,
    append: &'q Append<'_>,
    record: Source<'q>,
    revision: Source<'q>,
    follows: bool,
) {
    statement.value(append.event_id).sql(", ").value(append.schema).sql(", ");
    record.push(statement);
    statement.sql(", ");
    revision.push(statement);
    statement.sql(", ").value(append.action).sql(", ").value(append.version).sql(", ");
    statement.value(Value::Json(append.payload.as_str())).sql(", ");
    statement.value(Value::OptionalJson(append.meta.map(Json::as_str))).sql(", ");
    statement.value(append.at).sql(", ").value(Value::Bytes(append.state.as_bytes()));
    if append.place.hashed {
        statement.sql(", ").value(Value::Bytes(append.hash.as_ref().map_or(&[], EventHash::as_bytes)));
    }
    if numbers_itself::<DB>(append.place) {
        for (index, shard) in append.place.shards.iter().enumerate() {
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
        push_turn(statement, append.place, |statement| {
            statement.of_record("p", append.place, append.record);
        });
    }
}

/// The transaction by which an event is ordered: its own, or that of the event before it in its record, if that has a
/// higher number.
///
/// A transaction can be numbered early, and change a record late, after a younger one did. In the order of the numbers alone
/// the record's events would change places. Whoever reads below the oldest open transaction still misses nothing: while
/// this one is open, that order is not read so far. A number that this server has not come to is of another one, which the
/// log was brought from, and orders nothing here.
pub(crate) fn push_turn<'q, DB: Dialect>(
    statement: &mut Statement<'q, DB>,
    place: Place,
    of_record: impl FnOnce(&mut Statement<'q, DB>),
) {
    statement.sql("GREATEST(txid_current(), COALESCE((SELECT h.txid FROM (SELECT p.txid FROM ");
    statement.log(place.table).sql(" p WHERE ");
    of_record(statement);
    statement.sql(
        " ORDER BY p.revision DESC LIMIT 1) h WHERE h.txid < txid_snapshot_xmax(txid_current_snapshot())",
    );
    statement.sql("), 0))");
}

/// Where a value of the event comes from.
pub(crate) enum Source<'q> {
    /// It is known.
    Known(Value<'q>),
    /// Another part of the statement has it.
    Sql(&'static str, Option<&'q str>),
    /// One more than the last revision of the key that `made` has in this column: a key that the database uses again
    /// goes on with its old record's revisions.
    NextRevision(Place, &'q str),
}

impl<'q> Source<'q> {
    fn push<DB: Dialect>(self, statement: &mut Statement<'q, DB>) {
        match self {
            Self::Known(value) => {
                statement.value(value);
            }
            Self::Sql(sql, column) => {
                statement.sql(sql);
                if let Some(column) = column {
                    statement.identifier(column);
                }
            }
            Self::NextRevision(place, key) => {
                statement.sql("COALESCE((SELECT max(l.revision) FROM ").log(place.table);
                statement.sql(" l WHERE l.record_id = made.").identifier(key).sql("), 0) + 1");
            }
        }
    }
}

impl<'q> Append<'q> {
    pub(crate) fn known_record(&self) -> Source<'q> {
        Source::Known(self.record.into())
    }

    /// Whether there is an event of the record before it.
    pub(crate) fn follows(&self) -> bool {
        self.revision > 1
    }

    pub(crate) fn known_revision(&self) -> Source<'q> {
        Source::Known(self.revision.into())
    }
}

/// Appends an event and leaves the row alone.
pub(crate) fn append<'q, DB: Dialect>(append: &'q Append<'_>) -> Statement<'q, DB> {
    let mut statement = Statement::new("");
    append_columns(&mut statement, append.place, append.follows());
    statement.sql("VALUES (");
    push_append_values(
        &mut statement,
        append,
        append.known_record(),
        append.known_revision(),
        append.follows(),
    );
    statement.sql(") ON CONFLICT DO NOTHING RETURNING txid, position, revision");
    statement
}

/// The answer to [`append`].
#[derive(Debug)]
pub(crate) struct Appended {
    pub(crate) spot: Spot,
    pub(crate) revision: i64,
}

impl<DB: Dialect> QueryableByName<DB> for Appended {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let spot = read_spot(row)?.ok_or("an event without a place")?;
        Ok(Self { spot, revision: field(row, 2, DB::read_big_int)? })
    }
}

/// The place of an event: `txid`, `position`; none if it was not written.
pub(crate) fn read_spot<'a, DB: Dialect>(row: &impl Row<'a, DB>) -> deserialize::Result<Option<Spot>> {
    Ok(optional(row, 0, DB::read_big_int)?.zip(optional(row, 1, DB::read_big_int)?))
}

/// `txid`, `position`, `revision`, then the row.
pub(crate) struct InsertedRow<M>(pub(crate) Option<(Spot, i64, M)>);

impl<DB: Dialect, M: Rows<DB>> QueryableByName<DB> for InsertedRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let Some(spot) = read_spot(row)? else { return Ok(Self(None)) };
        Ok(Self(Some((spot, field(row, 2, DB::read_big_int)?, M::read(row, 3)?))))
    }
}

/// `txid`, `position`, whether there is a row, then the row.
pub(crate) struct WrittenRow<M>(pub(crate) Written<M>);

impl<DB: Dialect, M: Rows<DB>> QueryableByName<DB> for WrittenRow<M> {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let spot = read_spot(row)?;
        let exists = optional(row, 2, DB::read_int)?.is_some();
        let record = if exists { Some(M::read(row, 3)?) } else { None };
        Ok(Self(Written { spot, row: record }))
    }
}
