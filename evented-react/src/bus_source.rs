//! The inputs of a subscriber on one bus, and how domain events become deliveries.

use std::any::Any;
use std::num::NonZeroUsize;
use std::sync::Arc;

use evented_core::{EventData, KeyValue, LogOffset, Position};
use evented_diesel::spi::{
    HistoryEvent, LoadedHistory, LoggedEvent, PageConsumer, SourceLog, UnreadableRow, WantedHistories,
    catch_panic, log_position,
};
use uuid::Uuid;

use crate::events::EventInput;
use crate::input::InputError;
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::source::{ItemConsumer, Source};
use crate::target::Target;

/// What an input does with an event, with the key that it gives; `None` if it does not accept it.
type Accept<C> = Arc<dyn Fn(&EventData) -> Result<Option<(Option<KeyValue>, Work<C>)>, String> + Send + Sync>;

/// An input, with what is done with its events.
pub(crate) struct BusRoute<C> {
    /// The index among the inputs of the subscriber.
    index: i32,
    description: String,
    /// The name of the events, and `*` for all.
    takes: &'static str,
    makes_keys: bool,
    accept: Accept<C>,
}

impl<C> Clone for BusRoute<C> {
    fn clone(&self) -> Self {
        Self {
            index: self.index,
            description: self.description.clone(),
            takes: self.takes,
            makes_keys: self.makes_keys,
            accept: Arc::clone(&self.accept),
        }
    }
}

impl<C: Send + 'static> BusRoute<C> {
    pub(crate) fn new<T: Send + Sync + 'static>(
        index: i32,
        input: EventInput<T>,
        target: Target<T, C>,
    ) -> Self {
        let EventInput { description, takes, makes_keys, accept, .. } = input;
        let accept = move |data: &EventData| {
            let accepted = accept(data)?;
            Ok(accepted.map(|(value, key)| (key, target.work(value))))
        };
        Self { index, description, takes, makes_keys, accept: Arc::new(accept) }
    }
}

/// The inputs of a subscriber on one bus.
pub(crate) struct BusSource<C> {
    pub(crate) log: SourceLog,
    pub(crate) routes: Vec<BusRoute<C>>,
}

impl<C: Send + 'static> Source<C> for BusSource<C> {
    fn log(&self) -> SourceLog {
        self.log
    }

    fn bus(&self) -> Option<&'static str> {
        Some(self.log.name.table)
    }

    fn check(&self) -> Result<(), InputError> {
        Ok(())
    }

    fn describe(&self) -> Vec<String> {
        let bus = self.log.name.table;
        let route = |route: &BusRoute<C>| format!("{} {} of {bus}", route.index, route.description);
        self.routes.iter().map(route).collect()
    }

    fn takes(&self) -> Vec<String> {
        self.routes.iter().map(|route| format!("{} {}", self.log.name.table, route.takes)).collect()
    }

    fn consumer(&self, stream: usize, database: u64, _: NonZeroUsize) -> Box<dyn ItemConsumer<C>> {
        let routes = self.routes.clone();
        Box::new(BusConsumer { log: self.log, routes, stream, database, items: Vec::new() })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Turns the events of a bus into deliveries. An event of a bus has no state before it, so no history is read.
struct BusConsumer<C> {
    log: SourceLog,
    routes: Vec<BusRoute<C>>,
    stream: usize,
    database: u64,
    items: Vec<Item<C>>,
}

impl<C> BusConsumer<C> {
    fn position(&self, offset: LogOffset, event: Option<Uuid>) -> Position {
        log_position(self.log.stream, self.database, offset, event)
    }

    fn push(&mut self, at: (LogOffset, Option<Uuid>), key: OrderKey, input: i32, work: Work<C>) {
        let (offset, event) = at;
        let position = self.position(offset, event);
        let event = event.unwrap_or_default();
        self.items.push(Item { stream: self.stream, offset, event, position, key, input, work });
    }
}

impl<C: Send + 'static> ItemConsumer<C> for BusConsumer<C> {
    fn page_consumer(&mut self) -> &mut dyn PageConsumer {
        self
    }

    fn take(&mut self, items: &mut Vec<Item<C>>) {
        items.append(&mut self.items);
    }
}

impl<C: Send + 'static> PageConsumer for BusConsumer<C> {
    fn schema(&self) -> &'static str {
        ""
    }

    fn apply(&mut self, event: LoggedEvent) -> Option<LoggedEvent> {
        let stored = match &event.record {
            KeyValue::Text(key) => OrderKey::from_stored(key.clone()),
            other => OrderKey::of(other),
        };
        for route in self.routes.clone() {
            // The functions of the user's may panic: then the event counts as one that cannot be read.
            let accepted = catch_panic(|| (route.accept)(&event.data));
            let reason = || Err("a filter or a key of the subscriber panicked".to_owned());
            let (key, work) = match accepted.unwrap_or_else(reason) {
                Ok(None) => continue,
                Ok(Some((key, work))) => (key.as_ref().map(OrderKey::of), work),
                Err(reason) => (None, Work::Unreadable { reason, is_anywhere: route.makes_keys }),
            };
            let key = key.unwrap_or_else(|| stored.clone());
            self.push((event.offset, Some(event.data.id)), key, route.index, work);
        }
        None
    }

    fn missing_histories(
        &mut self,
        _: &SourceLog,
        _: &LoggedEvent,
        _: &[LoggedEvent],
    ) -> Vec<WantedHistories> {
        Vec::new()
    }

    fn load_history(&mut self, _: &KeyValue, _: &[HistoryEvent], _: bool) -> LoadedHistory {
        LoadedHistory::Complete
    }

    fn loading(&self, _: &KeyValue) -> i64 {
        0
    }

    fn apply_after_history(&mut self, event: LoggedEvent) {
        self.apply(event);
    }

    fn skip_unreadable(&mut self, row: &UnreadableRow) {
        for route in self.routes.clone() {
            let work = Work::Unreadable { reason: row.reason(), is_anywhere: true };
            self.push((row.offset(), None), OrderKey::unknown(), route.index, work);
        }
    }

    fn end_transaction(&mut self) {}
}
