//! Statements about `evented_schedules`: when each schedule is due next. Times are in milliseconds since 1970.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
#[cfg(feature = "cron")]
use evented_diesel::spi::Database;
use evented_diesel::spi::{SqlTypes, Statement, optional};

#[cfg(feature = "cron")]
use crate::store::number;
use crate::store::{now_sql, small, text};

/// A schedule in the database.
#[derive(Debug, Clone)]
pub(crate) struct ScheduleRow {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) cron: String,
    pub(crate) zone: String,
    /// `None`: no time matches it any more.
    pub(crate) next_due: Option<i64>,
    pub(crate) last_due: Option<i64>,
    /// The time of the database.
    #[cfg(feature = "cron")]
    pub(crate) now: i64,
}

impl<DB: SqlTypes> QueryableByName<DB> for ScheduleRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            name: text(row, 0)?,
            version: small(row, 1)?,
            cron: text(row, 2)?,
            zone: text(row, 3)?,
            next_due: optional(row, 4, DB::read_big_int)?,
            last_due: optional(row, 5, DB::read_big_int)?,
            #[cfg(feature = "cron")]
            now: number(row, 6)?,
        })
    }
}

fn select<'q, DB: SqlTypes>() -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT s.name, s.version, s.cron, s.zone, s.next_due, s.last_due, ");
    statement.sql(now_sql::<DB>()).sql(" FROM evented_schedules s");
    statement
}

/// Reads all schedules.
pub(crate) fn schedules<'q, DB: SqlTypes>() -> Statement<'q, DB> {
    let mut statement = select();
    statement.sql(" ORDER BY s.name");
    statement
}

/// Reads a schedule.
#[cfg(feature = "cron")]
pub(crate) fn schedule_row<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = select();
    statement.sql(" WHERE s.name = ").value(name);
    statement
}

/// Reads a schedule of this version if it is due, and locks it. A lock of another worker is not waited for.
#[cfg(feature = "cron")]
pub(crate) fn lock_due_schedule<'q, DB: SqlTypes>(name: &'q str, version: i32) -> Statement<'q, DB> {
    let mut statement = select();
    statement.sql(" WHERE s.name = ").value(name).sql(" AND s.version = ").value(version);
    statement.sql(" AND s.next_due <= ").sql(now_sql::<DB>());
    if DB::DATABASE == Database::Postgres {
        statement.sql(" FOR UPDATE SKIP LOCKED");
    }
    statement
}

/// Adds a schedule, unless it exists. It is due at no time yet.
#[cfg(feature = "cron")]
pub(crate) fn insert_schedule<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO evented_schedules (name, version, cron, zone) VALUES (");
    statement.value(name).sql(", 0, '', '') ON CONFLICT DO NOTHING");
    statement
}

/// Locks a schedule until the end of the transaction. On SQLite this takes the write lock of the database.
#[cfg(feature = "cron")]
pub(crate) fn lock_schedule<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_schedules SET version = version WHERE name = ");
    statement.value(name);
    statement
}

/// Stores a version of a schedule, and when it is due next.
#[cfg(feature = "cron")]
pub(crate) fn set_schedule<'q, DB: SqlTypes>(row: &'q ScheduleRow) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_schedules SET version = ");
    statement.value(row.version).sql(", cron = ").value(row.cron.as_str());
    statement.sql(", zone = ").value(row.zone.as_str());
    push_time(&mut statement, ", next_due = ", row.next_due);
    push_time(&mut statement, ", last_due = ", row.last_due);
    statement.sql(" WHERE name = ").value(row.name.as_str());
    statement
}

#[cfg(feature = "cron")]
fn push_time<DB: SqlTypes>(statement: &mut Statement<'_, DB>, set: &'static str, time: Option<i64>) {
    statement.sql(set);
    match time {
        Some(time) => statement.value(time),
        None => statement.sql("NULL"),
    };
}

/// Removes a schedule.
pub(crate) fn remove_schedule<'q, DB: SqlTypes>(name: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("DELETE FROM evented_schedules WHERE name = ");
    statement.value(name);
    statement
}
