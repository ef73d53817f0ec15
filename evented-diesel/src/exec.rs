//! Runs operations: each is written once as async code, and runs on blocking and on async connections.
//!
//! An [`Operation`] is an async function over an [`Executor`]. On a blocking connection an executor never waits: every
//! future is ready at its first poll, and [`Run::run`] polls once.

#[cfg(feature = "__async")]
mod asynchronous;
mod blocking;
mod executor;
mod hints;
mod transaction;

#[cfg(feature = "__async")]
pub use asynchronous::{AsyncExecutor, RunAsync};
pub use blocking::{BlockingExecutor, Run, ready};
pub use executor::{Executor, Operation, sealed};
pub(crate) use hints::commit_hint;
pub use hints::{on_commit_hint, wake};
pub use transaction::Transaction;
