//! Changing a record.

use evented_core::{AnyAction, FieldDigests, State, decide_change};

use super::command::{ATTEMPTS, Body, Head, Record, event};
use super::drift::{self, Settled, Start};
use super::transaction::Transaction;
use super::{contended, links, log_only, prepare, savepoint};
use crate::backend::Dialect;
use crate::command::{Options, Recorded};
use crate::error::Error;
use crate::log::EventLog;
use crate::model::{Model, Rows};
use crate::observe::{self, Drifted};
use crate::run::driver::Driver;
use crate::statement::{Append, Guard, columns_to_write};

pub(crate) async fn run<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    known: Option<&M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Recorded<M>, Error> {
    if !M::HAS_TABLE {
        return log_only::change(driver, record, action, options).await;
    }
    if !DB::LOCKS_FIRST && !takes_several_statements::<M>(options) && !contended::is_likely(record) {
        let at_hand = match known {
            Some(known) => at_hand(record, known)?,
            None => None,
        };
        let settled = match at_hand {
            Some(settled) => Some(settled),
            None => drift::vouched(driver, record).await?,
        };
        if let Some(settled) = settled.filter(|settled| !savepoint::is_due::<M>(settled.head)) {
            if let Some(done) = attempt(driver, record, settled, action, options).await? {
                return Ok(done);
            }
            contended::remember(record);
        }
    }
    // Another writer was first, or something is unusual: lock the row before reading it.
    for _ in 0..ATTEMPTS {
        if let Some(done) = locked(driver, record, action, options).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

/// Whether an event comes with more than its row, so that it takes a transaction.
pub(crate) fn takes_several_statements<M: Model>(options: &Options) -> bool {
    M::PREPARES || !options.links.is_empty()
}

/// The caller's own copy, if it says by its revision how old it is: the row's revision column is the guard then, and
/// nothing need be read. That the copy is as its event left it, and was not changed since, the log's digest says.
fn at_hand<M: Model>(record: &Record<M>, known: &M) -> Result<Option<Settled<M>>, Error> {
    if M::Log::HASHED {
        // The hash of the event before is wanted, and no copy has it.
        return Ok(None);
    }
    let (Some(revision), Some(column)) = (known.revision(), M::WRITTEN.get(M::FIELDS.len())) else {
        return Ok(None);
    };
    let mut live = known.clone();
    live.normalize();
    let state = drift::digest_of(record, &live)?;
    let guard = Guard::Revision { column, revision, state, version: M::VERSION };
    let head = Head { revision, hash: None };
    Ok(Some(Settled { state: State::Live(live), head, guard, overwrote: None }))
}

async fn locked<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let name = record.name();
    let transaction = Transaction::around(driver, &name, takes_several_statements::<M>(options)).await?;
    let result = match drift::start(driver, record, options).await {
        Ok(Start::Repeated(first)) => Ok(Some(first)),
        Ok(Start::Settled(settled)) if matches!(settled.state, State::Live(_)) => {
            if let Err(conflict) = options.check_expected(record, settled.head.revision) {
                // A change that was adopted just now stays so: at its revision the caller may try again.
                transaction.close(driver, &name, Ok(())).await?;
                return Err(conflict);
            }
            match savepoint::before_write(driver, record, settled, options).await {
                Ok(settled) => attempt(driver, record, settled, action, options).await,
                Err(error) => Err(error),
            }
        }
        // Whatever was found out about the missing record is kept; the caller then hears that it is missing.
        Ok(Start::Settled(settled)) => {
            let kept = transaction.close(driver, &name, Ok(settled)).await?;
            return Err(kept.into_live(record).err().unwrap_or(Error::NotFound { record: name }));
        }
        Err(error) => Err(error),
    };
    transaction.close_try(driver, &name, result, M::PREPARES).await
}

/// Decides and writes. `None` if another writer was first.
async fn attempt<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    settled: Settled<M>,
    action: &dyn AnyAction<M>,
    options: &Options,
) -> Result<Option<Recorded<M>>, Error> {
    let (before, head, guard, overwrote) = settled.into_live(record)?;
    if guard != Guard::Locked {
        // Under the lock this was asked before: a savepoint may have come since.
        options.check_expected(record, head.revision)?;
    }
    let cx = options.context::<M>();
    let of = |reason| Error::undecided(record.name(), reason);
    let old = before.digests().map_err(|source| Error::Unstorable { record: record.name(), source })?;
    let decision = decide_change(&before, action, &cx).map_err(of)?;
    let mut meta = options.meta.clone();
    if let Some(overwrote) = overwrote {
        meta.own.insert("overwrote".to_owned(), serde_json::to_value(overwrote).unwrap_or_default());
    }
    let prepared = prepare::run(driver, record, Some(&before), decision, meta, cx, options).await?;
    let (cx, mut draft, meta) = (prepared.cx, prepared.decision, prepared.meta.to_json());
    let state = draft.digests.state(M::DIGEST_ORDER);
    let body = Body { action: draft.action, payload: &draft.payload, state: &state };
    let append =
        Append { placed: options.placed, ..event::<M>(&cx, &record.value, head, body, meta.as_ref()) };
    let revision = append.revision;
    draft.after.set_revision(revision);
    let columns = columns_to_write::<M>(old.differing(&draft.digests));
    let written = DB::update(driver, &append, &guard, &draft.after, &columns).await;
    let written = written.map_err(|error| record.failed(error))?;
    let Some((txid, position)) = written.spot else { return Ok(None) };
    links::write(driver, record, cx.event_id, &prepared.links).await?;
    let row = match written.row {
        Some(row) => reconcile(driver, record, &draft.digests, row).await?,
        // A trigger swallowed the row: the next write finds the drift.
        None => draft.after,
    };
    Ok(Some(Recorded { record: row, event_id: cx.event_id, revision, position, txid }))
}

/// The row as the database returned it, after a look whether it holds what was written.
///
/// It does not if a trigger changed it, if a column keeps less than its type (a rounded number), or if plain SQL
/// changed another column while a fresh revision made reading unnecessary. The model's drift policy says what then.
pub(crate) async fn reconcile<DB: Dialect, M: Rows<DB>, D: Driver<DB>>(
    driver: &mut D,
    record: &Record<M>,
    written: &FieldDigests,
    mut row: M,
) -> Result<M, Error> {
    row.normalize();
    let held = row.digests().map_err(|source| Error::Unstorable { record: record.name(), source })?;
    let differing = written.differing(&held);
    if differing.is_empty() {
        return Ok(row);
    }
    let columns: Vec<&str> = differing.iter().filter_map(|index| M::FIELDS.get(*index).copied()).collect();
    observe::drift(Drifted::AfterWrite, M::SCHEMA, &record.value, &columns);
    let name = record.name();
    let transaction = Transaction::open(driver, &name).await?;
    let settled = drift::settle(driver, record, &Options::default()).await;
    let settled = transaction.close(driver, &name, settled).await?;
    settled.into_live(record).map(|(row, ..)| row)
}
