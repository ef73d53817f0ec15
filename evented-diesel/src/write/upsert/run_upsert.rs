//! Runs an upsert.
//!
//! A single statement that inserts or updates would not do: the payload and the digest of the event depend on which of
//! the two happens. So the record is looked for first, by the columns of the unique index, and then created or changed.
//! Another writer may create it in between; then it is looked for again.

use evented_core::{Create as _, KeyValue, RecordRef, decide_create};

use super::{Existing, Target, UpsertCommand};
use crate::backend::EventedBackend;
use crate::error::{ConstraintKind, Error, Subject};
use crate::exec::{Executor, Transaction};
use crate::model::{Model, ModelOn, Record, table_failed};
use crate::statements::{Current, Likeness, RecordOf, RecordRow, current_like, record_like, row_of};
use crate::write::attempts::ATTEMPTS;
use crate::write::command::{Command, Kind};
use crate::write::create::{self, NewRecord};
use crate::write::outcome::Outcome;
use crate::write::{change, run_command};

pub(super) async fn run<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &UpsertCommand<M>,
) -> Result<Outcome<M>, Error> {
    let name = Subject::Model(M::SCHEMA);
    let new = command.upsert.new.as_ref();
    let of_constraint = match &command.upsert.target {
        Target::Columns(_) => Vec::new(),
        Target::Constraint(constraint) => columns_of::<DB, M, E>(executor, constraint, &name).await?,
    };
    let columns = match &command.upsert.target {
        Target::Columns(columns) => columns.as_slice(),
        Target::Constraint(_) => of_constraint.as_slice(),
    };
    if columns.is_empty() && new.key().is_none() {
        // Nothing identifies a record that exists: a key that is made now is that of no other.
        return insert(executor, command).await;
    }
    columns_are_known::<M>(new, columns, &name)?;
    // The row that would be inserted has the values to look for.
    let cx = command.options.context::<M>();
    let record = NewRecord::<M>::new(new, &command.options, &cx, &name)?;
    let row = decide_create::<M>(new, record.record.key.clone(), &cx)
        .map_err(|reason| Error::undecided(record.name.clone(), reason))?
        .after;
    let like = Likeness { key: &record.record.value, row: &row, columns };
    if !DB::LOCKS_FIRST
        && !M::IS_VIEW
        && let Some(done) = without_lock(executor, command, &like, &name).await?
    {
        return Ok(done);
    }
    let mut attempt = 1;
    loop {
        let transaction = Transaction::around(executor, &name, true).await?;
        let result = locked(executor, command, &like).await;
        match transaction.close(executor, &name, result).await {
            Err(error) if attempt < ATTEMPTS && is_overtaken::<M>(&error, columns) => attempt += 1,
            result => return result,
        }
    }
}

/// Reads the columns of a unique constraint.
async fn columns_of<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    constraint: &str,
    name: &Subject,
) -> Result<Vec<&'static str>, Error> {
    let unusable = |reason: String| Error::Encode { record: name.clone(), error: reason.into() };
    let found = DB::columns_of_constraint::<M, E>(executor, constraint).await.map_err(table_failed::<M>)?;
    if found.is_empty() {
        return Err(unusable(format!(
            "the table has no unique constraint or index `{constraint}` without a condition; `.on(…)` takes columns"
        )));
    }
    let known = |column: &Option<String>| {
        let column = column.as_deref()?;
        M::KEY_COLUMNS.iter().chain(M::WRITTEN).find(|known| **known == column).copied()
    };
    let columns: Option<Vec<_>> = found.iter().map(known).collect();
    columns.ok_or_else(|| {
        unusable(format!(
            "`{constraint}` is over an expression, or over a column that the model does not have"
        ))
    })
}

