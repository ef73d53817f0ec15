//! Positions in write-ahead logs.

use evented_core::{Position, StreamId};
use evented_diesel::spi::stable_hash;
use evented_wal::{Lsn, SystemId};

/// The stream of every write-ahead log. Positions of different servers differ in their epoch.
#[must_use]
pub fn wal_stream() -> StreamId {
    StreamId::named("wal")
}

/// The epoch of the positions of a server.
pub(crate) fn server_id(system: &SystemId) -> u64 {
    stable_hash(system.to_string().as_bytes())
}

/// Returns the position after everything that was committed before `lsn`.
pub(crate) fn wal_position(lsn: Lsn, server: u64) -> Position {
    Position::new(wal_stream(), lsn.0, 0).in_epoch(server)
}
