//! The live values of one model: its queries, and the cells that they are published in.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_listener::Event;
use evented_core::live::{ItemOf, LiveModel, Plan, Queries, QueryId, SPARE, Wanted};
use evented_core::{Channel, Position, RawChange};
use evented_diesel::LiveOn;

use crate::cell::{Cell, Watched};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::fill::{Arrivals, Arrived, FillJob, For, together};
use crate::publish::{Flip, Publish, Published};
use crate::reader::{Job, Reader};
use crate::shared::Shared;
use crate::status::Status;

/// How long a failed read waits before it is tried again, at first and at most.
pub(crate) const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// The shortest time between two reads of all values of a model after gaps.
pub(crate) const BETWEEN_GAPS: Duration = Duration::from_secs(1);

/// The settings that the values of a store share.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How long a value waits for a cut that has reached its read.
    pub(crate) patience: Duration,
    /// How long a value is kept after its last viewer has left.
    pub(crate) linger: Duration,
    /// How many rows a value has at most.
    pub(crate) max_rows: usize,
    /// How many rows all values without viewers have at most.
    pub(crate) max_idle_rows: usize,
}

/// The live values of one model, with its type erased.
pub(crate) trait ModelPart<E>: Send {
    /// Takes a change: an `Arc<RawChange<M>>`. Adds the computed values that it concerns.
    fn change(&mut self, change: Arc<dyn Any + Send + Sync>, concerned: &mut Vec<u64>);
    /// Records that changes are missing.
    fn gap(&mut self, reason: &Arc<str>, cut: &Cut, now: Instant);
    /// Takes what a reader has read.
    fn arrived(&mut self, arrived: Box<dyn Any + Send>, cut: &Cut, now: Instant);
    /// Takes what is to be published at once, at no new cut.
    fn flips(&mut self) -> Vec<Flip>;
    /// Prepares what is published at a cut.
    fn pass(&mut self, cut: &Cut, before: &Cut, flips: &mut Vec<Flip>, now: Instant);
    /// Takes the jobs to do: those that open values, and those that keep values up.
    fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)>;
    /// Does what is due, and returns when something is due next.
    fn tick(&mut self, cut: &Cut, now: Instant) -> Option<Instant>;
    /// Reads the values again whose policies have this key.
    fn reauthorise(&mut self, key: &str);
    /// Ends all values.
    fn end(&mut self, error: &LiveError);
    /// The number of rows that are kept for a value; `None` if there is no such value.
    fn rows(&self, id: u64) -> Option<usize>;
    /// Whether somebody watches a value.
    fn is_watched(&self, id: u64) -> bool;
    /// Removes the channels of a computed value.
    fn unlisten(&mut self, computed: u64);
    /// Removes a value, if nobody watches it.
    fn remove(&mut self, id: u64) -> bool;
    /// The number of values.
    fn len(&self) -> usize;
    fn as_any(&mut self) -> &mut dyn Any;
}

/// The values of the model `M`.
pub(crate) struct Values<M: LiveModel> {
    queries: Queries<M>,
    cells: HashMap<QueryId, Box<dyn Publish<M>>>,
    /// The queries that are shared, by what they ask for and what their items are.
    shared: HashMap<Identity, QueryId>,
    identities: HashMap<QueryId, Identity>,
    /// The queries, by the numbers of their values.
    by_value: HashMap<u64, QueryId>,
    /// The reads that wait to be tried again.
    failed: HashMap<QueryId, Failed>,
    /// When the rows were read that wait for a cut.
    arrived: HashMap<QueryId, Instant>,
    /// The reads that are wanted.
    wanted: Vec<Wanted<M>>,
    /// When all values are read again after a gap, and when they were last.
    gap: (Option<Instant>, Option<Instant>),
    /// The queries that stood at the last cut and are read again.
    unsettled: Vec<QueryId>,
    /// What is published at the next occasion.
    flips: Vec<Flip>,
    /// The channels of computed values.
    channels: Vec<(Channel<M>, u64)>,
    store: Arc<Shared>,
    settings: Settings,
    arrivals: Arrivals,
    ids: Ids,
}

/// What equal values have in common: the query, what its items are, and whether it is a list.
type Identity = (Vec<u8>, (u8, TypeId), bool);

/// Makes the numbers of values, which are those of all models of a store.
pub(crate) type Ids = Arc<std::sync::atomic::AtomicU64>;

struct Failed {
    /// When it is tried again; `None` while it is.
    next: Option<Instant>,
    pause: Duration,
}

