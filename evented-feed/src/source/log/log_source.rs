//! Reads the event logs of one database as a hub's source.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use backon::ExponentialBackoff;
use evented_core::{LogOffset, Position};
use evented_diesel::Error;
use evented_diesel::spi::{CommitMark, EventedBackend, SourceLog, commit_mark, database_id, last_offsets};

use crate::hints::hint;
use crate::run::{Connector, LONGEST_PAUSE, Pace, PollInterval, SHORTEST, WaitsFor, pauses};
use crate::shared::{Reached, Shared};
use crate::source::log::delay_watch::DelayWatch;
use crate::source::log::log_cursor::LogCursor;
use crate::source::log::model_consumer::ModelConsumer;
use crate::source::{Source, SourceEnded};
use crate::telemetry;

/// The shortest time between two polls, with any number of hints.
const MIN_GAP: Duration = Duration::from_millis(1);

/// A log with its models, before the position where reading begins is known.
pub(crate) struct PlannedLog {
    pub(crate) log: SourceLog,
    pub(crate) models: Vec<PlannedModel>,
}

/// Creates a model from the position where reading begins, the database id, and the number of states to keep.
pub(crate) type PlannedModel = Box<dyn FnOnce(Position, u64, NonZeroUsize) -> Box<dyn ModelConsumer> + Send>;

/// The event logs of one database, and the connection that reads them.
pub(crate) struct LogSource<DB: EventedBackend, C: Connector<DB>, P> {
    cursors: Vec<LogCursor>,
    executor: C::Executor,
    connector: C,
    pace: P,
    interval: PollInterval,
    /// Whether a hint caused the next poll.
    hinted: bool,
    pauses: ExponentialBackoff,
    delay: DelayWatch,
    /// The commit mark at which everything was delivered.
    drained: Option<CommitMark>,
    /// The round that is under way.
    round: Option<Round>,
    /// The oldest open transaction, if it delays events.
    blocked_by: Option<i64>,
    /// Whether a subscriber is catching up.
    is_serving: bool,
}

/// A reading of all logs up to one moment, in pages. At its end, every transaction has been delivered as a whole.
struct Round {
    mark: CommitMark,
    /// The state of each log.
    logs: Vec<RoundOfLog>,
}

/// One log in a round.
struct RoundOfLog {
    /// The last event of the round, where the mark does not say which events are in it.
    bound: Option<LogOffset>,
    is_read: bool,
}

impl<DB: EventedBackend, C: Connector<DB>, P: Pace> LogSource<DB, C, P> {
    /// Opens the logs at their present ends.
    pub(crate) async fn open(
        mut executor: C::Executor,
        connector: C,
        pace: P,
        interval: Option<Duration>,
        plan: Vec<PlannedLog>,
        cache_size: NonZeroUsize,
    ) -> Result<Self, Error> {
        let mut cursors = Vec::with_capacity(plan.len());
        for PlannedLog { log, models } in plan {
            let database = database_id(&mut executor, log.name).await?;
            let make = |last| models.into_iter().map(|model| model(last, database, cache_size)).collect();
            cursors.push(LogCursor::open(&mut executor, log, database, make).await?);
        }
        Ok(Self {
            cursors,
            executor,
            connector,
            pace,
            interval: PollInterval::new(interval, Instant::now()),
            hinted: false,
            pauses: pauses(),
            delay: DelayWatch::default(),
            drained: None,
            round: None,
            blocked_by: None,
            is_serving: false,
        })
    }

    /// Reads and delivers the new events: a page of each log. Returns whether there may be more already.
    async fn poll(&mut self, hub: &Shared) -> Result<bool, Error> {
        if hub.taps.take_new() {
            self.drained = None;
        }
        let Some(mut round) = self.begin_round().await? else { return Ok(false) };
        let mark = round.mark.clone();
        let mut more = false;
        if self.drained.as_ref() != Some(&mark) {
            self.blocked_by = mark.oldest_running.filter(|oldest| Some(*oldest) != mark.next);
            let mut found = false;
            for (cursor, state) in self.cursors.iter_mut().zip(&mut round.logs) {
                if state.is_read {
                    continue;
                }
                let before = cursor.reached().last;
                let has_more = cursor.poll(&mut self.executor, &mark, state.bound).await?;
                state.is_read = !has_more;
                more |= has_more;
                found |= cursor.reached().last != before;
                hub.set_reached(cursor.reached());
            }
            self.interval.polled(self.hinted, found, Instant::now());
            if more {
                self.round = Some(round);
            } else {
                self.drained = Some(mark.clone());
                let to = || self.cursors.iter().map(|cursor| cursor.reached().to).collect();
                hub.taps.cut(to);
            }
        }
        self.is_serving = false;
        for cursor in &mut self.cursors {
            let served = cursor.serve_catching_up(&mut self.executor, &mark).await?;
            more |= served.more;
            self.is_serving |= served.any;
        }
        self.delay.update(&mut self.executor, self.blocked_by, hub).await?;
        Ok(more)
    }

