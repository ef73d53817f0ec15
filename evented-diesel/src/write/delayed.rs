//! Domain events that are published later.

use std::marker::PhantomData;
use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::domain::{Bus, Due, delayed_table, push_publications};
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, commit_hint, sealed};
use crate::sql::{Database, SqlTypes, Statement, field};
use crate::write::publish::Publish;

/// How many events one transaction publishes.
const CHUNK: i64 = 1_000;

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
        let mut statement = Statement::new("");
        push_publications(&mut statement, &[&event], "");
        if let Some(unique) = &event.unique {
            statement.sql(" WHERE NOT EXISTS (SELECT 1 FROM ").log(event.bus).sql(" b WHERE b.unique_key = ");
            statement.value(unique.as_str());
            statement.sql(") ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING");
        }
        statement.sql(" RETURNING id");
        if let Some(id) = self.id(executor, statement).await? {
            return Ok(Delayed { id, is_duplicate: false });
        }
        let (delayed, unique) = (delayed_table(event.bus.table), event.unique.clone().unwrap_or_default());
        let mut statement = Statement::new("SELECT d.id FROM ");
        statement.identifier(&delayed).sql(" d WHERE d.unique_key = ").value(unique.as_str());
        statement.sql(" UNION ALL SELECT b.id FROM ").log(event.bus).sql(" b WHERE b.unique_key = ");
        statement.value(unique.as_str());
        match self.id(executor, statement).await? {
            Some(id) => Ok(Delayed { id, is_duplicate: true }),
            None => Err(Error::database(self.publish.subject.clone(), diesel::NotFound)),
        }
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

/// The time of the database.
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
        let delayed = delayed_table(B::TABLE);
        let mut statement: Statement<'_, DB> = Statement::new("DELETE FROM ");
        statement.identifier(&delayed).sql(" WHERE id = ").value(self.id);
        let removed = executor.execute(statement).await;
        removed.map(|rows| rows > 0).map_err(|error| Error::database(of_bus(B::TABLE), error))
    }
}

/// Publishes the delayed events of a bus whose time has come. Returns how many. A worker of `evented-react` does so by itself.
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
        publish_due_of(executor, B::TABLE).await
    }
}

fn of_bus(bus: &str) -> Subject {
    Subject::Object { kind: "bus", name: bus.to_owned() }
}

/// Publishes the delayed events of a bus whose time has come, and returns how many.
pub async fn publish_due_of<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
) -> Result<usize, Error> {
    let delayed = delayed_table(bus);
    let mut statement: Statement<'_, DB> = Statement::new("SELECT ");
    statement.sql(DB::NOW_MILLIS).sql(" FROM ").identifier(&delayed).sql(" d WHERE d.due <= ");
    statement.sql(DB::NOW_MILLIS).sql(" LIMIT 1");
    let rows = executor.load::<Millis>(statement).await;
    let rows = rows.map_err(|error| Error::database(of_bus(bus), error))?;
    let mut published = 0;
    let Some(Millis(now)) = rows.into_iter().next() else { return Ok(published) };
    loop {
        let subject = of_bus(bus);
        let transaction = Transaction::around(executor, &subject, true).await?;
        let moved = move_due(executor, bus, &delayed, now).await;
        let moved = moved.map_err(|error| Error::database(subject.clone(), error));
        let moved = transaction.close(executor, &subject, moved).await?;
        published += moved;
        if moved < usize::try_from(CHUNK).unwrap_or(usize::MAX) {
            commit_hint(executor);
            return Ok(published);
        }
    }
}

/// Moves events that are due to their bus. What the bus has under the same unique key already is dropped.
async fn move_due<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    bus: &str,
    delayed: &str,
    now: i64,
) -> diesel::QueryResult<usize> {
    const COLUMNS: &str = "id, record_id, action, version, payload, meta, unique_key";
    let of_bus = "id, record_id, action, version, payload, meta, unique_key, at";
    let conflict = " ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING";
    if DB::DATABASE == Database::Postgres {
        // Rows that another worker moves are not waited for.
        let mut statement: Statement<'_, DB> = Statement::new("WITH moved AS (DELETE FROM ");
        statement.identifier(delayed).sql(" WHERE id IN (SELECT d.id FROM ").identifier(delayed);
        statement.sql(" d WHERE d.due <= ").sql(DB::NOW_MILLIS).sql(" ORDER BY d.due, d.id LIMIT ");
        statement.value(CHUNK).sql(" FOR UPDATE SKIP LOCKED) RETURNING ").sql(COLUMNS).sql(", due) ");
        statement.sql("INSERT INTO ").identifier(bus).sql(" (").sql(of_bus).sql(") SELECT ").sql(COLUMNS);
        statement.sql(", to_timestamp(due / 1000.0) FROM moved ORDER BY due, id").sql(conflict);
        return executor.execute(statement).await;
    }
    let mut statement: Statement<'_, DB> = Statement::new("INSERT INTO ");
    statement.identifier(bus).sql(" (").sql(of_bus).sql(") SELECT ").sql(COLUMNS);
    statement.sql(", strftime('%Y-%m-%d %H:%M:%f', due / 1000.0, 'unixepoch') || '+00:00' FROM ");
    statement.identifier(delayed).sql(" WHERE due <= ").value(now).sql(" ORDER BY due, id").sql(conflict);
    let moved = executor.execute(statement).await?;
    let mut statement: Statement<'_, DB> = Statement::new("DELETE FROM ");
    statement.identifier(delayed).sql(" WHERE due <= ").value(now);
    executor.execute(statement).await?;
    Ok(moved)
}
