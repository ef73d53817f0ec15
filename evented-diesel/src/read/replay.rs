//! Reads the state of one record, now or in the past.

use chrono::{DateTime, Utc};
use evented_core::{IntoRecordRef, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, sealed};
use crate::model::{Model, Record};
use crate::read::load;
use crate::statements::Until;
use crate::telemetry;

/// Reads the state of a record from its log: `Item::replay(id)`.
///
/// Running it returns the record, or `None` if the log did not know it at that point. If the record was deleted by
/// then, running it fails with [`Error::Deleted`], which contains the time and the revision of the delete.
/// [`state`](Replay::state) returns the same information as a value.
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct Replay<M: Model> {
    key: M::Key,
    until: Until,
}

impl<M: Model> Replay<M> {
    /// Replays all events of a record.
    pub fn new(target: impl IntoRecordRef<M>) -> Self {
        Self { key: target.into_record_ref().into_key(), until: Until::default() }
    }

    /// Replays the record as of a time: up to the last revision such that it and every earlier one are at or before
    /// `time`.
    pub fn as_of(mut self, time: DateTime<Utc>) -> Self {
        self.until.time = Some(time);
        self
    }

    /// Replays the record up to this revision. If the record has fewer events, the result is its current state.
    pub fn at_revision(mut self, revision: i64) -> Self {
        self.until.revision = Some(revision);
        self
    }

    /// Replays the record up to a position in the log. See [`TableAt`](crate::read::table_at::TableAt) for the meaning
    /// of a position while other connections write.
    pub fn at_position(mut self, position: i64) -> Self {
        self.until.position = Some(position);
        self
    }

    /// Returns the state of the record as a value: unknown, live or deleted, instead of an error for a deleted record.
    pub fn state(self) -> ReplayState<M> {
        ReplayState(self)
    }
}

/// Reads whether a record is unknown, live or deleted. See [`Replay::state`].
#[derive(Debug)]
#[must_use = "a read does nothing until it is run"]
pub struct ReplayState<M: Model>(Replay<M>);

impl<M: Model> sealed::Operation for ReplayState<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for ReplayState<M> {
    type Output = State<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<State<M>, Error> {
        let record = Record::<M>::new(self.0.key);
        let span = telemetry::replay(M::SCHEMA, &record.value);
        Ok(telemetry::within(span, Box::pin(load::replay(executor, &record, self.0.until)))
            .await?
            .into_state())
    }
}

impl<M: Model> sealed::Operation for Replay<M> {}

impl<DB: EventedBackend, M: Model> Operation<DB> for Replay<M> {
    type Output = Option<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Option<M>, Error> {
        let record = Record::<M>::new(self.key);
        let span = telemetry::replay(M::SCHEMA, &record.value);
        match telemetry::within(span, Box::pin(load::replay(executor, &record, self.until)))
            .await?
            .into_state()
        {
            State::Live(state) => Ok(Some(state)),
            State::Unknown => Ok(None),
            State::Deleted { at, revision } => Err(Error::Deleted { record: record.name(), at, revision }),
        }
    }
}
