//! From a history of events to a state.

use chrono::{DateTime, Utc};

use crate::{Digest, EventBody, Evented, FieldError, PayloadError, Step, StoredEvent, names};

/// Folds the events of one record, oldest first, into its state.
#[derive(Debug, Clone)]
pub struct Replay<M: Evented> {
    key: M::Key,
    state: State<M>,
    revision: i64,
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq)]
pub enum State<M> {
    /// There is no event.
    Unknown,
    /// It exists.
    Live(M),
    /// It was removed.
    Deleted {
        /// When.
        at: DateTime<Utc>,
        /// By which event.
        revision: i64,
    },
}

/// Why a history could not be replayed.
#[derive(Debug, thiserror::Error)]
#[error("event {revision} (action `{action}`, version {version}): {reason}")]
pub struct ReplayError {
    /// The revision of the event at fault.
    pub revision: i64,
    /// Its action.
    pub action: String,
    /// The schema version it was written under.
    pub version: i32,
    /// What is wrong with it.
    #[source]
    pub reason: ReplayFault,
}

/// What is wrong with an event.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayFault {
    /// Its payload cannot be read.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A field of its payload cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// It changes a record that does not exist at that point.
    #[error("it changes a record that does not exist at this point of its history")]
    NoRecord,
    /// It does not follow on the event before it.
    #[error("the event before it is missing: after revision {after} comes {found}")]
    Gap {
        /// The last revision that was there.
        after: i64,
        /// The revision found.
        found: i64,
    },
}

impl<M> State<M> {
    /// The record, if it exists.
    pub fn live(self) -> Option<M> {
        match self {
            Self::Live(record) => Some(record),
            Self::Unknown | Self::Deleted { .. } => None,
        }
    }

    /// The record, if it exists.
    pub fn as_live(&self) -> Option<&M> {
        match self {
            Self::Live(record) => Some(record),
            Self::Unknown | Self::Deleted { .. } => None,
        }
    }
}

impl<M: Evented> Replay<M> {
    /// A record of which nothing is known yet.
    #[must_use]
    pub fn new(key: M::Key) -> Self {
        Self { key, state: State::Unknown, revision: 0 }
    }

    /// The record's key.
    pub fn key(&self) -> &M::Key {
        &self.key
    }

    /// The state after the events so far.
    pub fn state(&self) -> &State<M> {
        &self.state
    }

    /// The state after the events so far.
    pub fn into_state(self) -> State<M> {
        self.state
    }

    /// The revision of the last event, 0 if there was none.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Applies the next event. A savepoint may come first, whatever its revision.
    ///
    /// # Errors
    ///
    /// An event that cannot be read, or does not fit here. The state is as it was before it.
    pub fn apply(&mut self, event: &StoredEvent) -> Result<(), ReplayError> {
        if event.action == names::SAVEPOINT && event.revision == self.revision.saturating_add(1) {
            // It says nothing new to who has come all the way, and may be one that cannot be read any more.
            if let State::Live(record) = &mut self.state {
                record.set_revision(event.revision);
                self.revision = event.revision;
                return Ok(());
            }
        }
        let body = event.decode::<M>().map_err(|fault| fault_of(event, fault.into()))?;
        self.apply_body(event, &body)
    }

    /// Applies the next event, decoded already.
    ///
    /// # Errors
    ///
    /// As [`apply`](Self::apply).
    pub fn apply_body(&mut self, event: &StoredEvent, body: &M::Event) -> Result<(), ReplayError> {
        let starts_here = self.revision == 0 && event.action == names::SAVEPOINT;
        if event.revision != self.revision.saturating_add(1) && !starts_here {
            let gap = ReplayFault::Gap { after: self.revision, found: event.revision };
            return Err(fault_of(event, gap));
        }
        self.state =
            next(&self.key, self.state.as_live(), event, body).map_err(|fault| fault_of(event, fault))?;
        self.revision = event.revision;
        Ok(())
    }

    /// Whether the state is the one this event says it produced. An event of an older schema version cannot say.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    pub fn agrees_with(&self, event: &StoredEvent) -> Result<bool, crate::Unstorable> {
        if event.version != M::VERSION {
            return Ok(true);
        }
        let digest = self.state.as_live().map(M::state_digest).transpose()?.unwrap_or(Digest::NOTHING);
        Ok(digest == event.state)
    }
}

/// What an event makes of a record: the record after it, or `None` if there is none any more.
///
/// `before` is the record as the event before it left it; `None` if there was none.
///
/// # Errors
///
/// An event that cannot be read, or does not fit there.
pub fn next_state<M: Evented>(
    key: &M::Key,
    before: Option<&M>,
    event: &StoredEvent,
) -> Result<Option<M>, ReplayError> {
    let body = event.decode::<M>().map_err(|fault| fault_of(event, fault.into()))?;
    next(key, before, event, &body).map(State::live).map_err(|fault| fault_of(event, fault))
}

fn next<M: Evented>(
    key: &M::Key,
    before: Option<&M>,
    event: &StoredEvent,
    body: &M::Event,
) -> Result<State<M>, ReplayFault> {
    let existing = || before.cloned().ok_or(ReplayFault::NoRecord);
    let deleted = State::Deleted { at: event.at, revision: event.revision };
    let (mut record, created) = match body.step() {
        Step::Delete => return Ok(deleted),
        Step::Create(new) => (new.create(key.clone(), &event.context()), Some(true)),
        Step::Change(action) => {
            let mut record = existing()?;
            action.apply(&mut record, &event.context());
            (record, Some(false))
        }
        Step::Retired(retired) => {
            let mut record = existing()?;
            retired.apply(&mut record, &event.context());
            (record, Some(false))
        }
        Step::External(external) => match external.apply(key, before)? {
            Some(record) => (record, None),
            None => return Ok(deleted),
        },
        Step::Savepoint(fields) => (M::from_fields(key.clone(), &mut fields.clone())?, None),
    };
    if let Some(created) = created {
        record.touch(created, event.at);
    }
    record.normalize();
    record.set_revision(event.revision);
    Ok(State::Live(record))
}

fn fault_of(event: &StoredEvent, reason: ReplayFault) -> ReplayError {
    ReplayError { revision: event.revision, action: event.action.clone(), version: event.version, reason }
}
