//! Returns the result of the first run of an idempotent command to later runs.

use evented_core::{AnyAction, Context, Create as _, EventData, Evented, Json, State, StoredEvent, names};
use serde_json::{Map, Value};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{EventOf, Until, event_by_id};
use crate::write::options::Options;
use crate::write::recorded::Recorded;

/// A command that may have run before.
pub(crate) enum Repeated<'c, M: Evented> {
    Insert(&'c M::New),
    Change(&'c dyn AnyAction<M>),
    Delete,
    Savepoint,
}

impl<M: Model> Repeated<'_, M> {
    fn action(&self) -> &'static str {
        match self {
            Self::Insert(_) => names::INSERT,
            Self::Change(action) => action.name(),
            Self::Delete => names::DELETE,
            Self::Savepoint => names::SAVEPOINT,
        }
    }

    /// Whether an event is one that this command wrote. The payload is compared as JSON, if the program that wrote the
    /// event had this version of the model, and no hook may have changed the payload.
    fn wrote(&self, event: &StoredEvent) -> bool {
        let data = &event.data;
        // If the model has no action of this name, the action was renamed after the event was written.
        let own = [names::INSERT, names::UPDATE, names::DELETE, names::SAVEPOINT, names::EXTERNAL];
        let known = own.iter().chain(M::ACTIONS).any(|name| *name == data.action);
        let same_action = data.action == self.action() || !known;
        if !same_action || data.version != M::VERSION || M::HAS_BEFORE_APPEND {
            return same_action;
        }
        let payload = match self {
            Self::Insert(new) if creates_the_same::<M>(new, data) => return true,
            Self::Insert(new) => Json::write(*new),
            Self::Change(action) => action.payload(),
            Self::Delete | Self::Savepoint => return true,
        };
        let stored = data.payload.read::<Value>();
        payload.is_ok_and(|payload| {
            payload == data.payload
                || payload.read::<Value>().ok().zip(stored.ok()).is_some_and(|(a, b)| a == b)
        })
    }
}

/// Whether an input creates the record that an event created. The event has values that the input left to the program or
/// to the database, and the items of a set are in another order in each program.
fn creates_the_same<M: Model>(new: &M::New, event: &EventData) -> bool {
    let given = Json::write(new).ok().and_then(|given| given.read::<Map<String, Value>>().ok());
    let (Some(given), Ok(recorded)) = (given, event.payload.read::<Map<String, Value>>()) else {
        return false;
    };
    let is_recorded = |(field, value): (&String, &Value)| {
        recorded.get(field).is_some_and(|recorded| recorded == value || recorded.is_array())
    };
    let (Ok(stored), true) = (event.payload.read::<M::New>(), given.iter().all(is_recorded)) else {
        return false;
    };
    let Some(key) = new.key().or_else(|| M::make_key(event.id)) else { return false };
    let cx = Context::new(event.at, event.id, None, event.version);
    let before = stored.create(key.clone(), &cx);
    let completed = new.completed(Some(&before));
    let now = completed.as_ref().unwrap_or(new).create(key, &cx);
    matches!((before.digests(), now.digests()), (Ok(before), Ok(now)) if before.differing(&now).is_empty())
}

/// Returns the result of the first run of an idempotent command; `None` if there was none.
pub(crate) async fn first_run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    command: Repeated<'_, M>,
) -> Result<Option<Recorded<M>>, Error> {
    let Some(event_id) = options.event_id else { return Ok(None) };
    let statement = event_by_id(M::event_table(&record.value), event_id, Some(&record.value));
    match record.first::<EventOf<M>, _, _>(executor, statement).await? {
        Some(row) => {
            is_of(record, &row.event, command)?;
            result_of(executor, record, &row.event).await.map(Some)
        }
        None => Ok(None),
    }
}

/// Checks that an event is one that this command wrote.
pub(crate) fn is_of<M: Model>(
    record: &Record<M>,
    event: &StoredEvent,
    command: Repeated<'_, M>,
) -> Result<(), Error> {
    if command.wrote(event) {
        return Ok(());
    }
    let (action, revision) = (event.data.action.clone(), event.data.revision);
    Err(Error::Reused { record: record.name(), event: event.data.id, action, revision })
}

/// Returns the record after an event; for a delete, the record before it.
pub(crate) async fn result_of<DB: EventedBackend, M: Model, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    event: &StoredEvent,
) -> Result<Recorded<M>, Error> {
    let revision = event.data.revision;
    let at = |revision| Until { revision: Some(revision), ..Until::default() };
    let mut state = load::replay(executor, record, at(revision)).await?.into_state();
    if let State::Deleted { .. } = state {
        state = load::replay(executor, record, at(revision.saturating_sub(1))).await?.into_state();
    }
    let live = state.live().ok_or_else(|| Error::NotFound { record: record.name() })?;
    Ok(Recorded { record: live, event_id: event.data.id, revision, offset: event.offset })
}
