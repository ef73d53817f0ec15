//! Making a record.

use evented_core::{Create, Draft, Evented, KeyKind, KeyValue, State, decide_create};
use uuid::Uuid;

use super::change::reconcile;
use super::command::{ATTEMPTS, Body, Record, event};
use super::transaction::Transaction;
use super::{drift, load};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::{Error, RecordName};
use crate::model::Rows;
use crate::run::driver::Driver;
use crate::statement::{Append, EventOf, Inserted, event_by_id};

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    new: &M::New,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    let unnamed = RecordName { schema: M::SCHEMA, key: None };
    if let Some(expected) = options.expecting.filter(|expected| *expected != 0) {
        return Err(Error::Conflict { record: unnamed, expected, found: 0 });
    }
    match options.event_id {
        Some(event_id) if M::KEY.by_database() => {
            let transaction = Transaction::open(driver, &unnamed).await?;
            let result = once(driver, new, options, event_id, &unnamed).await;
            transaction.close(driver, &unnamed, result).await
        }
        _ => make(driver, new, options, unnamed).await,
    }
}

/// Makes a record whose key the database makes, unless its event is there already.
///
/// Two runs of one command would be given two keys, and their events would not meet in the log: they wait for each
/// other, and the second looks what the first has done.
async fn once<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    new: &M::New,
    options: &Options,
    event_id: Uuid,
    unnamed: &RecordName,
) -> Result<Recorded<M>, Error> {
    let failed = |error| Error::database(unnamed.clone(), error);
    DB::lock_event::<M, D>(driver, event_id).await.map_err(failed)?;
    let first = driver.load::<EventOf<M>>(event_by_id(M::LOG, event_id, None)).await.map_err(failed)?;
    match first.into_iter().next() {
        Some(row) => {
            let record = Record::new(key_of::<M>(row.record, unnamed)?);
            load::first_result(driver, &record, &row.event).await
        }
        None => make(driver, new, options, unnamed.clone()).await,
    }
}

async fn make<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    new: &M::New,
    options: &Options,
    unnamed: RecordName,
) -> Result<Recorded<M>, Error> {
    let mut revision = 1;
    for _ in 0..ATTEMPTS {
        let cx = options.context::<M>();
        let key = match M::KEY {
            KeyKind::Uuid => key_of::<M>(KeyValue::Uuid(cx.event_id), &unnamed)?,
            KeyKind::Int => key_of::<M>(KeyValue::Int(0), &unnamed)?,
            KeyKind::BigInt => key_of::<M>(KeyValue::BigInt(0), &unnamed)?,
            KeyKind::Text => new.key().ok_or_else(|| Error::Form {
                record: unnamed.clone(),
                source: "its key is given by the caller, and `Create::key` gave none".into(),
            })?,
        };
        let named = if M::KEY.by_database() { None } else { Some(M::key_value(&key)) };
        let name = RecordName { schema: M::SCHEMA, key: named };
        let mut draft = decide_create::<M>(new, key.clone(), &cx)
            .map_err(|reason| Error::undecided(name.clone(), reason))?;
        draft.after.set_revision(revision);
        let record = Record::new(key);
        let inserted = write(driver, &record, &name, &draft, revision, options, &cx).await?;
        if let Some((position, revision, row)) = inserted.written {
            return finish(driver, &draft, row, position, revision).await;
        }
        match existing(driver, &record, options).await? {
            Existing::Repeated(first) => return Ok(first),
            Existing::Ended(last) => revision = last.saturating_add(1),
        }
    }
    Err(Error::Contended { record: unnamed, attempts: ATTEMPTS })
}

async fn write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    name: &RecordName,
    draft: &Draft<M>,
    revision: i64,
    options: &Options,
    cx: &evented_core::Context,
) -> Result<Inserted<M>, Error> {
    let state = draft.digests.state(M::DIGEST_ORDER);
    let meta = options.meta.to_json();
    let body = Body { action: draft.action, payload: &draft.payload, state: &state };
    // A UUID made just now names nothing yet.
    let fresh = M::KEY == KeyKind::Uuid && options.event_id.is_none();
    let event = event::<M>(cx, &record.value, revision, body, meta.as_ref());
    let append = Append { placed: options.placed, fresh, ..event };
    if DB::LOCKS_FIRST {
        let transaction = Transaction::join(driver, name).await?;
        let result = DB::insert(driver, &append, &draft.after).await;
        let result = result.map_err(|error| Error::database(name.clone(), error));
        transaction.close(driver, name, result).await
    } else {
        let result = DB::insert(driver, &append, &draft.after).await;
        result.map_err(|error| Error::database(name.clone(), error))
    }
}

async fn finish<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    draft: &Draft<M>,
    row: M,
    position: i64,
    revision: i64,
) -> Result<Recorded<M>, Error> {
    let record = Record::<M>::new(row.key().clone());
    let row = reconcile(driver, &record, &draft.digests, row).await?;
    Ok(Recorded { record: row, event_id: draft.event_id, revision, position })
}

/// Why a record could not be made.
enum Existing<M> {
    /// This very command made it.
    Repeated(Recorded<M>),
    /// It was there once; its history ends with this revision.
    Ended(i64),
}

async fn existing<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Existing<M>, Error> {
    if let Some(first) = load::repeated(driver, record, options).await? {
        return Ok(Existing::Repeated(first));
    }
    let transaction = Transaction::open(driver, &record.name()).await?;
    let result = drift::settle::<DB, M, D>(driver, record, options).await;
    match transaction.close(driver, &record.name(), result).await {
        Ok(settled) => match settled.state {
            State::Live(_) => Err(Error::Exists { record: record.name(), revision: settled.revision }),
            State::Deleted { revision, .. } => Ok(Existing::Ended(revision)),
            State::Unknown => Ok(Existing::Ended(0)),
        },
        Err(error) => Err(error),
    }
}

fn key_of<M: Evented>(value: KeyValue, name: &RecordName) -> Result<M::Key, Error> {
    let wrong = || Error::Form { record: name.clone(), source: "the log's key is of another kind".into() };
    M::key_from(value).ok_or_else(wrong)
}
