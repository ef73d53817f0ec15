//! What a hub's handles and its worker share.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use event_listener::{Event, EventListener};
use evented_core::{Position, StreamId};

use super::super::lock;
use super::super::router::Router;
use super::status::Status;
use crate::model::Model;

/// Hints that something may have been committed. All hubs of a process wait for it: a hint too many costs a look.
static HINTS: Event = Event::new();

/// Says that something may have been committed in this process. Relays wait for it, and tell those of other processes.
#[cfg(feature = "async-postgres")]
static COMMITS: Event = Event::new();

/// Says that something may have been committed, so that the hubs of this process look at once. A `Relay` tells those of
/// other processes.
///
/// The library's own commands say so after they have committed. Say so after a transaction of your own, if a few
/// milliseconds count: without it a hub finds the change by looking as often as it does anyway.
pub fn wake() {
    #[cfg(feature = "async-postgres")]
    COMMITS.notify(usize::MAX);
    look();
}

/// Makes the hubs of this process look at once.
pub(crate) fn look() {
    HINTS.notify(usize::MAX);
}

/// The next time that something may have been committed in this process.
#[cfg(feature = "async-postgres")]
pub(crate) fn committed() -> EventListener {
    COMMITS.listen()
}

/// How far a stream has been told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    /// The last thing that was told. By it a stream that does not go on is noticed.
    pub(crate) last: Position,
    /// All before this place is told: nothing can come any more between the two.
    pub(crate) to: Position,
}

/// What a hub's handles and its worker share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The models that the hub is to read.
    models: Mutex<HashSet<TypeId>>,
    /// The routers, by their models.
    routers: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
    /// How far each stream has been told.
    told: Mutex<HashMap<StreamId, Reached>>,
    /// Somebody has been told more, or the hub stops.
    pub(crate) progress: Event,
    stopping: AtomicBool,
    pub(crate) status: Mutex<Status>,
}

impl Shared {
    /// Whether a model is listed for the first time.
    pub(crate) fn lists<M: Model>(&self) -> bool {
        lock(&self.models).insert(TypeId::of::<M>())
    }

    pub(crate) fn add_router<M: Model>(&self, router: Arc<Mutex<Router<M>>>) {
        lock(&self.routers).insert(TypeId::of::<M>(), Box::new(router));
    }

    pub(crate) fn router<M: Model>(&self) -> Option<Arc<Mutex<Router<M>>>> {
        let routers = lock(&self.routers);
        routers.get(&TypeId::of::<M>())?.downcast_ref::<Arc<Mutex<Router<M>>>>().cloned()
    }

    /// Remembers how far all was told.
    pub(crate) fn passed(&self, reached: Reached) {
        lock(&self.told).insert(reached.last.stream(), reached);
        self.progress.notify(usize::MAX);
    }

    pub(crate) fn told(&self, stream: StreamId) -> Option<Reached> {
        lock(&self.told).get(&stream).copied()
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        lock(&self.status).connected = false;
        self.progress.notify(usize::MAX);
        look();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// The next hint.
pub(crate) fn hint() -> EventListener {
    HINTS.listen()
}
