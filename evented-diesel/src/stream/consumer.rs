//! Connects a log with one model, without the model's type: a log that several models share is read once for all of
//! them.

use evented_core::KeyValue;

use crate::model::Model;
use crate::statements::{HistoryEvent, LoggedEvent};
use crate::stream::delivery::Delivery;
use crate::stream::histories::{LoadedHistory, WantedHistories};
use crate::stream::log_pages::UnreadableRow;
use crate::stream::model_stream::ModelStream;
use crate::stream::source_log::SourceLog;

/// The consumer of one model's events, as [`apply_page`](super::apply_page::apply_page) calls it.
pub trait PageConsumer: Send {
    /// Returns the model's name in the log.
    fn schema(&self) -> &'static str;
    /// Applies the next event. Returns the event if the record's history must be loaded first.
    fn apply(&mut self, event: LoggedEvent) -> Option<LoggedEvent>;
    /// Returns the histories to load before this event and those after it can be applied.
    fn missing_histories(
        &mut self,
        log: &SourceLog,
        first: &LoggedEvent,
        rest: &[LoggedEvent],
    ) -> Vec<WantedHistories>;
    /// Takes a record's history, or the next part of it. `more`: whether another part follows.
    fn load_history(&mut self, record: &KeyValue, history: &[HistoryEvent], more: bool) -> LoadedHistory;
    /// Returns the revision up to which the parts of a record's history were taken; 0 if none was.
    fn loading(&self, record: &KeyValue) -> i64;
    /// Applies an event that [`apply`](Self::apply) returned, after the record's history was loaded.
    fn apply_after_history(&mut self, event: LoggedEvent);
    /// Skips a row that cannot be read at all.
    fn skip_unreadable(&mut self, row: &UnreadableRow);
    /// Marks the transaction of the events so far as complete.
    fn end_transaction(&mut self);
}

/// The destination of a consumer's deliveries.
pub trait Sink<M: Model>: Send {
    /// Takes the deliveries in their order, and empties the list.
    fn deliver(&mut self, deliveries: &mut Vec<Delivery<M>>);
}

impl<M: Model> Sink<M> for Vec<Delivery<M>> {
    fn deliver(&mut self, deliveries: &mut Vec<Delivery<M>>) {
        self.append(deliveries);
    }
}

/// The stream of a model, with the sink that receives its deliveries.
#[derive(Debug)]
pub struct Consumer<M: Model, S> {
    stream: ModelStream<M>,
    sink: S,
    deliveries: Vec<Delivery<M>>,
}

impl<M: Model, S: Sink<M>> Consumer<M, S> {
    /// Creates a consumer from a stream and its sink.
    pub fn new(stream: ModelStream<M>, sink: S) -> Self {
        Self { stream, sink, deliveries: Vec::new() }
    }

    /// Returns the sink.
    pub fn sink_mut(&mut self) -> &mut S {
        &mut self.sink
    }

    /// Delivers the last change before it is known whether it is the last of its transaction.
    pub fn flush(&mut self) {
        self.deliver(|stream, out| stream.flush(out));
    }

    fn deliver<R>(&mut self, work: impl FnOnce(&mut ModelStream<M>, &mut Vec<Delivery<M>>) -> R) -> R {
        let done = work(&mut self.stream, &mut self.deliveries);
        if !self.deliveries.is_empty() {
            self.sink.deliver(&mut self.deliveries);
        }
        done
    }
}

impl<M: Model, S: Sink<M>> PageConsumer for Consumer<M, S> {
    fn schema(&self) -> &'static str {
        M::SCHEMA
    }

    fn apply(&mut self, event: LoggedEvent) -> Option<LoggedEvent> {
        self.deliver(|stream, out| stream.apply(event, out))
    }

    fn missing_histories(
        &mut self,
        log: &SourceLog,
        first: &LoggedEvent,
        rest: &[LoggedEvent],
    ) -> Vec<WantedHistories> {
        let rest = rest.iter().filter(|event| log.is_of(M::SCHEMA, event));
        self.stream.missing_histories(std::iter::once(first).chain(rest))
    }

    fn load_history(&mut self, record: &KeyValue, history: &[HistoryEvent], more: bool) -> LoadedHistory {
        self.stream.load_history(record, history, more)
    }

    fn loading(&self, record: &KeyValue) -> i64 {
        self.stream.loading(record)
    }

    fn apply_after_history(&mut self, event: LoggedEvent) {
        self.deliver(|stream, out| stream.apply_after_history(event, out));
    }

    fn skip_unreadable(&mut self, row: &UnreadableRow) {
        self.deliver(|stream, out| stream.skip_unreadable(row, out));
    }

    fn end_transaction(&mut self) {
        self.deliver(ModelStream::end_transaction);
    }
}
