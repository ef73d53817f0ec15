//! A hub's worker: reads, tells, waits; and finds its way back when the database goes away.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use event_listener::EventListener;

use super::super::lock;
use super::super::log::source::LogSource;
use super::shared::{Shared, hint};
use super::status::{Delay, Holder};
use crate::backend::Dialect;
use crate::error::Error;
use crate::observe;
use crate::run::driver::Driver;
use crate::statement::{HolderRow, Statement};

/// How connections are made, blocking or async.
pub(crate) trait Connector<DB: Dialect>: Send {
    type Driver: Driver<DB>;
    fn connect(&mut self) -> impl Future<Output = Result<Self::Driver, BoxError>> + Send;
}

/// What a connection's own errors become.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How time passes, blocking or async.
pub(crate) trait Pace: Send + Sync {
    /// Waits for a hint, or so long.
    fn wait_for(&self, hint: EventListener, at_most: Duration) -> impl Future<Output = ()> + Send;
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;
}

/// How often a hub looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rhythm {
    /// Without a hint.
    pub(crate) every: Duration,
    /// At most, with as many hints as may come.
    pub(crate) gap: Duration,
}

/// How often a hub looks, unless it is said otherwise; and while an open transaction may keep something back, at least.
pub(crate) const LOOK: Duration = Duration::from_millis(4);

/// How long an open transaction keeps changes back before it is looked up whose it is.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Worker<C, P> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) connector: C,
    pub(crate) pace: P,
    pub(crate) rhythm: Rhythm,
}

/// A transaction that keeps changes back.
struct Held {
    txid: i64,
    since: Instant,
    asked: Option<Instant>,
}

/// However it ends, also with a runtime that is shut down: nobody waits for ever for the hub. (Its feeds end with the desks.)
impl<C, P> Drop for Worker<C, P> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl<C, P: Pace> Worker<C, P> {
    /// Works until the hub stops.
    pub(crate) async fn run<DB: Dialect>(mut self, mut source: LogSource, mut driver: C::Driver)
    where
        C: Connector<DB>,
    {
        let mut held: Option<Held> = None;
        let mut pauses = pauses();
        loop {
            // From here on: what is hinted at while it works is not missed.
            let hint = hint();
            if self.shared.is_stopping() {
                break;
            }
            let looked = Instant::now();
            let shared = Arc::clone(&self.shared);
            let told = source.poll(&mut driver, |reached| shared.passed(reached)).await;
            let told = match told {
                Ok(more) => self.watch_delay(&mut driver, source.held_behind, &mut held).await.map(|()| more),
                Err(error) => Err(error),
            };
            if told.is_ok() {
                pauses = self::pauses();
            }
            match told {
                Ok(true) => {}
                Ok(false) => {
                    // Nobody hints at the end of a transaction that keeps something back, nor at room in a buffer.
                    let every = self.rhythm.every;
                    let is_due = source.held_behind.is_some() || source.serves;
                    let every = if is_due { every.min(LOOK) } else { every };
                    self.pace.wait_for(hint, every).await;
                    let left = self.rhythm.gap.saturating_sub(looked.elapsed());
                    if !left.is_zero() {
                        self.pace.sleep(left).await;
                    }
                }
                // SQLite: somebody writes just now. The connection is as good as before.
                Err(Error::Busy { .. }) => self.pace.sleep(LOOK).await,
                Err(error) => match self.reconnect(&mut source, &error, &mut pauses).await {
                    Some(again) => driver = again,
                    None => break,
                },
            }
        }
    }

    /// Makes a new connection and goes on where the old one was; `None` if the hub stops meanwhile.
    async fn reconnect<DB: Dialect>(
        &mut self,
        source: &mut LogSource,
        why: &Error,
        pauses: &mut ExponentialBackoff,
    ) -> Option<C::Driver>
    where
        C: Connector<DB>,
    {
        observe::listen_failed(why);
        self.failed(why.to_string());
        loop {
            if self.shared.is_stopping() {
                return None;
            }
            self.pause(pauses.next().unwrap_or(LONGEST_PAUSE)).await;
            let mut driver = match self.connector.connect().await {
                Ok(driver) => driver,
                Err(error) => {
                    self.failed(error.to_string());
                    continue;
                }
            };
            match source.reopen(&mut driver, |reached| self.shared.passed(reached)).await {
                Ok(()) => {
                    let mut status = lock(&self.shared.status);
                    (status.connected, status.error) = (true, None);
                    status.reconnects += 1;
                    return Some(driver);
                }
                Err(error) => self.failed(error.to_string()),
            }
        }
    }

    /// Sleeps, but not on when the hub stops.
    async fn pause(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while !self.shared.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.pace.sleep(left.min(Duration::from_millis(50))).await;
        }
    }

    fn failed(&self, error: String) {
        let mut status = lock(&self.shared.status);
        (status.connected, status.error) = (false, Some(error));
    }

    /// Finds out who keeps changes back, if somebody does for long.
    async fn watch_delay<DB: Dialect, D: Driver<DB>>(
        &mut self,
        driver: &mut D,
        held_behind: Option<i64>,
        held: &mut Option<Held>,
    ) -> Result<(), Error> {
        let Some(txid) = held_behind else {
            if held.take().is_some() {
                lock(&self.shared.status).delay = None;
            }
            return Ok(());
        };
        let now = match held {
            Some(held) if held.txid == txid => held,
            _ => held.insert(Held { txid, since: Instant::now(), asked: None }),
        };
        let waited = now.since.elapsed();
        if waited < PATIENCE {
            lock(&self.shared.status).delay = None;
            return Ok(());
        }
        let mut holder = None;
        if now.asked.is_none_or(|asked| asked.elapsed() >= PATIENCE) {
            if let Some(query) = DB::HOLDER {
                let rows = driver.load::<HolderRow>(Statement::new(query)).await;
                let rows = rows.map_err(|error| Error::of_log("pg_stat_activity", error))?;
                holder = rows.into_iter().next().map(Holder::from);
            }
            if now.asked.is_none() {
                observe::listen_delayed(txid, holder.as_ref());
            }
            now.asked = Some(Instant::now());
        }
        let mut status = lock(&self.shared.status);
        let known = status.delay.take().and_then(|delay| delay.holder);
        status.delay = Some(Delay { for_so_long: waited, txid, holder: holder.or(known) });
        Ok(())
    }
}

impl From<HolderRow> for Holder {
    fn from(row: HolderRow) -> Self {
        let HolderRow { pid, name, user, database, state, since } = row;
        Self { pid, name, user, database, state, since }
    }
}

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// The pauses between attempts to connect: growing, and not the same for all.
pub(crate) fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(50))
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}