impl<M: LiveModel> Values<M> {
    pub(crate) fn new(store: &Arc<Shared>, settings: &Settings, arrivals: &Arrivals, ids: &Ids) -> Self {
        Self {
            queries: Queries::new(store.on_wal, SPARE),
            cells: HashMap::new(),
            shared: HashMap::new(),
            identities: HashMap::new(),
            by_value: HashMap::new(),
            failed: HashMap::new(),
            arrived: HashMap::new(),
            wanted: Vec::new(),
            gap: (None, None),
            unsettled: Vec::new(),
            flips: Vec::new(),
            channels: Vec::new(),
            store: Arc::clone(store),
            settings: settings.clone(),
            arrivals: Arc::clone(arrivals),
            ids: Arc::clone(ids),
        }
    }

    /// Finds the value of a query, or adds it, and watches it: a value that is watched is not removed.
    pub(crate) fn open<I: Clone + PartialEq + Send + Sync + 'static>(
        &mut self,
        plan: Plan<M>,
        item: ItemOf<M, I>,
        is_list: bool,
        changed: &Arc<Event>,
    ) -> Watched<I> {
        let identity = plan.identity().map(|bytes| (bytes, item.identity, is_list));
        if let Some(identity) = &identity
            && let Some(cell) = self.shared.get(identity).and_then(|id| self.cells.get(id))
            && let Ok(cell) = cell.cell().downcast::<Cell<I>>()
        {
            return Watched::new(cell, changed);
        }
        let query = self.queries.add(Arc::new(plan));
        let id = self.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let cell = Arc::new(Cell::new(id, Arc::clone(&self.store)));
        if let Some(identity) = identity {
            self.shared.insert(identity.clone(), query);
            self.identities.insert(query, identity);
        }
        self.by_value.insert(id, query);
        self.cells.insert(query, Box::new(Published::new(item, Arc::clone(&cell))));
        Watched::new(cell, changed)
    }

    /// Adds a channel of a computed value.
    pub(crate) fn listen(&mut self, channel: Channel<M>, computed: u64) {
        self.channels.push((channel, computed));
    }

    fn query_of(&self, id: u64) -> Option<QueryId> {
        self.by_value.get(&id).copied()
    }

    fn fail(&mut self, query: QueryId, error: LiveError, cut: &Cut, now: Instant) {
        let pause = self.failed.get(&query).map_or(RETRY.0, |failed| (failed.pause * 2).min(RETRY.1));
        self.failed.insert(query, Failed { next: Some(now + pause), pause });
        self.arrived.remove(&query);
        if let Some(cell) = self.cells.get(&query) {
            self.flips.push(cell.fail(error, cut));
        }
    }

    fn take_wanted(&mut self) {
        let wanted = self.queries.take_wanted();
        self.unsettled.extend(wanted.iter().map(|wanted| wanted.id));
        self.wanted.extend(wanted);
    }

    fn job<E: Reader>(&self, wanted: Vec<Wanted<M>>) -> (bool, Box<dyn Job<E>>)
    where
        M: LiveOn<E::Db>,
    {
        let opens = wanted.iter().all(|wanted| !wanted.is_again);
        let job = FillJob {
            wanted,
            most_rows: self.settings.max_rows,
            to: For::Values(TypeId::of::<M>()),
            shared: Arc::clone(&self.store),
            arrivals: Arc::clone(&self.arrivals),
        };
        (opens, Box::new(job))
    }
}

impl<E: Reader, M: LiveOn<E::Db>> ModelPart<E> for Values<M> {
    fn change(&mut self, change: Arc<dyn Any + Send + Sync>, concerned: &mut Vec<u64>) {
        let Ok(change) = change.downcast::<RawChange<M>>() else { return };
        self.queries.change(&change);
        if self.channels.is_empty() {
            return;
        }
        let key = change.key.as_ref().map(M::key_value);
        for (channel, computed) in &self.channels {
            let sees = |state: &Option<Arc<evented_core::RecordState<M>>>| {
                state.as_ref().is_some_and(|state| {
                    channel.covers(key.as_ref(), || state.scopes()) && channel.may_see(state.record())
                })
            };
            if change.table.is_some() || sees(&change.before) || sees(&change.after) {
                concerned.push(*computed);
            }
        }
    }

    fn gap(&mut self, reason: &Arc<str>, cut: &Cut, now: Instant) {
        let error = LiveError::Gap { schema: M::SCHEMA, reason: Arc::clone(reason) };
        self.queries.fail_all();
        self.wanted.clear();
        drop(self.queries.take_wanted());
        self.arrived.clear();
        self.failed.clear();
        for cell in self.cells.values().filter(|cell| cell.is_read()) {
            self.flips.push(cell.fail(error.clone(), cut));
        }
        let earliest = self.gap.1.map_or(now, |last| last + BETWEEN_GAPS);
        self.gap.0.get_or_insert(earliest.max(now));
    }

