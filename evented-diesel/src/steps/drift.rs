//! Whether row and log agree, and what happens if they do not.

use evented_core::{Changeset, Digest, Drift, Evented, External, Fields, Json, State, names};

use super::command::{ATTEMPTS, Body, Head, Record, event};
use super::load;
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::model::Rows;
use crate::observe::{self, Drifted};
use crate::run::driver::Driver;
use crate::statement::{
    Appended, Current, Guard, RecordRow, Until, append, columns_to_write, current, insert_row, overwrite_row,
    remove_row, row_of,
};

/// A state that log and row agree on.
pub(crate) struct Settled<M> {
    pub(crate) state: State<M>,
    /// Where its history stands.
    pub(crate) head: Head,
    /// What must still hold when the row is written.
    pub(crate) guard: Guard,
    /// What the log's state overwrote in the row, field by field.
    pub(crate) overwrote: Option<Fields>,
}

/// Reads row and head, if the head vouches for the row: the one read of a write in peace.
///
/// `None` where anything is unusual, which [`settle`] then looks into.
pub(crate) async fn vouched<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
) -> Result<Option<Settled<M>>, Error> {
    let rows = driver.load::<Current<M>>(current::<DB, M>(&record.value)).await;
    let Some(found) = rows.map_err(|error| record.failed(error))?.into_iter().next() else { return Ok(None) };
    if found.head.version != M::VERSION || digest_of(record, &found.row)? != found.head.state {
        return Ok(None);
    }
    let guard = if DB::LOCKS_FIRST { Guard::Locked } else { Guard::RowVersion(found.version) };
    let head = Head::from(&found.head);
    Ok(Some(Settled { state: State::Live(found.row), head, guard, overwrote: None }))
}

/// From where a command goes on once the row is locked.
pub(crate) enum Start<M> {
    /// From this state.
    Settled(Settled<M>),
    /// It has been run before.
    Repeated(Recorded<M>),
}

/// [`settle`], unless the command has been run before: only under the lock is that certain, since another run of the
/// same command may have been on its way when it was asked first.
pub(crate) async fn start<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Start<M>, Error> {
    if options.event_id.is_some() {
        DB::lock::<M, D>(driver, &record.value).await.map_err(|error| record.failed(error))?;
        if let Some(first) = load::repeated(driver, record, options).await? {
            return Ok(Start::Repeated(first));
        }
    }
    settle(driver, record, options).await.map(Start::Settled)
}

/// Locks the row, finds the state of the record, and brings log and row to agree by the model's policy.
///
/// Within a transaction.
pub(crate) async fn settle<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Settled<M>, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(settled) = look(driver, record, options).await? {
            return Ok(settled);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

/// `None` if another writer came between the readings.
///
/// A row that is there is locked, and nobody comes between. One that is not there cannot be locked: another writer may
/// make it, or have made and removed it, while the log is read. That must not pass for drift.
async fn look<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Option<Settled<M>>, Error> {
    let held = DB::lock::<M, D>(driver, &record.value).await.map_err(|error| record.failed(error))?;
    if let Some(settled) = vouched(driver, record).await? {
        let guard = if held { Guard::Locked } else { settled.guard };
        return Ok(Some(Settled { guard, ..settled }));
    }
    let last = load::head(driver, record).await?;
    let rows = driver.load::<RecordRow<M>>(row_of::<DB, M>(&record.value)).await;
    let mut row = rows.map_err(|error| record.failed(error))?.into_iter().next().map(|row| row.0);
    if row.is_some() && !held {
        return Ok(None);
    }
    if let Some(row) = &mut row {
        row.normalize();
    }
    let head = last.as_ref().map_or(Head::NONE, Head::from);
    let log = match &last {
        Some(_) => {
            let replay = load::replay(driver, record, Until::default()).await?;
            // The same log before and after the row was read: it was like that meanwhile.
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
        return Ok(Some(Settled { state, head, guard: Guard::Locked, overwrote: None }));
    }
    match M::DRIFT {
        Drift::Adopt => adopt(driver, record, log.live(), row, head, options).await,
        Drift::Heal if last.is_some() => heal(driver, record, log, row, head).await.map(Some),
        Drift::Heal | Drift::Refuse => Err(refused(record, log.as_live(), row.as_ref(), head.revision)),
    }
}

fn agree<M: crate::model::Model>(
    record: &Record<M>,
    log: Option<&M>,
    row: Option<&M>,
) -> Result<bool, Error> {
    match (log, row) {
        (Some(log), Some(row)) => Ok(digest_of(record, log)? == digest_of(record, row)?),
        (None, None) => Ok(true),
        _ => Ok(false),
    }
}

/// The row wins: what nobody recorded becomes an event of its own. `None` if another writer's event came first.
async fn adopt<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    log: Option<M>,
    mut row: Option<M>,
    head: Head,
    options: &Options,
) -> Result<Option<Settled<M>>, Error> {
    let of = |error| Error::field(record.name(), error);
    let external = External::between(log.as_ref(), row.as_ref()).map_err(of)?.unwrap_or_default();
    observe::drift(Drifted::Adopted, M::SCHEMA, &record.value, &external.columns());
    let payload = Json::write(&external)
        .map_err(|source| Error::Form { record: record.name(), source: source.into() })?;
    let state = match &row {
        Some(row) => digest_of(record, row)?,
        None => Digest::NOTHING,
    };
    let cx = Options { event_id: None, at: options.at, ..Options::default() }.context::<M>();
    let body = Body { action: names::EXTERNAL, payload: &payload, state: &state };
    let external = event::<M>(&cx, &record.value, head, body, None);
    let head = Head::after(&external);
    let appended = driver.load::<Appended>(append(&external)).await.map_err(|error| record.failed(error))?;
    if appended.is_empty() {
        return Ok(None);
    }
    if let Some(row) = &mut row {
        row.set_revision(head.revision);
        write_revision(driver, record, row).await?;
    }
    let state = match row {
        Some(row) => State::Live(row),
        None => State::Deleted { at: cx.at, revision: head.revision },
    };
    Ok(Some(Settled { state, head, guard: Guard::Locked, overwrote: None }))
}

/// A table with a revision column says in every row which event it is at.
async fn write_revision<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    row: &M,
) -> Result<(), Error> {
    let columns = columns_to_write::<M>(Vec::new());
    if columns.is_empty() {
        return Ok(());
    }
    let statement = overwrite_row(&record.value, row, &columns);
    driver.load::<RecordRow<M>>(statement).await.map(drop).map_err(|error| record.failed(error))
}

