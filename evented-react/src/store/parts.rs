//! Statements about `evented_parts`: who owns a part, and the lock of a part's work.

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::Error;
use evented_diesel::spi::{Database, Executor, SqlTypes, Statement, optional, stable_hash};
use uuid::Uuid;

use crate::division::Division;
use crate::store::{division, load, now_sql, number, small, write};

/// How long a lock is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// The lock of the part is not waited for.
    None,
    /// Like `None`. In addition, the transaction waits only briefly for locks of other transactions: it handles several
    /// events, and can give up without harm.
    NoneAndBriefly,
    /// The lock of the part is waited for.
    Waits,
}

/// How long a batch of several events waits for a lock, in milliseconds. PostgreSQL looks for a deadlock after a second.
const BRIEFLY: &str = "50";

/// Locks the work of a part until the end of the transaction. Returns whether the lock was free.
///
/// On PostgreSQL this takes no transaction number, so a handler that only reads holds back no reader of a log. On SQLite it
/// takes the write lock of the database, and changes no row.
pub(crate) async fn lock_part<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &str,
    part: i32,
    patience: Patience,
) -> Result<bool, Error> {
    if DB::DATABASE == Database::Sqlite {
        let mut statement = Statement::new("UPDATE evented_parts SET fence = fence WHERE subscriber = ");
        statement.value(subscriber).sql(" AND part = ").value(part);
        return write(executor, statement).await.map(|_| true);
    }
    let mut statement = Statement::new(if patience == Patience::Waits {
        "SELECT true FROM pg_advisory_xact_lock("
    } else {
        "SELECT pg_try_advisory_xact_lock("
    });
    // The upper half is the table, so that the tables of two schemas have locks of their own.
    statement.sql("(CAST(CAST('evented_parts' AS regclass) AS oid)::bigint << 32) | ");
    let hash = stable_hash(format!("{subscriber}/{part}").as_bytes()) >> 32;
    statement.value(hash.cast_signed()).sql(")");
    if patience == Patience::NoneAndBriefly {
        statement.sql(", set_config('lock_timeout', ").value(BRIEFLY).sql(", true)");
    }
    let locked = load::<IsLocked, _, _>(executor, statement).await?;
    Ok(locked.first().is_some_and(|row| row.0))
}

/// Whether a lock was free.
pub(crate) struct IsLocked(pub(crate) bool);

impl<DB: SqlTypes> QueryableByName<DB> for IsLocked {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self(optional(row, 0, DB::read_bool)?.unwrap_or(false)))
    }
}

/// A part whose work is locked.
#[derive(Debug, Clone)]
pub(crate) struct LockedPart {
    pub(crate) fence: i64,
    pub(crate) owner: Option<Uuid>,
    /// How many deliveries are set aside.
    pub(crate) deferred: i64,
    pub(crate) version: i32,
    pub(crate) division: Division,
}

impl<DB: SqlTypes> QueryableByName<DB> for LockedPart {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            fence: number(row, 0)?,
            owner: optional(row, 1, DB::read_uuid)?,
            deferred: number(row, 2)?,
            version: small(row, 3)?,
            division: division(row, 4)?,
        })
    }
}

/// Reads a part after its lock is taken.
pub(crate) fn locked_part<'q, DB: SqlTypes>(subscriber: &'q str, part: i32) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "SELECT p.fence, p.owner, (SELECT count(*) FROM evented_deferred d WHERE d.subscriber = p.subscriber \
         AND d.part = p.part AND d.state <> 'passed'), s.version, s.division, s.parts, s.earlier \
         FROM evented_parts p \
         JOIN evented_subscribers s ON s.name = p.subscriber WHERE p.subscriber = ",
    );
    statement.value(subscriber).sql(" AND p.part = ").value(part);
    statement
}

