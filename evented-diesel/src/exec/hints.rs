//! Notifies the readers of this process that a commit may have happened.
//!
//! A hint is not needed for correctness: readers find every change by polling. With a hint they poll at once.

use std::sync::{PoisonError, RwLock};

use crate::exec::executor::Executor;
use crate::sql::SqlTypes;

/// The functions that a hint calls. A function is registered once and stays.
static LISTENERS: RwLock<Vec<fn()>> = RwLock::new(Vec::new());

/// Calls a function after each commit in this process, from the committing thread. Registering it again does nothing.
pub fn on_commit_hint(listener: fn()) {
    let mut listeners = LISTENERS.write().unwrap_or_else(PoisonError::into_inner);
    if !listeners.iter().any(|known| std::ptr::fn_addr_eq(*known, listener)) {
        listeners.push(listener);
    }
}

/// Calls the listeners: something may have been committed.
pub fn wake() {
    for listener in LISTENERS.read().unwrap_or_else(PoisonError::into_inner).iter() {
        listener();
    }
}

/// Calls the listeners, unless a transaction is still open on the executor.
pub(crate) fn commit_hint<DB: SqlTypes, E: Executor<DB>>(executor: &mut E) {
    if matches!(executor.in_transaction(), Ok(false)) {
        wake();
    }
}