/// The log wins: the row is written anew from it.
async fn heal<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    log: State<M>,
    row: Option<M>,
    head: Head,
) -> Result<Settled<M>, Error> {
    let of = |error| Error::field(record.name(), error);
    let overwrote = External::between(log.as_live(), row.as_ref()).map_err(of)?;
    let columns = overwrote.as_ref().map(External::columns).unwrap_or_default();
    observe::drift(Drifted::Healed, M::SCHEMA, &record.value, &columns);
    let overwrote = overwrote.and_then(|it| it.to);
    let state = match log {
        State::Live(mut healed) => {
            if let Some(row) = &row {
                healed.copy_external(row);
            }
            let all: Vec<usize> = (0..M::WRITTEN.len()).collect();
            let statement = match &row {
                Some(_) => overwrite_row(&record.value, &healed, &all),
                None => insert_row(&record.value, &healed),
            };
            driver.load::<RecordRow<M>>(statement).await.map_err(|error| record.failed(error))?;
            State::Live(healed)
        }
        gone => {
            let statement = remove_row::<DB, M>(&record.value);
            driver.load::<RecordRow<M>>(statement).await.map_err(|error| record.failed(error))?;
            gone
        }
    };
    Ok(Settled { state, head, guard: Guard::Locked, overwrote })
}

fn refused<M: crate::model::Model>(
    record: &Record<M>,
    log: Option<&M>,
    row: Option<&M>,
    revision: i64,
) -> Error {
    let columns: Vec<String> = match Changeset::between(log, row) {
        Ok(changes) => changes.iter().map(|change| change.field.to_owned()).collect(),
        Err(error) => vec![error.field.to_owned()],
    };
    observe::drift(Drifted::Refused, M::SCHEMA, &record.value, &columns);
    Error::Drift { record: record.name(), revision, columns }
}

pub(crate) fn digest_of<M: crate::model::Model>(record: &Record<M>, state: &M) -> Result<Digest, Error> {
    state.state_digest().map_err(|source| Error::Unstorable { record: record.name(), source })
}

impl<M: Evented> Settled<M> {
    /// The record, if it exists; otherwise the error that says why it does not.
    pub(crate) fn into_live(self, record: &Record<M>) -> Result<(M, Head, Guard, Option<Fields>), Error>
    where
        M: crate::model::Model,
    {
        match self.state {
            State::Live(live) => Ok((live, self.head, self.guard, self.overwrote)),
            State::Deleted { at, revision } => Err(Error::Deleted { record: record.name(), at, revision }),
            State::Unknown => Err(Error::NotFound { record: record.name() }),
        }
    }
}
