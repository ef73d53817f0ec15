//! Locks mutexes even after a thread panicked with one of them locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex and ignores poisoning. The data behind this crate's mutexes is never left in a half-updated state, so
/// a panic of a thread that held the lock does no harm.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
