//! Replays a history of events into a state.

use chrono::{DateTime, Utc};

use crate::{Digest, EventBody, EventData, Evented, FieldError, PayloadError, Step, names};

/// Folds the events of one record, oldest first, into its state.
#[derive(Debug, Clone)]
pub struct Replay<M: Evented> {
    key: M::Key,
    state: State<M>,
    revision: i64,
}

/// The state of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum State<M> {
    /// The record has no event.
    Unknown,
    /// The record exists.
    Live(M),
    /// The record was deleted.
    Deleted {
        /// When it was deleted.
        at: DateTime<Utc>,
        /// The revision of the event that deleted it.
        revision: i64,
    },
}

/// Why a history could not be replayed.
#[derive(Debug, thiserror::Error)]
#[error("event {revision} (action `{action}`, version {version}): {reason}")]
pub struct ReplayError {
    /// The revision of the event with the fault.
    pub revision: i64,
    /// The name of its action in the log.
    pub action: String,
    /// The schema version that it was written under.
    pub version: i32,
    /// The fault of the event.
    pub reason: ReplayFault,
}

/// Why an event cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayFault {
    /// The payload cannot be decoded.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A field of the payload cannot be decoded.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The event changes a record that does not exist at that revision.
    #[error("it changes a record that does not exist at this point of its history")]
    NoRecord,
    /// The event does not follow directly on the event before it.
    #[error("the event before it is missing: after revision {after} comes {found}")]
    Gap {
        /// The revision of the last event before the gap; 0 if there was none.
        after: i64,
        /// The revision of the event after the gap.
        found: i64,
    },
}

impl<M> State<M> {
    /// The record; `None` unless it exists.
    pub fn live(self) -> Option<M> {
        match self {
            Self::Live(record) => Some(record),
            Self::Unknown | Self::Deleted { .. } => None,
        }
    }

    /// The record by reference; `None` unless it exists.
    pub fn as_live(&self) -> Option<&M> {
        match self {
            Self::Live(record) => Some(record),
            Self::Unknown | Self::Deleted { .. } => None,
        }
    }

    /// The record that an event changes.
    fn existing(&mut self) -> Result<&mut M, ReplayFault> {
        match self {
            Self::Live(record) => Ok(record),
            Self::Unknown | Self::Deleted { .. } => Err(ReplayFault::NoRecord),
        }
    }
}

impl<M: Evented> Replay<M> {
    /// Starts the replay of a record, in the state [`State::Unknown`].
    #[must_use]
    pub fn new(key: M::Key) -> Self {
        Self { key, state: State::Unknown, revision: 0 }
    }

    /// The record's key.
    pub fn key(&self) -> &M::Key {
        &self.key
    }

    /// The state after the events applied so far.
    pub fn state(&self) -> &State<M> {
        &self.state
    }

    /// The state after the events applied so far.
    pub fn into_state(self) -> State<M> {
        self.state
    }

    /// The revision of the last event applied; 0 if there was none.
    #[must_use]
    pub fn revision(&self) -> i64 {
        self.revision
    }

    /// Applies the next event. The first event may be a savepoint of any revision.
    ///
    /// # Errors
    ///
    /// An event that cannot be decoded, or that does not follow. The state then stays unchanged.
    pub fn apply(&mut self, event: &EventData) -> Result<(), ReplayError> {
        if event.action == names::SAVEPOINT && event.revision == self.revision.saturating_add(1) {
            // A savepoint adds nothing to a state that was replayed so far, and it may be one that no longer decodes.
            if let State::Live(record) = &mut self.state {
                record.set_revision(event.revision);
                self.revision = event.revision;
                return Ok(());
            }
        }
        let body = event.decode::<M>().map_err(|fault| fault_of(event, fault.into()))?;
        self.apply_body(event, &body)
    }

    /// Applies the next event, which is already decoded.
    ///
    /// # Errors
    ///
    /// The same as [`apply`](Self::apply).
    pub fn apply_body(&mut self, event: &EventData, body: &M::Event) -> Result<(), ReplayError> {
        let starts_here = self.revision == 0 && event.action == names::SAVEPOINT;
        if event.revision != self.revision.saturating_add(1) && !starts_here {
            let gap = ReplayFault::Gap { after: self.revision, found: event.revision };
            return Err(fault_of(event, gap));
        }
        apply(&self.key, &mut self.state, event, body).map_err(|fault| fault_of(event, fault))?;
        self.revision = event.revision;
        Ok(())
    }

    /// Whether the state matches the digest that its last event recorded. `version` is that event's schema version.
    /// Always `true` for an event of an older schema version, because its digest has another form.
    ///
    /// # Errors
    ///
    /// A value that cannot be stored faithfully.
    pub fn agrees_with(&self, version: i32, state: &Digest) -> Result<bool, crate::Unstorable> {
        if version != M::VERSION {
            return Ok(true);
        }
        let digest = self.state.as_live().map(M::state_digest).transpose()?.unwrap_or(Digest::NOTHING);
        Ok(digest == *state)
    }
}

/// The record after an event; `None` if the record no longer exists.
///
/// `before` is the record before the event; `None` if there was none.
///
/// # Errors
///
/// An event that cannot be decoded, or that does not fit the record.
pub fn next_state<M: Evented>(
    key: &M::Key,
    before: Option<&M>,
    event: &EventData,
) -> Result<Option<M>, ReplayError> {
    let body = event.decode::<M>().map_err(|fault| fault_of(event, fault.into()))?;
    let mut state = before.map_or(State::Unknown, |before| State::Live(before.copy()));
    apply(key, &mut state, event, &body).map_err(|fault| fault_of(event, fault))?;
    Ok(state.live())
}

/// Applies an event to the state of its record, in place. An error leaves the state as it was.
fn apply<M: Evented>(
    key: &M::Key,
    state: &mut State<M>,
    event: &EventData,
    body: &M::Event,
) -> Result<(), ReplayFault> {
    let deleted = State::Deleted { at: event.at, revision: event.revision };
    let mut created = None;
    match body.step() {
        Step::Delete => *state = deleted,
        Step::Create(new) => {
            *state = State::Live(new.create(key.clone(), &event.context()));
            created = Some(true);
        }
        Step::Change(action) => {
            action.apply(state.existing()?, &event.context());
            created = Some(false);
        }
        Step::Retired(retired) => {
            retired.apply(state.existing()?, &event.context());
            created = Some(false);
        }
        Step::External(external) => {
            *state = external.apply(key, state.as_live())?.map_or(deleted, State::Live);
        }
        Step::Savepoint(fields) => {
            *state = State::Live(M::from_fields(key.clone(), &mut fields.clone())?);
        }
    }
    if let State::Live(record) = state {
        if let Some(created) = created {
            record.touch(created, event.at);
        }
        record.normalize();
        record.set_revision(event.revision);
    }
    Ok(())
}

fn fault_of(event: &EventData, reason: ReplayFault) -> ReplayError {
    ReplayError { revision: event.revision, action: event.action.clone(), version: event.version, reason }
}