    /// Continues the round that is under way, or begins the next one.
    async fn begin_round(&mut self) -> Result<Option<Round>, Error> {
        if let Some(round) = self.round.take() {
            return Ok(Some(round));
        }
        let Some(first) = self.cursors.first() else { return Ok(None) };
        let mark = commit_mark(&mut self.executor, first.log().name).await?;
        let has_bounds = !DB::NUMBERS_TRANSACTIONS && self.cursors.len() > 1;
        let bounds = if has_bounds && self.drained.as_ref() != Some(&mark) {
            let logs: Vec<_> = self.cursors.iter().map(|cursor| cursor.log().name).collect();
            last_offsets(&mut self.executor, &logs).await?.into_iter().map(Some).collect()
        } else {
            vec![None; self.cursors.len()]
        };
        let logs = bounds.into_iter().map(|bound| RoundOfLog { bound, is_read: false }).collect();
        Ok(Some(Round { mark, logs }))
    }

    /// No hint arrives when a transaction that delays changes ends, nor when a buffer has room again.
    fn waits_for(&self) -> WaitsFor {
        if self.is_serving {
            WaitsFor::Subscriber
        } else if self.blocked_by.is_some() {
            WaitsFor::OpenTransaction
        } else {
            WaitsFor::Nothing
        }
    }

    /// Reconnects and continues at the position that the old connection had reached. Returns without a connection if
    /// the hub stops meanwhile.
    async fn reconnect(&mut self, why: &Error, hub: &Shared) {
        telemetry::hub_failed(why);
        hub.set_failed(why.to_string());
        while !hub.is_stopping() {
            let pause = self.pauses.next().unwrap_or(LONGEST_PAUSE);
            self.pause(pause, hub).await;
            match self.connector.connect().await {
                Ok(executor) => self.executor = executor,
                Err(error) => {
                    hub.set_failed(error.to_string());
                    continue;
                }
            }
            match self.reopen(hub).await {
                Ok(()) => {
                    hub.update_status(|status| {
                        (status.connected, status.error) = (true, None);
                        status.reconnects += 1;
                    });
                    return;
                }
                Err(error) => hub.set_failed(error.to_string()),
            }
        }
    }

    async fn reopen(&mut self, hub: &Shared) -> Result<(), Error> {
        (self.drained, self.round) = (None, None);
        for cursor in &mut self.cursors {
            let log = cursor.log().name;
            let mark = commit_mark(&mut self.executor, log).await?;
            let database = database_id(&mut self.executor, log).await?;
            let reached: Reached = cursor.reopen(&mut self.executor, database, &mark).await?;
            hub.set_reached(reached);
        }
        Ok(())
    }

    /// Sleeps for `time`, or until the hub stops.
    async fn pause(&mut self, time: Duration, hub: &Shared) {
        let until = Instant::now() + time;
        while !hub.is_stopping() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            self.pace.sleep(left.min(Duration::from_millis(50))).await;
        }
    }
}

impl<DB: EventedBackend, C: Connector<DB>, P: Pace> Source for LogSource<DB, C, P> {
    async fn step(&mut self, hub: &Shared) -> Result<(), SourceEnded> {
        // Listen from here on, so that a hint that arrives while the source works is not missed. A hub that stops also
        // sends a hint.
        let hint = hint();
        if hub.is_stopping() {
            return Ok(());
        }
        let polled = Instant::now();
        match self.poll(hub).await {
            Ok(more) => {
                self.pauses = pauses();
                if !more {
                    let interval = self.interval.next(self.waits_for(), Instant::now());
                    self.hinted = self.pace.wait_for(hint, interval).await;
                    let left = MIN_GAP.saturating_sub(polled.elapsed());
                    if !left.is_zero() {
                        self.pace.sleep(left).await;
                    }
                }
            }
            // Another connection holds a lock at the moment. This connection still works.
            Err(Error::Busy { .. }) => self.pace.sleep(SHORTEST).await,
            Err(error) => self.reconnect(&error, hub).await,
        }
        Ok(())
    }
}
