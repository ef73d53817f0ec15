//! Statements about `evented_cursors`: how far each part has handled each log.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::LogOffset;
use evented_diesel::spi::{Database, SqlTypes, Statement};
use uuid::Uuid;

use crate::store::{number, small, text};

/// The cursor of a part in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CursorRow {
    pub(crate) part: i32,
    pub(crate) stream: String,
    pub(crate) offset: LogOffset,
    /// What distinguishes the event at the offset from another one; 0 if it is not known.
    pub(crate) anchor: i64,
}

impl CursorRow {
    /// Adds the name of the table of the log.
    pub(crate) fn push_log<'q, DB: SqlTypes>(&'q self, statement: &mut Statement<'q, DB>) {
        let table = match self.stream.split_once('.') {
            Some((schema, table)) => {
                statement.identifier(schema).sql(".");
                table
            }
            None => self.stream.as_str(),
        };
        statement.identifier(table);
    }
}

impl<DB: SqlTypes> QueryableByName<DB> for CursorRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            part: small(row, 0)?,
            stream: text(row, 1)?,
            offset: LogOffset { txid: number(row, 2)?, position: number(row, 3)? },
            anchor: number(row, 4)?,
        })
    }
}

/// Reads the cursors of a subscriber, or of one part of it.
pub(crate) fn cursors_of<'q, DB: SqlTypes>(subscriber: &'q str, part: Option<i32>) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "SELECT c.part, c.stream, c.txid, c.position, c.anchor FROM evented_cursors c \
         WHERE c.subscriber = ",
    );
    statement.value(subscriber);
    if let Some(part) = part {
        statement.sql(" AND c.part = ").value(part);
    }
    statement
}

/// Adds a cursor, unless it exists.
pub(crate) fn insert_cursor<'q, DB: SqlTypes>(
    subscriber: &'q str,
    cursor: &'q CursorRow,
) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "INSERT INTO evented_cursors (subscriber, part, stream, txid, position, anchor) VALUES (",
    );
    statement.value(subscriber).sql(", ").value(cursor.part).sql(", ").value(cursor.stream.as_str());
    statement.sql(", ").value(cursor.offset.txid).sql(", ").value(cursor.offset.position).sql(", ");
    statement.value(cursor.anchor).sql(") ON CONFLICT DO NOTHING");
    statement
}

/// Moves a cursor, if it is still at `from`.
pub(crate) fn move_cursor<'q, DB: SqlTypes>(
    subscriber: &'q str,
    to: &'q CursorRow,
    from: LogOffset,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_cursors SET txid = ");
    statement
        .value(to.offset.txid)
        .sql(", position = ")
        .value(to.offset.position)
        .sql(", anchor = ")
        .value(to.anchor);
    statement.sql(" WHERE subscriber = ").value(subscriber);
    statement.sql(" AND part = ").value(to.part).sql(" AND stream = ").value(to.stream.as_str());
    statement.sql(" AND txid = ").value(from.txid).sql(" AND position = ").value(from.position);
    statement
}

/// Moves the cursors of parts where nothing happened, and never backwards: in the division with this number, and of parts of
/// which `owner` is the owner if one is given. Returns the parts as [`MovedPart`].
///
/// On PostgreSQL a cursor that another transaction has locked stays where it is. So the statement, which locks several rows,
/// never waits for another one that locks them in another order.
pub(crate) fn move_idle<'q, DB: SqlTypes>(
    subscriber: &'q str,
    (division, parts): (i32, &[i32]),
    to: &'q CursorRow,
    owner: Option<Uuid>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_cursors SET txid = ");
    statement
        .value(to.offset.txid)
        .sql(", position = ")
        .value(to.offset.position)
        .sql(", anchor = ")
        .value(to.anchor);
    statement.sql(" WHERE subscriber = ").value(subscriber);
    statement.sql(" AND stream = ").value(to.stream.as_str());
    statement.sql(" AND (txid < ").value(to.offset.txid).sql(" OR (txid = ").value(to.offset.txid);
    statement.sql(" AND position < ").value(to.offset.position).sql("))");
    if DB::DATABASE == Database::Postgres {
        // An array is made once, before the rows are searched.
        statement.sql(" AND part = ANY(ARRAY(SELECT l.part FROM evented_cursors l WHERE l.subscriber = ");
        statement.value(subscriber).sql(" AND l.stream = ").value(to.stream.as_str()).sql(" AND l.part IN (");
        push_parts(&mut statement, parts);
        statement.sql(" FOR NO KEY UPDATE SKIP LOCKED))");
    } else {
        statement.sql(" AND part IN (");
        push_parts(&mut statement, parts);
    }
    statement
        .sql(" AND EXISTS (SELECT 1 FROM evented_subscribers s WHERE s.name = evented_cursors.subscriber");
    statement.sql(" AND s.division = ").value(division).sql(")");
    if let Some(owner) = owner {
        statement.sql(
            " AND EXISTS (SELECT 1 FROM evented_parts p WHERE p.subscriber = evented_cursors.subscriber \
             AND p.part = evented_cursors.part AND p.owner = ",
        );
        statement.value(owner).sql(")");
    }
    statement.sql(" RETURNING part");
    statement
}

fn push_parts<DB: SqlTypes>(statement: &mut Statement<'_, DB>, parts: &[i32]) {
    for (index, part) in parts.iter().enumerate() {
        statement.sql(if index == 0 { "" } else { ", " }).value(*part);
    }
    statement.sql(")");
}

/// A part whose cursor was moved.
pub(crate) struct MovedPart(pub(crate) i32);

impl<DB: SqlTypes> QueryableByName<DB> for MovedPart {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        small(row, 0).map(Self)
    }
}
