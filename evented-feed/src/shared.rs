//! The state that a hub's handles and its worker share.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use event_listener::Event;
use evented_core::{Position, StreamId};
use evented_diesel::Model;

use crate::hints::poll_now;
use crate::router::Router;
use crate::status::HubStatus;
use crate::sync::lock;
use crate::tap::Taps;

/// How far the hub has delivered a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    /// The position of the last delivery. The hub uses it to detect a stream that does not continue.
    pub(crate) last: Position,
    /// Everything up to this position is delivered: no further change can appear between `last` and `to`.
    pub(crate) to: Position,
}

/// The state that a hub's handles and its worker share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The models that the hub reads.
    models: Mutex<HashSet<TypeId>>,
    /// The routers, by their models.
    routers: Mutex<HashMap<TypeId, Box<dyn Any + Send>>>,
    /// How far each stream has been delivered.
    reached: Mutex<HashMap<StreamId, Reached>>,
    /// Notified when more has been delivered, and when the hub stops.
    pub(crate) progress: Event,
    stopping: AtomicBool,
    status: Mutex<HubStatus>,
    /// The taps, to which the hub delivers everything that it reads.
    pub(crate) taps: Arc<Taps>,
}

impl Shared {
    /// Adds a model; returns whether it is new.
    pub(crate) fn add_model<M: Model>(&self) -> bool {
        lock(&self.models).insert(TypeId::of::<M>())
    }

    pub(crate) fn add_router<M: Model>(&self, router: Arc<Mutex<Router<M>>>) {
        lock(&self.routers).insert(TypeId::of::<M>(), Box::new(router));
    }

    pub(crate) fn router<M: Model>(&self) -> Option<Arc<Mutex<Router<M>>>> {
        let routers = lock(&self.routers);
        routers.get(&TypeId::of::<M>())?.downcast_ref::<Arc<Mutex<Router<M>>>>().cloned()
    }

    /// Stores how far a stream has been delivered.
    pub(crate) fn set_reached(&self, reached: Reached) {
        lock(&self.reached).insert(reached.last.stream(), reached);
        self.progress.notify(usize::MAX);
    }

    pub(crate) fn reached(&self, stream: StreamId) -> Option<Reached> {
        lock(&self.reached).get(&stream).copied()
    }

    pub(crate) fn status(&self) -> HubStatus {
        lock(&self.status).clone()
    }

    pub(crate) fn update_status(&self, update: impl FnOnce(&mut HubStatus)) {
        update(&mut lock(&self.status));
    }

    /// Records in the status that the connection is gone or cannot be used.
    pub(crate) fn set_failed(&self, error: String) {
        self.update_status(|status| (status.connected, status.error) = (false, Some(error)));
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.update_status(|status| status.connected = false);
        self.taps.end(self.status().error);
        self.progress.notify(usize::MAX);
        poll_now();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}
