//! The engine of a store: takes the changes of the hub and the rows of the readers, and publishes values at cuts.

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_channel::Sender;
use evented_diesel::spi::ModelVisitor;
use evented_diesel::{ItemOn, LiveOn, Model, TreeOn};
use evented_feed::spi::{Notice, Pace};

use crate::computed::Computed;
use crate::cut::Cut;
use crate::error::LiveError;
use crate::fill::{Arrivals, For};
use crate::reader::{Job, Reader};
use crate::shared::{Shared, lock};
use crate::trees::Trees;
use crate::values::{Ids, ModelPart, Settings, Values};
use crate::watch::Watches;

/// How long the engine sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);

/// How often values without viewers are looked for.
const BETWEEN_SWEEPS: Duration = Duration::from_millis(250);

/// The state of the engine.
pub(crate) struct Engine<E> {
    models: HashMap<TypeId, Box<dyn ModelPart<E>>>,
    pub(crate) computed: Computed<E>,
    pub(crate) trees: Trees<E>,
    pub(crate) watches: Watches,
    shared: Arc<Shared>,
    pub(crate) settings: Settings,
    arrivals: Arrivals,
    pub(crate) ids: Ids,
    cut: Cut,
    /// Whether the hub has delivered changes since the last cut.
    within: bool,
    /// The values that a last viewer has left, with the time when they are removed.
    idle: HashMap<u64, Instant>,
    /// When values without viewers are looked for next.
    next_sweep: Instant,
    lanes: Lanes<E>,
    ended: Option<LiveError>,
}

/// The queues of the two lanes: a value that is opened does not keep others from being kept up.
pub(crate) struct Lanes<E> {
    pub(crate) opening: Sender<Box<dyn Job<E>>>,
    pub(crate) upkeep: Sender<Box<dyn Job<E>>>,
}

impl<E: Reader> Engine<E> {
    pub(crate) fn new(shared: &Arc<Shared>, settings: Settings, lanes: Lanes<E>) -> Self {
        let arrivals = Arrivals::default();
        Self {
            models: HashMap::new(),
            computed: Computed::new(shared, &arrivals),
            trees: Trees::new(shared, &settings, &arrivals),
            watches: Watches::new(),
            shared: Arc::clone(shared),
            settings,
            arrivals,
            ids: Arc::new(AtomicU64::new(1)),
            cut: Cut::default(),
            within: false,
            idle: HashMap::new(),
            next_sweep: Instant::now(),
            lanes,
            ended: None,
        }
    }

    /// Wants the changes of a model.
    ///
    /// # Errors
    ///
    /// [`LiveError::NotRead`]; [`LiveError::Stopped`].
    pub(crate) fn want<M: Model>(&self) -> Result<(), LiveError> {
        if let Some(error) = &self.ended {
            return Err(error.clone());
        }
        if !evented_feed::spi::reads::<M>(&self.shared.hub) {
            return Err(LiveError::NotRead { schema: M::SCHEMA });
        }
        self.shared.tap.want::<M>();
        Ok(())
    }

    /// Wants the changes of all models of a tree.
    ///
    /// # Errors
    ///
    /// As [`want`](Self::want).
    pub(crate) fn want_all<T: TreeOn<E::Db>>(&self) -> Result<(), LiveError> {
        self.want_items::<T>()
    }

    /// Wants the changes of all models of a record, a row or a tree.
    ///
    /// # Errors
    ///
    /// As [`want`](Self::want).
    pub(crate) fn want_items<T: ItemOn<E::Db>>(&self) -> Result<(), LiveError> {
        let mut wants = WantAll { engine: self, wanted: Ok(()) };
        T::visit_models(&mut wants);
        wants.wanted
    }

    /// The values of a model.
    ///
    /// # Errors
    ///
    /// [`LiveError::NotRead`]; [`LiveError::Stopped`].
    pub(crate) fn values<M: LiveOn<E::Db>>(&mut self) -> Result<&mut Values<M>, LiveError> {
        self.want::<M>()?;
        let part = self.models.entry(TypeId::of::<M>()).or_insert_with(|| {
            let values = Values::<M>::new(&self.shared, &self.settings, &self.arrivals, &self.ids);
            Box::new(values)
        });
        let missing = LiveError::NotRead { schema: <M as evented_core::Evented>::SCHEMA };
        part.as_any().downcast_mut().ok_or(missing)
    }

