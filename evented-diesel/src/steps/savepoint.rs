//! Writing a record's whole state into its log.

use evented_core::{Json, State, names};

use super::command::{ATTEMPTS, Body, Head, Record, event};
use super::drift::{self, Settled, Start};
use super::transaction::Transaction;
use super::{links, log_only};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::model::{Model, Rows};
use crate::observe;
use crate::run::driver::Driver;
use crate::statement::{Appended, Guard, append, columns_to_write};

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if !M::HAS_TABLE {
        return log_only::savepoint(driver, record, options).await;
    }
    let name = record.name();
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::around(driver, &name, !options.links.is_empty()).await?;
        let result = match drift::start(driver, record, options).await {
            Ok(Start::Repeated(first)) => Ok(Some(first)),
            Ok(Start::Settled(settled)) if matches!(settled.state, State::Live(_)) => {
                if let Err(conflict) = options.check_expected(record, settled.head.revision) {
                    // As with a change: what was adopted just now stays so.
                    transaction.close(driver, &name, Ok(())).await?;
                    return Err(conflict);
                }
                attempt(driver, record, settled, options).await
            }
            // As with a change: what was found out about the missing record is kept.
            Ok(Start::Settled(settled)) => {
                let kept = transaction.close(driver, &name, Ok(settled)).await?;
                return Err(kept.into_live(record).err().unwrap_or(Error::NotFound { record: name }));
            }
            Err(error) => Err(error),
        };
        if let Some(done) = transaction.close(driver, &name, result).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: name, attempts: ATTEMPTS })
}

async fn attempt<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    settled: Settled<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let (mut state, head, guard, _) = settled.into_live(record)?;
    let cx = options.context::<M>();
    let payload = payload(record, &state)?;
    let digest = drift::digest_of(record, &state)?;
    let meta = options.meta.to_json();
    let body = Body { action: names::SAVEPOINT, payload: &payload, state: &digest };
    let append = event::<M>(&cx, &record.value, head, body, meta.as_ref());
    let revision = append.revision;
    state.set_revision(revision);
    let columns = columns_to_write::<M>(Vec::new());
    let written = DB::update(driver, &append, &guard, &state, &columns).await;
    let written = written.map_err(|error| record.failed(error))?;
    let Some((txid, position)) = written.spot else { return Ok(None) };
    links::write(driver, record, cx.event_id, &options.links).await?;
    let record = written.row.unwrap_or(state);
    Ok(Some(Recorded { record, event_id: cx.event_id, revision, position, txid }))
}

/// The whole state, as the model writes it down.
pub(crate) fn payload<M: Model>(record: &Record<M>, state: &M) -> Result<Json, Error> {
    let fields = state.savepoint_fields().map_err(|error| Error::field(record.name(), error))?;
    Json::write(&fields).map_err(|source| Error::Form { record: record.name(), source: source.into() })
}

/// Whether the model wants a savepoint at this point of a history, `#[evented(savepoint(every = …))]`.
pub(crate) fn is_due<M: Model>(head: Head) -> bool {
    M::SAVEPOINT_EVERY.is_some_and(|every| every > 0 && head.revision > 0 && head.revision % every == 0)
}

/// Writes the savepoint that is due, if one is: before the event and not after it, so that the event's revision is the
/// record's last, which the caller may expect next time. Within a transaction that has locked the record.
pub(crate) async fn before_write<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    settled: Settled<M>,
    options: &Options,
) -> Result<Settled<M>, Error> {
    let State::Live(state) = &settled.state else { return Ok(settled) };
    if settled.guard != Guard::Locked || !is_due::<M>(settled.head) {
        return Ok(settled);
    }
    let cx = Options { event_id: None, at: options.at, ..Options::default() }.context::<M>();
    let payload = payload(record, state)?;
    let digest = drift::digest_of(record, state)?;
    let body = Body { action: names::SAVEPOINT, payload: &payload, state: &digest };
    let event = event::<M>(&cx, &record.value, settled.head, body, None);
    let appended = driver.load::<Appended>(append(&event)).await.map_err(|error| record.failed(error))?;
    if appended.is_empty() {
        // Another event has the place: the write will find out which.
        return Ok(settled);
    }
    let head = Head::after(&event);
    observe::savepoint(M::SCHEMA, &record.value, head.revision);
    Ok(Settled { head, ..settled })
}
