//! Creates a record.

use evented_core::{Context, Create, Decision, Evented, ExactKey, KeySource, State, decide_create};
use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::domain::Publishing;
use crate::error::{Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::statements::{Append, EventOf, RowLock, event_by_id};
use crate::write::append_event::{EventContent, Head, next_event};
use crate::write::attempts::ATTEMPTS;
use crate::write::before_append::Before;
use crate::write::change::takes_several_statements;
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::repeated::{self, Repeated};
use crate::write::{after_write, before_append, drift, published, row_first, state_store, write_links};

pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    new: &M::New,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    let unnamed = Subject::Model(M::SCHEMA);
    if let Some(expected) = options.expecting.filter(|expected| *expected != 0) {
        return Err(Error::Conflict { record: unnamed, expected, found: 0 });
    }
    match options.event_id {
        Some(event_id) if M::KEY_SOURCE == KeySource::Database && new.key().is_none() => {
            let transaction = Transaction::open(executor, &unnamed).await?;
            let result = once(executor, new, options, event_id, &unnamed).await;
            transaction.close(executor, &unnamed, result).await
        }
        _ => make(executor, new, options, unnamed).await,
    }
}

/// Creates a record whose key the database generates, unless its event exists already.
///
/// The database would give two runs of one command two different keys, so their events would not conflict in the log.
/// The runs therefore wait for each other, and the second one checks what the first one did.
async fn once<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    new: &M::New,
    options: &Options,
    event_id: Uuid,
    unnamed: &Subject,
) -> Result<Recorded<M>, Error> {
    let failed = |error| Error::database(unnamed.clone(), error);
    // There is no row to lock yet. The lower half of a UUID v7 is random; a collision only costs a short wait.
    let (_, random) = event_id.as_u64_pair();
    DB::lock_number::<M, E>(executor, random.cast_signed()).await.map_err(failed)?;
    let statement = event_by_id(M::whole_log(), event_id, None);
    let found: Vec<EventOf<M>> = executor.load(statement).await.map_err(table_failed::<M>)?;
    match found.into_iter().next() {
        Some(row) => {
            let record = Record::of_stored(row.record)?;
            repeated::is_of::<M>(&record, &row.event, Repeated::Insert(new))?;
            repeated::result_of(executor, &record, &row.event).await
        }
        None => make(executor, new, options, unnamed.clone()).await,
    }
}

/// A record to create.
pub(crate) struct NewRecord<M: Evented> {
    /// The record. Its key is a placeholder until the database makes it.
    pub(crate) record: Record<M>,
    /// The name for errors: without the key if the database makes it.
    pub(crate) name: Subject,
    /// Whether the database makes the key when it inserts the row.
    pub(crate) makes_key: bool,
    /// Whether the key was generated just now, so that no event or row of the record can exist.
    pub(crate) fresh: bool,
}

impl<M: Model> NewRecord<M> {
    /// Finds the key: the caller's, or one made of the event's id, or a placeholder until the database makes it.
    pub(crate) fn new(
        new: &M::New,
        options: &Options,
        cx: &Context,
        unnamed: &Subject,
    ) -> Result<Self, Error> {
        let given = new.key();
        let makes_key = M::KEY_SOURCE == KeySource::Database && given.is_none();
        let fresh = M::KEY_SOURCE == KeySource::Library && given.is_none() && options.event_id.is_none();
        let key = given.or_else(|| M::make_key(cx.event_id)).ok_or_else(|| Error::Encode {
            record: unnamed.clone(),
            error: "its key is given by the caller, and `Create::key` gave none".into(),
        })?;
        let record = Record::<M>::new(key);
        if matches!(record.value.exact(), ExactKey::Text(text) if text.contains('\0')) {
            let error = "its key contains the character NUL, which PostgreSQL cannot store".into();
            return Err(Error::Encode { record: unnamed.clone(), error });
        }
        let name = if makes_key { unnamed.clone() } else { record.name() };
        Ok(Self { record, name, makes_key, fresh })
    }
}

async fn make<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    new: &M::New,
    options: &Options,
    unnamed: Subject,
) -> Result<Recorded<M>, Error> {
    let mut head = Head::NONE;
    for _ in 0..ATTEMPTS {
        let cx = options.context::<M>();
        let it = NewRecord::<M>::new(new, options, &cx, &unnamed)?;
        let decision = decide_create::<M>(new, it.record.key.clone(), &cx)
            .map_err(|reason| Error::undecided(it.name.clone(), reason))?;
        // The hook must not run again for a repeated command. Without a hook the insert itself detects the repetition,
        // so no check is needed.
        if M::HAS_BEFORE_APPEND
            && !it.makes_key
            && let Some(first) =
                repeated::first_run(executor, &it.record, options, Repeated::Insert(new)).await?
        {
            return Ok(first);
        }
        let left = if M::HAS_TABLE { new.left_to_database() } else { Vec::new() };
        let done = if left.is_empty() {
            write(executor, &it, decision, head, options, cx).await?
        } else {
            row_first::write(executor, &it, (decision, &left), head, options, cx).await?
        };
        if let Some(done) = done {
            return Ok(done);
        }
        if it.makes_key {
            let reason =
                "the id of its event is that of an event of another model in this log; give it another id";
            return Err(Error::Encode { record: it.name, error: reason.into() });
        }
        match existing(executor, &it.record, options, new).await? {
            Existing::Repeated(first) => return Ok(first),
            Existing::Ended(last) => head = last,
        }
    }
    Err(Error::Contended { record: unnamed, attempts: ATTEMPTS })
}

