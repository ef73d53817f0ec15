//! Removing a record.

use evented_core::{Digest, Drift, External, Json, State, names};

use super::command::{ATTEMPTS, Body, Head, Record, empty_payload, event};
use super::drift::{self, Start};
use super::transaction::Transaction;
use super::{links, load, log_only};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::log::EventLog;
use crate::model::Rows;
use crate::observe::{self, Drifted};
use crate::run::driver::Driver;
use crate::statement::{Appended, Removed, append};

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if !M::HAS_TABLE {
        return log_only::remove(driver, record, options).await;
    }
    let name = record.name();
    // In peace one statement does it without reading first. A model that refuses drift must look before, and so must who
    // chains the event to the one before it.
    let linked = !options.links.is_empty();
    let in_peace = !DB::LOCKS_FIRST && M::DRIFT != Drift::Refuse && !M::Log::HASHED && !linked;
    if in_peace && let Some(done) = attempt(driver, record, None, options).await? {
        return Ok(done);
    }
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::around(driver, &name, linked).await?;
        let result = match drift::start(driver, record, options).await {
            Ok(Start::Repeated(first)) => Ok(Some(first)),
            Ok(Start::Settled(settled)) => match &settled.state {
                State::Live(_) => {
                    if let Err(conflict) = options.check_expected(record, settled.head.revision) {
                        // As with a change: what was adopted just now stays so.
                        transaction.close(driver, &name, Ok(())).await?;
                        return Err(conflict);
                    }
                    attempt(driver, record, Some(settled.head), options).await
                }
                _ => {
                    let kept = transaction.close(driver, &name, Ok(settled)).await?;
                    return Err(kept.into_live(record).err().unwrap_or(Error::NotFound { record: name }));
                }
            },
            // What the row holds cannot be said in the log. That is a reason to write no more on it, and none to keep it.
            Err(Error::Unstorable { .. }) if M::DRIFT != Drift::Refuse => {
                match load::head(driver, record).await {
                    Ok(head) => attempt(driver, record, head.as_ref().map(Head::from), options).await,
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        };
        if let Some(done) = transaction.close(driver, &name, result).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: name, attempts: ATTEMPTS })
}

/// Appends after the head, if that is known, and else after the one that the statement finds.
async fn attempt<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    head: Option<Head>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let cx = options.context::<M>();
    let (payload, meta) = (empty_payload(), options.meta.to_json());
    let body = Body { action: names::DELETE, payload: &payload, state: &Digest::NOTHING };
    let append = event::<M>(&cx, &record.value, head.unwrap_or(Head::NONE), body, meta.as_ref());
    let expecting = head.map(|head| head.revision).or(options.expecting);
    let removed = DB::delete::<M, D>(driver, &append, expecting).await;
    let Removed { appended, row, head } = removed.map_err(|error| record.failed(error))?;
    let (Some(((txid, position), revision)), Some(mut row), Some(head)) = (appended, row, head) else {
        return Ok(None);
    };
    links::write(driver, record, cx.event_id, &options.links).await?;
    row.normalize();
    match row.state_digest() {
        Ok(digest) if head.version == M::VERSION && digest != head.state => {
            record_lost(driver, record, &row, Head { revision, hash: append.hash }, options).await?;
        }
        Ok(_) => {}
        Err(error) => observe::lost(M::SCHEMA, &record.value, error),
    }
    Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, position, txid }))
}

/// The removed row held something the log did not know. So that nothing is lost, the log says after the fact what it
/// was, and that it is gone.
async fn record_lost<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    row: &M,
    mut head: Head,
    options: &Options,
) -> Result<(), Error> {
    let external = External::between(None, Some(row)).map_err(|error| Error::field(record.name(), error))?;
    let columns = external.as_ref().map(External::columns).unwrap_or_default();
    observe::drift(Drifted::Adopted, M::SCHEMA, &record.value, &columns);
    let payload = Json::write(&external)
        .map_err(|source| Error::Form { record: record.name(), source: source.into() })?;
    let state = drift::digest_of(record, row)?;
    let again = empty_payload();
    let bodies = [
        Body { action: names::EXTERNAL, payload: &payload, state: &state },
        Body { action: names::DELETE, payload: &again, state: &Digest::NOTHING },
    ];
    let transaction = Transaction::open(driver, &record.name()).await?;
    let mut result = Ok(());
    for body in bodies {
        let cx = Options { event_id: None, ..options.clone() }.context::<M>();
        let event = event::<M>(&cx, &record.value, head, body, None);
        head = Head::after(&event);
        result =
            driver.load::<Appended>(append(&event)).await.map(drop).map_err(|error| record.failed(error));
        if result.is_err() {
            break;
        }
    }
    transaction.close(driver, &record.name(), result).await
}
