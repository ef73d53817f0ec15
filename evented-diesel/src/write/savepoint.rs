//! Writes a record's whole state into its log.

use evented_core::{Json, State, names};

use crate::backend::EventedBackend;
use crate::domain::Publishing;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Model, ModelOn, Record};
use crate::statements::{Append, Appended, Guard, append, columns_to_write};
use crate::telemetry;
use crate::write::append_event::{EventContent, Head, next_event};
use crate::write::attempts::{self, Attempt};
use crate::write::drift::Resolved;
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::repeated::{self, Repeated};
use crate::write::{published, state_store, write_links};

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if let Some(first) = repeated::first_run(executor, record, options, Repeated::Savepoint).await? {
        return Ok(first);
    }
    attempts::run(executor, record, options, &WriteSavepoint { record, options }).await
}

struct WriteSavepoint<'s, M: Model> {
    record: &'s Record<M>,
    options: &'s Options,
}

impl<DB: EventedBackend, M: ModelOn<DB>> Attempt<DB, M> for WriteSavepoint<'_, M> {
    fn takes_several_statements(&self) -> bool {
        !self.options.links.is_empty() || published::takes_a_statement::<DB, M>(self.options)
    }

    fn command(&self) -> Repeated<'_, M> {
        Repeated::Savepoint
    }

    async fn attempt<E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: Resolved<M>,
    ) -> Result<Option<Recorded<M>>, Error> {
        let Self { record, options } = *self;
        let (mut state, head, guard, _) = from.into_live(record)?;
        let cx = options.context::<M>();
        let (payload, digest) = (payload(record, &state)?, record.digest(&state)?);
        let meta = record.meta(&options.meta)?;
        let given_id = options.event_id.is_some();
        let content = EventContent { action: names::SAVEPOINT, payload: &payload, state: &digest, given_id };
        let change = Publishing::new(names::SAVEPOINT, cx.actor.as_deref(), Some(&state), Some(&state));
        let published = options.publications(&record.name(), &cx, &options.meta, &change)?;
        let event = next_event::<M>(&cx, &record.value, head, content, meta.as_ref());
        let append = Append { published: &published, ..event };
        let revision = append.revision;
        state.set_revision(revision);
        let columns = columns_to_write::<M>(Vec::new());
        let written = state_store::update(executor, &append, &guard, &state, &columns).await;
        let written = written.map_err(|error| record.failed(error))?;
        let Some(offset) = written.offset else { return Ok(None) };
        write_links::run(executor, record, cx.event_id, &options.links).await?;
        published::after(executor, &record.name(), &published, (&record.value, revision)).await?;
        let row = written.row.unwrap_or(state);
        Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, offset }))
    }
}

/// Serializes the whole state as the payload of a savepoint.
pub(crate) fn payload<M: Model>(record: &Record<M>, state: &M) -> Result<Json, Error> {
    let fields = state.savepoint_fields().map_err(|error| Error::field(record.name(), error))?;
    Json::write(&fields).map_err(|error| record.not_encoded(error))
}

/// Whether a savepoint is due at this head, by `#[evented(savepoint(every = …))]`.
pub(crate) fn is_due<M: Model>(head: Head) -> bool {
    M::SAVEPOINT_EVERY.is_some_and(|every| every > 0 && head.revision > 0 && head.revision % every == 0)
}

/// Writes a savepoint if one is due, within a transaction that has locked the record. The savepoint comes before the
/// event, not after it: the event's revision is then the record's last one, which the caller may pass to `expecting`
/// next time.
pub(crate) async fn before_write<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    from: Resolved<M>,
    options: &Options,
) -> Result<Resolved<M>, Error> {
    let State::Live(state) = &from.state else { return Ok(from) };
    if from.guard != Guard::Locked || !is_due::<M>(from.head) {
        return Ok(from);
    }
    let cx = Options { event_id: None, at: options.at, ..Options::default() }.context::<M>();
    let (payload, digest) = (payload(record, state)?, record.digest(state)?);
    let content =
        EventContent { action: names::SAVEPOINT, payload: &payload, state: &digest, given_id: false };
    let event = next_event::<M>(&cx, &record.value, from.head, content, None);
    if record.first::<Appended, _, _>(executor, append(&event)).await?.is_none() {
        // Another event has that revision. The write finds out which one.
        return Ok(from);
    }
    let head = Head::after(&event);
    telemetry::savepoint(M::SCHEMA, &record.value, head.revision);
    Ok(Resolved { head, ..from })
}
