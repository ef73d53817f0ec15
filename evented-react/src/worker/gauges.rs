//! Reports how far the subscribers of a worker are, for `metrics`.

use std::time::{Duration, Instant};

use chrono::Utc;
use evented_diesel::Error;
use evented_diesel::spi::{BlockingSession, EventedBackend, Executor, SqlTypes, Statement};

use crate::operations::lags;
use crate::store::{self, AsideCount, failed, load};
use crate::telemetry;
use crate::worker::shared::Shared;

/// How often a worker reports.
const INTERVAL: Duration = Duration::from_secs(15);
/// How many events of a log are counted. A worker that counts for longer than its lease would lose its parts.
const MOST_COUNTED: i64 = 100_000;

/// The gauges of a worker.
pub(super) struct Gauges {
    next: Instant,
    /// The session that was last reported to delay the subscribers.
    holder: Option<String>,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), holder: None }
    }

    /// Reports, if it is time.
    pub(super) async fn report<DB: EventedBackend, E: Executor<DB>, C>(
        &mut self,
        executor: &mut E,
        shared: &Shared<C>,
    ) -> Result<(), Error> {
        if Instant::now() < self.next {
            return Ok(());
        }
        self.next = Instant::now() + INTERVAL;
        for served in &shared.served {
            let name = served.subscriber.name.as_str();
            for lag in lags(executor, name, MOST_COUNTED).await? {
                telemetry::lag(name, &lag.log, lag.events, Duration::from_millis(lag.oldest_ms));
            }
            let counts = load::<AsideCount, _, _>(executor, store::count_aside(name)).await?;
            if let Some(AsideCount { set_aside, dead }) = counts.into_iter().next() {
                telemetry::aside(name, set_aside, dead);
            }
        }
        self.delay(executor).await
    }

    /// Reports the session whose open transaction holds up the reading.
    async fn delay<DB: EventedBackend, E: Executor<DB>>(&mut self, executor: &mut E) -> Result<(), Error> {
        let Some(query) = <DB as SqlTypes>::BLOCKING_SESSION_SQL else { return Ok(()) };
        let sessions = executor.load::<BlockingSession>(Statement::new(query)).await.map_err(failed)?;
        let session = sessions.into_iter().next().and_then(|session| Some((session.since?, session)));
        let holder = session.as_ref().map(|(_, session)| holder(session));
        if let Some(earlier) = self.holder.take().filter(|earlier| holder.as_ref() != Some(earlier)) {
            telemetry::delay(&earlier, Duration::ZERO);
        }
        if let (Some((since, _)), Some(holder)) = (session, &holder) {
            telemetry::delay(holder, (Utc::now() - since).to_std().unwrap_or_default());
        }
        self.holder = holder;
        Ok(())
    }
}

/// Names a session.
fn holder(session: &BlockingSession) -> String {
    match session.pid {
        Some(pid) => format!("{} {} (process {pid})", session.user, session.name),
        None => format!("{} {} (prepared)", session.user, session.name),
    }
}
