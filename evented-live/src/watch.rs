//! Subscriptions to values: the changes of everything that a value contains, in one stream.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use event_listener::{Event, EventListener, Listener as _};
use evented_core::live::{AnyChange, Items, Subscription};
use futures_core::Stream;

use crate::error::LiveError;
use crate::shared::{deadline, lock};

mod watches;
mod watching;

pub(crate) use watches::Watches;
pub(crate) use watching::Watching;
use watching::key_of;

/// How many changes wait in a watch at most.
const MOST: usize = 65_536;

/// A subscription to values and channels: [`Store::subscribe`](crate::Store::subscribe).
///
/// It is a stream of [`AnyChange`]s. Those of one model are in the order of its stream of changes; a hub on event logs reads one log
/// after the other, so that of two models those of one may come first. What a change brings into a value is watched
/// from then on, and what it takes out is not any more. Dropping the watch ends it.
pub struct Watch {
    queue: Arc<Queue>,
    listener: Option<Pin<Box<EventListener>>>,
    is_over: bool,
}

/// The queue of a watch, which the engine fills.
pub(crate) struct Queue {
    name: String,
    state: Mutex<State>,
    arrived: Event,
}

struct State {
    watching: Watching,
    waiting: VecDeque<Result<AnyChange, LiveError>>,
    ends: bool,
}

impl Queue {
    pub(crate) fn new(name: &str, watching: Watching) -> Self {
        let state = State { watching, waiting: VecDeque::new(), ends: false };
        Self { name: name.to_owned(), state: Mutex::new(state), arrived: Event::new() }
    }

    /// Takes a change, if it concerns the watch: an `Arc<RawChange<M>>`.
    pub(crate) fn offer(&self, model: TypeId, raw: &Arc<dyn Any + Send + Sync>) {
        let mut state = lock(&self.state);
        let Some(change) = (!state.ends).then(|| state.watching.seen(model, raw)).flatten() else { return };
        if state.waiting.len() < MOST {
            state.waiting.push_back(Ok(change));
        } else {
            state.waiting.clear();
            state.waiting.push_back(Err(LiveError::Lagged { most: MOST }));
            state.ends = true;
        }
        drop(state);
        self.arrived.notify(usize::MAX);
    }

    /// Records that changes of a model are missing, or of all models.
    pub(crate) fn gap(&self, model: Option<TypeId>, reason: &Arc<str>) {
        let mut state = lock(&self.state);
        let schema = match model {
            Some(model) => state.watching.schema_of(model),
            None => state.watching.subscriptions().first().map(|subscription| subscription.schema),
        };
        let Some(schema) = schema.filter(|_| !state.ends) else { return };
        state.waiting.push_back(Err(LiveError::Gap { schema, reason: Arc::clone(reason) }));
        drop(state);
        self.arrived.notify(usize::MAX);
    }

    pub(crate) fn end(&self, error: &LiveError) {
        let mut state = lock(&self.state);
        state.waiting.push_back(Err(error.clone()));
        state.ends = true;
        drop(state);
        self.arrived.notify(usize::MAX);
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        lock(&self.state).watching.subscriptions()
    }
}

impl Watch {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { queue, listener: None, is_over: false }
    }

    /// Waits for the next change. Returns `None` after the end. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`LiveError::Gap`]: changes are missing, and the values have to be read again. [`LiveError::Lagged`] and
    /// [`LiveError::Stopped`]: the last item.
    pub async fn next(&mut self) -> Option<Result<AnyChange, LiveError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the next change for at most `timeout`, for blocking code.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`next`](Self::next).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<AnyChange, LiveError> {
        let until = deadline(timeout);
        loop {
            let arrived = self.queue.arrived.listen();
            if let Some(change) = self.take() {
                return change;
            }
            if self.is_over {
                return Err(LiveError::Stopped { reason: None });
            }
            if arrived.wait_deadline(until).is_none() {
                return Err(LiveError::TimedOut);
            }
        }
    }

    fn take(&mut self) -> Option<Result<AnyChange, LiveError>> {
        let mut state = lock(&self.queue.state);
        let next = state.waiting.pop_front();
        self.is_over = next.is_none() && state.ends;
        next
    }

    /// Says what the items of a value are now, after they were [filled](crate::Store::fill).
    ///
    /// A change may leave something missing in a tree: the author of a new comment, the comment that comes into a window. From
    /// then on the watch delivers all changes of the models of the value, until this method says what the value has. Records at its
    /// roots that the watch is not subscribed to are not added.
    pub fn follow<V: Items<Item: Clone + Send + 'static>>(&mut self, value: &V) {
        let items = value.items().into_iter().cloned().collect();
        let state = &mut *lock(&self.queue.state);
        let waiting = state.waiting.iter().filter_map(|waiting| waiting.as_ref().ok());
        state.watching.follow(items, waiting);
    }

    /// Ends the subscription to the items of a value, found by their keys, with everything below them. Returns how many there were.
    pub fn unsubscribe<V: Items>(&mut self, value: &V) -> usize {
        let keys: Vec<_> = value.items().into_iter().map(key_of).collect();
        lock(&self.queue.state).watching.remove(&keys)
    }

    /// What the watch is subscribed to at the moment, in the order of the names of the models.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<Subscription> {
        self.queue.subscriptions()
    }
}

impl Stream for Watch {
    type Item = Result<AnyChange, LiveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if self.listener.is_none() {
                self.listener = Some(Box::pin(self.queue.arrived.listen()));
            }
            if let Some(change) = self.take() {
                return Poll::Ready(Some(change));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            match self.listener.as_mut().map(|listener| listener.as_mut().poll(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                _ => self.listener = None,
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("subscriptions", &self.subscriptions()).finish_non_exhaustive()
    }
}
