//! Returns the result of the first run of an idempotent command to later runs.

use evented_core::{State, StoredEvent};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{EventOf, Until, event_by_id};
use crate::write::options::Options;
use crate::write::recorded::Recorded;

/// Returns the result of the first run of an idempotent command; `None` if there was none.
pub(crate) async fn first_run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let Some(event_id) = options.event_id else { return Ok(None) };
    let statement = event_by_id(M::event_table(&record.value), event_id, Some(&record.value));
    match record.first::<EventOf<M>, _, _>(executor, statement).await? {
        Some(row) => result_of(executor, record, &row.event).await.map(Some),
        None => Ok(None),
    }
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
