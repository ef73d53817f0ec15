//! The watches of a store.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use evented_core::live::{Route, Routes};

use super::{Queue, Watching};

/// With fewer watches than this, none is looked for that has ended.
const FEW: usize = 64;

/// The watches of a store. A change is offered to those that it may concern.
pub(crate) struct Watches {
    queues: HashMap<u64, Weak<Queue>>,
    routes: Arc<Routes>,
    next_id: u64,
    /// How many there were after those that have ended were removed.
    swept: usize,
}

impl Watches {
    pub(crate) fn new() -> Self {
        Self { queues: HashMap::new(), routes: Arc::default(), next_id: 0, swept: FEW }
    }

    /// Adds a watch of what the function adds.
    pub(crate) fn add(&mut self, name: &str, add: impl FnOnce(&mut Watching)) -> Arc<Queue> {
        if self.queues.len() >= self.swept.saturating_mul(2) {
            self.queues.retain(|_, queue| queue.strong_count() > 0);
            self.swept = self.queues.len().max(FEW);
        }
        self.next_id += 1;
        let mut watching = Watching::new(Route::new(&self.routes, self.next_id));
        add(&mut watching);
        let queue = Arc::new(Queue::new(name, watching));
        self.queues.insert(self.next_id, Arc::downgrade(&queue));
        queue
    }

    /// Offers a change: an `Arc<RawChange<M>>`.
    pub(crate) fn change(&self, model: TypeId, change: &Arc<dyn Any + Send + Sync>) {
        for id in self.routes.concerned(model, change) {
            if let Some(queue) = self.queues.get(&id).and_then(Weak::upgrade) {
                queue.offer(model, change);
            }
        }
    }

    /// The watches that have not ended, in the order in which they were added.
    pub(crate) fn all(&self) -> Vec<Arc<Queue>> {
        let mut all: Vec<_> =
            self.queues.iter().filter_map(|(id, queue)| Some((*id, queue.upgrade()?))).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, queue)| queue).collect()
    }
}
