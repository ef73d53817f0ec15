//! Domain events that are published later.

use std::marker::PhantomData;
use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::domain::{Bus, Cause, Due, Publication, PublicationRow, delayed_table, push_publications};
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, commit_hint, sealed};
use crate::sql::{Database, SqlTypes, Statement, field};
use crate::write::publish::Publish;

/// How many events one transaction publishes.
pub const CHUNK: usize = 1_000;
/// How often a delayed event is stored again whose unique key was taken and then free.
const ATTEMPTS: u32 = 3;

/// Returns the time after now.
pub(super) fn due_in(time: Duration) -> Due {
    Due::In(i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4))
}

/// Publishes a domain event later. Returned by [`Publish::after`] and [`Publish::due_at`].
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use std::time::Duration;
///
/// use diesel::prelude::*;
/// use evented_diesel::prelude::*;
/// use evented_diesel::{DomainEvent, DomainEvents, Error, cancel_event, publish};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
/// #[domain_event(name = "cart_abandoned", key = cart)]
/// struct CartAbandoned { cart: i32 }
///
/// fn remind(cart: i32, conn: &mut SqliteConnection) -> Result<(), Error> {
///     let delayed = publish(CartAbandoned { cart }).after(Duration::from_secs(3_600)).run(conn)?;
///     // The cart was bought in the meantime.
///     let was_there = cancel_event::<DomainEvents>(delayed.id).run(conn)?;
///     # assert!(was_there);
///     Ok(())
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct PublishLater {
    pub(super) publish: Publish,
    pub(super) due: Due,
}

/// A domain event that is published later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delayed {
    /// The id of the event.
    pub id: Uuid,
    /// Whether an event with the same [`unique`](Publish::unique) key was there before, delayed or published. Nothing was stored
    /// then, and the id is that of the earlier event.
    pub is_duplicate: bool,
}

impl sealed::Operation for PublishLater {}

impl<DB: EventedBackend> Operation<DB> for PublishLater {
    type Output = Delayed;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Delayed, Error> {
        let subject = self.publish.subject.clone();
        let transaction = Transaction::around(executor, &subject, true).await?;
        let stored = self.store(executor).await;
        transaction.close(executor, &subject, stored).await
    }
}

impl PublishLater {
    async fn store<DB: EventedBackend, E: Executor<DB>>(self, executor: &mut E) -> Result<Delayed, Error> {
        let mut event = self.publish.publication()?;
        event.delayed = Some((delayed_table(event.bus.table), self.due));
        // An event with the key can be removed, or published, between two statements.
        for _ in 0..ATTEMPTS {
            let mut statement = Statement::new("");
            push_publications(&mut statement, &[PublicationRow { publication: &event, cause: Cause::None }]);
            if event.unique.is_some() {
                // SQLite cannot tell the end of the `SELECT` from a join.
                statement.sql(" WHERE true ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING");
            }
            statement.sql(" RETURNING id");
            let inserted = self.id(executor, statement).await?;
            // Looked for after the insert, which has waited for whoever publishes an event with the key.
            let earlier = self.earlier(executor, &event).await?;
            match (inserted, earlier) {
                (Some(id), None) => return Ok(Delayed { id, is_duplicate: false }),
                (Some(own), Some(id)) => {
                    remove(executor, event.bus.table, own).await?;
                    return Ok(Delayed { id, is_duplicate: true });
                }
                (None, Some(id)) => return Ok(Delayed { id, is_duplicate: true }),
                (None, None) => {}
            }
        }
        Err(Error::database(self.publish.subject.clone(), diesel::NotFound))
    }

    /// Finds another event that has the unique key, published or delayed.
    async fn earlier<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        event: &Publication,
    ) -> Result<Option<Uuid>, Error> {
        let Some(unique) = event.unique.as_deref() else { return Ok(None) };
        let delayed = delayed_table(event.bus.table);
        let mut statement = Statement::new("SELECT b.id FROM ");
        statement.log(event.bus).sql(" b WHERE b.unique_key = ").value(unique);
        statement.sql(" UNION ALL SELECT d.id FROM ").identifier(&delayed);
        statement.sql(" d WHERE d.id <> ").value(event.id).sql(" AND d.unique_key = ").value(unique);
        self.id(executor, statement).await
    }

    async fn id<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB>,
    ) -> Result<Option<Uuid>, Error> {
        let rows = executor.load::<Id>(statement).await;
        let rows = rows.map_err(|error| Error::database(self.publish.subject.clone(), error))?;
        Ok(rows.into_iter().next().map(|row| row.0))
    }
}