    /// Hands the reads that are wanted to the lanes.
    pub(crate) fn send_jobs(&mut self) {
        for part in self.models.values_mut() {
            for (opens, job) in part.jobs() {
                let lane = if opens { &self.lanes.opening } else { &self.lanes.upkeep };
                // The lanes end with the store.
                let _ = lane.try_send(job);
            }
        }
        for (opens, job) in self.computed.jobs().into_iter().chain(self.trees.jobs()) {
            let lane = if opens { &self.lanes.opening } else { &self.lanes.upkeep };
            let _ = lane.try_send(job);
        }
    }

    /// Takes everything that the hub has delivered and read. Returns when something is due.
    fn work(&mut self) -> Instant {
        let now = Instant::now();
        let notices = self.shared.tap.take();
        // Several cuts that wait are taken as one: only the last is published.
        let last_cut = notices.iter().rposition(|notice| matches!(notice, Notice::Cut(_)));
        let mut passed = false;
        for (index, notice) in notices.into_iter().enumerate() {
            match notice {
                Notice::Cut(positions) => {
                    self.within = false;
                    if Some(index) == last_cut {
                        self.take_arrivals(now);
                        self.pass(positions, now);
                        passed = true;
                    }
                }
                other => self.take(other, now),
            }
        }
        self.take_arrivals(now);
        if !passed && !self.within && !self.cut.positions().is_empty() {
            let positions = self.cut.positions().to_vec();
            self.pass(positions, now);
        }
        let due = self.tick(now);
        self.publish();
        self.send_jobs();
        due
    }

    /// Publishes what is published at no new cut: values as they were read, and values that could not be.
    fn publish(&mut self) {
        let mut flips: Vec<_> = self.models.values_mut().flat_map(|part| part.flips()).collect();
        flips.append(&mut self.computed.take_flips());
        flips.append(&mut self.trees.take_flips());
        if !flips.is_empty() {
            self.shared.advance(&self.cut, || flips.into_iter().for_each(|flip| flip()));
        }
    }

    fn take(&mut self, notice: Notice, now: Instant) {
        match notice {
            Notice::Change(model, change) => {
                self.within = true;
                let mut concerned = Vec::new();
                self.trees.change(model, &change);
                self.watches.change(model, &change);
                if let Some(part) = self.models.get_mut(&model) {
                    part.change(change, &mut concerned);
                }
                self.computed.concern(&concerned);
            }
            Notice::Gap(model, reason) => {
                if let Some(part) = self.models.get_mut(&model) {
                    part.gap(&reason, &self.cut, now);
                }
                self.trees.gap(Some(model), &reason, &self.cut, now);
                self.watches.all().iter().for_each(|watch| watch.gap(Some(model), &reason));
                self.computed.concern_all();
            }
            Notice::Overrun => {
                let reason: Arc<str> = "too many changes waited".into();
                self.models.values_mut().for_each(|part| part.gap(&reason, &self.cut, now));
                self.trees.gap(None, &reason, &self.cut, now);
                self.watches.all().iter().for_each(|watch| watch.gap(None, &reason));
                self.computed.concern_all();
            }
            Notice::Ended(reason) => {
                let error = LiveError::Stopped { reason };
                self.models.values_mut().for_each(|part| part.end(&error));
                self.computed.end(&error);
                self.trees.end(&error);
                self.watches.all().iter().for_each(|watch| watch.end(&error));
                self.shared.end(&error);
                self.ended = Some(error);
            }
            Notice::Cut(_) => {}
        }
    }

    fn take_arrivals(&mut self, now: Instant) {
        let arrivals = std::mem::take(&mut *lock(&self.arrivals));
        for (whose, arrived) in arrivals {
            match whose {
                For::Values(model) => {
                    if let Some(part) = self.models.get_mut(&model) {
                        part.arrived(arrived, &self.cut, now);
                    }
                }
                For::Tree(id, began, model) => {
                    self.trees.arrived(id, (began, model), arrived, &self.cut, now);
                }
                For::Computed => self.computed.arrived(arrived, &self.cut, now),
            }
        }
    }

    /// Publishes what changed up to a cut.
    fn pass(&mut self, positions: Vec<evented_core::Position>, now: Instant) {
        let is_same = positions == self.cut.positions();
        let number = self.cut.number() + u64::from(!is_same);
        let (cut, before) = (Cut::new(number, positions), self.cut.clone());
        let mut flips = Vec::new();
        for part in self.models.values_mut() {
            part.pass(&cut, &before, &mut flips, now);
        }
        self.computed.pass(&cut, &mut flips);
        self.trees.pass(&cut, &before, &mut flips);
        if is_same && flips.is_empty() {
            return;
        }
        self.shared.advance(&cut, || flips.into_iter().for_each(|flip| flip()));
        self.cut = cut;
    }

