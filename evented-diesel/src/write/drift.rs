//! Compares row and log, and applies the model's drift policy if they differ.

use evented_core::{Changeset, Digest, Drift, External, FieldDigests, Fields, Json, State, names};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Transaction};
use crate::model::{EventLog as _, Model, ModelOn, Record};
use crate::read::load;
use crate::statements::{
    Append, Appended, Current, Guard, RecordRow, RowLock, Until, append, columns_to_write, current,
    insert_row, overwrite_row, remove_row, row_of,
};
use crate::telemetry::{self, Drifted};
use crate::write::append_event::{EventContent, Head, next_event};
use crate::write::attempts::ATTEMPTS;
use crate::write::options::Options;

/// A state on which log and row agree.
pub(crate) struct Resolved<M> {
    pub(crate) state: State<M>,
    /// The head of the record's history.
    pub(crate) head: Head,
    /// The condition that must still hold when the row is written.
    pub(crate) guard: Guard,
    /// The fields of the row that healing overwrote, with their values.
    pub(crate) overwrote: Option<Fields>,
}

/// The read of a record's row and head, whose statement has one text for each model.
struct CurrentRow;

/// Reads row and head, if the head's digest matches the row. In the usual case this is the only read of a write.
///
/// `None` in every other case; [`resolve`] then finds out more.
pub(crate) async fn read_verified<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
) -> Result<Option<Resolved<M>>, Error> {
    let statement = current::<DB, M>(&record.value);
    let found = if M::Log::SHARDS.is_empty() {
        record.first::<Current<M>, _, _>(executor, statement.fixed::<M, CurrentRow>()).await?
    } else {
        record.first::<Current<M>, _, _>(executor, statement).await?
    };
    match found {
        Some(found) => verified::<DB, M>(record, found),
        None => Ok(None),
    }
}

/// Returns a record that was read with its head, if the head's digest matches the row.
pub(crate) fn verified<DB: EventedBackend, M: Model>(
    record: &Record<M>,
    found: Current<M>,
) -> Result<Option<Resolved<M>>, Error> {
    record.check_row(&found.row)?;
    if found.head.version != M::VERSION || record.digest(&found.row)? != found.head.state {
        return Ok(None);
    }
    let guard = if DB::LOCKS_FIRST || M::IS_VIEW { Guard::Locked } else { Guard::RowVersion(found.version) };
    let head = Head::from(&found.head);
    Ok(Some(Resolved { state: State::Live(found.row), head, guard, overwrote: None }))
}

/// Locks the row, finds the state of the record, and makes log and row agree by the model's drift policy.
///
/// Must run within a transaction.
pub(crate) async fn resolve<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    lock: RowLock,
) -> Result<Resolved<M>, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(resolved) = resolve_once(executor, record, options, lock).await? {
            return Ok(resolved);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

/// Tries once to resolve the record; `None` if another writer wrote between the reads.
///
/// An existing row is locked, so no other writer can write between the reads. A row that does not exist cannot be
/// locked: another writer may insert it, or insert and delete it, while the log is read. That must not count as drift.
async fn resolve_once<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    lock: RowLock,
) -> Result<Option<Resolved<M>>, Error> {
    let held = DB::lock::<M, E>(executor, &record.value, lock).await.map_err(|error| record.failed(error))?;
    if let Some(resolved) = read_verified(executor, record).await? {
        if !held {
            is_lockable(executor, record, lock).await?;
        }
        let guard = if held { Guard::Locked } else { resolved.guard };
        return Ok(Some(Resolved { guard, ..resolved }));
    }
    let last = load::head(executor, record).await?;
    let row = record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(&record.value)).await?;
    let mut row = row.map(|row| row.0);
    if let Some(row) = &mut row {
        record.check_row(row)?;
        row.normalize();
        if !held {
            is_lockable(executor, record, lock).await?;
            return Ok(None);
        }
    }
    let head = last.as_ref().map_or(Head::NONE, Head::from);
    let log = match &last {
        Some(_) => {
            let replay = load::replay(executor, record, Until::default()).await?;
            // The log is the same before and after the row was read, so row and log were read at the same state.
            if replay.revision() != head.revision {
                return Ok(None);
            }
            replay.into_state()
        }
        None => State::Unknown,
    };
    if agree(record, log.as_live(), row.as_ref())? {
        let state = match (row, log) {
            (Some(row), _) => State::Live(row),
            (None, log) => log,
        };
        return Ok(Some(Resolved { state, head, guard: Guard::Locked, overwrote: None }));
    }
    if row.is_none() && DB::hides_rows::<M, E>(executor).await.map_err(|error| record.failed(error))? {
        return Err(Error::RowSecurity { record: record.name() });
    }
    match M::DRIFT {
        Drift::Adopt => adopt(executor, record, log.live(), row, head, options).await,
        Drift::Heal if last.is_some() => heal(executor, record, log, row, head).await.map(Some),
        _ => Err(refused(record, log.as_live(), row.as_ref(), head.revision)),
    }
}