struct Id(Uuid);

impl<DB: SqlTypes> QueryableByName<DB> for Id {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        field(row, 0, DB::read_uuid).map(Self)
    }
}

/// A number: a time of the database, or how many rows there are.
struct Millis(i64);

impl<DB: SqlTypes> QueryableByName<DB> for Millis {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        field(row, 0, DB::read_big_int).map(Self)
    }
}

/// Removes a domain event that is not published yet, by the id that [`Publish::after`] gave. Returns whether it was there: `false` if
/// it was published in the meantime.
pub fn cancel_event<B: Bus>(id: Uuid) -> CancelEvent<B> {
    CancelEvent { id, bus: PhantomData }
}

/// Removes a domain event that is not published yet. Returned by [`cancel_event`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct CancelEvent<B> {
    id: Uuid,
    bus: PhantomData<fn() -> B>,
}

impl<B> sealed::Operation for CancelEvent<B> {}

impl<DB: EventedBackend, B: Bus> Operation<DB> for CancelEvent<B> {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        remove(executor, B::TABLE, self.id).await
    }
}

/// Removes a delayed event. Returns whether it was there.
async fn remove<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    id: Uuid,
) -> Result<bool, Error> {
    let delayed = delayed_table(bus);
    let mut statement: Statement<'_, DB> = Statement::new("DELETE FROM ");
    statement.identifier(&delayed).sql(" WHERE id = ").value(id);
    let removed = executor.execute(statement).await;
    removed.map(|rows| rows > 0).map_err(|error| Error::database(of_bus(bus), error))
}

/// Publishes the delayed events of a bus whose time has come, and returns how many. A worker of `evented-react` runs this with each
/// of its beats, so a program with workers need not.
pub fn publish_due<B: Bus>() -> PublishDue<B> {
    PublishDue { bus: PhantomData }
}

/// Publishes the delayed events of a bus whose time has come. Returned by [`publish_due`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct PublishDue<B> {
    bus: PhantomData<fn() -> B>,
}

impl<B> sealed::Operation for PublishDue<B> {}

impl<DB: EventedBackend, B: Bus> Operation<DB> for PublishDue<B> {
    type Output = usize;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<usize, Error> {
        publish_all_due(executor, B::TABLE, None).await
    }
}

fn of_bus(bus: &str) -> Subject {
    Subject::Object { kind: "bus", name: bus.to_owned() }
}

/// Publishes all delayed events of a bus whose time has come, and returns how many. `now`: as in [`publish_due_of`].
pub async fn publish_all_due<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    now: Option<i64>,
) -> Result<usize, Error> {
    let mut published = 0;
    loop {
        let chunk = publish_due_of(executor, bus, now, None).await?;
        published += chunk;
        if chunk < CHUNK {
            return Ok(published);
        }
    }
}

/// Publishes delayed events of a bus whose time has come, at most [`CHUNK`], and returns how many. `now` is in milliseconds since
/// 1970; `None`: the time of the database. `patience`: how many milliseconds it waits on PostgreSQL for a transaction that
/// publishes an event with the same unique key; `None`: until it ends.
pub async fn publish_due_of<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    now: Option<i64>,
    patience: Option<i64>,
) -> Result<usize, Error> {
    let (delayed, subject) = (delayed_table(bus), of_bus(bus));
    let failed = |error| Error::database(subject.clone(), error);
    let now = match now {
        Some(now) => now,
        None => {
            // Within a `SELECT` the time is read once, so that the index finds the rows.
            let mut statement: Statement<'_, DB> = Statement::new("SELECT ");
            statement.sql(DB::NOW_MILLIS).sql(" FROM ").identifier(&delayed);
            statement.sql(" d WHERE d.due <= (SELECT ").sql(DB::NOW_MILLIS).sql(") LIMIT 1");
            let rows = executor.load::<Millis>(statement).await.map_err(failed)?;
            let Some(Millis(now)) = rows.into_iter().next() else { return Ok(0) };
            now
        }
    };
    // SQLite has one writer at a time: no event waits for another one's key.
    let patience = patience.filter(|_| DB::DATABASE == Database::Postgres);
    let due = DueEvents { bus, delayed: &delayed, now, patience, all: true };
    let moved = match in_transaction(executor, &subject, due).await {
        // Somebody holds up one of the unique events. The others need not wait for it.
        Err(Error::Busy { .. }) if patience.is_some() => {
            in_transaction(executor, &subject, DueEvents { all: false, ..due }).await?
        }
        moved => moved?,
    };
    commit_hint(executor);
    Ok(moved)
}