/// Writes the event, the row and the links; `None` if the record or the event existed before.
async fn write<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    it: &NewRecord<M>,
    decision: Decision<M>,
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    if takes_several_statements::<DB, M>(options) || (it.makes_key && M::PUBLISHES) {
        let transaction = Transaction::around(executor, &it.name, true).await?;
        let result = append(executor, it, decision, head, options, cx).await;
        transaction.close_attempt(executor, &it.name, result, M::RUNS_HOOK).await
    } else if DB::LOCKS_FIRST {
        let transaction = Transaction::join(executor, &it.name).await?;
        let result = append(executor, it, decision, head, options, cx).await;
        transaction.close(executor, &it.name, result).await
    } else {
        let done = append(executor, it, decision, head, options, cx).await;
        done.map_err(|error| error.of_write(true))
    }
}

async fn append<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    it: &NewRecord<M>,
    decision: Decision<M>,
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    let before = if it.makes_key { Before::Unmade } else { Before::Nothing };
    let pending =
        before_append::run(executor, &it.record, before, decision, options.meta.clone(), cx, options).await?;
    let meta = pending.meta.to_json().map_err(|error| Error::encode(it.name.clone(), error))?;
    let (cx, mut decision) = (pending.cx, pending.decision);
    let state = decision.digests.state(M::DIGEST_ORDER);
    let given_id = options.event_id.is_some();
    let content =
        EventContent { action: decision.action, payload: &decision.payload, state: &state, given_id };
    let event = next_event::<M>(&cx, &it.record.value, head, content, meta.as_ref());
    decision.after.set_revision(event.revision);
    // The key that the database makes is not known yet.
    let is_late = it.makes_key && M::PUBLISHES;
    let change = Publishing::new(decision.action, cx.actor.as_deref(), None, Some(&decision.after));
    let published =
        if is_late { Vec::new() } else { options.publications(&it.name, &cx, &pending.meta, &change)? };
    let (makes_key, fresh) = (it.makes_key, it.fresh);
    let append = Append { placed: options.placed, makes_key, fresh, published: &published, ..event };
    let inserted = state_store::insert(executor, &append, &decision.after).await;
    let inserted = inserted.map_err(|error| Error::database(it.name.clone(), error))?;
    let Some((offset, revision, row)) = inserted.written else { return Ok(None) };
    let record = Record::<M>::new(row.key());
    let mut row = row;
    if revision != append.revision && row.revision().is_some() {
        // The database reused a key, and the record continues the revisions of the old one.
        row.set_revision(revision);
        drift::write_revision(executor, &record, &row).await?;
    }
    write_links::run(executor, &record, cx.event_id, &pending.links).await?;
    published::after(executor, &record.name(), &published, (&record.value, revision)).await?;
    let row = state_store::reconcile(executor, &record, &decision.digests, row).await?;
    if is_late {
        let change = Publishing::new(decision.action, cx.actor.as_deref(), None, Some(&row));
        let published = options.publications(&record.name(), &cx, &pending.meta, &change)?;
        published::write(executor, &record.name(), &published, (&record.value, revision)).await?;
    }
    after_write::run(executor, None, Some(&row)).await?;
    Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, offset }))
}

/// The reason why a record could not be created.
enum Existing<M> {
    /// An earlier run of this command created it.
    Repeated(Recorded<M>),
    /// The record existed before. Its history ends at this head.
    Ended(Head),
}

async fn existing<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    new: &M::New,
) -> Result<Existing<M>, Error> {
    if let Some(first) = repeated::first_run(executor, record, options, Repeated::Insert(new)).await? {
        return Ok(Existing::Repeated(first));
    }
    let transaction = Transaction::open(executor, &record.name()).await?;
    let result = state_store::resolve(executor, record, options, RowLock::Change).await;
    match transaction.close(executor, &record.name(), result).await {
        Ok(resolved) => match resolved.state {
            State::Live(_) => Err(Error::Exists { record: record.name(), revision: resolved.head.revision }),
            State::Deleted { .. } | State::Unknown => Ok(Existing::Ended(resolved.head)),
        },
        Err(error) => Err(error),
    }
}
