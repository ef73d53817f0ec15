//! Waits until a reader sees what the hub has delivered.

use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_diesel::spi::{Executor, SqlTypes, Statement, optional};
use evented_diesel::{Error, Subject};

use crate::shared::Shared;

/// The transactions that a snapshot does not contain: those that had not ended, and those from `next` on.
struct Open {
    next: i64,
    open: Vec<i64>,
}

impl<DB: SqlTypes> QueryableByName<DB> for Open {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let next = optional(row, 1, DB::read_big_int)?.unwrap_or(i64::MAX);
        let open = optional(row, 2, DB::read_text)?.unwrap_or_default();
        let open = open.split(',').filter(|it| !it.is_empty()).map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { next, open })
    }
}

impl Open {
    /// Whether the transaction with this number, without its epoch, is not in the snapshot.
    fn has(&self, xid: u32) -> bool {
        let low = |number: i64| u32::try_from(number & 0xFFFF_FFFF).unwrap_or_default();
        // Numbers are compared as PostgreSQL does: the nearer half of the circle is the future.
        let is_future = xid.wrapping_sub(low(self.next)) < 1 << 31;
        is_future || self.open.iter().any(|open| low(*open) == xid)
    }
}

/// Waits until the next statement sees every transaction that the hub had delivered from the write-ahead log when it was called.
/// Those that come meanwhile are taken as changes since the read was wanted.
///
/// The server writes a commit to its log, and so to the hub, before other sessions see it: for microseconds, or as long as a
/// synchronous standby takes.
pub(crate) async fn wait_until_visible<DB: SqlTypes, E: Executor<DB>>(
    executor: &mut E,
    shared: &Shared,
) -> Result<(), Error> {
    let name = Subject::Object { kind: "snapshot", name: String::new() };
    let mut told = shared.tap.commits();
    loop {
        let rows = executor.load::<Open>(Statement::new(DB::TXN_SNAPSHOT_SQL)).await;
        let rows = rows.map_err(|error| Error::database(name.clone(), error))?;
        let Some(snapshot) = rows.into_iter().next() else { return Ok(()) };
        shared.tap.forget_commits(|xid| !snapshot.has(xid));
        told.retain(|xid| snapshot.has(*xid));
        if told.is_empty() || shared.is_stopping() {
            return Ok(());
        }
        executor.sleep(Duration::from_millis(1)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_had_not_ended_is_not_in_the_snapshot() {
        let snapshot = Open { next: (3 << 32) + 10, open: vec![(3 << 32) + 7, (2 << 32) + 4_294_967_290] };
        assert!(snapshot.has(7) && snapshot.has(10) && snapshot.has(11) && snapshot.has(4_294_967_290));
        assert!(!snapshot.has(6) && !snapshot.has(9) && !snapshot.has(4_294_967_291));
    }
}