/// Checks that the values of the columns are known before the row is inserted.
fn columns_are_known<M: Model>(new: &M::New, columns: &[&'static str], name: &Subject) -> Result<(), Error> {
    let has_key = new.key().is_some();
    let left = new.left_to_database();
    let is_written = |column: &&str| {
        M::WRITTEN.iter().position(|written| written == column).is_some_and(|index| !left.contains(&index))
    };
    let is_known = |column: &&str| is_written(column) || (has_key && M::KEY_COLUMNS.contains(column));
    match columns.iter().find(|column| !is_known(column)) {
        Some(column) => {
            let reason = format!(
                "the input of the insert has no value of the column `{column}`, which `.on(…)` names; name columns that \
                 it has"
            );
            Err(Error::Encode { record: name.clone(), error: reason.into() })
        }
        None => Ok(()),
    }
}

/// Whether the record exists after all: another writer created it after it was looked for, or its row has no event yet.
fn is_overtaken<M: Model>(error: &Error, columns: &[&'static str]) -> bool {
    let by_columns = if columns.is_empty() { M::KEY_COLUMNS } else { columns };
    match error {
        Error::Exists { .. } => columns.is_empty(),
        // A database that does not name the columns says that of any index.
        Error::Constraint { kind: ConstraintKind::Unique, columns: of_index, .. } => {
            of_index.is_empty() || of_index.iter().all(|column| by_columns.contains(&column.as_str()))
        }
        _ => false,
    }
}

/// Takes the usual way, without a transaction: as many statements as an update, or an insert and the look before it.
/// `None` if the situation is unusual, or another writer was first.
async fn without_lock<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &UpsertCommand<M>,
    like: &Likeness<'_, M>,
    name: &Subject,
) -> Result<Option<Outcome<M>>, Error> {
    let found = executor.load::<Current<M>>(current_like::<DB, M>(like)).await.map_err(table_failed::<M>)?;
    let found = found.into_iter().next();
    if let Some(found) = &found {
        is_asked_for::<M>(like, &M::key_value(&found.row.key()))?;
    }
    match (found, &command.existing) {
        (Some(found), Existing::Change(action)) => {
            let changed = change::of_current(executor, found, action.as_ref(), &command.options).await?;
            Ok(changed.map(|done| Outcome::of(done, Outcome::Changed)))
        }
        (Some(found), Existing::Keep) => {
            let mut row = found.row;
            row.normalize();
            Ok(Some(Outcome::Kept(row)))
        }
        // A statement that fails would end the caller's transaction.
        (None, _) if executor.in_transaction().map_err(|error| Error::database(name.clone(), error))? => {
            Ok(None)
        }
        (None, _) => match insert(executor, command).await {
            Err(error) if is_overtaken::<M>(&error, like.columns) => Ok(None),
            result => result.map(Some),
        },
    }
}

/// Looks for the record, locks it, and changes it; creates it if there is none. Must run within a transaction.
async fn locked<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &UpsertCommand<M>,
    like: &Likeness<'_, M>,
) -> Result<Outcome<M>, Error> {
    if DB::LOCKS_FIRST {
        DB::lock_number::<M, E>(executor, 0).await.map_err(table_failed::<M>)?;
    }
    let found = executor.load::<RecordOf<M>>(record_like::<DB, M>(like)).await.map_err(table_failed::<M>)?;
    let Some(found) = found.into_iter().next() else { return insert(executor, command).await };
    is_asked_for::<M>(like, &found.key)?;
    let record = Record::<M>::of_stored(found.key)?;
    match &command.existing {
        Existing::Change(action) => {
            let kind = Kind::Change(RecordRef::by_key(record.key), action.clone());
            let change = Command { kind, options: command.options.clone() };
            Ok(Outcome::of(run_command::run(executor, &change).await?, Outcome::Changed))
        }
        Existing::Keep => {
            let row = record.first::<RecordRow<M>, _, _>(executor, row_of::<DB, M>(&record.value)).await?;
            let mut row = row.ok_or_else(|| Error::NotFound { record: record.name() })?.0;
            row.normalize();
            Ok(Outcome::Kept(row))
        }
    }
}

/// Checks that a row that was found by its key has that key, and not one that is equal for the database alone.
fn is_asked_for<M: Model>(like: &Likeness<'_, M>, found: &KeyValue) -> Result<(), Error> {
    if like.columns.is_empty() { Record::<M>::of_stored(like.key.clone())?.check_key(found) } else { Ok(()) }
}

async fn insert<DB: EventedBackend, M: ModelOn<DB>, E: Executor<DB>>(
    executor: &mut E,
    command: &UpsertCommand<M>,
) -> Result<Outcome<M>, Error> {
    let created = create::run(executor, command.upsert.new.as_ref(), &command.options).await?;
    Ok(Outcome::of(created, Outcome::Inserted))
}
