//! Reads the events of one record, with the changes of each.

use evented_core::IntoRecordRef;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Event, Model, Record};
use crate::read::entry::{Entry, entries};
use crate::read::load;
use crate::statements::Until;
use crate::telemetry;

/// Reads the events of a record, oldest first, each with the state before and after it and the difference:
/// `Item::history(id)`. The result is empty if the log does not know the record.
///
/// It reads all events into memory. For a very long history, page over the log's table with a Diesel query instead.
///
/// # Errors
///
/// Running it: [`Error::Replay`] if an event cannot be read or does not follow the event before it.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct History<M: Model> {
    key: M::Key,
    until: Until,
    from_savepoint: bool,
}

impl<M: Model> History<M> {
    /// Reads all events of a record.
    pub fn new(target: impl IntoRecordRef<M>) -> Self {
        Self { key: target.into_record_ref().into_key(), until: Until::default(), from_savepoint: false }
    }

    /// Reads the events from the last savepoint on; all of them if there is no savepoint, or if it can no longer be
    /// read.
    pub fn recent(target: impl IntoRecordRef<M>) -> Self {
        Self { from_savepoint: true, ..Self::new(target) }
    }

    /// Reads the events of a record up to a revision: from the last savepoint before it on, or all of them.
    pub(crate) fn up_to_revision(key: M::Key, revision: i64, from_savepoint: bool) -> Self {
        let until = Until { revision: Some(revision), ..Until::default() };
        Self { key, until, from_savepoint }
    }

    /// Reads the events of a record up to and including this one.
    pub fn up_to(event: &Event<M>) -> Self {
        Self::up_to_revision(event.record.clone(), event.revision(), false)
    }
}

impl<M: Model> sealed::Operation for History<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for History<M> {
    type Output = Vec<Entry<M>>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<Entry<M>>, Error> {
        let record = Record::<M>::new(self.key.clone());
        let span = telemetry::history(M::SCHEMA, &record.value);
        telemetry::within(span, Box::pin(self.read(executor, &record))).await
    }
}

impl<M: Model> History<M> {
    async fn read<DB: EventedBackend, D: Executor<DB>>(
        &self,
        executor: &mut D,
        record: &Record<M>,
    ) -> Result<Vec<Entry<M>>, Error> {
        let events = load::events(executor, record, self.until, self.from_savepoint).await?;
        let starts_late = events.first().is_some_and(|event| event.data.revision > 1);
        match entries(&record.key, events) {
            // Skip a savepoint that can no longer be read, as a replay does.
            Err(_) if starts_late => {
                let events = load::events(executor, record, self.until, false).await?;
                entries(&record.key, events)
            }
            entries => entries,
        }
    }
}
