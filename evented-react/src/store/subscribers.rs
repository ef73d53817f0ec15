//! Statements about `evented_subscribers`.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::spi::{SqlTypes, Statement, optional};

use crate::division::Division;
use crate::store::{now_sql, number, small, text};

/// A registered subscriber.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SubscriberRow {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) digest: String,
    /// The number of parts that the program declared; [`Division::parts`] differs from it after a resize.
    pub(crate) declared_parts: i32,
    pub(crate) division: Division,
    pub(crate) paused: bool,
    pub(crate) stalled: Option<String>,
    /// What it takes: see `Subscriber::takes`.
    pub(crate) inputs: String,
    /// The number of the database that it runs in. A worker that stalls in copies stores it; 0 if none has done so.
    pub(crate) home: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for SubscriberRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            name: text(row, 0)?,
            version: small(row, 1)?,
            digest: text(row, 2)?,
            declared_parts: small(row, 3)?,
            division: division(row, 4)?,
            paused: small(row, 7)? != 0,
            stalled: optional(row, 8, DB::read_text)?,
            inputs: text(row, 9)?,
            home: number(row, 10)?,
        })
    }
}

/// Reads a division from three columns, of which this is the first: its number, its parts, and the earlier divisions.
pub(crate) fn division<'a, DB: SqlTypes>(
    row: &impl NamedRow<'a, DB>,
    index: usize,
) -> deserialize::Result<Division> {
    let earlier = optional(row, index + 2, DB::read_text)?;
    Ok(Division::stored(small(row, index)?, small(row, index + 1)?, earlier.as_deref())?)
}

const COLUMNS: &str = "SELECT s.name, s.version, s.digest, s.declared_parts, s.division, s.parts, s.earlier, s.paused, \
     s.stalled, s.inputs, s.home FROM evented_subscribers s";

/// Reads one subscriber.
pub(crate) fn subscriber_row<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new(COLUMNS);
    statement.sql(" WHERE s.name = ").value(name);
    statement
}

/// Locks a subscriber until the end of the transaction. On SQLite this takes the write lock of the database.
pub(crate) fn lock_subscriber<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET version = version WHERE name = ");
    statement.value(name);
    statement
}

/// Reads all subscribers.
pub(crate) fn subscribers<'q, DB: SqlTypes>() -> Statement<'q, DB> {
    let mut statement = Statement::new(COLUMNS);
    statement.sql(" ORDER BY s.name");
    statement
}

/// Registers a subscriber, unless it is registered already.
pub(crate) fn insert_subscriber<'q, DB: SqlTypes>(
    name: &'q str,
    version: i32,
    (digest, inputs): (&'q str, &'q str),
    parts: i32,
) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "INSERT INTO evented_subscribers (name, version, digest, inputs, declared_parts, parts, registered_at) VALUES (",
    );
    statement.value(name).sql(", ").value(version).sql(", ").value(digest).sql(", ").value(inputs);
    statement.sql(", ").value(parts);
    statement.sql(", ").value(parts);
    statement.sql(", ").sql(now_sql::<DB>()).sql(") ON CONFLICT DO NOTHING");
    statement
}

/// Stores a new version of a subscriber.
pub(crate) fn update_subscriber<'q, DB: SqlTypes>(
    name: &'q str,
    version: i32,
    (digest, inputs): (&'q str, &'q str),
    declared_parts: i32,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET version = ");
    statement
        .value(version)
        .sql(", digest = ")
        .value(digest)
        .sql(", inputs = ")
        .value(inputs)
        .sql(", declared_parts = ")
        .value(declared_parts);
    statement.sql(" WHERE name = ").value(name);
    statement
}

/// Stores another division of a subscriber's keys.
pub(crate) fn set_division<'q, DB: SqlTypes>(
    name: &'q str,
    division: &Division,
    earlier: Option<&'q str>,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET division = ");
    statement.value(division.number).sql(", parts = ").value(division.parts).sql(", earlier = ");
    match earlier {
        Some(earlier) => statement.value(earlier),
        None => statement.sql("NULL"),
    };
    statement.sql(" WHERE name = ").value(name);
    statement
}

/// Forgets the earlier divisions of a subscriber, unless rows of them are set aside.
pub(crate) fn forget_earlier<'q, DB: SqlTypes>(name: &'q str, division: i32) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET earlier = NULL WHERE name = ");
    statement.value(name).sql(" AND division = ").value(division);
    statement.sql(" AND NOT EXISTS (SELECT 1 FROM evented_deferred d WHERE d.subscriber = ").value(name);
    statement.sql(" AND d.of_parts IS NOT NULL)");
    statement
}

/// Stores why a subscriber does not go on; `None` if it does.
pub(crate) fn set_stalled<'q, DB: SqlTypes>(name: &'q str, reason: Option<&'q str>) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET stalled = ");
    match reason {
        Some(reason) => statement.value(reason),
        None => statement.sql("NULL"),
    };
    statement.sql(" WHERE name = ").value(name);
    statement
}

/// Stores the number of the database that a subscriber runs in.
pub(crate) fn set_home<'q, DB: SqlTypes>(name: &'q str, home: i64) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET home = ");
    statement.value(home).sql(" WHERE name = ").value(name);
    statement
}

/// Pauses a subscriber, or lets it go on.
pub(crate) fn pause<'q, DB: SqlTypes>(name: &'q str, paused: bool) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_subscribers SET paused = ");
    statement.value(i32::from(paused)).sql(" WHERE name = ").value(name);
    statement
}

/// Removes a subscriber, with its progress and what was set aside.
pub(crate) fn unsubscribe<'q, DB: SqlTypes>(table: &'static str, name: &'q str) -> Statement<'q, DB> {
    let column = if table == "evented_subscribers" { " WHERE name = " } else { " WHERE subscriber = " };
    let mut statement = Statement::new("DELETE FROM ");
    statement.sql(table).sql(column).value(name);
    statement
}

/// Removes the parts of a subscriber from a number on.
pub(crate) fn remove_parts<'q, DB: SqlTypes>(
    table: &'static str,
    name: &'q str,
    from: i32,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM ");
    statement.sql(table).sql(" WHERE subscriber = ").value(name).sql(" AND part >= ").value(from);
    statement
}
