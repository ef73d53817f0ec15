//! Values that any query computes, and that are read again when a change is on their channels.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use event_listener::Event;
use evented_core::KeyValue;
use evented_core::live::{List, Shape};
use evented_diesel::Error;
use serde::{Serialize, Serializer};

use crate::cell::{Cell, Watched};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::fill::{Arrivals, For};
use crate::publish::Flip;
use crate::reader::{Job, Reader, Running};
use crate::shared::{Shared, lock};
use crate::snapshot::wait_until_visible;
use crate::status::Status;

/// The shortest time between two reads of a computed value.
const BETWEEN_READS: Duration = Duration::from_millis(50);
/// How long a failed read waits before it is tried again, at most.
const LONGEST_RETRY: Duration = Duration::from_secs(10);

/// The value of a query that was run as it is: a total, a join. It derefs to what the query returned.
pub struct Answer<T>(Arc<T>);

impl<T> Clone for Answer<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
impl<T> Deref for Answer<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}
impl<T: PartialEq> PartialEq for Answer<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T: fmt::Debug> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl<T: Serialize> Serialize for Answer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<T: PartialEq + Send + Sync + 'static> Shape for Answer<T> {
    type Item = Self;
    const IS_LIST: bool = false;
    fn of(list: &List<Self>) -> Option<Self> {
        list.first().cloned()
    }
}

/// A query that computes a value.
pub(crate) trait Ask<E>: Send {
    /// Runs the query. The answer is an [`Answer`].
    fn ask<'a>(&'a mut self, executor: &'a mut E) -> Asking<'a>;
}

/// The query of a computed value; `None` while a job runs it.
pub(crate) type Query<E> = Arc<Mutex<Option<Box<dyn Ask<E>>>>>;

/// The answer of a query that is under way.
pub(crate) type Asking<'a> =
    std::pin::Pin<Box<dyn Future<Output = Result<Box<dyn Any + Send>, Error>> + Send + 'a>>;

/// The computed values of a store.
pub(crate) struct Computed<E> {
    values: HashMap<u64, Value<E>>,
    /// The values by their keys and the types of their answers.
    keys: HashMap<(TypeId, String), u64>,
    arrived: Vec<(u64, Box<dyn Any + Send>)>,
    /// What is published at the next occasion.
    flips: Vec<Flip>,
    shared: Arc<Shared>,
    arrivals: Arrivals,
}

struct Value<E> {
    key: (TypeId, String),
    query: Query<E>,
    cell: Box<dyn Publish>,
    /// Whether a change has concerned the value since its last read began.
    is_dirty: bool,
    is_reading: bool,
    /// When it may be read next.
    next: Instant,
    /// The pause after the last read, if it failed.
    pause: Duration,
    is_again: bool,
}

/// A cell, with the type of its answer erased.
trait Publish: Send {
    fn publish(&self, answer: Box<dyn Any + Send>, cut: Cut) -> Option<Flip>;
    fn fail(&self, error: LiveError, cut: &Cut) -> Flip;
    fn end(&self, error: &LiveError);
    fn is_watched(&self) -> bool;
    fn cell(&self) -> Arc<dyn Any + Send + Sync>;
}

impl<T: PartialEq + Send + Sync + 'static> Publish for Arc<Cell<Answer<T>>> {
    fn publish(&self, answer: Box<dyn Any + Send>, cut: Cut) -> Option<Flip> {
        let answer = answer.downcast::<T>().ok()?;
        // One key, so that a new answer is a step of one item.
        let list = List::new(vec![Answer(Arc::from(answer))], vec![KeyValue::Int(0)]);
        let cell = Arc::clone(self);
        Some(Box::new(move || {
            if Cell::publish(&cell, list, Status::AsRead, Some(cut)) {
                cell.notify();
            }
        }))
    }

    fn fail(&self, error: LiveError, cut: &Cut) -> Flip {
        let (cell, cut) = (Self::clone(self), cut.clone());
        Box::new(move || {
            Cell::fail(&cell, error, &cut);
            cell.notify();
        })
    }

    fn end(&self, error: &LiveError) {
        Cell::end(self, error);
        self.notify();
    }

    fn is_watched(&self) -> bool {
        Cell::is_watched(self)
    }

    fn cell(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(self) as Arc<dyn Any + Send + Sync>
    }
}

impl<E: Reader> Computed<E> {
    pub(crate) fn new(shared: &Arc<Shared>, arrivals: &Arrivals) -> Self {
        Self {
            values: HashMap::new(),
            keys: HashMap::new(),
            arrived: Vec::new(),
            flips: Vec::new(),
            shared: Arc::clone(shared),
            arrivals: Arc::clone(arrivals),
        }
    }

