//! Runs the model's hook after the write.

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::Executor;
use crate::model::{ModelOn, Written};

/// Runs the hook, if the model has one.
pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    before: Option<&M>,
    after: Option<&M>,
) -> Result<(), Error> {
    if !M::HAS_AFTER_WRITE {
        return Ok(());
    }
    // The future is boxed: a hook may run commands that have hooks, and the compiler limits the depth of nested
    // futures.
    Box::pin(M::after_write(Written::new(before, after), executor)).await
}
