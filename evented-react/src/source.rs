//! The inputs of a subscriber for one model, and how the events of its log become deliveries.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{ActionOf, Change, EventData, KeyValue, LogOffset, RawChange};
use evented_diesel::Model;
use evented_diesel::spi::{
    Consumer, Delivery as LogDelivery, HistoryEvent, LoadedHistory, LoggedEvent, ModelStream, PageConsumer,
    Sink, SourceLog, UnreadableRow, WantedHistories, catch_panic, log_offset,
};
use evented_diesel::stream::Unreadable;
use uuid::Uuid;

use crate::handler::Reaction;
use crate::input::{Input, InputError};
use crate::item::{Call, Item, Work};
use crate::key::{OrderKey, widened};
use crate::target::{HandlerCall, Target};

/// The inputs of a subscriber for one model.
pub(crate) trait Source<C>: Send + Sync {
    /// The log of the model.
    fn log(&self) -> SourceLog;
    /// The table of the bus, if it is a source of domain events.
    fn bus(&self) -> Option<&'static str> {
        None
    }
    /// Checks the inputs.
    fn check(&self) -> Result<(), InputError>;
    /// Describes each input.
    fn describe(&self) -> Vec<String>;
    /// Names what each input takes: the log with the model, or the bus with the event, and `*` for every event.
    fn takes(&self) -> Vec<String>;
    /// Creates what turns the events of the model into deliveries. `stream` is the index of the log.
    fn consumer(&self, stream: usize, database: u64, cache: NonZeroUsize) -> Box<dyn ItemConsumer<C>>;
    /// The source with its type.
    fn as_any(&self) -> &dyn Any;
    /// The source with its type.
    fn as_any_mut(&mut self) -> &mut dyn Any;
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
pub(crate) enum RouteTo<M: Model, C> {
    /// A handler or an effect receives them.
    Target(Target<Change<M>, C>),
    /// A handler of an action is called, if the event is of that action.
    HandleAction(Arc<dyn ActionReaction<M, C>>),
    /// The rows of a derived table are computed: that of the record before the change, and that of the record after it.
    Refresh(RowKey<M>),
}

impl<M: Model, C> Clone for RouteTo<M, C> {
    fn clone(&self) -> Self {
        match self {
            Self::Target(target) => Self::Target(target.clone()),
            Self::HandleAction(handler) => Self::HandleAction(Arc::clone(handler)),
            Self::Refresh(key) => Self::Refresh(Arc::clone(key)),
        }
    }
}

/// An input, with what is done with its changes.
pub(crate) struct Route<M: Model, C> {
    /// The index among the inputs of the subscriber.
    pub(crate) index: i32,
    pub(crate) input: Input<M>,
    pub(crate) to: RouteTo<M, C>,
}

impl<M: Model, C> Clone for Route<M, C> {
    fn clone(&self) -> Self {
        Self { index: self.index, input: self.input.clone(), to: self.to.clone() }
    }
}

impl<M: Model, C> Route<M, C> {
    /// Returns whether the keys of deliveries are not those of their records.
    fn makes_keys(&self) -> bool {
        self.input.has_key() || matches!(self.to, RouteTo::Refresh(_))
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
        let log = SourceLog::of::<M::Log>();
        let log = (log.name.schema, log.name.table);
        let route = |route: &Route<M, C>| format!("{} {} of {log:?}", route.index, route.input.describe());
        self.routes.iter().map(route).collect()
    }

    fn takes(&self) -> Vec<String> {
        vec![format!("{} {}", SourceLog::of::<M::Log>().name.table, M::SCHEMA)]
    }

    fn consumer(&self, stream: usize, database: u64, cache: NonZeroUsize) -> Box<dyn ItemConsumer<C>> {
        let sink = ItemSink { routes: self.routes.clone(), stream, items: Vec::new(), events: Vec::new() };
        let log = SourceLog::of::<M::Log>();
        let reads_actions = self.routes.iter().any(|route| matches!(route.to, RouteTo::HandleAction(_)));
        let inner = Consumer::new(ModelStream::<M>::new(cache, log.stream, database), sink);
        Box::new(SourceConsumer { inner, reads_actions })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// The consumer of the events of one model. A change does not have the payload of its event, so the consumer keeps the
/// events for the handlers of actions.
struct SourceConsumer<M: Model, C: Send + 'static> {
    inner: Consumer<M, ItemSink<M, C>>,
    reads_actions: bool,
}

impl<M: Model, C: Send + 'static> ItemConsumer<C> for SourceConsumer<M, C> {
    fn page_consumer(&mut self) -> &mut dyn PageConsumer {
        self
    }

    fn take(&mut self, items: &mut Vec<Item<C>>) {
        self.inner.flush();
        let sink = self.inner.sink_mut();
        sink.events.clear();
        items.append(&mut sink.items);
    }
}

impl<M: Model, C: Send + 'static> SourceConsumer<M, C> {
    fn keep(&mut self, event: &LoggedEvent) {
        if self.reads_actions {
            self.inner.sink_mut().events.push(event.data.clone());
        }
    }
}