    /// Watches the value with this key, if there is one.
    pub(crate) fn find<T: PartialEq + Send + Sync + 'static>(
        &self,
        key: &str,
        changed: &Arc<Event>,
    ) -> Option<Watched<Answer<T>>> {
        let id = self.keys.get(&(TypeId::of::<T>(), key.to_owned()))?;
        let cell = self.values.get(id)?.cell.cell().downcast().ok()?;
        Some(Watched::new(cell, changed))
    }

    /// Adds a value.
    pub(crate) fn add<T: PartialEq + Send + Sync + 'static>(
        &mut self,
        id: u64,
        key: String,
        query: Query<E>,
        changed: &Arc<Event>,
    ) -> Watched<Answer<T>> {
        let cell = Arc::new(Cell::new(id, Arc::clone(&self.shared)));
        let key = (TypeId::of::<T>(), key);
        self.keys.insert(key.clone(), id);
        let value = Value {
            key,
            query,
            cell: Box::new(Arc::clone(&cell)),
            is_dirty: true,
            is_reading: false,
            next: Instant::now(),
            pause: Duration::ZERO,
            is_again: false,
        };
        self.values.insert(id, value);
        Watched::new(cell, changed)
    }

    /// Records that a change concerns these values.
    pub(crate) fn concern(&mut self, ids: &[u64]) {
        for id in ids {
            if let Some(value) = self.values.get_mut(id) {
                value.is_dirty = true;
            }
        }
    }

    /// Records that changes are missing.
    pub(crate) fn concern_all(&mut self) {
        self.values.values_mut().for_each(|value| value.is_dirty = true);
    }

    /// The reads that are due.
    pub(crate) fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)> {
        let now = Instant::now();
        let due = |value: &&mut Value<E>| value.is_dirty && !value.is_reading && value.next <= now;
        let mut jobs: Vec<(bool, Box<dyn Job<E>>)> = Vec::new();
        for (id, value) in &mut self.values {
            let Some(value) = Some(value).filter(due) else { continue };
            (value.is_dirty, value.is_reading) = (false, true);
            let job = AskJob {
                id: *id,
                query: Arc::clone(&value.query),
                shared: Arc::clone(&self.shared),
                arrivals: Arc::clone(&self.arrivals),
            };
            jobs.push((!value.is_again, Box::new(job)));
            value.is_again = true;
        }
        jobs
    }

    /// Takes the answer of a job.
    pub(crate) fn arrived(&mut self, arrived: Box<dyn Any + Send>, cut: &Cut, now: Instant) {
        let Ok(arrived) = arrived.downcast::<Arrived>() else { return };
        let Arrived { id, answer } = *arrived;
        let Some(value) = self.values.get_mut(&id) else { return };
        value.is_reading = false;
        value.next = now + BETWEEN_READS;
        match answer {
            Ok(answer) => {
                value.pause = Duration::ZERO;
                self.arrived.push((id, answer));
            }
            Err(error) => {
                value.pause = (value.pause * 2).clamp(BETWEEN_READS * 2, LONGEST_RETRY);
                value.next = now + value.pause;
                value.is_dirty = true;
                self.flips.push(value.cell.fail(error, cut));
            }
        }
    }

    /// Prepares the answers that arrived.
    pub(crate) fn pass(&mut self, cut: &Cut, flips: &mut Vec<Flip>) {
        for (id, answer) in std::mem::take(&mut self.arrived) {
            if let Some(value) = self.values.get(&id) {
                flips.extend(value.cell.publish(answer, cut.clone()));
            }
        }
    }

    /// Takes what is to be published at once.
    pub(crate) fn take_flips(&mut self) -> Vec<Flip> {
        std::mem::take(&mut self.flips)
    }

    /// Whether somebody watches a value.
    pub(crate) fn is_watched(&self, id: u64) -> bool {
        self.values.get(&id).is_some_and(|value| value.cell.is_watched())
    }

    /// When a value is to be read next.
    pub(crate) fn tick(&self, now: Instant) -> Option<Instant> {
        let waits = self.values.values().filter(|value| value.is_dirty && !value.is_reading);
        waits.map(|value| value.next.max(now)).min()
    }

    pub(crate) fn end(&self, error: &LiveError) {
        self.values.values().for_each(|value| value.cell.end(error));
    }

    /// Removes a value, if nobody watches it.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        if self.values.get(&id).is_none_or(|value| value.cell.is_watched()) {
            return false;
        }
        if let Some(value) = self.values.remove(&id) {
            self.keys.remove(&value.key);
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}

struct Arrived {
    id: u64,
    answer: Result<Box<dyn Any + Send>, LiveError>,
}

/// Runs the query of a computed value.
struct AskJob<E> {
    id: u64,
    query: Query<E>,
    shared: Arc<Shared>,
    arrivals: Arrivals,
}

impl<E> AskJob<E> {
    fn hand_over(&self, answer: Result<Box<dyn Any + Send>, LiveError>) {
        let arrived = Box::new(Arrived { id: self.id, answer });
        lock(&self.arrivals).push((For::Computed, arrived));
        self.shared.tap.wake();
    }
}

impl<E: Reader> Job<E> for AskJob<E> {
    fn run<'j>(&'j mut self, executor: &'j mut E) -> Running<'j> {
        Box::pin(async move {
            if self.shared.on_wal {
                wait_until_visible::<E::Db, E>(executor, &self.shared).await?;
            }
            let Some(query) = lock(&self.query).take() else { return Ok(()) };
            let mut taken = Taken { query: Some(query), from: Arc::clone(&self.query) };
            let Some(query) = &mut taken.query else { return Ok(()) };
            let answer = query.ask(executor).await?;
            drop(taken);
            self.hand_over(Ok(answer));
            // A first answer waits for a cut.
            evented_feed::spi::poll_now();
            Ok(())
        })
    }

    fn fail(&mut self, error: Arc<dyn std::error::Error + Send + Sync>) {
        self.hand_over(Err(LiveError::Read { schema: "a computed value", error }));
    }
}

/// A query that a job runs. It is put back however the job ends.
struct Taken<E> {
    query: Option<Box<dyn Ask<E>>>,
    from: Query<E>,
}

impl<E> Drop for Taken<E> {
    fn drop(&mut self) {
        *lock(&self.from) = self.query.take();
    }
}
