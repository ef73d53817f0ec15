//! Finds the session whose open transaction delays changes.

use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::{BlockingSession, EventedBackend, Executor, SqlTypes, Statement};

use crate::shared::Shared;
use crate::status::{BlockingTransaction, Delay};
use crate::telemetry;

/// How long an open transaction delays changes before the hub looks up its session, and the interval of further
/// look-ups.
const LOOKUP_INTERVAL: Duration = Duration::from_secs(1);

/// Measures how long an open transaction delays changes.
#[derive(Default)]
pub(crate) struct DelayWatch(Option<Blocking>);

/// A transaction that delays changes.
struct Blocking {
    txid: i64,
    since: Instant,
    /// When the hub last looked up its session.
    looked_up: Option<Instant>,
}

impl DelayWatch {
    /// Updates the delay in the hub's status. `blocked_by` is the oldest transaction that delays changes.
    pub(crate) async fn update<DB: EventedBackend, E: Executor<DB>>(
        &mut self,
        executor: &mut E,
        blocked_by: Option<i64>,
        hub: &Shared,
    ) -> Result<(), Error> {
        let Some(txid) = blocked_by else {
            if self.0.take().is_some() {
                hub.update_status(|status| status.delay = None);
            }
            return Ok(());
        };
        let blocking = match &mut self.0 {
            Some(blocking) if blocking.txid == txid => blocking,
            other => other.insert(Blocking { txid, since: Instant::now(), looked_up: None }),
        };
        let duration = blocking.since.elapsed();
        if duration < LOOKUP_INTERVAL {
            hub.update_status(|status| status.delay = None);
            return Ok(());
        }
        let mut found = None;
        if blocking.looked_up.is_none_or(|at| at.elapsed() >= LOOKUP_INTERVAL) {
            found = blocking_session::<DB, E>(executor).await?;
            if blocking.looked_up.is_none() {
                telemetry::hub_delayed(txid, found.as_ref());
            }
            blocking.looked_up = Some(Instant::now());
        }
        hub.update_status(|status| {
            let known = status.delay.take().and_then(|delay| delay.blocker);
            status.delay = Some(Delay { duration, txid, blocker: found.or(known) });
        });
        Ok(())
    }
}

async fn blocking_session<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
) -> Result<Option<BlockingTransaction>, Error> {
    let Some(query) = <DB as SqlTypes>::BLOCKING_SESSION_SQL else { return Ok(None) };
    let sessions = executor.load::<BlockingSession>(Statement::new(query)).await.map_err(Error::from)?;
    Ok(sessions.into_iter().next().map(BlockingTransaction::from))
}
