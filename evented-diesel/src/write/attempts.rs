//! Runs a write under a lock: locks the record, finds its state, tries the write, and tries again if another writer was
//! first.

use evented_core::State;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Transaction};
use crate::model::{ModelOn, Record};
use crate::statements::RowLock;
use crate::write::drift::Resolved;
use crate::write::options::Options;
use crate::write::recorded::Recorded;
use crate::write::repeated::{self, Repeated};
use crate::write::state_store;

/// The number of times that a write is tried before it fails with [`Error::Contended`].
pub(crate) const ATTEMPTS: u32 = 16;

/// One kind of write on an existing record: a change, a delete or a savepoint.
///
/// This is a trait with an async method rather than a closure, because the compiler cannot prove in generic code that a
/// closure's future is `Send`.
pub(crate) trait Attempt<DB: EventedBackend, M: ModelOn<DB>>: Sync {
    /// Whether the write consists of more than an event and its row. If it fails, all of it is then rolled back
    /// together.
    fn takes_several_statements(&self) -> bool;

    /// The command, to compare with the event that has its id.
    fn command(&self) -> Repeated<'_, M>;

    /// Whether the model's hook runs. What the hook wrote for an attempt that failed is then rolled back.
    fn runs_hook(&self) -> bool {
        false
    }

    /// How strongly the record's row is locked.
    fn lock(&self) -> RowLock {
        RowLock::Change
    }

    /// Writes on a record whose state is known; `None` if another writer was first.
    fn attempt<E: Executor<DB>>(
        &self,
        executor: &mut E,
        from: Resolved<M>,
    ) -> impl Future<Output = Result<Option<Recorded<M>>, Error>> + Send;

    /// Continues after the record's state could not be determined, for writes that can.
    fn recover<E: Executor<DB>>(
        &self,
        executor: &mut E,
        error: Error,
    ) -> impl Future<Output = Result<Option<Recorded<M>>, Error>> + Send {
        let _ = executor;
        std::future::ready(Err(error))
    }
}

/// Tries a write under the record's lock until it succeeds or fails.
///
/// The errors of the write; [`Error::Contended`] if other writers were first [`ATTEMPTS`] times.
pub(crate) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    write: &impl Attempt<DB, M>,
) -> Result<Recorded<M>, Error> {
    for _ in 0..ATTEMPTS {
        if let Some(done) = once(executor, record, options, write).await? {
            return Ok(done);
        }
    }
    Err(Error::Contended { record: record.name(), attempts: ATTEMPTS })
}

async fn once<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    write: &impl Attempt<DB, M>,
) -> Result<Option<Recorded<M>>, Error> {
    let name = record.name();
    let transaction = Transaction::around(executor, &name, write.takes_several_statements()).await?;
    let result = match start(executor, record, options, (write.command(), write.lock())).await {
        Ok(Start::Repeated(first)) => Ok(Some(first)),
        Ok(Start::From(from)) if matches!(from.state, State::Live(_)) => {
            if let Err(conflict) = options.check_expected(record, from.head.revision) {
                // An event that adopted a change stays in the log. The caller may try again at its revision.
                transaction.close(executor, &name, Ok(())).await?;
                return Err(conflict);
            }
            write.attempt(executor, from).await
        }
        Ok(Start::From(missing)) => {
            // Commits what was recorded about the missing record before returning that it is missing.
            let missing = transaction.close(executor, &name, Ok(missing)).await?;
            return Err(missing.into_live(record).err().unwrap_or(Error::NotFound { record: name }));
        }
        Err(error) => write.recover(executor, error).await,
    };
    transaction.close_attempt(executor, &name, result, write.runs_hook()).await
}

/// The outcome of locking a record.
enum Start<M> {
    /// The write goes on from this state.
    From(Resolved<M>),
    /// The same command has run before.
    Repeated(Recorded<M>),
}

/// Locks the record and finds its state, unless the command has run before. Only a check under the lock is reliable:
/// another run of the same command may have been in progress during the first check.
async fn start<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    record: &Record<M>,
    options: &Options,
    (command, lock): (Repeated<'_, M>, RowLock),
) -> Result<Start<M>, Error> {
    if options.event_id.is_some() || !M::HAS_TABLE {
        state_store::lock(executor, record, lock).await?;
        if let Some(first) = repeated::first_run(executor, record, options, command).await? {
            return Ok(Start::Repeated(first));
        }
    }
    state_store::resolve(executor, record, options, lock).await.map(Start::From)
}
