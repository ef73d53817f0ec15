//! Changes a record.

use evented_core::{AnyAction, State, decide_change};

use crate::backend::EventedBackend;
use crate::domain::Publishing;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{EventLog, Model, ModelOn, Record};
use crate::statements::{Append, Current, Guard, columns_to_write};
use crate::write::append_event::{EventContent, Head, next_event};
use crate::write::attempts::{self, Attempt};
use crate::write::drift::{self, Resolved};
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::repeated::{self, Repeated};
use crate::write::{after_write, before_append, contended, published, savepoint, state_store, write_links};

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    copy: Option<&M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if let Some(first) = repeated::first_run(executor, record, options, Repeated::Change(action)).await? {
        return Ok(first);
    }
    let change = Change { record, action, options };
    let several = takes_several_statements::<DB, M>(options);
    let reads_first = M::HAS_TABLE && !DB::LOCKS_FIRST && !M::IS_VIEW;
    if reads_first && !several && !contended::is_likely(record) {
        let from = match copy {
            Some(copy) => from_callers_copy(record, copy)?,
            None => None,
        };
        let from = match from {
            Some(from) => Some(from),
            None => drift::read_verified(executor, record).await?,
        };
        if let Some(from) = from.filter(|from| !savepoint::is_due::<M>(from.head)) {
            let done = change.attempt(executor, from).await;
            if let Some(done) = done.map_err(|error| error.of_write(true))? {
                return Ok(done);
            }
            contended::remember(record);
        }
    }
    // Another writer was first, or the situation is unusual: lock the record before reading it.
    attempts::run(executor, record, options, &change).await
}

/// Changes a record that was read just now, without a lock. `None` if row and log differ, if the write takes several
/// statements, or if another writer was first.
pub(crate) async fn of_current<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    found: Current<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let record = Record::new(found.row.key());
    if takes_several_statements::<DB, M>(options) || contended::is_likely(&record) {
        return Ok(None);
    }
    let Some(from) = drift::verified::<DB, M>(&record, found)? else { return Ok(None) };
    if savepoint::is_due::<M>(from.head) {
        return Ok(None);
    }
    let change = Change { record: &record, action, options };
    let done = change.attempt(executor, from).await.map_err(|error| error.of_write(true))?;
    if done.is_none() {
        contended::remember(&record);
    }
    Ok(done)
}

/// Changes a record whose state was found, with or without a lock; `None` if the state is not the last one.
pub(crate) async fn of_resolved<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    from: Resolved<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    Change { record, action, options }.attempt(executor, from).await
}

/// Whether the write consists of more than an event and its row, so that it needs a transaction.
pub(crate) fn takes_several_statements<DB: EventedBackend, M: Model>(options: &Options) -> bool {
    M::RUNS_HOOK || !options.links.is_empty() || published::takes_a_statement::<DB, M>(options)
}

/// Uses the caller's own copy of the record, if it has a revision. The row's revision column is then the guard, and the
/// write reads nothing first. The digest in the log proves that the copy equals the state after its event, so nobody
/// changed it since.
fn from_callers_copy<M: Model>(record: &Record<M>, copy: &M) -> Result<Option<Resolved<M>>, Error> {
    if M::Log::HASHED {
        // The new event is chained to the hash of the previous one, which the copy does not have.
        return Ok(None);
    }
    let (Some(revision), Some(column)) = (copy.revision(), M::WRITTEN.get(M::FIELDS.len())) else {
        return Ok(None);
    };
    let mut live = copy.copy();
    live.normalize();
    let state = record.digest(&live)?;
    let guard = Guard::Revision { column, revision, state, version: M::VERSION };
    let head = Head { revision, hash: None, txid: None };
    Ok(Some(Resolved { state: State::Live(live), head, guard, overwrote: None }))
}

struct Change<'c, M: Model> {
    record: &'c Record<M>,
    action: &'c dyn AnyAction<M>,
    options: &'c Options,
}

impl<DB: EventedBackend, M: ModelOn<DB>> Attempt<DB, M> for Change<'_, M> {
    fn takes_several_statements(&self) -> bool {
        takes_several_statements::<DB, M>(self.options)
    }

    fn runs_hook(&self) -> bool {
        M::RUNS_HOOK
    }

    fn command(&self) -> Repeated<'_, M> {
        Repeated::Change(self.action)
    }

    /// Decides and writes.
    async fn attempt<E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: Resolved<M>,
    ) -> Result<Option<Recorded<M>>, Error> {
        let Self { record, action, options } = *self;
        let from = savepoint::before_write(executor, record, from, options).await?;
        let (before, head, guard, overwrote) = from.into_live(record)?;
        if guard != Guard::Locked {
            // Under the lock, `expecting` was checked before. A savepoint may have been appended since.
            options.check_expected(record, head.revision)?;
        }
        let cx = options.context::<M>();
        let old =
            before.digests().map_err(|source| Error::Unstorable { record: record.name(), error: source })?;
        let decision =
            decide_change(&before, action, &cx).map_err(|reason| Error::undecided(record.name(), reason))?;
        let mut meta = options.meta.clone();
        if let Some(overwrote) = overwrote {
            meta.set_overwritten(serde_json::to_value(overwrote).unwrap_or_default());
        }
        let pending = before_append::run(
            executor,
            record,
            before_append::Before::Record(&before),
            decision,
            meta,
            cx,
            options,
        )
        .await?;
        let meta = record.meta(&pending.meta)?;
        let (cx, mut decision) = (pending.cx, pending.decision);
        let state = decision.digests.state(M::DIGEST_ORDER);
        let given_id = options.event_id.is_some();
        let content =
            EventContent { action: decision.action, payload: &decision.payload, state: &state, given_id };
        let event = next_event::<M>(&cx, &record.value, head, content, meta.as_ref());
        let revision = event.revision;
        decision.after.set_revision(revision);
        let change =
            Publishing::new(decision.action, cx.actor.as_deref(), Some(&before), Some(&decision.after));
        let published = options.publications(&record.name(), &cx, &pending.meta, &change)?;
        let append = Append { placed: options.placed, published: &published, ..event };
        let columns = columns_to_write::<M>(old.differing(&decision.digests));
        let written = state_store::update(executor, &append, &guard, &decision.after, &columns).await;
        let written = written.map_err(|error| record.failed(error))?;
        let Some(offset) = written.offset else { return Ok(None) };
        write_links::run(executor, record, cx.event_id, &pending.links).await?;
        published::after(executor, &record.name(), &published, (&record.value, revision)).await?;
        let row = written.row.ok_or_else(|| Error::NotWritten { record: record.name() })?;
        let row = state_store::reconcile(executor, record, &decision.digests, row).await?;
        after_write::run(executor, Some(&before), Some(&row)).await?;
        Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, offset }))
    }
}
