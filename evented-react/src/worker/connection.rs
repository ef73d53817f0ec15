//! Opens the connections of a worker, and opens them again.

use std::time::Duration;

use evented_diesel::spi::{Database, EventedBackend, Executor, Statement};
use evented_feed::spi::{BoxError, Connector, LONGEST_PAUSE, Pace, pauses};

use crate::store::{Nothing, load};
use crate::worker::shared::Shared;

/// The longest timeout that PostgreSQL takes, in milliseconds.
const LONGEST_TIMEOUT: u128 = 2_147_483_647;

/// Opens a connection, and sets its timeouts.
///
/// PostgreSQL ends a transaction that stays idle for the time of the lease, for example because its process was stopped.
/// So a worker that is no longer seen holds no lock of a part.
pub(crate) async fn open<DB: EventedBackend, K: Connector<DB>>(
    connector: &mut K,
    idle: Duration,
) -> Result<K::Executor, BoxError> {
    let mut executor = connector.connect().await?;
    let millis = idle.as_millis().min(LONGEST_TIMEOUT).to_string();
    match DB::DATABASE {
        Database::Postgres => {
            let set = |name: &'static str| {
                let mut statement = Statement::new("SELECT set_config('");
                statement.sql(name).sql("', ").value(millis.as_str()).sql(", false)");
                statement
            };
            load::<Nothing, _, _>(&mut executor, set("idle_in_transaction_session_timeout")).await?;
            // Some systems and old versions do not have it. Without it, a connection is found dead a little later.
            let _ = executor.load::<Nothing>(set("client_connection_check_interval")).await;
        }
        Database::Sqlite => executor.batch("PRAGMA busy_timeout = 5000").await?,
    }
    Ok(executor)
}

/// Waits before a loop connects again that could not work, longer each time.
pub(crate) async fn rest<C>(
    pauses: &mut impl Iterator<Item = Duration>,
    pace: &impl Pace,
    shared: &Shared<C>,
) {
    let mut left = pauses.next().unwrap_or(LONGEST_PAUSE);
    while !left.is_zero() && !shared.is_stopping() {
        let part = left.min(Duration::from_millis(50));
        pace.sleep(part).await;
        left = left.saturating_sub(part);
    }
}

/// Opens a connection after the old one was lost, with growing pauses. `None` if the worker stops meanwhile.
pub(crate) async fn reopen<DB: EventedBackend, K: Connector<DB>, C>(
    connector: &mut K,
    pace: &impl Pace,
    shared: &Shared<C>,
    idle: Duration,
) -> Option<K::Executor> {
    let mut pauses = pauses();
    loop {
        match open(connector, idle).await {
            Ok(executor) => return Some(executor),
            Err(error) => shared.failed(&error.to_string()),
        }
        rest(&mut pauses, pace, shared).await;
        if shared.is_stopping() {
            return None;
        }
    }
}
