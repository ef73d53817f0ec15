//! The inputs of a subscriber for one model, and how the events of its log become deliveries.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{Change, KeyValue, LogOffset, RawChange};
use evented_diesel::Model;
use evented_diesel::spi::{
    Consumer, Delivery as LogDelivery, ModelStream, PageConsumer, Sink, SourceLog, catch_panic, log_offset,
};
use evented_diesel::stream::Unreadable;
use uuid::Uuid;

use crate::delivery::{Delivery, Place};
use crate::failure::Failure;
use crate::handler::{BoxFuture, Reaction};
use crate::input::{Input, InputError};
use crate::item::{Call, Item, Work};
use crate::key::{OrderKey, widened};

/// The inputs of a subscriber for one model.
pub(crate) trait Source<C>: Send + Sync {
    /// The log of the model.
    fn log(&self) -> SourceLog;
    /// Checks the inputs.
    fn check(&self) -> Result<(), InputError>;
    /// Describes each input.
    fn describe(&self) -> Vec<String>;
    /// Creates what turns the events of the model into deliveries. `stream` is the index of the log.
    fn consumer(&self, stream: usize, database: u64, cache: NonZeroUsize) -> Box<dyn ItemConsumer<C>>;
    /// The source with its type.
    fn as_any(&mut self) -> &mut dyn Any;
}

/// Turns the events of one model into deliveries.
pub(crate) trait ItemConsumer<C>: Send {
    /// What `apply_page` calls.
    fn page_consumer(&mut self) -> &mut dyn PageConsumer;
    /// Moves the deliveries so far into `items`, in the order of the log.
    fn take(&mut self, items: &mut Vec<Item<C>>);
}

/// The keys of the rows of a derived table that a record concerns.
pub(crate) type RowKey<M> = Arc<dyn Fn(&M) -> Option<KeyValue> + Send + Sync>;

/// What is done with the changes of one input.
pub(crate) enum Effect<M: Model, C> {
    /// A handler is called.
    Handle(Arc<dyn Reaction<Change<M>, C>>),
    /// The rows of a derived table are computed: that of the record before the change, and that of the record after it.
    Refresh(RowKey<M>),
}

impl<M: Model, C> Clone for Effect<M, C> {
    fn clone(&self) -> Self {
        match self {
            Self::Handle(handler) => Self::Handle(Arc::clone(handler)),
            Self::Refresh(key) => Self::Refresh(Arc::clone(key)),
        }
    }
}

/// An input, with what is done with its changes.
pub(crate) struct Route<M: Model, C> {
    /// The index among the inputs of the subscriber.
    pub(crate) index: i32,
    pub(crate) input: Input<M>,
    pub(crate) effect: Effect<M, C>,
}

impl<M: Model, C> Clone for Route<M, C> {
    fn clone(&self) -> Self {
        Self { index: self.index, input: self.input.clone(), effect: self.effect.clone() }
    }
}

/// The inputs of a subscriber for the model `M`.
pub(crate) struct ModelSource<M: Model, C> {
    pub(crate) routes: Vec<Route<M, C>>,
}

impl<M: Model, C: Send + 'static> Source<C> for ModelSource<M, C> {
    fn log(&self) -> SourceLog {
        SourceLog::of::<M::Log>()
    }

    fn check(&self) -> Result<(), InputError> {
        self.routes.iter().try_for_each(|route| route.input.check())
    }

    fn describe(&self) -> Vec<String> {
        self.routes.iter().map(|route| format!("{} {}", route.index, route.input.describe())).collect()
    }

    fn consumer(&self, stream: usize, database: u64, cache: NonZeroUsize) -> Box<dyn ItemConsumer<C>> {
        let sink = ItemSink { routes: self.routes.clone(), stream, items: Vec::new() };
        let log = SourceLog::of::<M::Log>();
        Box::new(Consumer::new(ModelStream::<M>::new(cache, log.stream, database), sink))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

impl<M: Model, C: Send + 'static> ItemConsumer<C> for Consumer<M, ItemSink<M, C>> {
    fn page_consumer(&mut self) -> &mut dyn PageConsumer {
        self
    }

    fn take(&mut self, items: &mut Vec<Item<C>>) {
        self.flush();
        items.append(&mut self.sink_mut().items);
    }
}

