//! Writing a record's whole state into its log.

use evented_core::{Json, State, names};

use super::command::{ATTEMPTS, Body, Record, event};
use super::drift::{self, Settled, Start};
use super::transaction::Transaction;
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::model::Rows;
use crate::run::driver::Driver;
use crate::statement::columns_to_write;

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    let name = record.name();
    for _ in 0..ATTEMPTS {
        let transaction = Transaction::open(driver, &name).await?;
        let result = match drift::start(driver, record, options).await {
            Ok(Start::Repeated(first)) => Ok(Some(first)),
            Ok(Start::Settled(settled)) if matches!(settled.state, State::Live(_)) => {
                if let Err(conflict) = options.check_expected(record, settled.revision) {
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
    let (mut state, revision, guard, _) = settled.into_live(record)?;
    let cx = options.context::<M>();
    let fields = state.savepoint_fields().map_err(|error| Error::field(record.name(), error))?;
    let payload = Json::write(&fields)
        .map_err(|source| Error::Form { record: record.name(), source: source.into() })?;
    let digest = drift::digest_of(record, &state)?;
    let revision = revision.saturating_add(1);
    state.set_revision(revision);
    let meta = options.meta.to_json();
    let body = Body { action: names::SAVEPOINT, payload: &payload, state: &digest };
    let append = event::<M>(&cx, &record.value, revision, body, meta.as_ref());
    let columns = columns_to_write::<M>(Vec::new());
    let written = DB::update(driver, &append, &guard, &state, &columns).await;
    let written = written.map_err(|error| record.failed(error))?;
    Ok(written.position.map(|position| Recorded {
        record: written.row.unwrap_or(state),
        event_id: cx.event_id,
        revision,
        position,
    }))
}
