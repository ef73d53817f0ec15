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

/// How long a transaction is open that is reported. There is always one that writes just then.
const LEAST_DELAY: Duration = Duration::from_secs(1);

/// The gauges of a worker.
pub(super) struct Gauges {
    /// When the next subscriber is reported, and which one it is.
    next: Instant,
    turn: usize,
    /// The session that was last reported to delay the subscribers.
    holder: Option<String>,
}

impl Gauges {
    pub(super) fn new() -> Self {
        Self { next: Instant::now(), turn: 0, holder: None }
    }

    /// Reports one subscriber, if it is time: the worker is seen in the database in between. Then the delay.
    pub(super) async fn report<DB: EventedBackend, E: Executor<DB>, C>(
        &mut self,
        executor: &mut E,
        shared: &Shared<C>,
    ) -> Result<(), Error> {
        if Instant::now() < self.next {
            return Ok(());
        }
        let turn = self.turn;
        let Some(served) = shared.served.get(turn) else {
            (self.next, self.turn) = (Instant::now() + INTERVAL, 0);
            return self.delay(executor).await;
        };
        // An error does not hold up the others.
        self.turn += 1;
        let name = served.subscriber.name.as_str();
        for lag in lags(executor, name, MOST_COUNTED).await? {
            telemetry::lag(name, &lag.log, lag.events, Duration::from_millis(lag.oldest_ms));
        }
        let counts = load::<AsideCount, _, _>(executor, store::count_aside(name)).await?;
        if let Some(AsideCount { set_aside, dead }) = counts.into_iter().next() {
            telemetry::aside(name, set_aside, dead);
        }
        Ok(())
    }

    /// Reports the session whose open transaction holds up the reading.
    async fn delay<DB: EventedBackend, E: Executor<DB>>(&mut self, executor: &mut E) -> Result<(), Error> {
        let Some(query) = <DB as SqlTypes>::BLOCKING_SESSION_SQL else { return Ok(()) };
        let sessions = executor.load::<BlockingSession>(Statement::new(query)).await.map_err(failed)?;
        let time = |session: &BlockingSession| (Utc::now() - session.since?).to_std().ok();
        let session =
            sessions.into_iter().next().and_then(|session| Some((time(&session)?, holder(&session))));
        let delay = session.filter(|(time, _)| *time >= LEAST_DELAY);
        let holder = delay.as_ref().map(|(_, holder)| holder.clone());
        if let Some(earlier) = self.holder.take().filter(|earlier| holder.as_ref() != Some(earlier)) {
            telemetry::delay(&earlier, Duration::ZERO);
        }
        if let Some((time, holder)) = delay {
            telemetry::delay(&holder, time);
        }
        self.holder = holder;
        Ok(())
    }
}

/// Names the application of a session. Its process is not in the name: a label has few values.
fn holder(session: &BlockingSession) -> String {
    let prepared = if session.pid.is_some() { "" } else { " (prepared)" };
    format!("{} {}{prepared}", session.user, session.name)
}
