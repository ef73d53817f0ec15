//! The events of one record, with what each changed.

use crate::backend::Dialect;
use crate::command::IntoTarget;
use crate::error::Error;
use crate::event::{Entry, Event, entries};
use crate::model::Model;
use crate::observe;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// The events of a record, oldest first, each with the state before and after it and what differs:
/// `Item::history(id)`. Empty if the log does not know the record.
///
/// All of them are read into memory. For a very long history, page over the log's table with a Diesel query instead.
///
/// # Errors
///
/// Running it: [`Error::Replay`] if an event cannot be read or does not fit.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct History<M: Model> {
    key: M::Key,
    until: Until,
    from_savepoint: bool,
}

impl<M: Model> History<M> {
    /// All events of a record.
    pub fn new(target: impl IntoTarget<M>) -> Self {
        Self { key: target.into_target().key, until: Until::default(), from_savepoint: false }
    }

    /// The events from the last savepoint on; all of them if there is none, or if it cannot be read any more.
    pub fn recent(target: impl IntoTarget<M>) -> Self {
        Self { from_savepoint: true, ..Self::new(target) }
    }

    /// The events of a record up to one of them, which is the last.
    pub fn up_to(event: &Event<M>) -> Self {
        let until = Until { revision: Some(event.revision()), ..Until::default() };
        Self { key: event.record.clone(), until, from_savepoint: false }
    }
}

impl<DB: Dialect, M: Model> Operation<DB> for History<M> {
    type Output = Vec<Entry<M>>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<Entry<M>>, Error> {
        let record = Record::<M>::new(self.key.clone());
        let span = observe::history(M::SCHEMA, &record.value);
        observe::within(span, Box::pin(self.read(driver, &record))).await
    }
}

impl<M: Model> History<M> {
    async fn read<DB: Dialect, D: Driver<DB>>(
        &self,
        driver: &mut D,
        record: &Record<M>,
    ) -> Result<Vec<Entry<M>>, Error> {
        let events = load::events(driver, record, self.until, self.from_savepoint).await?;
        let starts_late = events.first().is_some_and(|event| event.revision > 1);
        match entries(&record.key, events) {
            // A savepoint that cannot be read any more is passed over, as it is by a replay.
            Err(_) if starts_late => {
                let events = load::events(driver, record, self.until, false).await?;
                entries(&record.key, events)
            }
            entries => entries,
        }
    }
}
