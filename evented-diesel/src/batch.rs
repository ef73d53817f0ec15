//! Many commands at once.

use crate::backend::Dialect;
use crate::command::Command;
use crate::error::Error;
use crate::model::{Model, Rows};
use crate::operation::Operation;
use crate::run::driver::Driver;
use crate::steps;

/// Commands of one model, run as one: all of them or none.
///
/// ```no_run
/// # use evented_diesel::{batch, Command, Model};
/// # fn each<Item: Model>(commands: Vec<Command<Item>>) {
/// let commands = batch(commands);
/// # }
/// ```
///
/// Run, it gives the record after each command, in the order of the commands. If one fails, none has been done, and
/// [`Error::Batch`] says which. Rows are locked in the order of their keys, so that two batches never wait for each
/// other; on PostgreSQL thousands of commands take a few statements.
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
        steps::batch::run(driver, &self.commands).await
    }
}
