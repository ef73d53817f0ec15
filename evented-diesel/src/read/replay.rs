//! The state of one record, now or then.

use chrono::{DateTime, Utc};
use evented_core::State;

use crate::backend::Dialect;
use crate::command::IntoTarget;
use crate::error::Error;
use crate::model::Model;
use crate::observe;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::statement::Until;
use crate::steps::command::Record;
use crate::steps::load;

/// The state of a record, from its log alone: `Item::replay(id)`.
///
/// Run, it gives `Some` record, or `None` if the log did not know it (yet). A record that was deleted by then is
/// [`Error::Deleted`], with the time and the revision of its delete; [`state`](Replay::state) gives the same as a
/// value.
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct Replay<M: Model> {
    key: M::Key,
    until: Until,
}

impl<M: Model> Replay<M> {
    /// All that the log has of a record.
    pub fn new(target: impl IntoTarget<M>) -> Self {
        Self { key: target.into_target().key, until: Until::default() }
    }

    /// As it was at a time: after the last revision r such that every revision up to r has its time at or before it.
    pub fn as_of(mut self, time: DateTime<Utc>) -> Self {
        self.until.time = Some(time);
        self
    }

    /// As its n-th event left it; as it is now, if it has fewer.
    pub fn at_revision(mut self, revision: i64) -> Self {
        self.until.revision = Some(revision);
        self
    }

    /// As it was when the log had reached a position. See [`TableAt`](crate::read::TableAt) for what a position means
    /// while others write.
    pub fn at_position(mut self, position: i64) -> Self {
        self.until.position = Some(position);
        self
    }

    /// Gives where the record stands, instead of an error for a deleted one.
    pub fn state(self) -> ReplayState<M> {
        ReplayState(self)
    }
}

/// Where a record stands: unknown, live or deleted. See [`Replay::state`].
#[derive(Debug)]
#[must_use = "a reading does nothing until it is run"]
pub struct ReplayState<M: Model>(Replay<M>);

impl<DB: Dialect, M: Model> Operation<DB> for ReplayState<M> {
    type Output = State<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<State<M>, Error> {
        let record = Record::<M>::new(self.0.key);
        let span = observe::replay(M::SCHEMA, &record.value);
        Ok(observe::within(span, Box::pin(load::replay(driver, &record, self.0.until))).await?.into_state())
    }
}

impl<DB: Dialect, M: Model> Operation<DB> for Replay<M> {
    type Output = Option<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Option<M>, Error> {
        let record = Record::<M>::new(self.key);
        let span = observe::replay(M::SCHEMA, &record.value);
        match observe::within(span, Box::pin(load::replay(driver, &record, self.until))).await?.into_state() {
            State::Live(state) => Ok(Some(state)),
            State::Unknown => Ok(None),
            State::Deleted { at, revision } => Err(Error::Deleted { record: record.name(), at, revision }),
        }
    }
}
