//! Registers subscribers in the database.

use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{
    Database, EventedBackend, Executor, Operation, SourceLog, commit_mark, last_final, log_offset, sealed,
    start_of_now,
};

use crate::derived_table::Table;
use crate::divide::{divide, free_parts, lock_all, slowest, store_division};
use crate::division::Division;
use crate::home::is_at_home;
use crate::input::InputError;
use crate::store::{self, CursorRow, SubscriberRow, failed, load, write};
use crate::subscriber::{From, Subscriber};

/// Why a subscriber cannot be registered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A schedule has another expression or another zone than the same version of it in the database.
    #[error(
        "the schedule `{schedule}` is registered with the version {version}, `{cron}` and the zone {zone}; give it a higher version"
    )]
    Schedule {
        /// The name.
        schedule: String,
        /// The version of both.
        version: i32,
        /// The expression in the database.
        cron: String,
        /// The zone in the database.
        zone: String,
    },
    /// The database failed, or a log cannot be read.
    #[error(transparent)]
    Database(#[from] Error),
    /// An input names something that its model does not have.
    #[error("subscriber `{subscriber}`: {error}")]
    Input {
        /// The name of the subscriber.
        subscriber: String,
        /// What is wrong.
        error: InputError,
    },
    /// The subscriber subscribes to nothing.
    #[error("subscriber `{subscriber}` has no input: call `on`, or `keyed` of a projection")]
    NoInput {
        /// The name of the subscriber.
        subscriber: String,
    },
    /// The declaration of a projection cannot be used.
    #[error("subscriber `{subscriber}`: {fault}")]
    Projection {
        /// The name of the subscriber.
        subscriber: String,
        /// What is wrong.
        fault: String,
    },
    /// The subscriber is registered with other inputs, keys or parts under the same version.
    #[error(
        "subscriber `{subscriber}`: version {version} is registered with other inputs, keys, columns or parts; \
             give this one a higher version"
    )]
    Changed {
        /// The name of the subscriber.
        subscriber: String,
        /// The version of both.
        version: i32,
    },
    /// A newer version of the subscriber is registered.
    #[error(
        "subscriber `{subscriber}`: version {registered} is registered, and this program has version {version}"
    )]
    Older {
        /// The name of the subscriber.
        subscriber: String,
        /// The version of this program.
        version: i32,
        /// The version in the database.
        registered: i32,
    },
    /// The subscriber has a new version with other inputs or keys, but its parts stand at different events, or deliveries are
    /// set aside. A delivery could be lost or repeated.
    #[error(
        "subscriber `{subscriber}`: its parts stand at different events, or deliveries are set aside; let a worker \
             of version {registered} finish them before version {version} begins"
    )]
    Unsettled {
        /// The name of the subscriber.
        subscriber: String,
        /// The version of this program.
        version: i32,
        /// The version in the database.
        registered: i32,
    },
}

/// Registers a subscriber: from then on nothing is missed. A [`Worker`](crate::Worker) does this when it starts.
///
/// # Errors
///
/// Running it: errors of the database. The result is a [`RegisterError`] if the subscriber cannot be registered.
pub fn register<C>(subscriber: &Subscriber<C>) -> Register<'_, C> {
    Register(subscriber)
}

/// Registers a subscriber. Returned by [`register`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Register<'s, C>(&'s Subscriber<C>);

impl<C> sealed::Operation for Register<'_, C> {}

impl<DB: EventedBackend, C> Operation<DB> for Register<'_, C> {
    type Output = Result<(), RegisterError>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Self::Output, Error> {
        match registered(executor, self.0).await {
            Err(RegisterError::Database(error)) => Err(error),
            other => Ok(other.map(drop)),
        }
    }
}

/// Registers a subscriber, or checks that it is registered as this program declares it.
pub(crate) async fn registered<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<C>,
) -> Result<SubscriberRow, RegisterError> {
    let name = &subscriber.name;
    if let Some(fault) = subscriber.table.as_ref().and_then(Table::fault) {
        return Err(RegisterError::Projection { subscriber: name.clone(), fault });
    }
    if subscriber.sources.is_empty() {
        return Err(RegisterError::NoInput { subscriber: name.clone() });
    }
    subscriber.check().map_err(|error| RegisterError::Input { subscriber: name.clone(), error })?;
    let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    let digest = subscriber.digest();
    if let Some(row) = rows.into_iter().next()
        && is_same(&row, subscriber, &digest)
    {
        return Ok(row);
    }
    executor.begin().await.map_err(failed)?;
    let result = in_transaction(executor, subscriber, &digest).await;
    match result {
        Ok(row) => {
            executor.commit().await.map_err(failed)?;
            Ok(row)
        }
        Err(error) => {
            // The first error is the one that matters.
            let _ = executor.rollback().await;
            Err(error)
        }
    }
}

fn is_same<C>(row: &SubscriberRow, subscriber: &Subscriber<C>, digest: &str) -> bool {
    row.version == subscriber.version
        && row.digest == digest
        && subscriber.parts.is_none_or(|parts| parts == row.declared_parts)
}

