//! Many commands at once.

use crate::backend::Dialect;
use crate::command::Command;
use crate::error::Error;
use crate::listen;
use crate::model::{Model, Rows};
use crate::observe;
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::steps;

/// Commands of one model, run as one: all of them or none.
///
/// ```ignore
/// let items = batch(names.map(|name| Item::insert(NewItem { name }))).run(&mut conn)?;
/// let items = batch(items.iter().map(|item| item.archive(Archive { reason: "sold".into() }))).run(&mut conn)?;
/// ```
///
/// Run, it gives the record after each command, in the order of the commands. Each command sees what those before it
/// did.
///
/// On PostgreSQL thousands of commands take a few dozen statements, each of many rows. Rows are locked in the
/// order of their keys, so that two batches cannot deadlock over them. The commands are run one after the other instead
/// on SQLite, if one of them is a savepoint or idempotent, if the database makes the keys, and where something is
/// unusual (a missing record, a row changed behind the log's back, a violated constraint).
///
/// # Errors
///
/// Running it: if a command fails, none has been done, and [`Error::Batch`] says which failed and why. What is no
/// single command's fault comes as it is. Within a transaction of the caller's, that is as it was before the batch.
pub fn batch<M: Model>(commands: impl IntoIterator<Item = Command<M>>) -> Batch<M> {
    Batch { commands: commands.into_iter().collect() }
}

/// See [`batch`].
#[derive(Debug)]
#[must_use = "a batch does nothing until it is run"]
pub struct Batch<M: Model> {
    commands: Vec<Command<M>>,
}

impl<DB: Dialect, M: Rows<DB>> Operation<DB> for Batch<M> {
    type Output = Vec<M>;

    async fn perform<D: Driver<DB>>(self, driver: &mut D) -> Result<Vec<M>, Error> {
        let span = observe::batch(M::SCHEMA, self.commands.len());
        let records = observe::within(span, Box::pin(steps::batch::run(driver, &self.commands))).await?;
        listen::hint(driver);
        Ok(records)
    }
}