/// Checks that a row which was read and not locked can be locked. It was inserted in between, or row level security lets
/// the user read it and not change it: then no attempt would succeed.
async fn is_lockable<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    lock: RowLock,
) -> Result<(), Error> {
    let failed = |error| record.failed(error);
    if DB::hides_rows::<M, E>(executor).await.map_err(failed)?
        && !DB::lock::<M, E>(executor, &record.value, lock).await.map_err(failed)?
    {
        return Err(Error::RowSecurity { record: record.name() });
    }
    Ok(())
}

fn agree<M: Model>(record: &Record<M>, log: Option<&M>, row: Option<&M>) -> Result<bool, Error> {
    match (log, row) {
        (Some(log), Some(row)) => Ok(record.digest(log)? == record.digest(row)?),
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}

/// The row wins: records the unrecorded change as an event. `None` if another writer's event came first.
async fn adopt<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    log: Option<M>,
    mut row: Option<M>,
    head: Head,
    options: &Options,
) -> Result<Option<Resolved<M>>, Error> {
    let no_json = |error| Error::field(record.name(), error);
    let external = External::between(log.as_ref(), row.as_ref()).map_err(no_json)?.unwrap_or_default();
    telemetry::drift(Drifted::Adopted, M::SCHEMA, &record.value, &external.columns());
    // First the fields: the error of a field names it.
    let state = match &row {
        Some(row) => record.digest(row)?,
        None => Digest::NOTHING,
    };
    let payload = Json::write(&external).map_err(|error| record.not_encoded(error))?;
    let cx = Options { event_id: None, at: options.at, ..Options::default() }.context::<M>();
    let content = EventContent { action: names::EXTERNAL, payload: &payload, state: &state, given_id: false };
    let external = next_event::<M>(&cx, &record.value, head, content, None);
    let head = Head::after(&external);
    // The event must not stay without the revision in the row, also if the caller goes on after an error.
    let name = record.name();
    let transaction = Transaction::around(executor, &name, true).await?;
    let appended = append_with_revision(executor, record, &external, row.as_mut()).await;
    if !transaction.close(executor, &name, appended).await? {
        return Ok(None);
    }
    let state = match row {
        Some(row) => State::Live(row),
        None => State::Deleted { at: cx.at, revision: head.revision },
    };
    Ok(Some(Resolved { state, head, guard: Guard::Locked, overwrote: None }))
}

/// Appends an event, and writes its revision into the row. `false` if another writer's event came first.
async fn append_with_revision<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    event: &Append<'_>,
    row: Option<&mut M>,
) -> Result<bool, Error> {
    if record.first::<Appended, _, _>(executor, append(event)).await?.is_none() {
        return Ok(false);
    }
    if let Some(row) = row {
        row.set_revision(event.revision);
        write_revision(executor, record, row).await?;
    }
    Ok(true)
}

