//! Runs the model's hook between the decision and the write.

use evented_core::{Context, Decision, Json, Meta, decide_again};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{Event, ModelOn, NewLink, PendingEvent, Record};
use crate::read::load;
use crate::statements::Until;
use crate::write::options::Options;

/// The event and the state to write, after the hook ran.
pub(crate) struct AfterHook<M> {
    pub(crate) cx: Context,
    pub(crate) decision: Decision<M>,
    pub(crate) meta: Meta,
    pub(crate) links: Vec<NewLink>,
}

/// The record before the event.
pub(crate) enum Before<'m, M> {
    /// There is no record, and no history: the database makes the key when it inserts the row.
    Unmade,
    /// There is no record. It may have had a history that a delete ended.
    Nothing,
    /// The record.
    Record(&'m M),
}

impl<'m, M> Before<'m, M> {
    fn record(&self) -> Option<&'m M> {
        match *self {
            Self::Record(record) => Some(record),
            Self::Unmade | Self::Nothing => None,
        }
    }
}

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    before: Before<'_, M>,
    decision: Decision<M>,
    meta: Meta,
    cx: Context,
    options: &Options,
) -> Result<AfterHook<M>, Error> {
    let links = options.links.clone();
    if !M::HAS_BEFORE_APPEND {
        return Ok(AfterHook { cx, decision, meta, links });
    }
    let history = if matches!(before, Before::Unmade) {
        Vec::new()
    } else {
        load::events(executor, record, Until::default(), false).await?
    };
    let history: Vec<_> = history.into_iter().map(|stored| Event::new(record.key.clone(), stored)).collect();
    let mut pending = PendingEvent {
        payload: decision.payload.read().map_err(|error| record.not_encoded(error))?,
        meta,
        action: decision.action,
        cx,
        before: before.record().map(M::copy),
        after: decision.after.copy(),
        links,
    };
    let given = pending.payload.clone();
    // The future is boxed: a hook may run commands that have hooks, and the compiler limits the depth of nested
    // futures.
    Box::pin(M::before_append(&mut pending, &history, executor)).await?;
    // On replay, the actor is read from the metadata.
    let same_actor = pending.cx.actor == pending.meta.actor;
    pending.cx.actor.clone_from(&pending.meta.actor);
    let decision = if pending.payload == given && same_actor {
        decision
    } else {
        let payload: Json = if pending.payload == given {
            decision.payload
        } else {
            pending.payload_json().map_err(|error| record.not_encoded(error))?
        };
        decide_again(record.key.clone(), before.record(), pending.action, payload, &pending.cx)
            .map_err(|reason| Error::undecided(record.name(), reason))?
    };
    let PendingEvent { cx, meta, links, .. } = pending;
    Ok(AfterHook { cx, decision, meta, links })
}
