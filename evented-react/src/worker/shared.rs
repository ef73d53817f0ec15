//! What the loops of a worker share.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener};
use evented_diesel::spi::{EventedBackend, SourceLog};
use evented_feed::spi::{Connector, Pace, poll_now};
use uuid::Uuid;

use crate::division::Division;
use crate::lend::Lend;
use crate::register::{RegisterError, registered, stream_name};
use crate::subscriber::Subscriber;
use crate::worker::WorkerStatus;
use crate::worker::connection::Link;
use crate::worker::launch::Launcher;
use crate::worker::owned_part::{OwnedPart, OwnedPartId};

/// A subscriber that the worker serves.
pub(super) struct Served<C> {
    pub(super) subscriber: Subscriber<C>,
    pub(super) logs: Vec<SourceLog>,
    /// The names of the logs, as the cursors have them.
    pub(super) streams: Vec<String>,
}

/// What the loops of a worker share.
pub(super) struct Shared<C> {
    /// The worker, in the database. A process that is started again is another worker.
    pub(super) id: Uuid,
    pub(super) served: Vec<Served<C>>,
    pub(super) lease: Duration,
    /// The buses of the subscribers, each once.
    pub(super) buses: Vec<&'static str>,
    state: Mutex<State<C>>,
    /// This value, for the effects that outlive the call that starts them.
    pub(super) me: Weak<Self>,
    /// Starts effects.
    pub(super) launcher: OnceLock<Launcher<C>>,
    #[cfg(feature = "cron")]
    pub(super) schedules: Vec<crate::schedule::Schedule>,
    /// There may be work for a runner.
    work: Event,
    /// The reader may go on: a queue has room, or a part was taken.
    reading: Event,
    /// The control loop has something to do before its next beat.
    control: Event,
    stopping: AtomicBool,
    /// How many runners there are.
    pub(super) runners: AtomicUsize,
    handled: AtomicU64,
    set_aside: AtomicU64,
}

/// What changes while the worker runs.
pub(super) struct State<C> {
    pub(super) owned_parts: Vec<OwnedPart<C>>,
    /// For each subscriber: whether it is paused.
    pub(super) paused: Vec<bool>,
    /// For each subscriber: how its keys are divided; `None` until it is read.
    pub(super) divisions: Vec<Option<Division>>,
    /// For each subscriber: why it does not go on.
    pub(super) stalled: Vec<Option<String>>,
    /// For each subscriber: whether it stalls because the database is a copy.
    pub(super) in_copy: Vec<bool>,
    error: Option<String>,
    /// The part that a runner works on whose events run alone, because they may end the process. One at a time: otherwise the
    /// marks of other parts would stay behind when it does.
    pub(super) alone: Option<OwnedPartId>,
    /// The part that the next search for work begins with.
    pub(super) turn: usize,
    /// When the worker was last seen in the database, by the clock of this machine.
    pub(super) last_beat: Option<Instant>,
}

impl<C> State<C> {
    pub(super) fn owned(&mut self, id: OwnedPartId) -> Option<&mut OwnedPart<C>> {
        self.owned_parts.iter_mut().find(|owned| owned.id == id)
    }

    /// Returns whether the deliveries of a subscriber are handled at present.
    pub(super) fn goes_on(&self, subscriber: usize) -> bool {
        let paused = self.paused.get(subscriber).copied().unwrap_or(true);
        !paused && self.stalled.get(subscriber).is_some_and(Option::is_none)
    }
}

/// Stops the worker if one of its loops ends by itself, by a panic: otherwise its parts would be owned and not served.
pub(super) struct LoopGuard<'s, C>(pub(super) &'s Shared<C>);

impl<C> Drop for LoopGuard<'_, C> {
    fn drop(&mut self) {
        if !self.0.is_stopping() {
            self.0.failed("a loop of the worker has ended; the worker stops");
            self.0.stop();
        }
    }
}

/// Counts a runner as long as it lives.
pub(super) struct RunnerGuard<'s, C>(&'s Shared<C>);

impl<'s, C> RunnerGuard<'s, C> {
    pub(super) fn new(shared: &'s Shared<C>) -> Self {
        shared.runners.fetch_add(1, Ordering::SeqCst);
        Self(shared)
    }
}

impl<C> Drop for RunnerGuard<'_, C> {
    fn drop(&mut self) {
        self.0.runners.fetch_sub(1, Ordering::SeqCst);
        self.0.announce_control();
    }
}

/// A worker without the type of its connections.
pub(super) trait Running: Send + Sync {
    fn stop(&self);
    fn status(&self) -> WorkerStatus;
}

impl<C: Send + 'static> Running for Shared<C> {
    fn stop(&self) {
        Self::stop(self);
    }

    fn status(&self) -> WorkerStatus {
        Self::status(self)
    }
}

