//! Creates a record, or changes the one that is there: `Item::upsert(new).on(columns).set(changes)`.

mod run_upsert;
mod target;

use std::fmt;
use std::sync::Arc;

use evented_core::{ActionOf, AnyAction};

use crate::backend::EventedBackend;
use crate::error::Error;
use crate::exec::{Executor, Operation, commit_hint, sealed};
use crate::model::{Model, ModelOn, WithTable};
use crate::telemetry;
use crate::write::options::{Options, event_options};
use crate::write::outcome::Outcome;

pub use target::ConflictTarget;

/// The first part of an upsert: what to create, and how to find the record that is there. [`set`](Self::set) or
/// [`or_ignore`](Self::or_ignore) makes it a command.
///
/// ```ignore
/// let counted = Counter::upsert(NewCounter { name: "visits".into(), count: 1 })
///     .on(counters::name)
///     .set(Add(1))
///     .run(&mut conn)?;
/// println!("{}", counted.record().count);
/// ```
#[must_use = "an upsert needs `.set(…)` or `.or_ignore()`"]
pub struct Upsert<M: Model> {
    new: Arc<M::New>,
    target: Target,
}

/// What identifies the record.
#[derive(Debug, Clone)]
enum Target {
    /// These columns; none for the key.
    Columns(Vec<&'static str>),
    /// The columns of the unique constraint or index with this name.
    Constraint(String),
}

impl<M: WithTable> Upsert<M> {
    pub(crate) fn new(new: M::New) -> Self {
        Self { new: Arc::new(new), target: Target::Columns(Vec::new()) }
    }

    /// Sets the columns whose values identify the record: a column of the model's table or a tuple of columns, over which
    /// the table has a unique index. As in SQL, a value that is null is equal to no other. Default: the key, if the caller
    /// gives it.
    pub fn on<T: ConflictTarget<M, Kind>, Kind>(mut self, columns: T) -> Self {
        let _ = columns;
        self.target = Target::Columns(T::names());
        self
    }

    /// Sets the name of the unique constraint, or of the unique index, whose columns identify the record. It must be over
    /// columns of the model, without expressions and without a condition. On SQLite, where constraints have no names, it
    /// is the name of an index. The columns are read from the database, which
    /// takes one statement more than [`on`](Self::on).
    pub fn on_constraint(mut self, name: impl Into<String>) -> Self {
        self.target = Target::Constraint(name.into());
        self
    }

    /// Runs a change or an action on the record if it exists.
    pub fn set(self, change: impl ActionOf<M>) -> UpsertCommand<M> {
        UpsertCommand {
            upsert: self,
            existing: Existing::Change(Arc::new(change)),
            options: Options::default(),
        }
    }

    /// Leaves the record as it is if it exists, without an event.
    pub fn or_ignore(self) -> UpsertCommand<M> {
        UpsertCommand { upsert: self, existing: Existing::Keep, options: Options::default() }
    }
}

/// What happens to a record that exists.
enum Existing<M: Model> {
    Change(Arc<dyn AnyAction<M>>),
    Keep,
}

/// Creates a record unless it exists, and else changes or keeps it. See [`Upsert`].
///
/// Whether it exists is decided under a lock or with the write itself: if other writers create or delete the record in
/// the meantime, the command looks again.
///
/// # Errors
///
/// Running it: the errors of the insert or of the change. A violated constraint of other columns than those of
/// [`Upsert::on`] is [`Error::Constraint`](crate::Error::Constraint).
#[must_use = "a command does nothing until it is run"]
pub struct UpsertCommand<M: Model> {
    upsert: Upsert<M>,
    existing: Existing<M>,
    options: Options,
}

impl<M: Model> UpsertCommand<M> {
    event_options!();
}

impl<M: Model> Clone for Upsert<M> {
    fn clone(&self) -> Self {
        Self { new: Arc::clone(&self.new), target: self.target.clone() }
    }
}

impl<M: Model> Clone for UpsertCommand<M> {
    fn clone(&self) -> Self {
        let existing = match &self.existing {
            Existing::Change(action) => Existing::Change(Arc::clone(action)),
            Existing::Keep => Existing::Keep,
        };
        Self { upsert: self.upsert.clone(), existing, options: self.options.clone() }
    }
}

impl<M: Model> fmt::Debug for Upsert<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upsert").field("target", &self.target).finish_non_exhaustive()
    }
}

impl<M: Model> fmt::Debug for UpsertCommand<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpsertCommand").field("target", &self.upsert.target).finish_non_exhaustive()
    }
}

impl<M: Model> sealed::Operation for UpsertCommand<M> {}

impl<DB: EventedBackend, M: ModelOn<DB>> Operation<DB> for UpsertCommand<M> {
    type Output = Outcome<M>;

    async fn perform<D: Executor<DB>>(self, executor: &mut D) -> Result<Outcome<M>, Error> {
        let span = telemetry::command(M::SCHEMA, "upsert");
        let done = telemetry::within(span.clone(), Box::pin(run_upsert::run(executor, &self))).await?;
        commit_hint(executor);
        span.record("record", tracing::field::display(M::key_value(&done.record().key())));
        Ok(done)
    }
}
