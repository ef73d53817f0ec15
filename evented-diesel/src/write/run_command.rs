//! Runs a command: its kind decides which write runs.

use evented_core::{Evented, RecordRef};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::model::{ModelOn, Record};
use crate::telemetry;
use crate::write::command::{Command, Kind, Recording};
use crate::write::recorded::Recorded;
use crate::write::{change, create, delete, savepoint};

impl<M: Evented> sealed::Operation for Command<M> {}
impl<M: Evented> sealed::Operation for Recording<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Command<M> {
    type Output = M;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<M, Error> {
        Ok(traced(executor, &self).await?.record)
    }
}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Recording<M> {
    type Output = Recorded<M>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Recorded<M>, Error> {
        traced(executor, &self.0).await
    }
}

/// Runs a command in its span.
async fn traced<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &Command<M>,
) -> Result<Recorded<M>, Error> {
    let (action, key) = command.action_and_key();
    let span = telemetry::command(M::SCHEMA, action);
    if let Some(key) = key {
        span.record("record", tracing::field::display(M::key_value(key)));
    }
    if span.is_disabled() {
        let done = run(executor, command).await?;
        commit_hint(executor);
        return Ok(done);
    }
    let done = telemetry::within(span.clone(), Box::pin(run(executor, command))).await?;
    commit_hint(executor);
    span.record("record", tracing::field::display(M::key_value(&done.record.key())));
    telemetry::written(&span, done.event_id, done.revision);
    Ok(done)
}

/// Runs a command.
pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &Command<M>,
) -> Result<Recorded<M>, Error> {
    let options = &command.options;
    let record = |target: &RecordRef<M>| Record::new(target.key().clone());
    match &command.kind {
        Kind::Insert(new) => create::run(executor, new.as_ref(), options).await,
        Kind::Change(target, action) => {
            change::run(executor, &record(target), target.copy(), action.as_ref(), options).await
        }
        Kind::Delete(target) => delete::run(executor, &record(target), options).await,
        Kind::Savepoint(target) => savepoint::run(executor, &record(target), options).await,
    }
}
