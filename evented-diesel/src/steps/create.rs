//! Making a record.

use evented_core::{Context, Create, Decision, Evented, KeyKind, KeyValue, State, decide_create};
use uuid::Uuid;

use super::change::{reconcile, takes_several_statements};
use super::command::{ATTEMPTS, Body, Head, Record, event};
use super::transaction::Transaction;
use super::{drift, links, load, log_only, prepare};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::{Error, RecordName};
use crate::model::Rows;
use crate::run::driver::Driver;
use crate::statement::{Append, EventOf, event_by_id};

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
    // There is no row to lock yet. The lower half of a UUID v7 is random; a chance hit costs a moment's wait.
    let (_, random) = event_id.as_u64_pair();
    DB::lock_number::<M, D>(driver, random.cast_signed()).await.map_err(failed)?;
    let first = driver.load::<EventOf<M>>(event_by_id(M::places(), event_id, None)).await.map_err(failed)?;
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
    let mut head = Head::NONE;
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
        let decision = decide_create::<M>(new, key.clone(), &cx)
            .map_err(|reason| Error::undecided(name.clone(), reason))?;
        let record = Record::new(key);
        // A hook is not run for what was done before. Otherwise the log itself tells, and nobody need ask.
        if M::PREPARES
            && !M::KEY.by_database()
            && let Some(first) = load::repeated(driver, &record, options).await?
        {
            return Ok(first);
        }
        if let Some(done) = write(driver, &record, &name, decision, head, options, cx).await? {
            return Ok(done);
        }
        match existing(driver, &record, options).await? {
            Existing::Repeated(first) => return Ok(first),
            Existing::Ended(last) => head = last,
        }
    }
    Err(Error::Contended { record: unnamed, attempts: ATTEMPTS })
}

/// Writes the event, the row and the links. `None` if the record or the event was there before.
async fn write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    name: &RecordName,
    decision: Decision<M>,
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    if takes_several_statements::<M>(options) {
        let transaction = Transaction::around(driver, name, true).await?;
        let result = append(driver, record, name, decision, head, options, cx).await;
        transaction.close_try(driver, name, result, M::PREPARES).await
    } else if DB::LOCKS_FIRST {
        let transaction = Transaction::join(driver, name).await?;
        let result = append(driver, record, name, decision, head, options, cx).await;
        transaction.close(driver, name, result).await
    } else {
        append(driver, record, name, decision, head, options, cx).await
    }
}

async fn append<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    name: &RecordName,
    decision: Decision<M>,
    head: Head,
    options: &Options,
    cx: Context,
) -> Result<Option<Recorded<M>>, Error> {
    let prepared = prepare::run(driver, record, None, decision, options.meta.clone(), cx, options).await?;
    let (cx, mut decision, meta) = (prepared.cx, prepared.decision, prepared.meta.to_json());
    let state = decision.digests.state(M::DIGEST_ORDER);
    let body = Body { action: decision.action, payload: &decision.payload, state: &state };
    // A UUID made just now names nothing yet.
    let fresh = M::KEY == KeyKind::Uuid && options.event_id.is_none();
    let event = event::<M>(&cx, &record.value, head, body, meta.as_ref());
    let append = Append { placed: options.placed, fresh, ..event };
    decision.after.set_revision(append.revision);
    let inserted = if M::HAS_TABLE {
        DB::insert(driver, &append, &decision.after).await
    } else {
        log_only::insert(driver, &append, &decision.after).await
    };
    let inserted = inserted.map_err(|error| Error::database(name.clone(), error))?;
    let Some(((txid, position), revision, row)) = inserted.written else { return Ok(None) };
    let record = Record::<M>::new(row.key().clone());
    links::write(driver, &record, cx.event_id, &prepared.links).await?;
    let row = if M::HAS_TABLE { reconcile(driver, &record, &decision.digests, row).await? } else { row };
    Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, position, txid }))
}

/// Why a record could not be made.
enum Existing<M> {
    /// This very command made it.
    Repeated(Recorded<M>),
    /// It was there once; its history ends here.
    Ended(Head),
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
    let result = if M::HAS_TABLE {
        drift::settle::<DB, M, D>(driver, record, options).await
    } else {
        log_only::settle(driver, record).await
    };
    match transaction.close(driver, &record.name(), result).await {
        Ok(settled) => match settled.state {
            State::Live(_) => Err(Error::Exists { record: record.name(), revision: settled.head.revision }),
            State::Deleted { .. } | State::Unknown => Ok(Existing::Ended(settled.head)),
        },
        Err(error) => Err(error),
    }
}

fn key_of<M: Evented>(value: KeyValue, name: &RecordName) -> Result<M::Key, Error> {
    let wrong = || Error::Form { record: name.clone(), source: "the log's key is of another kind".into() };
    M::key_from(value).ok_or_else(wrong)
}