/// Writes the new revision into the row, if the table has a revision column.
pub(crate) async fn write_revision<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    row: &M,
) -> Result<(), Error> {
    let columns = columns_to_write::<M>(Vec::new());
    if columns.is_empty() {
        return Ok(());
    }
    let statement = overwrite_row(&record.value, row, &columns);
    record.write::<RecordRow<M>, _, _>(executor, statement).await.map(drop)
}

/// The log wins: overwrites the row with the log's state.
async fn heal<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    log: State<M>,
    row: Option<M>,
    head: Head,
) -> Result<Resolved<M>, Error> {
    let no_json = |error| Error::field(record.name(), error);
    let overwrote = External::between(log.as_live(), row.as_ref()).map_err(no_json)?;
    let columns = overwrote.as_ref().map(External::columns).unwrap_or_default();
    telemetry::drift(Drifted::Healed, M::SCHEMA, &record.value, &columns);
    let overwrote = overwrote.and_then(|external| external.to);
    let state = match log {
        State::Live(mut healed) => {
            if let Some(row) = &row {
                healed.copy_generated(row);
            }
            let all: Vec<usize> = (0..M::WRITTEN.len()).collect();
            let statement = match &row {
                Some(_) => overwrite_row(&record.value, &healed, &all),
                None => insert_row(&record.value, &healed),
            };
            record.write::<RecordRow<M>, _, _>(executor, statement).await?;
            if row.is_none() {
                DB::continue_keys::<M, E>(executor).await.map_err(|error| record.failed(error))?;
            }
            State::Live(healed)
        }
        gone => {
            let statement = remove_row::<DB, M>(&record.value);
            record.write::<RecordRow<M>, _, _>(executor, statement).await?;
            gone
        }
    };
    Ok(Resolved { state, head, guard: Guard::Locked, overwrote })
}

fn refused<M: Model>(record: &Record<M>, log: Option<&M>, row: Option<&M>, revision: i64) -> Error {
    let columns: Vec<String> = match Changeset::between(log, row) {
        Ok(changes) => changes.iter().map(|change| change.field.to_owned()).collect(),
        Err(error) => vec![error.field.to_owned()],
    };
    telemetry::drift(Drifted::Refused, M::SCHEMA, &record.value, &columns);
    Error::Drift { record: record.name(), revision, columns }
}

impl<M: Model> Resolved<M> {
    /// Returns the record if it exists; otherwise the error that says why it does not.
    pub(crate) fn into_live(self, record: &Record<M>) -> Result<(M, Head, Guard, Option<Fields>), Error> {
        match self.state {
            State::Live(live) => Ok((live, self.head, self.guard, self.overwrote)),
            State::Deleted { at, revision } => Err(Error::Deleted { record: record.name(), at, revision }),
            State::Unknown => Err(Error::NotFound { record: record.name() }),
        }
    }
}

/// Returns the row that the database returned, after comparing it with what was written.
///
/// They differ if a trigger changed the row, if a column stores less than its type (a rounded number), or if other SQL
/// changed another column while the caller's revision made reading unnecessary. The model's drift policy then decides.
pub(crate) async fn reconcile<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    written: &FieldDigests,
    mut row: M,
) -> Result<M, Error> {
    row.normalize();
    let held = row.digests().map_err(|source| Error::Unstorable { record: record.name(), error: source })?;
    let differing = written.differing(&held);
    if differing.is_empty() {
        return Ok(row);
    }
    let columns: Vec<&str> = differing.iter().filter_map(|index| M::FIELDS.get(*index).copied()).collect();
    telemetry::drift(Drifted::AfterWrite, M::SCHEMA, &record.value, &columns);
    let name = record.name();
    let transaction = Transaction::open(executor, &name).await?;
    let resolved = resolve(executor, record, &Options::default(), RowLock::Change).await;
    let resolved = transaction.close(executor, &name, resolved).await?;
    resolved.into_live(record).map(|(row, ..)| row)
}
