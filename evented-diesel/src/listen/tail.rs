//! The write-ahead log as a source: every change of a model's rows, whoever made it and however.

use diesel::pg::Pg;
use evented_core::{Position, StreamId};

use crate::error::Error;
use crate::log::EventLog;
use crate::model::Rows;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::{Number, Statement};
use crate::wal::{Lsn, System, TableName};

pub(crate) mod desk;
mod events;
pub(crate) mod source;

/// The stream of every write-ahead log: positions of different servers differ in their epoch.
pub(crate) fn stream() -> StreamId {
    StreamId::named("wal")
}

/// What tells a server's log apart from another one's.
pub(crate) fn epoch(system: &System) -> u64 {
    crate::log::stable_hash(system.to_string().as_bytes())
}

/// The place behind everything that was committed before a point in the log.
pub(crate) fn place(lsn: Lsn, epoch: u64) -> Position {
    Position::new(stream(), lsn.0, 0).in_epoch(epoch)
}

/// The tables to publish for a model: its own, and those of its log, so that changes come with their actions and authors.
/// For [`wal::create_publication`](crate::wal::create_publication).
#[must_use]
pub fn published<M: Rows<Pg>>() -> Vec<TableName> {
    let logs = M::Log::SHARDS.iter().map(|log| TableName::from(*log));
    std::iter::once(TableName::of::<M>()).chain(logs).collect()
}

/// Writes a mark into the write-ahead log, and gives its place: for [`Hub::wait_for`](super::Hub::wait_for) of a hub that
/// reads it. Whatever was committed before is told by then.
pub fn mark() -> Mark {
    Mark(())
}

/// See [`mark`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Mark(());

impl Operation<Pg> for Mark {
    type Output = Position;

    async fn perform<D: Driver<Pg>>(self, driver: &mut D) -> Result<Position, Error> {
        // One of a transaction: it is written to disk, and sent, at once.
        let statement =
            Statement::new("SELECT (pg_logical_emit_message(true, 'evented', '') - '0/0'::pg_lsn)::bigint");
        let rows = driver.load::<Number>(statement).await.map_err(|error| Error::of_log("wal", error))?;
        let lsn = rows.into_iter().next().and_then(|number| number.0).unwrap_or_default();
        Ok(place(Lsn(lsn.cast_unsigned()), 0))
    }
}