async fn in_transaction<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<C>,
    digest: &str,
) -> Result<SubscriberRow, RegisterError> {
    let Subscriber { name, version, .. } = subscriber;
    let default = if DB::DATABASE == Database::Postgres { 8 } else { 1 };
    let most = if subscriber.has_effects { subscriber.in_flight_at_most() } else { u32::MAX };
    let parts = subscriber.parts.unwrap_or(i32::try_from(most).unwrap_or(default).min(default));
    let inserted =
        write(executor, store::insert_subscriber(name, *version, (digest, &subscriber.takes()), parts))
            .await?;
    write(executor, store::lock_subscriber(name)).await?;
    let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    let Some(row) = rows.into_iter().next() else { return Err(failed(diesel::NotFound).into()) };
    if inserted == 0 {
        if is_same(&row, subscriber, digest) {
            return Ok(row);
        }
        return renew(executor, subscriber, digest, row).await;
    }
    if subscriber.stalls_in_copies() {
        is_at_home(executor, &row).await?;
    }
    for part in 0..parts {
        write(executor, store::insert_part(name, part)).await?;
    }
    for log in subscriber.logs() {
        let first = first_cursor(executor, &log, subscriber.from).await?;
        for part in 0..parts {
            let cursor = CursorRow { part, ..first.clone() };
            write(executor, store::insert_cursor(name, &cursor)).await?;
        }
    }
    Ok(row)
}

/// Returns the cursor of a log that a subscriber has not read before.
async fn first_cursor<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    log: &SourceLog,
    from: From,
) -> Result<CursorRow, Error> {
    let offset = match from {
        From::Beginning => LogOffset::default(),
        From::Now => {
            let mark = commit_mark(executor, log.name).await?;
            let last = last_final(executor, log, 0, &mark).await?;
            start_of_now(mark.oldest_running, Some(log_offset(last)))
        }
    };
    let stream = stream_name(log);
    Ok(CursorRow { part: 0, stream, offset, anchor: 0 })
}

/// Returns the name under which the cursors of a log are stored.
pub(crate) fn stream_name(log: &SourceLog) -> String {
    match log.name.schema {
        Some(schema) => format!("{schema}.{}", log.name.table),
        None => log.name.table.to_owned(),
    }
}

/// Stores a new version of a subscriber, and fences out the workers of the older one.
async fn renew<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<C>,
    digest: &str,
    row: SubscriberRow,
) -> Result<SubscriberRow, RegisterError> {
    let Subscriber { name, version, .. } = subscriber;
    let (version, registered) = (*version, row.version);
    if version == registered {
        return Err(RegisterError::Changed { subscriber: name.clone(), version });
    }
    if version < registered {
        return Err(RegisterError::Older { subscriber: name.clone(), version, registered });
    }
    // A subscriber that was resized keeps its parts, unless the declaration has another number of them.
    let declared_parts = subscriber.parts.unwrap_or(row.declared_parts);
    let parts = if declared_parts == row.declared_parts { row.division.parts } else { declared_parts };
    write(executor, store::update_subscriber(name, version, (digest, &subscriber.takes()), declared_parts))
        .await?;
    let row = SubscriberRow { version, declared_parts, ..row };
    if digest == row.digest {
        // Each key stays what it is: what differs is what the handlers do, or the number of parts.
        free_parts(executor, name).await?;
        return Ok(divide(executor, row, parts).await?);
    }
    // With these locks no worker of the older version is within a batch.
    lock_all(executor, name, row.division.parts).await?;
    let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, None)).await?;
    let aside = load::<store::DeferredRow, _, _>(executor, store::deferred_of(name, 1)).await?;
    let is_settled = aside.is_empty() && are_settled(&row.division, &cursors);
    let repeats = subscriber.table.is_some();
    if !is_settled && !repeats {
        return Err(RegisterError::Unsettled { subscriber: name.clone(), version, registered });
    }
    let division = row.division.renewed(parts);
    rewrite_parts(executor, subscriber, &division, &cursors).await?;
    Ok(SubscriberRow { digest: digest.to_owned(), division, ..row })
}

/// Returns whether all parts stand at the same event of each log, and have handled everything before it.
fn are_settled(division: &Division, cursors: &[CursorRow]) -> bool {
    let slowest = slowest(cursors);
    let is_slowest = |cursor: &CursorRow| {
        slowest.iter().any(|slowest| (&slowest.stream, slowest.offset) == (&cursor.stream, cursor.offset))
    };
    let offsets = slowest.iter().map(|cursor| (cursor.stream.clone(), cursor.offset)).collect();
    cursors.iter().all(is_slowest) && division.is_settled(&offsets)
}

/// Writes the parts of a new version: each begins where the slowest part of the older version stood. Deliveries of a
/// projection can be repeated, and those of a handler stand at one place.
async fn rewrite_parts<DB: EventedBackend, C, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<C>,
    division: &Division,
    cursors: &[CursorRow],
) -> Result<(), Error> {
    let name = &subscriber.name;
    let deferred = load::<store::DeferredRow, _, _>(executor, store::deferred_of(name, i64::MAX)).await?;
    write(executor, store::remove_parts("evented_cursors", name, 0)).await?;
    write(executor, store::remove_parts("evented_deferred", name, 0)).await?;
    store_division(executor, name, division).await?;
    for log in subscriber.logs() {
        let stream = stream_name(&log);
        let slowest = slowest(cursors).into_iter().find(|cursor| cursor.stream == stream);
        let mut first = match slowest {
            Some(cursor) => cursor.clone(),
            None => first_cursor(executor, &log, subscriber.from).await?,
        };
        // What was set aside is computed again, too.
        let aside = deferred.iter().filter(|row| row.stream == stream).map(|row| row.offset).min();
        if let Some(before) = aside.map(just_before).filter(|before| *before < first.offset) {
            (first.offset, first.anchor) = (before, 0);
        }
        for part in 0..division.parts {
            let cursor = CursorRow { part, ..first.clone() };
            write(executor, store::insert_cursor(name, &cursor)).await?;
        }
    }
    Ok(())
}

/// Returns the offset after which the event at an offset is the next one.
pub(crate) fn just_before(offset: LogOffset) -> LogOffset {
    LogOffset { position: offset.position - 1, ..offset }
}
