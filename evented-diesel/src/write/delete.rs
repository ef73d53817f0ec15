//! Deletes a record.

use evented_core::{Digest, Drift, External, Json, State, names};

use crate::backend::EventedBackend;
use crate::domain::Publishing;
use crate::error::Error;
use crate::exec::{Executor, Transaction};
use crate::model::{Cascade, EventLog, Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{Append, Appended, RecordRow, Removed, RowLock, append, row_of};
use crate::telemetry::{self, Drifted};
use crate::write::append_event::{EventContent, Head, empty_payload, next_event};
use crate::write::attempts::{self, Attempt};
use crate::write::drift::Resolved;
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::repeated::{self, Repeated};
use crate::write::{after_write, published, state_store, write_links};

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if let Some(first) = repeated::first_run(executor, record, options, Repeated::Delete).await? {
        return Ok(first);
    }
    let delete = Delete { record, options, cascade: &options.cascade() };
    // One statement usually suffices, without reading first. A model that refuses drift must read first, and so must a
    // log that chains its events.
    let reads_first = DB::LOCKS_FIRST
        || M::DRIFT == Drift::Refuse
        || M::Log::HASHED
        || !M::HAS_TABLE
        || M::HAS_CHILDREN
        || M::HAS_AFTER_WRITE
        || M::PUBLISHES;
    if !reads_first
        && options.links.is_empty()
        && let Some(done) = delete.from(executor, None).await.map_err(|error| error.of_write(true))?
    {
        return Ok(done);
    }
    attempts::run(executor, record, options, &delete).await
}

/// Deletes a record among others of one delete.
pub(crate) async fn among<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    cascade: &Cascade,
) -> Result<Recorded<M>, Error> {
    attempts::run(executor, record, options, &Delete { record, options, cascade }).await
}

struct Delete<'d, M: Model> {
    record: &'d Record<M>,
    options: &'d Options,
    /// The delete that this one is a part of.
    cascade: &'d Cascade,
}

impl<DB: EventedBackend, M: ModelOn<DB>> Attempt<DB, M> for Delete<'_, M> {
    fn takes_several_statements(&self) -> bool {
        !self.options.links.is_empty()
            || M::HAS_CHILDREN
            || M::HAS_AFTER_WRITE
            || published::takes_a_statement::<DB, M>(self.options)
    }

    fn runs_hook(&self) -> bool {
        // The children that an attempt deleted come back if the record stays.
        M::HAS_CHILDREN
    }

    fn command(&self) -> Repeated<'_, M> {
        Repeated::Delete
    }

    fn lock(&self) -> RowLock {
        RowLock::Delete
    }

    async fn attempt<E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: Resolved<M>,
    ) -> Result<Option<Recorded<M>>, Error> {
        self.from(executor, Some(from)).await
    }

    /// A row with a value that the log cannot represent can still be deleted. The log has no data to record then.
    async fn recover<E: Executor<DB>>(
        &self,
        executor: &mut E,
        error: Error,
    ) -> Result<Option<Recorded<M>>, Error> {
        if !matches!(error, Error::Unstorable { .. }) || M::DRIFT == Drift::Refuse {
            return Err(error);
        }
        let head = load::head(executor, self.record).await?;
        self.after(executor, head.as_ref().map(Head::from), None).await
    }
}

