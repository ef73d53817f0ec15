//! Writes marks into the write-ahead log, to wait for a hub that reads it.

use diesel::pg::Pg;
use evented_core::Position;
use evented_diesel::Error;
use evented_diesel::spi::{Executor, Number, Operation, SqlTypes, Statement, sealed};
use evented_wal::{Lsn, MARK_PREFIX, PUBLISHED_STATE};

use crate::wal::positions::wal_position;

/// Writes a mark into the write-ahead log, and returns its position for [`Hub::wait_for`](crate::Hub::wait_for) of a
/// hub that reads the log. When that call returns, the hub has delivered everything that was committed before the mark.
/// It returns an error if the hub finds that a table of its models was renamed, replaced or taken out of the
/// publication before the mark.
pub fn mark() -> Mark {
    Mark(())
}

/// Writes a mark. Returned by [`mark`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Mark(());

impl sealed::Operation for Mark {}

impl Operation<Pg> for Mark {
    type Output = Position;

    async fn perform<E: Executor<Pg>>(self, executor: &mut E) -> Result<Position, Error> {
        mark_of(executor).await
    }
}

/// Writes a mark that says nothing of the publications, and returns its position. It costs much less: the server does not look at
/// its catalog.
///
/// # Errors
///
/// Errors of the database.
pub async fn plain_mark_of<DB: SqlTypes, E: Executor<DB>>(executor: &mut E) -> Result<Position, Error> {
    let mut statement = Statement::<DB>::new("SELECT (pg_logical_emit_message(true, ");
    statement.value(PLAIN_PREFIX).sql(", '') - '0/0'::pg_lsn)::bigint");
    position_of(executor, statement).await
}

/// The prefix of marks that say nothing of the publications.
const PLAIN_PREFIX: &str = "evented_plain";

/// Writes a mark on a connection of a program that serves several databases. Only PostgreSQL has the function.
///
/// # Errors
///
/// Errors of the database.
pub async fn mark_of<DB: SqlTypes, E: Executor<DB>>(executor: &mut E) -> Result<Position, Error> {
    // The server writes a transactional message to disk, and sends it, immediately.
    let mut statement = Statement::<DB>::new("SELECT (pg_logical_emit_message(true, ");
    statement.value(MARK_PREFIX).sql(", ").sql(PUBLISHED_STATE).sql(") - '0/0'::pg_lsn)::bigint");
    position_of(executor, statement).await
}

async fn position_of<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    statement: Statement<'_, DB>,
) -> Result<Position, Error> {
    let rows = executor.load::<Number>(statement).await?;
    let lsn = rows.into_iter().next().and_then(|number| number.0).unwrap_or_default();
    Ok(wal_position(Lsn(lsn.cast_unsigned()), 0))
}
