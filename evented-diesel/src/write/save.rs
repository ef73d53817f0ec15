//! Writes what differs between a copy of a record and its row: `item.save()`.

use std::fmt;

use evented_core::State;

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, Transaction, commit_hint, sealed};
use crate::model::{Model, ModelOn, Record, Savable, WithTable};
use crate::statements::RowLock;
use crate::telemetry;
use crate::write::attempts::ATTEMPTS;
use crate::write::drift::{self, Resolved};
use crate::write::options::{Options, event_options};
use crate::write::outcome::Outcome;
use crate::write::{change, savepoint, state_store};

/// Makes the row equal to a copy of its record, with an `update` of the fields that differ: `item.save()`.
///
/// ```ignore
/// item.name = "Desk".into();
/// let item = item.save().by("ann").run(&mut conn)?.into_record();
/// ```
///
/// If nothing differs, nothing is written. Fields that an update cannot change are left as they are: times, generated
/// fields, and those with `skip_update`, which actions change.
///
/// What another writer has changed since the copy was read differs as well, and is changed back.
/// [`expecting`](Self::expecting) refuses that.
///
/// # Errors
///
/// Running it: those of the update; [`Error::NotFound`] or [`Error::Deleted`] if there is no such record.
#[must_use = "a command does nothing until it is run"]
pub struct Save<M: Model> {
    copy: M,
    options: Options,
}

impl<M: WithTable> Save<M> {
    pub(crate) fn new(copy: &M) -> Self {
        Self { copy: copy.copy(), options: Options::default() }
    }
}

impl<M: Model> Save<M> {
    event_options!();

    /// Saves only if the record is at this revision, and else fails with [`Error::Conflict`]. Default: any revision.
    pub fn expecting(mut self, revision: i64) -> Self {
        self.options.expecting = Some(revision);
        self
    }
}

impl<M: Model> Clone for Save<M> {
    fn clone(&self) -> Self {
        Self { copy: self.copy.copy(), options: self.options.clone() }
    }
}

impl<M: Model> fmt::Debug for Save<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Save").field("key", &self.copy.key()).finish_non_exhaustive()
    }
}

impl<M: Model> sealed::Operation for Save<M> {}

impl<DB: EventedBackend, M: ModelOn<DB> + Savable> Operation<DB> for Save<M> {
    type Output = Outcome<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Outcome<M>, Error> {
        let span = telemetry::command(M::SCHEMA, evented_core::names::UPDATE);
        let record = Record::<M>::new(self.copy.key());
        span.record("record", tracing::field::display(&record.value));
        let done = telemetry::within(span, Box::pin(self.run(executor, &record))).await?;
        commit_hint(executor);
        Ok(done)
    }
}

impl<M: Model + Savable> Save<M> {
    async fn run<DB, E>(&self, executor: &mut E, record: &Record<M>) -> Result<Outcome<M>, Error>
    where
        DB: EventedBackend,
        M: ModelOn<DB>,
        E: Executor<DB>,
    {
        if !DB::LOCKS_FIRST
            && !M::IS_VIEW
            && !M::RUNS_HOOK
            && let Some(from) = drift::read_verified(executor, record).await?
            && !savepoint::is_due::<M>(from.head)
            && let Some(done) =
                self.from(executor, record, from).await.map_err(|error| error.of_write(true))?
        {
            return Ok(done);
        }
        let name = record.name();
        for _ in 0..ATTEMPTS {
            let transaction = Transaction::around(executor, &name, M::RUNS_HOOK).await?;
            let result = match state_store::resolve(executor, record, &self.options, RowLock::Change).await {
                Ok(from) => self.from(executor, record, from).await,
                Err(error) => Err(error),
            };
            let done = transaction.close_attempt(executor, &name, result, M::RUNS_HOOK).await?;
            if let Some(done) = done {
                return Ok(done);
            }
        }
        Err(Error::Contended { record: name, attempts: ATTEMPTS })
    }

    /// Writes what differs from a state; `None` if another writer was first.
    async fn from<DB, E>(
        &self,
        executor: &mut E,
        record: &Record<M>,
        from: Resolved<M>,
    ) -> Result<Option<Outcome<M>>, Error>
    where
        DB: EventedBackend,
        M: ModelOn<DB>,
        E: Executor<DB>,
    {
        let State::Live(row) = &from.state else {
            return from.into_live(record).map(|(row, ..)| Some(Outcome::Kept(row)));
        };
        self.options.check_expected(record, from.head.revision)?;
        let unstorable = |source| Error::Unstorable { record: record.name(), error: source };
        let mut copy = self.copy.copy();
        copy.normalize();
        let (is, should_be) = (row.digests().map_err(unstorable)?, copy.digests().map_err(unstorable)?);
        let Some(changes) = copy.changes_of(&is.differing(&should_be)) else {
            return from.into_live(record).map(|(row, ..)| Some(Outcome::Kept(row)));
        };
        let done = change::of_resolved(executor, record, from, &changes, &self.options).await?;
        Ok(done.map(|done| Outcome::of(done, Outcome::Changed)))
    }
}