/// The delayed events that are published.
#[derive(Debug, Clone, Copy)]
struct DueEvents<'d> {
    bus: &'d str,
    delayed: &'d str,
    now: i64,
    patience: Option<i64>,
    /// Also those with a unique key.
    all: bool,
}

async fn in_transaction<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    subject: &Subject,
    due: DueEvents<'_>,
) -> Result<usize, Error> {
    let transaction = Transaction::around(executor, subject, true).await?;
    let moved = move_due(executor, due).await.map_err(|error| Error::database(subject.clone(), error));
    transaction.close(executor, subject, moved).await
}

/// Moves events that are due to their bus, and returns how many. What the bus has under the same unique key already is dropped.
async fn move_due<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    DueEvents { bus, delayed, now, patience, all }: DueEvents<'_>,
) -> diesel::QueryResult<usize> {
    const COLUMNS: &str = "id, record_id, action, version, payload, meta, unique_key, source_schema, \
                           source_record, source_revision";
    const OF_BUS: &str = "id, record_id, action, version, payload, meta, unique_key, source_schema, \
                          source_record, source_revision, at";
    const CONFLICT: &str = " ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING";
    let chunk = i64::try_from(CHUNK).unwrap_or(i64::MAX);
    if DB::DATABASE == Database::Postgres {
        if let Some(patience) = patience {
            let patience = patience.to_string();
            let mut statement: Statement<'_, DB> = Statement::new("SELECT set_config('lock_timeout', ");
            statement.value(patience.as_str()).sql(", true)");
            executor.execute(statement).await?;
        }
        // Rows that another worker moves are not waited for.
        let mut statement: Statement<'_, DB> = Statement::new("WITH moved AS (DELETE FROM ");
        statement.identifier(delayed).sql(" WHERE id IN (SELECT d.id FROM ").identifier(delayed);
        statement.sql(" d WHERE d.due <= ").value(now);
        statement.sql(if all { "" } else { " AND d.unique_key IS NULL" });
        statement
            .sql(" ORDER BY d.due, d.id LIMIT ")
            .value(chunk)
            .sql(" FOR UPDATE SKIP LOCKED) RETURNING ")
            .sql(COLUMNS)
            .sql(", due), published AS (");
        statement.sql("INSERT INTO ").identifier(bus).sql(" (").sql(OF_BUS).sql(") SELECT ").sql(COLUMNS);
        statement.sql(", to_timestamp(due / 1000.0) FROM moved ORDER BY due, id").sql(CONFLICT);
        statement.sql(") SELECT count(*) FROM moved");
        let rows = executor.load::<Millis>(statement).await?;
        return Ok(rows.first().map_or(0, |count| usize::try_from(count.0).unwrap_or(0)));
    }
    let mut statement: Statement<'_, DB> = Statement::new("INSERT INTO ");
    statement.identifier(bus).sql(" (").sql(OF_BUS).sql(") SELECT ").sql(COLUMNS);
    statement.sql(", strftime('%Y-%m-%d %H:%M:%f', due / 1000.0, 'unixepoch') || '+00:00' FROM ");
    statement.identifier(delayed).sql(" WHERE id IN (SELECT d.id FROM ").identifier(delayed);
    statement.sql(" d WHERE d.due <= ").value(now);
    statement.sql(" ORDER BY d.due, d.id LIMIT ").value(chunk).sql(") ORDER BY due, id").sql(CONFLICT);
    executor.execute(statement).await?;
    let mut statement: Statement<'_, DB> = Statement::new("DELETE FROM ");
    statement.identifier(delayed).sql(" WHERE id IN (SELECT d.id FROM ").identifier(delayed);
    statement.sql(" d WHERE d.due <= ").value(now);
    statement.sql(" ORDER BY d.due, d.id LIMIT ").value(chunk).sql(")");
    executor.execute(statement).await
}
