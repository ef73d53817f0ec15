//! Opens the connections of a worker, and opens them again.

use std::time::Duration;

use backon::ExponentialBackoff;
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
async fn open<DB: EventedBackend, K: Connector<DB>>(
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

/// The connection of a loop. It is opened again after it was lost.
pub(super) struct Link<DB: EventedBackend, K: Connector<DB>, P> {
    executor: Option<K::Executor>,
    connector: K,
    /// How the loop waits.
    pub(super) pace: P,
    /// How long a transaction of the connection may be idle.
    idle: Duration,
    pauses: ExponentialBackoff,
}

impl<DB: EventedBackend, K: Connector<DB>, P: Pace> Link<DB, K, P> {
    /// Opens the connection.
    pub(super) async fn open(mut connector: K, pace: P, idle: Duration) -> Result<Self, BoxError> {
        let executor = open(&mut connector, idle).await?;
        Ok(Self { executor: Some(executor), connector, pace, idle, pauses: pauses() })
    }

    /// Returns the connection. If it was lost, this opens it again, with a pause before each attempt. `None` if the worker
    /// stops meanwhile.
    pub(super) async fn executor<C>(&mut self, shared: &Shared<C>) -> Option<&mut K::Executor> {
        while self.executor.is_none() {
            self.rest(shared).await;
            match open(&mut self.connector, self.idle).await {
                Ok(executor) => self.executor = Some(executor),
                Err(error) => {
                    shared.failed(&error.to_string());
                    // Tried once also then: effects that have run are stored.
                    if shared.is_stopping() {
                        return None;
                    }
                }
            }
        }
        self.executor.as_mut()
    }

    /// Drops the connection. A pool may lend no other one before this one is back.
    pub(super) fn lose<C>(&mut self, shared: &Shared<C>, reason: &str) {
        shared.failed(reason);
        self.executor = None;
    }

    /// Stores that the connection works: the next pause is short again.
    pub(super) fn works(&mut self) {
        self.pauses = pauses();
    }

    /// Waits before the next attempt, longer each time.
    async fn rest<C>(&mut self, shared: &Shared<C>) {
        let mut left = self.pauses.next().unwrap_or(LONGEST_PAUSE);
        while !left.is_zero() && !shared.is_stopping() {
            let part = left.min(Duration::from_millis(50));
            self.pace.sleep(part).await;
            left = left.saturating_sub(part);
        }
    }
}
