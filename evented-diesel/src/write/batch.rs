//! Combines many commands into one operation.

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::model::{Model, ModelOn};
use crate::telemetry;
use crate::write::batch_run;
use crate::write::command::Command;
use crate::write::independent::IndependentBatch;

/// Commands of one model that run as one operation: all of them take effect, or none.
///
/// ```ignore
/// let items = batch(names.map(|name| Item::insert(NewItem { name }))).run(&mut conn)?;
/// let items = batch(items.iter().map(|item| item.archive(Archive { reason: "sold".into() }))).run(&mut conn)?;
/// ```
///
/// Running a batch returns the record after each command, in the order of the commands. Each command sees the effects
/// of the earlier ones.
///
/// Thousands of commands take a few dozen statements, each of many rows. A batch locks rows in the order of their keys, so
/// two batches cannot deadlock over them. A batch runs its commands one by one instead if one of them is a savepoint or
/// idempotent, if the database generates the keys, and in unusual situations (a missing record, a row changed by other
/// SQL, a violated constraint).
///
/// # Errors
///
/// Running it: if a command fails, no command takes effect, and [`Error::Batch`] reports which one failed and why. An
/// error that does not belong to a single command is returned as it is. A transaction of the caller's is then in the
/// same state as before the batch.
pub fn batch<M: Model>(commands: impl IntoIterator<Item = Command<M>>) -> Batch<M> {
    Batch { commands: commands.into_iter().collect() }
}

/// See [`batch`].
#[derive(Debug)]
#[must_use = "a batch does nothing until it is run"]
pub struct Batch<M: Model> {
    commands: Vec<Command<M>>,
}

impl<M: Model> Batch<M> {
    /// Lets each command take effect unless it fails itself. Running it returns a result for each command: the record, or
    /// why the command had no effect, such as [`Error::Deleted`] of a record whose row is gone.
    ///
    /// ```ignore
    /// let results = batch(ids.map(|id| Item::execute_on(id, Archive { reason: "old".into() }))).independent().run(&mut conn)?;
    /// for error in results.iter().filter_map(|result| result.as_ref().err()) {
    ///     println!("{error}");
    /// }
    /// ```
    ///
    /// Commands on records that are missing, or that other SQL changed, run after the others. The commands of one record
    /// keep their order.
    ///
    /// # Errors
    ///
    /// Running it: an error that does not belong to a single command, such as a deadlock. No command takes effect then.
    pub fn independent(self) -> IndependentBatch<M> {
        IndependentBatch::new(self.commands)
    }
}

impl<M: Model> Clone for Batch<M> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone() }
    }
}

impl<M: Model> sealed::Operation for Batch<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for Batch<M> {
    type Output = Vec<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Vec<M>, Error> {
        let span = telemetry::batch(M::SCHEMA, self.commands.len());
        let records = telemetry::within(span, Box::pin(batch_run::run(executor, &self.commands))).await?;
        commit_hint(executor);
        Ok(records)
    }
}