impl<M: Model, C: Send + 'static> PageConsumer for SourceConsumer<M, C> {
    fn schema(&self) -> &'static str {
        self.inner.schema()
    }

    fn apply(&mut self, event: LoggedEvent) -> Option<LoggedEvent> {
        self.keep(&event);
        self.inner.apply(event)
    }

    fn missing_histories(
        &mut self,
        log: &SourceLog,
        first: &LoggedEvent,
        rest: &[LoggedEvent],
    ) -> Vec<WantedHistories> {
        self.inner.missing_histories(log, first, rest)
    }

    fn load_history(&mut self, record: &KeyValue, history: &[HistoryEvent], more: bool) -> LoadedHistory {
        self.inner.load_history(record, history, more)
    }

    fn loading(&self, record: &KeyValue) -> i64 {
        self.inner.loading(record)
    }

    fn apply_after_history(&mut self, event: LoggedEvent) {
        self.inner.apply_after_history(event);
    }

    fn skip_unreadable(&mut self, row: &UnreadableRow) {
        self.inner.skip_unreadable(row);
    }

    fn end_transaction(&mut self) {
        self.inner.end_transaction();
    }
}

/// Collects the deliveries of a subscriber.
struct ItemSink<M: Model, C> {
    routes: Vec<Route<M, C>>,
    stream: usize,
    items: Vec<Item<C>>,
    /// The events of the changes to come, in their order; empty if no handler reads actions.
    events: Vec<EventData>,
}

impl<M: Model, C: Send + 'static> Sink<M> for ItemSink<M, C> {
    fn deliver(&mut self, deliveries: &mut Vec<LogDelivery<M>>) {
        for delivery in deliveries.drain(..) {
            match delivery {
                LogDelivery::Change(change) => self.change(&change),
                LogDelivery::Unreadable(unreadable) => self.unreadable(&unreadable),
                LogDelivery::Revised(_) | LogDelivery::EndOfTransaction => {}
            }
        }
    }
}

impl<M: Model, C: Send + 'static> ItemSink<M, C> {
    fn change(&mut self, raw: &Arc<RawChange<M>>) {
        let record = raw.key.as_ref().map(M::key_value);
        let stream = self.stream;
        let id = raw.event.as_ref().map(|event| event.id);
        let data = self.events.iter().find(|data| Some(data.id) == id);
        for route in &self.routes {
            // The functions of the user's may panic: then the event counts as one that cannot be read.
            let works = catch_panic(|| works_of(route, raw, record.as_ref(), data));
            let works = works.unwrap_or_else(|| {
                let reason = "a filter or a key of the subscriber panicked".to_owned();
                let is_anywhere = route.makes_keys() || record.is_none();
                vec![(order_key(record.as_ref()), Work::Unreadable { reason, is_anywhere })]
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
                work: Work::Unreadable {
                    reason: unreadable.source.to_string(),
                    is_anywhere: route.makes_keys() || unreadable.record.is_none(),
                },
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
    data: Option<&EventData>,
) -> Vec<(OrderKey, Work<C>)> {
    let Some(change) = route.input.seen(raw, record) else { return Vec::new() };
    match &route.to {
        RouteTo::Target(target) => {
            let key = route.input.key_of(&change);
            let key = order_key(key.as_ref().or(record));
            vec![(key, target.work(change))]
        }
        RouteTo::HandleAction(handler) => {
            let key = route.input.key_of(&change);
            let key = order_key(key.as_ref().or(record));
            let call = data.map(|data| Arc::clone(handler).call(data, change));
            match call {
                Some(Ok(Some(call))) => vec![(key, Work::Call(call))],
                Some(Err(reason)) => vec![(key, Work::Unreadable { reason, is_anywhere: false })],
                Some(Ok(None)) | None => Vec::new(),
            }
        }
        RouteTo::Refresh(key) => {
            let of = |side: Option<&M>| side.and_then(|record| key(record)).map(widened);
            let (before, after) = (of(change.before()), of(change.after()));
            let moved = before.filter(|before| Some(before) != after.as_ref());
            let keys = moved.into_iter().chain(after);
            keys.map(|key| (OrderKey::of(&key), Work::Refresh(key))).collect()
        }
    }
}

/// A change by a certain action, with the action.
#[derive(Debug)]
pub struct ActionChange<M: Model, A> {
    /// The action, upgraded to the current schema version.
    pub action: A,
    /// The change that it made.
    pub change: Change<M>,
}

/// A handler of an action, without the type of the action.
pub(crate) trait ActionReaction<M: Model, C>: Send + Sync {
    /// Returns the call for an event; `None` if it is of another action.
    fn call(self: Arc<Self>, data: &EventData, change: Change<M>)
    -> Result<Option<Box<dyn Call<C>>>, String>;
}

/// A handler of the action `A`.
pub(crate) struct OfAction<M: Model, A, C>(pub(crate) Arc<dyn Reaction<ActionChange<M, A>, C>>);

impl<M: Model, A: ActionOf<M>, C: Send + 'static> ActionReaction<M, C> for OfAction<M, A, C> {
    fn call(
        self: Arc<Self>,
        data: &EventData,
        change: Change<M>,
    ) -> Result<Option<Box<dyn Call<C>>>, String> {
        let action = data.decode_action::<M, A>().map_err(|error| error.to_string())?;
        let call = |action| -> Box<dyn Call<C>> {
            Box::new(HandlerCall { value: ActionChange { action, change }, handler: Arc::clone(&self.0) })
        };
        Ok(action.map(call))
    }
}