/// A part, with how long ago its owner was seen.
#[derive(Debug, Clone)]
pub(crate) struct PartRow {
    pub(crate) part: i32,
    pub(crate) owner: Option<Uuid>,
    pub(crate) fence: i64,
    /// The milliseconds since the owner was seen; `None` if there is no owner, or it is not known.
    pub(crate) unseen: Option<i64>,
    /// The event that the owner tried alone, as text of its position.
    pub(crate) marked: Option<String>,
    pub(crate) begun: i32,
}

impl<DB: SqlTypes> QueryableByName<DB> for PartRow {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        Ok(Self {
            part: small(row, 0)?,
            owner: optional(row, 1, DB::read_uuid)?,
            fence: number(row, 2)?,
            unseen: optional(row, 3, DB::read_big_int)?,
            marked: optional(row, 4, DB::read_text)?,
            begun: small(row, 5)?,
        })
    }
}

/// Reads the parts of a subscriber.
pub(crate) fn part_rows<'q, DB: SqlTypes>(subscriber: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new("SELECT p.part, p.owner, p.fence, ");
    statement.sql(now_sql::<DB>()).sql(
        " - (SELECT w.seen_at FROM evented_workers w WHERE w.worker = p.owner AND w.subscriber = p.subscriber), \
         p.marked, p.begun FROM evented_parts p WHERE p.subscriber = ",
    );
    statement.value(subscriber).sql(" ORDER BY p.part");
    statement
}

/// Adds a part, unless it exists. Its fence begins at the time, so that it is higher than that of a part which was removed.
pub(crate) fn insert_part<'q, DB: SqlTypes>(subscriber: &'q str, part: i32) -> Statement<'q, DB> {
    let mut statement = Statement::new("INSERT INTO evented_parts (subscriber, part, fence) VALUES (");
    statement.value(subscriber).sql(", ").value(part).sql(", ").sql(now_sql::<DB>());
    statement.sql(") ON CONFLICT DO NOTHING");
    statement
}

/// Takes a part, if its fence is still this one. The fence is one higher then.
pub(crate) fn take_part<'q, DB: SqlTypes>(
    subscriber: &'q str,
    part: i32,
    owner: Uuid,
    fence: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_parts SET owner = ");
    statement
        .value(owner)
        .sql(", fence = fence + 1 WHERE subscriber = ")
        .value(subscriber)
        .sql(" AND part = ")
        .value(part);
    statement.sql(" AND fence = ").value(fence);
    statement
}

/// Takes all parts of a subscriber from their owners, whatever their fences are, with the marks that the owners have left.
pub(crate) fn free_parts<'q, DB: SqlTypes>(subscriber: &'q str) -> Statement<'q, DB> {
    let mut statement = Statement::new(
        "UPDATE evented_parts SET owner = NULL, fence = fence + 1, marked = NULL, begun = 0 WHERE subscriber = ",
    );
    statement.value(subscriber);
    statement
}

/// Gives a part back.
pub(crate) fn free_part<'q, DB: SqlTypes>(
    subscriber: &'q str,
    part: i32,
    owner: Uuid,
    fence: i64,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_parts SET owner = NULL WHERE subscriber = ");
    statement.value(subscriber).sql(" AND part = ").value(part).sql(" AND owner = ").value(owner);
    statement.sql(" AND fence = ").value(fence);
    statement
}

/// Stores the event that a part tries alone, and forgets it with `None`.
pub(crate) fn mark_event<'q, DB: SqlTypes>(
    subscriber: &'q str,
    part: i32,
    fence: i64,
    event: Option<&'q str>,
    begun: i32,
) -> Statement<'q, DB> {
    let mut statement = Statement::new("UPDATE evented_parts SET marked = ");
    match event {
        Some(event) => statement.value(event),
        None => statement.sql("NULL"),
    };
    statement.sql(", begun = ").value(begun).sql(" WHERE subscriber = ").value(subscriber);
    statement.sql(" AND part = ").value(part).sql(" AND fence = ").value(fence);
    statement
}
