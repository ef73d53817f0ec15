//! The model's hook, between the decision and the write.

use evented_core::{Context, Decision, Json, Meta, decide_again};

use super::command::Record;
use super::load;
use crate::backend::Dialect;
use crate::command::Options;
use crate::error::Error;
use crate::event::Event;
use crate::link::NewLink;
use crate::model::Rows;
use crate::prepare::Draft;
use crate::run::driver::Driver;
use crate::statement::Until;

/// What is to be written, after the hook has seen it.
pub(crate) struct Prepared<M> {
    pub(crate) cx: Context,
    pub(crate) decision: Decision<M>,
    pub(crate) meta: Meta,
    pub(crate) links: Vec<NewLink>,
}

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    before: Option<&M>,
    decision: Decision<M>,
    meta: Meta,
    cx: Context,
    options: &Options,
) -> Result<Prepared<M>, Error> {
    let links = options.links.clone();
    if !M::PREPARES {
        return Ok(Prepared { cx, decision, meta, links });
    }
    let of = |source: serde_json::Error| Error::Form { record: record.name(), source: source.into() };
    // A key that the database is yet to make has no history.
    let unknown = M::KEY.by_database() && before.is_none();
    let history =
        if unknown { Vec::new() } else { load::events(driver, record, Until::default(), false).await? };
    let history: Vec<_> =
        history.into_iter().map(|stored| Event { record: record.key.clone(), stored }).collect();
    let mut draft = Draft {
        payload: decision.payload.read().map_err(of)?,
        meta,
        action: decision.action,
        cx,
        before: before.cloned(),
        after: decision.after.clone(),
        links,
    };
    let given = draft.payload.clone();
    // In a box: a hook may run commands with hooks of their own, and the compiler lays out futures within futures only
    // to some depth.
    Box::pin(M::prepare(&mut draft, &history, driver)).await?;
    // On replay the actor is the one of the meta.
    let same_actor = draft.cx.actor == draft.meta.actor;
    draft.cx.actor.clone_from(&draft.meta.actor);
    let decision = if draft.payload == given && same_actor {
        decision
    } else {
        let payload: Json =
            if draft.payload == given { decision.payload } else { draft.payload_json().map_err(of)? };
        decide_again(record.key.clone(), before, draft.action, payload, &draft.cx)
            .map_err(|reason| Error::undecided(record.name(), reason))?
    };
    let Draft { cx, meta, links, .. } = draft;
    Ok(Prepared { cx, decision, meta, links })
}