    fn tick(&mut self, now: Instant) -> Instant {
        let mut due = now + LONGEST_SLEEP;
        for part in self.models.values_mut() {
            due = part.tick(&self.cut, now).map_or(due, |next| next.min(due));
        }
        due = self.computed.tick(now).map_or(due, |next| next.min(due));
        due = self.trees.tick(&self.cut, now).map_or(due, |next| next.min(due));
        let left = self.shared.take_left();
        self.idle.extend(left.into_iter().map(|id| (id, now + self.settings.linger)));
        if self.next_sweep <= now {
            self.next_sweep = now + BETWEEN_SWEEPS;
            self.remove_idle(now);
        }
        if self.idle.is_empty() { due } else { due.min(self.next_sweep) }
    }

    /// Removes the values that nobody watches: those whose time is over, and if together they have too many rows, those that
    /// were left first.
    fn remove_idle(&mut self, now: Instant) {
        let watched: Vec<u64> = self.idle.keys().copied().filter(|id| self.is_watched(*id)).collect();
        for id in watched {
            self.idle.remove(&id);
        }
        let mut idle: Vec<(Instant, u64)> = self.idle.iter().map(|(id, until)| (*until, *id)).collect();
        idle.sort_unstable();
        let mut kept: usize = idle.iter().map(|(_, id)| self.rows(*id)).sum();
        for (until, id) in idle {
            if until > now && kept <= self.settings.max_idle_rows {
                break;
            }
            self.idle.remove(&id);
            kept = kept.saturating_sub(self.rows(id));
            if self.computed.remove(id) {
                self.unlisten(id);
            } else if !self.trees.remove(id) {
                self.models.values_mut().any(|part| part.remove(id));
            }
        }
    }

    /// The number of rows that are kept for a value.
    fn rows(&self, id: u64) -> usize {
        self.trees
            .rows(id)
            .or_else(|| self.models.values().find_map(|part| part.rows(id)))
            .unwrap_or_default()
    }

    fn is_watched(&self, id: u64) -> bool {
        self.computed.is_watched(id)
            || self.trees.is_watched(id)
            || self.models.values().any(|part| part.is_watched(id))
    }

    /// Removes the channels of a computed value.
    pub(crate) fn unlisten(&mut self, computed: u64) {
        self.models.values_mut().for_each(|part| part.unlisten(computed));
    }

    /// Reads the values again whose policies have this key.
    pub(crate) fn reauthorise(&mut self, key: &str) {
        self.models.values_mut().for_each(|part| part.reauthorise(key));
        self.trees.reauthorise(key);
        self.send_jobs();
    }

    pub(crate) fn count(&self) -> usize {
        self.models.values().map(|part| part.len()).sum::<usize>() + self.computed.len() + self.trees.len()
    }

    /// Ends all values: the store stops.
    pub(crate) fn stop(&mut self) {
        if self.ended.is_none() {
            self.take(Notice::Ended(None), Instant::now());
        }
        self.shared.tap.detach();
        self.lanes.opening.close();
        self.lanes.upkeep.close();
    }
}

/// Finds whether the hub reads all models of a tree.
struct WantAll<'e, E: Reader> {
    engine: &'e Engine<E>,
    wanted: Result<(), LiveError>,
}

impl<E: Reader> ModelVisitor<E::Db> for WantAll<'_, E> {
    fn model<M: LiveOn<E::Db>>(&mut self) {
        if self.wanted.is_ok() {
            self.wanted = self.engine.want::<M>();
        }
    }
}

/// Runs an engine until its store stops.
pub(crate) async fn run<E: Reader, P: Pace>(engine: Arc<Mutex<Engine<E>>>, shared: Arc<Shared>, pace: P) {
    let running = Running(engine);
    while !shared.is_stopping() {
        let arrived = shared.tap.listen();
        let due = lock(&running.0).work();
        let now = Instant::now();
        if due > now && !shared.is_stopping() {
            pace.wait_for(arrived, due - now).await;
        }
    }
}

/// Stops the engine however it ends, also by a panic of the user's code or with its runtime, so that no viewer waits for ever.
struct Running<E: Reader>(Arc<Mutex<Engine<E>>>);

impl<E: Reader> Drop for Running<E> {
    fn drop(&mut self) {
        lock(&self.0).stop();
    }
}