/// Collects the deliveries of a subscriber.
struct ItemSink<M: Model, C> {
    routes: Vec<Route<M, C>>,
    stream: usize,
    items: Vec<Item<C>>,
}

impl<M: Model, C: Send + 'static> Sink<M> for ItemSink<M, C> {
    fn deliver(&mut self, deliveries: &mut Vec<LogDelivery<M>>) {
        for delivery in deliveries.drain(..) {
            match delivery {
                LogDelivery::Change(change) => self.change(&change),
                LogDelivery::Unreadable(unreadable) => self.unreadable(&unreadable),
                LogDelivery::EndOfTransaction => {}
            }
        }
    }
}

impl<M: Model, C: Send + 'static> ItemSink<M, C> {
    fn change(&mut self, raw: &Arc<RawChange<M>>) {
        let record = raw.key.as_ref().map(M::key_value);
        let stream = self.stream;
        for route in &self.routes {
            // The functions of the user's may panic: then the event counts as one that cannot be read.
            let works = catch_panic(|| works_of(route, raw, record.as_ref()));
            let works = works.unwrap_or_else(|| {
                let reason = "a filter or a key of the subscriber panicked";
                vec![(order_key(record.as_ref()), Work::Unreadable(reason.to_owned()))]
            });
            let event = raw.event.as_ref().map_or(Uuid::nil(), |event| event.id);
            let (offset, position, input) = (log_offset(raw.position), raw.position, route.index);
            let item = |(key, work)| Item { stream, offset, event, position, key, input, work };
            self.items.extend(works.into_iter().map(item));
        }
    }

    /// An event that cannot be read concerns every input: whether a filter accepts it is not known.
    fn unreadable(&mut self, unreadable: &Unreadable) {
        let offset: LogOffset = log_offset(unreadable.position);
        for route in &self.routes {
            self.items.push(Item {
                stream: self.stream,
                offset,
                event: Uuid::nil(),
                position: unreadable.position,
                key: order_key(unreadable.record.as_ref()),
                input: route.index,
                work: Work::Unreadable(unreadable.source.to_string()),
            });
        }
    }
}

fn order_key(record: Option<&KeyValue>) -> OrderKey {
    record.map_or_else(OrderKey::unknown, OrderKey::of)
}

/// Returns what there is to do for a change: a call of the handler, or the rows to compute.
fn works_of<M: Model, C: Send + 'static>(
    route: &Route<M, C>,
    raw: &Arc<RawChange<M>>,
    record: Option<&KeyValue>,
) -> Vec<(OrderKey, Work<C>)> {
    let Some(change) = route.input.seen(raw, record) else { return Vec::new() };
    match &route.effect {
        Effect::Handle(handler) => {
            let key = route.input.key_of(&change);
            let key = order_key(key.as_ref().or(record));
            let handler = Arc::clone(handler);
            vec![(key, Work::Call(Box::new(ChangeCall { change, handler })))]
        }
        Effect::Refresh(key) => {
            let of = |side: Option<&M>| side.and_then(|record| key(record)).map(widened);
            let (before, after) = (of(change.before()), of(change.after()));
            let moved = before.filter(|before| Some(before) != after.as_ref());
            let keys = moved.into_iter().chain(after);
            keys.map(|key| (OrderKey::of(&key), Work::Refresh(key))).collect()
        }
    }
}

/// A handler with the change that it receives.
struct ChangeCall<M: Model, C> {
    change: Change<M>,
    handler: Arc<dyn Reaction<Change<M>, C>>,
}

impl<M: Model, C: Send> Call<C> for ChangeCall<M, C> {
    fn call<'a>(&'a self, place: Place<'a>, conn: &'a mut C) -> BoxFuture<'a, Result<(), Failure>> {
        self.handler.react(Delivery { value: &self.change, place }, conn)
    }
}
