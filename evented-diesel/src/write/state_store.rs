//! Accesses a record's state: in the model's table or, for a model without a table, only in its log.
//!
//! All kinds of writes use these functions and do not depend on which of the two it is.

use evented_core::{FieldDigests, State};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{ModelOn, Record};
use crate::statements::{Append, Guard, Inserted, Removed, RowLock, Written};
use crate::write::drift::{self, Resolved};
use crate::write::log_only;
use crate::write::options::Options;

/// Locks the record against other writers until the end of the transaction.
pub(crate) async fn lock<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    lock: RowLock,
) -> Result<(), Error> {
    let locked = if M::HAS_TABLE {
        DB::lock::<M, E>(executor, &record.value, lock).await.map(drop)
    } else {
        log_only::lock::<DB, M, E>(executor, std::slice::from_ref(&record.value)).await
    };
    locked.map_err(|error| record.failed(error))
}

/// Locks the record and finds its state; if there is a table, makes log and row agree. Must run within a transaction.
pub(crate) async fn resolve<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    lock: RowLock,
) -> Result<Resolved<M>, Error> {
    if M::HAS_TABLE {
        drift::resolve(executor, record, options, lock).await
    } else {
        log_only::resolve(executor, record).await
    }
}

/// Writes the first event and the row.
pub(crate) async fn insert<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    append: &Append<'_>,
    state: &M,
) -> diesel::QueryResult<Inserted<M>> {
    if M::HAS_TABLE {
        DB::insert(executor, append, state).await
    } else {
        log_only::insert(executor, append, state).await
    }
}

/// Writes an event and the columns of the row that it changes.
pub(crate) async fn update<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    append: &Append<'_>,
    guard: &Guard,
    state: &M,
    columns: &[usize],
) -> diesel::QueryResult<Written<M>> {
    if M::HAS_TABLE {
        DB::update(executor, append, guard, state, columns).await
    } else {
        log_only::update(executor, append, state).await
    }
}

/// Writes the event of a delete and deletes the row.
pub(crate) async fn delete<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    append: &Append<'_>,
    expecting: Option<i64>,
    state: Option<State<M>>,
) -> diesel::QueryResult<Removed<M>> {
    if M::HAS_TABLE {
        DB::delete::<M, E>(executor, append, expecting).await
    } else {
        log_only::delete(executor, append, state.and_then(State::live)).await
    }
}

/// Returns the record as the database stores it after a write, after comparing it with what was written.
pub(crate) async fn reconcile<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    written: &FieldDigests,
    row: M,
) -> Result<M, Error> {
    if M::HAS_TABLE { drift::reconcile(executor, record, written, row).await } else { Ok(row) }
}