    fn arrived(&mut self, arrived: Box<dyn Any + Send>, cut: &Cut, now: Instant) {
        let Ok(arrived) = arrived.downcast::<Arrived<M>>() else { return };
        let Arrived { id, generation, read } = *arrived;
        match read {
            Ok((fill, marker)) => {
                if self.queries.filled(id, generation, fill, marker) {
                    self.arrived.insert(id, now);
                }
            }
            Err(error) => {
                if self.queries.failed(id, generation) {
                    self.fail(id, error, cut, now);
                }
            }
        }
    }

    fn pass(&mut self, cut: &Cut, before: &Cut, flips: &mut Vec<Flip>, now: Instant) {
        let reached = |marker: Position| cut.reaches(marker).unwrap_or(false);
        for settled in self.queries.settle(reached) {
            match settled {
                Ok(id) => {
                    self.arrived.remove(&id);
                    self.failed.remove(&id);
                }
                Err(differs) => {
                    let error = LiveError::Differs { schema: M::SCHEMA, key: differs.key };
                    self.fail(differs.id, error, before, now);
                }
            }
        }
        flips.append(&mut self.flips);
        // Those that are read again stood at the cut before this one.
        self.take_wanted();
        for id in std::mem::take(&mut self.unsettled) {
            if !self.queries.stands(id)
                && let Some(cell) = self.cells.get(&id)
            {
                flips.push(cell.leave(before));
            }
        }
        for id in self.queries.take_dirty() {
            let rows = self.queries.rows(id);
            let too_many = rows.len() > self.settings.max_rows;
            if too_many && self.queries.fail(id) {
                let error = LiveError::TooManyRows { schema: M::SCHEMA, most: self.settings.max_rows };
                self.fail(id, error, before, now);
                flips.append(&mut self.flips);
            } else if let Some(cell) = self.cells.get_mut(&id) {
                flips.push(cell.prepare(self.queries.rows(id), Status::Exact, None));
            }
        }
    }

    fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)> {
        self.take_wanted();
        let wanted = std::mem::take(&mut self.wanted).into_iter();
        let wanted = wanted.filter(|wanted| self.cells.contains_key(&wanted.id)).collect();
        together(wanted).into_iter().map(|wanted| self.job::<E>(wanted)).collect()
    }

    fn tick(&mut self, cut: &Cut, now: Instant) -> Option<Instant> {
        let due: Vec<_> = self
            .failed
            .iter()
            .filter(|(_, it)| it.next.is_some_and(|next| next <= now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            if let Some(failed) = self.failed.get_mut(&id) {
                failed.next = None;
            }
            self.queries.read(id);
        }
        if self.gap.0.is_some_and(|due| due <= now) {
            self.gap = (None, Some(now));
            self.queries.read_all();
        }
        let patience = self.settings.patience;
        let waiting: Vec<_> = self.queries.waiting().collect();
        let mut next = None;
        for id in waiting {
            let Some(arrived) = self.arrived.get(&id) else { continue };
            if *arrived + patience > now {
                let due = *arrived + patience;
                next = Some(next.map_or(due, |next: Instant| next.min(due)));
                continue;
            }
            self.arrived.remove(&id);
            if let (Some(rows), Some(cell)) = (self.queries.as_read(id), self.cells.get_mut(&id)) {
                self.flips.push(cell.prepare(&rows, Status::AsRead, Some(cut.clone())));
            }
        }
        let retry = self.failed.values().filter_map(|failed| failed.next).min();
        [next, retry, self.gap.0].into_iter().flatten().min()
    }

    fn flips(&mut self) -> Vec<Flip> {
        std::mem::take(&mut self.flips)
    }

    fn reauthorise(&mut self, key: &str) {
        self.queries.read_if(|plan| plan.has_policy(key));
    }

    fn end(&mut self, error: &LiveError) {
        self.cells.values().for_each(|cell| cell.end(error));
    }

    fn rows(&self, id: u64) -> Option<usize> {
        self.query_of(id).map(|query| self.queries.kept(query))
    }

    fn is_watched(&self, id: u64) -> bool {
        let cell = self.query_of(id).and_then(|query| self.cells.get(&query));
        cell.is_some_and(|cell| cell.is_watched())
    }

    fn unlisten(&mut self, computed: u64) {
        self.channels.retain(|(_, id)| *id != computed);
    }

    fn remove(&mut self, id: u64) -> bool {
        let Some(query) = self.query_of(id) else { return false };
        if self.cells.get(&query).is_some_and(|cell| cell.is_watched()) {
            return false;
        }
        self.cells.remove(&query);
        self.by_value.remove(&id);
        self.queries.remove(query);
        self.failed.remove(&query);
        self.arrived.remove(&query);
        if let Some(identity) = self.identities.remove(&query) {
            self.shared.remove(&identity);
        }
        true
    }

    fn len(&self) -> usize {
        self.cells.len()
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}