impl<M: Model> Delete<'_, M> {
    async fn from<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: Option<Resolved<M>>,
    ) -> Result<Option<Recorded<M>>, Error>
    where
        M: ModelOn<DB>,
    {
        match from {
            Some(from) => self.after(executor, Some(from.head), Some(from.state)).await,
            None => self.after(executor, None, None).await,
        }
    }

    /// Appends the event after the given head; without one, after the head that the statement finds.
    async fn after<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        head: Option<Head>,
        state: Option<State<M>>,
    ) -> Result<Option<Recorded<M>>, Error>
    where
        M: ModelOn<DB>,
    {
        let Self { record, options, cascade } = *self;
        if M::HAS_CHILDREN {
            let parents = std::slice::from_ref(&record.value);
            M::delete_children(executor, parents, &cascade.of::<M>(parents)).await?;
        }
        let cx = options.context::<M>();
        let (payload, meta) = (empty_payload(), record.meta(&options.meta)?);
        let given_id = options.event_id.is_some();
        let content =
            EventContent { action: names::DELETE, payload: &payload, state: &Digest::NOTHING, given_id };
        // A row that the log cannot represent is known when it is deleted.
        let before = state.as_ref().filter(|_| M::PUBLISHES).and_then(State::as_live).map(M::copy);
        let is_late = M::PUBLISHES && before.is_none();
        let publications = |before: Option<&M>| {
            let change = Publishing::new(names::DELETE, cx.actor.as_deref(), before, None);
            options.publications(&record.name(), &cx, &options.meta, &change)
        };
        let published = if is_late { Vec::new() } else { publications(before.as_ref())? };
        let event = next_event::<M>(
            &cx,
            &record.value,
            head.unwrap_or(Head { txid: None, ..Head::NONE }),
            content,
            meta.as_ref(),
        );
        let append = Append { published: &published, ..event };
        let expecting = head.map(|head| head.revision).or(options.expecting);
        let known = if M::HAS_CHILDREN { state.as_ref().and_then(State::as_live).map(M::copy) } else { None };
        let removed = state_store::delete(executor, &append, expecting, state).await;
        let Removed { appended, row, head } = removed.map_err(|error| record.failed(error))?;
        let (Some((offset, revision)), Some(mut row), Some(head)) = (appended, row, head) else {
            return match known {
                Some(row) => self.without_row(executor, row, &append).await,
                None => Ok(None),
            };
        };
        write_links::run(executor, record, cx.event_id, &options.links).await?;
        published::after(executor, &record.name(), &published, (&record.value, revision)).await?;
        row.normalize();
        if M::HAS_TABLE {
            match row.state_digest() {
                Ok(digest) if head.version == M::VERSION && digest != head.state => {
                    let head = Head { revision, hash: append.hash, txid: None };
                    record_lost(executor, record, &row, head, options).await?;
                }
                Ok(_) => {}
                Err(error) => telemetry::lost(M::SCHEMA, &record.value, error),
            }
        }
        if is_late {
            let published = publications(Some(&row))?;
            published::write(executor, &record.name(), &published, (&record.value, revision)).await?;
        }
        after_write::run(executor, Some(&row), None).await?;
        Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, offset }))
    }
}

impl<M: Model> Delete<'_, M> {
    /// Appends the event of a record whose row is gone already: it referred to one of its children, and the database
    /// deleted it with the child. `None` if the row is there.
    async fn without_row<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        known: M,
        event: &Append<'_>,
    ) -> Result<Option<Recorded<M>>, Error>
    where
        M: ModelOn<DB>,
    {
        let record = self.record;
        let row = record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(&record.value)).await?;
        if row.is_some() {
            return Ok(None);
        }
        let appended = record.first::<Appended, _, _>(executor, append(event)).await?;
        let Some(Appended { offset, revision }) = appended else { return Ok(None) };
        write_links::run(executor, record, event.event_id, &self.options.links).await?;
        published::after(executor, &record.name(), event.published, (&record.value, revision)).await?;
        after_write::run(executor, Some(&known), None).await?;
        Ok(Some(Recorded { record: known, event_id: event.event_id, revision, offset }))
    }
}

/// Records a change that the deleted row contained and the log did not know. To keep it, this appends an event with the
/// row's content and another one for the delete, after the row is gone.
async fn record_lost<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    row: &M,
    mut head: Head,
    options: &Options,
) -> Result<(), Error> {
    let external = External::between(None, Some(row)).map_err(|error| Error::field(record.name(), error))?;
    let columns = external.as_ref().map(External::columns).unwrap_or_default();
    telemetry::drift(Drifted::Adopted, M::SCHEMA, &record.value, &columns);
    let payload = Json::write(&external).map_err(|error| record.not_encoded(error))?;
    let state = record.digest(row)?;
    let again = empty_payload();
    let contents = [
        EventContent { action: names::EXTERNAL, payload: &payload, state: &state, given_id: false },
        EventContent { action: names::DELETE, payload: &again, state: &Digest::NOTHING, given_id: false },
    ];
    let transaction = Transaction::open(executor, &record.name()).await?;
    let mut result = Ok(());
    for content in contents {
        let cx = Options { event_id: None, ..options.clone() }.context::<M>();
        let event = next_event::<M>(&cx, &record.value, head, content, None);
        head = Head::after(&event);
        result = record.load::<Appended, _, _>(executor, append(&event)).await.map(drop);
        if result.is_err() {
            break;
        }
    }
    transaction.close(executor, &record.name(), result).await
}