/// Registers the subscribers of a worker that starts.
pub(super) async fn register_all<DB, K, P>(
    shared: &Shared<<K::Executor as Lend<DB>>::Conn>,
    link: &mut Link<DB, K, P>,
) -> Result<(), RegisterError>
where
    DB: EventedBackend,
    K: Connector<DB, Executor: Lend<DB>>,
    P: Pace,
{
    let Some(executor) = link.executor(shared).await else { return Ok(()) };
    for served in &shared.served {
        registered(executor, &served.subscriber).await?;
    }
    #[cfg(feature = "cron")]
    for schedule in &shared.schedules {
        crate::run_schedules::register_schedule(executor, schedule).await?;
    }
    Ok(())
}

impl<C> Shared<C> {
    pub(super) fn new(
        subscribers: Vec<Subscriber<C>>,
        lease: Duration,
        #[cfg(feature = "cron")] schedules: Vec<crate::schedule::Schedule>,
    ) -> Arc<Self> {
        let served: Vec<Served<C>> = subscribers
            .into_iter()
            .map(|subscriber| {
                let logs = subscriber.logs();
                Served { streams: logs.iter().map(stream_name).collect(), logs, subscriber }
            })
            .collect();
        let state = State {
            owned_parts: Vec::new(),
            paused: vec![false; served.len()],
            divisions: vec![None; served.len()],
            stalled: vec![None; served.len()],
            in_copy: vec![false; served.len()],
            error: None,
            alone: None,
            turn: 0,
            last_beat: None,
        };
        let mut buses: Vec<&'static str> =
            served.iter().flat_map(|served| served.subscriber.buses()).collect();
        buses.sort_unstable();
        buses.dedup();
        Arc::new_cyclic(|me| Self {
            buses,
            id: Uuid::new_v4(),
            served,
            lease,
            state: Mutex::new(state),
            me: Weak::clone(me),
            launcher: OnceLock::new(),
            #[cfg(feature = "cron")]
            schedules,
            work: Event::new(),
            reading: Event::new(),
            control: Event::new(),
            stopping: AtomicBool::new(false),
            runners: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
        })
    }

    /// Returns the lease in milliseconds.
    pub(super) fn lease_millis(&self) -> i64 {
        i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX / 100)
    }

    /// Returns how the keys of a subscriber are divided.
    pub(super) fn division(&self, subscriber: usize) -> Option<Division> {
        self.state().divisions.get(subscriber).cloned().flatten()
    }

    /// Returns the longest time that a transaction of a runner may be idle.
    pub(super) fn longest(&self) -> Duration {
        let timeouts = self.served.iter().map(|served| served.subscriber.timeout);
        timeouts.max().unwrap_or_default().max(self.lease)
    }

    /// Locks the state. It is never left half updated, so a panic with the lock held does no harm.
    pub(super) fn state(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.work.notify(usize::MAX);
        self.announce_reading();
        self.control.notify(usize::MAX);
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(super) fn listen_for_work(&self) -> EventListener {
        self.work.listen()
    }

    pub(super) fn announce_work(&self) {
        self.work.notify(usize::MAX);
    }

    pub(super) fn listen_for_reading(&self) -> EventListener {
        self.reading.listen()
    }

    pub(super) fn announce_reading(&self) {
        self.reading.notify(usize::MAX);
        // Where no queue is full, the reader waits for a hint.
        poll_now();
    }

    pub(super) fn listen_for_control(&self) -> EventListener {
        self.control.listen()
    }

    pub(super) fn announce_control(&self) {
        self.control.notify(usize::MAX);
    }

    /// Stores the last error of the database.
    pub(super) fn failed(&self, error: &str) {
        crate::telemetry::worker_failed(error);
        self.state().error = Some(error.to_owned());
    }

    pub(super) fn succeeded(&self) {
        self.state().error = None;
    }

    pub(super) fn count(&self, handled: usize, set_aside: usize) {
        let wide = |count| u64::try_from(count).unwrap_or(u64::MAX);
        self.handled.fetch_add(wide(handled), Ordering::Relaxed);
        self.set_aside.fetch_add(wide(set_aside), Ordering::Relaxed);
    }

    pub(super) fn status(&self) -> WorkerStatus {
        let state = self.state();
        let stalled = self.served.iter().zip(&state.stalled);
        WorkerStatus {
            parts: state.owned_parts.len(),
            queued: state.owned_parts.iter().map(|owned| owned.queue.len()).sum(),
            handled: self.handled.load(Ordering::Relaxed),
            set_aside: self.set_aside.load(Ordering::Relaxed),
            running: !self.is_stopping(),
            error: state.error.clone(),
            stalled: stalled
                .filter_map(|(served, reason)| Some((served.subscriber.name.clone(), reason.clone()?)))
                .collect(),
        }
    }
}
