//! Reads the end of the server's write-ahead log.

use diesel::pg::Pg;
use evented_diesel::Error;
use evented_diesel::spi::{Executor, Operation, Statement, sealed};
use evented_wal::Lsn;

use crate::wal::texts::{first, lsn, subject, texts};

/// Reads the LSN of the end of the server's log. Everything that was committed before the reading is before that LSN.
///
/// A writer that wants to see the effects of its own change reads the position after its commit, and waits until a tail
/// has reached it.
#[must_use = "a read does nothing until it is run"]
pub fn position() -> ReadPosition {
    ReadPosition(())
}

/// Reads the end of the log. Returned by [`position`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct ReadPosition(());

impl sealed::Operation for ReadPosition {}

impl Operation<Pg> for ReadPosition {
    type Output = Lsn;

    async fn perform<D: Executor<Pg>>(self, executor: &mut D) -> Result<Lsn, Error> {
        let name = subject("write-ahead log", "end");
        let rows = texts(executor, &name, Statement::new(WRITTEN)).await?;
        lsn(&name, first(&rows, 0))
    }
}

/// Selects the end of the log, as a text. It does not use `pg_current_wal_lsn()`: with `synchronous_commit = off`,
/// committed changes may not be written out yet.
const WRITTEN: &str = "SELECT (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() \
     ELSE pg_current_wal_insert_lsn() END)::text";
