//! Models without a table: their state is in the log alone, and each write begins with a replay.

use std::collections::BTreeSet;

use evented_core::{AnyAction, Digest, Json, KeyValue, State, decide_change, names};

use super::change::takes_several_statements;
use super::command::{ATTEMPTS, Body, Head, Record, empty_payload, event};
use super::drift::{self, Settled};
use super::transaction::Transaction;
use super::{links, load, prepare, savepoint};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::log::stable_hash;
use crate::model::{Model, Rows};
use crate::run::driver::Driver;
use crate::statement::{Append, Appended, Guard, Inserted, Until, append};

/// The first event of a record.
pub(crate) async fn insert<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    event: &Append<'_>,
    state: &M,
) -> diesel::QueryResult<Inserted<M>> {
    let appended = driver.load::<Appended>(append(event)).await?;
    let written = appended.into_iter().next().map(|done| (done.spot, done.revision, state.clone()));
    Ok(Inserted { written })
}

/// The state of a record, and where its history stands.
pub(crate) async fn settle<DB: Dialect, M: Model, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
) -> Result<Settled<M>, Error> {
    for _ in 0..ATTEMPTS {
        let replay = load::replay(driver, record, Until::default()).await?;
        let head = load::head(driver, record).await?.as_ref().map_or(Head::NONE, Head::from);
        if replay.revision() == head.revision {
            return Ok(Settled { state: replay.into_state(), head, guard: Guard::Locked, overwrote: None });
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

pub(crate) async fn change<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    for _ in 0..ATTEMPTS {
        let several = takes_several_statements::<M>(options);
        let transaction = Transaction::around(driver, &record.name(), several).await?;
        let result = match start(driver, record, options).await {
            Ok(Start::Repeated(first)) => Ok(Some(first)),
            Ok(Start::Settled(settled)) => change_from(driver, record, settled, action, options).await,
            Err(error) => Err(error),
        };
        if let Some(done) = transaction.close_try(driver, &record.name(), result, M::PREPARES).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

async fn change_from<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    settled: Settled<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let settled = savepoint::before_write(driver, record, settled, options).await?;
    let (before, head, ..) = settled.into_live(record)?;
    let cx = options.context::<M>();
    let decision =
        decide_change(&before, action, &cx).map_err(|reason| Error::undecided(record.name(), reason))?;
    let prepared =
        prepare::run(driver, record, Some(&before), decision, options.meta.clone(), cx, options).await?;
    let (cx, mut decision, meta) = (prepared.cx, prepared.decision, prepared.meta.to_json());
    let state = decision.digests.state(M::DIGEST_ORDER);
    let body = Body { action: decision.action, payload: &decision.payload, state: &state };
    let event = event::<M>(&cx, &record.value, head, body, meta.as_ref());
    decision.after.set_revision(event.revision);
    let done = write(driver, record, &event, decision.after).await?;
    if done.is_some() {
        links::write(driver, record, cx.event_id, &prepared.links).await?;
    }
    Ok(done)
}

pub(crate) async fn remove<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    let payload = empty_payload();
    let body = |_: &M| Ok((payload.clone(), Digest::NOTHING));
    end(driver, record, options, names::DELETE, body).await
}

pub(crate) async fn savepoint<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    let body = |state: &M| Ok((savepoint::payload(record, state)?, drift::digest_of(record, state)?));
    end(driver, record, options, names::SAVEPOINT, body).await
}

/// An event that leaves the state as it is, or leaves none.
async fn end<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
    action: &'static str,
    body: impl Fn(&M) -> Result<(Json, Digest), Error> + Send + Sync,
) -> Result<Recorded<M>, Error> {
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::around(driver, &record.name(), !options.links.is_empty()).await?;
        let result = match start(driver, record, options).await {
            Ok(Start::Repeated(first)) => Ok(Some(first)),
            Ok(Start::Settled(settled)) => end_from(driver, record, settled, options, action, &body).await,
            Err(error) => Err(error),
        };
        if let Some(done) = transaction.close(driver, &record.name(), result).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

async fn end_from<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    settled: Settled<M>,
    options: &Options,
    action: &'static str,
    body: &(impl Fn(&M) -> Result<(Json, Digest), Error> + Send + Sync),
) -> Result<Option<Recorded<M>>, Error> {
    let (mut state, head, ..) = settled.into_live(record)?;
    let (payload, digest) = body(&state)?;
    let (cx, meta) = (options.context::<M>(), options.meta.to_json());
    let body = Body { action, payload: &payload, state: &digest };
    let event = event::<M>(&cx, &record.value, head, body, meta.as_ref());
    if action == names::SAVEPOINT {
        state.set_revision(event.revision);
    }
    let done = write(driver, record, &event, state).await?;
    if done.is_some() {
        links::write(driver, record, cx.event_id, &options.links).await?;
    }
    Ok(done)
}

/// Keeps other writers from records until the end of the transaction. There is no row to lock: they wait for each other
/// on the records' names, in one order, so that two batches do not wait for each other.
pub(crate) async fn lock<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    records: &[KeyValue],
) -> diesel::QueryResult<()> {
    let number = |record| stable_hash(format!("{} {record}", M::SCHEMA).as_bytes()).cast_signed();
    let names: BTreeSet<i64> = records.iter().map(number).collect();
    for name in names {
        DB::lock_number::<M, D>(driver, name).await?;
    }
    Ok(())
}

enum Start<M> {
    Settled(Settled<M>),
    Repeated(Recorded<M>),
}

async fn start<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Start<M>, Error> {
    let locked = lock::<DB, M, D>(driver, std::slice::from_ref(&record.value)).await;
    locked.map_err(|error| record.failed(error))?;
    if let Some(first) = load::repeated(driver, record, options).await? {
        return Ok(Start::Repeated(first));
    }
    let settled = settle(driver, record).await?;
    if matches!(settled.state, State::Live(_)) {
        options.check_expected(record, settled.head.revision)?;
    }
    Ok(Start::Settled(settled))
}

async fn write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    event: &Append<'_>,
    state: M,
) -> Result<Option<Recorded<M>>, Error> {
    let appended = driver.load::<Appended>(append(event)).await.map_err(|error| record.failed(error))?;
    Ok(appended.into_iter().next().map(|done| Recorded {
        record: state,
        event_id: event.event_id,
        revision: done.revision,
        position: done.spot.1,
        txid: done.spot.0,
    }))
}
