//! Consumes a log for one model: its live stream, and the readings of its subscribers that are catching up.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use evented_core::{Position, RawChange, StreamId};
use evented_diesel::Model;
use evented_diesel::spi::{Consumer, Cursor, Delivery, ModelStream, PageConsumer, Sink, catch_panic};
use evented_diesel::stream::{Interruption, Unreadable};

use crate::router::{CatchingUp, Router, drop_each, with};
use crate::sync::lock;

/// One model at a log, with its type erased.
pub(crate) trait ModelConsumer: Send {
    /// Returns the consumer that delivers to the subscribers of the live stream.
    fn live(&mut self) -> &mut dyn PageConsumer;
    /// The subscribers that are catching up.
    fn catching_up(&mut self) -> Vec<CatchingUp>;
    /// Returns the cursor of the reading for a subscriber that is catching up; `None` before the reading has begun.
    fn cursor_of(&self, id: u64) -> Option<Cursor>;
    /// Returns the consumer that delivers to one subscriber that is catching up.
    fn catch_up(&mut self, id: u64) -> &mut dyn PageConsumer;
    /// Stores the cursor of the reading for a subscriber.
    fn set_cursor(&mut self, id: u64, cursor: Cursor);
    /// Records that everything up to a position, which is between two transactions, has been delivered.
    fn passed(&mut self, to: Position);
    /// Moves a subscriber to the live stream: it has received everything that the live stream has delivered.
    fn caught_up(&mut self, id: u64);
    /// Ends one subscription.
    fn interrupt_one(&mut self, id: u64, reason: Interruption);
    /// Ends every subscription and begins again in another database: the log does not continue.
    fn restart(&mut self, reason: &Interruption, database: u64, live: Position);
}

pub(crate) struct LogModel<M: Model> {
    router: Arc<Mutex<Router<M>>>,
    live: Consumer<M, RouterSink<M>>,
    catching_up: HashMap<u64, Reading<M>>,
    stream: StreamId,
    database: u64,
    cache_size: NonZeroUsize,
}

/// The reading for a subscriber that is catching up.
struct Reading<M: Model> {
    consumer: Consumer<M, RouterSink<M>>,
    cursor: Option<Cursor>,
}

/// Delivers to a router: to all its subscribers of the live stream, or to one that is catching up.
struct RouterSink<M: Model> {
    router: Arc<Mutex<Router<M>>>,
    to: Option<u64>,
}

impl<M: Model> Sink<M> for RouterSink<M> {
    fn deliver(&mut self, deliveries: &mut Vec<Delivery<M>>) {
        // Compute the scopes here, not under the router's lock, which other threads wait for.
        for delivery in deliveries.iter_mut() {
            if let Delivery::Change(change) = delivery
                && catch_panic(|| (change.scopes_before().get(0), change.scopes_after().get(0))).is_none()
            {
                *delivery = Delivery::Unreadable(scopes_panicked(change));
            }
        }
        with(&self.router, |router| {
            for delivery in &*deliveries {
                match self.to {
                    None => router.deliver(delivery),
                    Some(id) => router.deliver_to(id, delivery),
                }
            }
        });
        drop_each(deliveries.drain(..));
    }
}

/// Returns what the hub delivers instead of a change whose scopes cannot be computed.
fn scopes_panicked<M: Model>(change: &RawChange<M>) -> Unreadable {
    #[derive(Debug, thiserror::Error)]
    #[error("the model's code panicked while its scopes were computed")]
    struct ScopesPanicked;
    let record = change.key.as_ref().map(M::key_value);
    Unreadable::new(record, change.position, Arc::new(ScopesPanicked))
}

impl<M: Model> LogModel<M> {
    pub(crate) fn new(
        router: Arc<Mutex<Router<M>>>,
        stream: StreamId,
        database: u64,
        cache_size: NonZeroUsize,
    ) -> Self {
        let live = ModelStream::new(cache_size, stream, database);
        let live = Consumer::new(live, RouterSink { router: Arc::clone(&router), to: None });
        Self { router, live, catching_up: HashMap::new(), stream, database, cache_size }
    }

    fn consumer(&self, to: Option<u64>) -> Consumer<M, RouterSink<M>> {
        let stream = ModelStream::new(self.cache_size, self.stream, self.database);
        Consumer::new(stream, RouterSink { router: Arc::clone(&self.router), to })
    }
}

impl<M: Model> ModelConsumer for LogModel<M> {
    fn live(&mut self) -> &mut dyn PageConsumer {
        &mut self.live
    }

    fn catching_up(&mut self) -> Vec<CatchingUp> {
        let catching_up = lock(&self.router).catching_up();
        self.catching_up.retain(|id, _| catching_up.iter().any(|it| it.id == *id));
        catching_up
    }

    fn cursor_of(&self, id: u64) -> Option<Cursor> {
        self.catching_up.get(&id)?.cursor
    }

    fn catch_up(&mut self, id: u64) -> &mut dyn PageConsumer {
        let new = self.consumer(Some(id));
        &mut self.catching_up.entry(id).or_insert(Reading { consumer: new, cursor: None }).consumer
    }

    fn set_cursor(&mut self, id: u64, cursor: Cursor) {
        if let Some(reading) = self.catching_up.get_mut(&id) {
            reading.cursor = Some(cursor);
        }
    }

    fn passed(&mut self, to: Position) {
        with(&self.router, |router| router.passed(to));
    }

    fn caught_up(&mut self, id: u64) {
        self.catching_up.remove(&id);
        with(&self.router, |router| router.caught_up(id));
    }

    fn interrupt_one(&mut self, id: u64, reason: Interruption) {
        self.catching_up.remove(&id);
        with(&self.router, |router| router.interrupt_one(id, reason));
    }

    fn restart(&mut self, reason: &Interruption, database: u64, live: Position) {
        with(&self.router, |router| router.restart(reason, live));
        self.database = database;
        self.live = self.consumer(None);
        self.catching_up.clear();
    }
}

/// Closes the router: no further delivery follows, and the feeds end.
impl<M: Model> Drop for LogModel<M> {
    fn drop(&mut self) {
        with(&self.router, Router::close);
    }
}
