//! Creates a record some of whose columns the database fills: the row first, then the event with what the database wrote.
//!
//! The payload and the digest of the event contain values that are not known before the row exists. So this takes several
//! statements, in a transaction. The hook runs before the row is inserted, and does not see these values.

use evented_core::{Context, Create as _, Decision, Json, decide_create};

use crate::backend::EventedBackend;
use crate::domain::Publishing;
use crate::error::Error;
use crate::exec::{Executor, Transaction};
use crate::model::{Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{Append, Appended, RecordRow, append, insert_with_defaults, row_of};
use crate::write::after_write;
use crate::write::append_event::{EventContent, Head, next_event};
use crate::write::before_append::{self, Before};
use crate::write::create::NewRecord;
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::{drift, published, state_store, write_links};

/// Writes the row, the event and the links; `None` if the record or the event existed before.
pub(crate) async fn write<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    it: &NewRecord<M>,
    decided: (Decision<M>, &[usize]),
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    let transaction = Transaction::around(executor, &it.name, true).await?;
    let result = within(executor, it, decided, head, options, cx).await;
    // Of an attempt whose event existed before, the row must not stay.
    transaction.close_attempt(executor, &it.name, result, true).await
}

async fn within<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    it: &NewRecord<M>,
    (decision, left): (Decision<M>, &[usize]),
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    if DB::LOCKS_FIRST {
        DB::lock_number::<M, E>(executor, 0).await.map_err(|error| it.record.failed(error))?;
    }
    let before = if it.makes_key { Before::Unmade } else { Before::Nothing };
    let pending =
        before_append::run(executor, &it.record, before, decision, options.meta.clone(), cx, options).await?;
    let meta = pending.meta.to_json().map_err(|error| Error::encode(it.name.clone(), error))?;
    let (cx, mut decision) = (pending.cx, pending.decision);
    decision.after.set_revision(head.revision.saturating_add(1));
    let Some(mut row) = insert(executor, it, &decision.after, left).await? else { return Ok(None) };
    let record = Record::<M>::new(row.key());
    let head = if it.makes_key {
        // A key that the database reuses continues the revisions of its old record.
        let head = load::head(executor, &record).await?.as_ref().map_or(Head::NONE, Head::from);
        if head.revision > 0 {
            row.set_revision(head.revision.saturating_add(1));
            drift::write_revision(executor, &record, &row).await?;
        }
        head
    } else {
        it.record.check_row(&row)?;
        head
    };
    let decision = complete(&record, &decision.payload, &row, &cx)?;
    let state = decision.digests.state(M::DIGEST_ORDER);
    let given_id = options.event_id.is_some();
    let content =
        EventContent { action: decision.action, payload: &decision.payload, state: &state, given_id };
    let event = next_event::<M>(&cx, &record.value, head, content, meta.as_ref());
    let change = Publishing::new(decision.action, cx.actor.as_deref(), None, Some(&row));
    let published = options.publications(&record.name(), &cx, &pending.meta, &change)?;
    let event = Append { placed: true, published: &published, ..event };
    let appended = record.first::<Appended, _, _>(executor, append(&event)).await?;
    let Some(Appended { offset, revision }) = appended else { return Ok(None) };
    write_links::run(executor, &record, cx.event_id, &pending.links).await?;
    published::after(executor, &record.name(), &published, (&record.value, revision)).await?;
    let row = state_store::reconcile(executor, &record, &decision.digests, row).await?;
    after_write::run(executor, None, Some(&row)).await?;
    Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, offset }))
}

/// Inserts the row without the columns that are left to the database, and returns it; `None` if there is a row with its
/// key.
async fn insert<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    it: &NewRecord<M>,
    row: &M,
    left: &[usize],
) -> Result<Option<M>, Error> {
    let failed = |error| Error::database(it.name.clone(), error);
    let key = (!it.makes_key).then_some(&it.record.value);
    // A row that was in the way may be deleted before it is looked for. Then it was no trigger, and the insert runs again.
    for _ in 0..2 {
        let statement = insert_with_defaults::<DB, M>(key, row, left);
        let made = executor.load::<RecordRow<M>>(statement).await.map_err(failed)?.into_iter().next();
        if let Some(RecordRow(mut made)) = made {
            if DB::LOCKS_FIRST {
                // Read again, the row shows what triggers did after the insert.
                let record = Record::<M>::new(made.key());
                let statement = row_of::<DB, M>(&record.value);
                made = record.write::<RecordRow<M>, _, _>(executor, statement).await?.0;
            }
            made.normalize();
            return Ok(Some(made));
        }
        let existing = match key {
            Some(key) if !it.fresh => {
                it.record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(key)).await?
            }
            _ => None,
        };
        if existing.is_some() {
            return Ok(None);
        }
    }
    Err(Error::NotWritten { record: it.name.clone() })
}

/// Decides again, with the values that the database wrote. The checks run on the whole record.
fn complete<M: Model>(
    record: &Record<M>,
    payload: &Json,
    row: &M,
    cx: &Context,
) -> Result<Decision<M>, Error> {
    let new: M::New = payload.read().map_err(|error| record.not_encoded(error))?;
    let new = new.completed(Some(row)).unwrap_or(new);
    decide_create::<M>(&new, record.key.clone(), cx).map_err(|reason| Error::undecided(record.name(), reason))
}
