//! Publishes domain events without a command.

use std::collections::HashMap;
use std::time::Duration;

use diesel::deserialize::{self, QueryableByName};
use diesel::row::NamedRow;
use evented_core::{LogOffset, Position, micros};
use uuid::Uuid;

use crate::backend::EventedBackend;
use crate::domain::{
    Cause, DomainEvent, Due, NewPublication, Publication, PublicationRow, push_publications,
};
use crate::error::{Error, Subject};
use crate::exec::{Executor, Operation, Transaction, commit_hint, sealed};
use crate::sql::{LogName, SqlTypes, Statement, field};
use crate::write::delayed::{PublishLater, due_in};
use crate::write::options::{Options, event_options};
use crate::write::published::EVENTS_PER_STATEMENT;

/// How often an insert is tried whose unique key is taken and then free.
const ATTEMPTS: u32 = 3;

/// Publishes a domain event, in the current transaction or in one of its own. A command publishes with
/// [`Command::publish`](crate::Command::publish).
///
/// ```
/// # #[cfg(feature = "sqlite")]
/// # mod example {
/// use diesel::prelude::*;
/// use evented_diesel::prelude::*;
/// use evented_diesel::{DomainEvent, Error, publish};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
/// #[domain_event(name = "payment_failed", key = order)]
/// struct PaymentFailed { order: i32 }
///
/// fn failed(order: i32, conn: &mut SqliteConnection) -> Result<(), Error> {
///     let stored = publish(PaymentFailed { order }).by("payments").unique(format!("failed:{order}")).run(conn)?;
///     if stored.is_duplicate {
///         println!("it was published before, with the id {}", stored.id);
///     }
///     Ok(())
/// }
/// # }
/// ```
pub fn publish<E: DomainEvent>(event: E) -> Publish {
    Publish {
        event: NewPublication::of(&event),
        subject: Subject::Object { kind: "event", name: E::NAME.to_owned() },
        options: Options::default(),
        unique: None,
    }
}

/// Publishes domain events, in their order: all of them or none.
pub fn publish_all<E: DomainEvent>(events: impl IntoIterator<Item = E>) -> PublishAll {
    PublishAll { events: events.into_iter().map(publish).collect() }
}

/// Publishes a domain event. Returned by [`publish`](publish()).
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Publish {
    pub(super) event: NewPublication,
    pub(super) subject: Subject,
    options: Options,
    unique: Option<String>,
}

/// Publishes domain events. Returned by [`publish_all`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct PublishAll {
    events: Vec<Publish>,
}

/// A domain event that was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The id of the event.
    pub id: Uuid,
    /// The position of the event in its bus.
    pub position: Position,
    /// Whether an event with the same [`unique`](Publish::unique) key was published before. Nothing was published then, and
    /// id and position are those of the earlier event.
    pub is_duplicate: bool,
}

impl Publish {
    event_options!();

    /// Publishes the event only if none was published on its bus with this key. If two transactions do so at the same time,
    /// one waits for the other.
    ///
    /// The key stays taken as long as the bus has the event.
    pub fn unique(mut self, key: impl Into<String>) -> Self {
        self.unique = Some(key.into());
        self
    }

    /// Publishes the event only if none was published on its bus with this key in the current window. Windows have this length, and
    /// begin at 1970 in UTC: with an hour there is at most one event in each full hour. The clock of this machine decides.
    pub fn unique_for(self, key: impl Into<String>, window: Duration) -> Self {
        let millis = u128::from(chrono::Utc::now().timestamp_millis().unsigned_abs());
        let window = millis / window.as_millis().max(1);
        let key = format!("{}@{window}", key.into());
        self.unique(key)
    }

    /// Delays the event: it is published this long after now, by the clock of the database. Until then it is in a table of its own,
    /// and [`cancel_event`](crate::cancel_event) removes it.
    ///
    /// A worker of `evented-react` publishes it, within a second after its time, if it serves a subscriber of the bus. The event then
    /// sorts behind all that were published before. Its time is that at which it is due: [`at`](Self::at) sets no other one.
    pub fn after(self, time: Duration) -> PublishLater {
        PublishLater { publish: self, due: due_in(time) }
    }

    /// Delays the event until a time, as [`after`](Self::after) does.
    pub fn due_at(self, time: chrono::DateTime<chrono::Utc>) -> PublishLater {
        PublishLater { publish: self, due: Due::At(time.timestamp_millis()) }
    }

    /// Makes the row to write.
    pub(super) fn publication(&self) -> Result<Publication, Error> {
        let at = micros(self.options.at.unwrap_or_else(chrono::Utc::now));
        let made = self.event.publication(&self.options.meta, at, None);
        let mut event =
            made.map_err(|reason| Error::Encode { record: self.subject.clone(), error: reason.into() })?;
        event.unique.clone_from(&self.unique);
        Ok(event)
    }

    async fn write<DB: EventedBackend, E: Executor<DB>>(&self, executor: &mut E) -> Result<Published, Error> {
        let event = self.publication()?;
        // An event with the key can be removed between the two statements.
        for _ in 0..ATTEMPTS {
            if let Some(published) = self.insert(executor, &event).await? {
                return Ok(published);
            }
            if let Some(published) = self.earlier(executor, &event).await? {
                return Ok(published);
            }
        }
        Err(Error::database(self.subject.clone(), diesel::NotFound))
    }

    /// Inserts the event; `None` if there is one with its unique key.
    async fn insert<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        event: &Publication,
    ) -> Result<Option<Published>, Error> {
        let mut statement = Statement::new("");
        push_publications(&mut statement, &[PublicationRow { publication: event, cause: Cause::None }]);
        if event.unique.is_some() {
            // SQLite cannot tell the end of the `SELECT` from a join.
            statement.sql(" WHERE true ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL DO NOTHING");
        }
        statement.sql(" RETURNING id, txid, position");
        self.stored(executor, statement, event, false).await
    }

    /// Finds the event that has the unique key.
    async fn earlier<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        event: &Publication,
    ) -> Result<Option<Published>, Error> {
        let mut statement = Statement::new("SELECT e.id, e.txid, e.position FROM ");
        statement.log(event.bus).sql(" e WHERE e.unique_key = ");
        statement.value(event.unique.as_deref().unwrap_or_default());
        self.stored(executor, statement, event, true).await
    }

    async fn stored<DB: EventedBackend, E: Executor<DB>>(
        &self,
        executor: &mut E,
        statement: Statement<'_, DB>,
        event: &Publication,
        is_duplicate: bool,
    ) -> Result<Option<Published>, Error> {
        let rows = executor.load::<Stored>(statement).await;
        let rows = rows.map_err(|error| Error::database(self.subject.clone(), error))?;
        Ok(rows.into_iter().next().map(|row| row.published(event.bus, is_duplicate)))
    }
}

struct Stored {
    id: Uuid,
    offset: LogOffset,
}

impl Stored {
    fn published(&self, bus: LogName, is_duplicate: bool) -> Published {
        let LogOffset { txid, position } = self.offset;
        let position = Position::new(bus.stream(), txid.cast_unsigned(), position.cast_unsigned());
        Published { id: self.id, position, is_duplicate }
    }
}

impl<DB: SqlTypes> QueryableByName<DB> for Stored {
    fn build<'a>(row: &impl NamedRow<'a, DB>) -> deserialize::Result<Self> {
        let offset =
            LogOffset { txid: field(row, 1, DB::read_big_int)?, position: field(row, 2, DB::read_big_int)? };
        Ok(Self { id: field(row, 0, DB::read_uuid)?, offset })
    }
}

impl sealed::Operation for Publish {}
impl sealed::Operation for PublishAll {}

impl<DB: EventedBackend> Operation<DB> for Publish {
    type Output = Published;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Published, Error> {
        let transaction = Transaction::around(executor, &self.subject, true).await?;
        let written = self.write(executor).await;
        let published = transaction.close(executor, &self.subject, written).await?;
        commit_hint(executor);
        Ok(published)
    }
}

impl<DB: EventedBackend> Operation<DB> for PublishAll {
    type Output = Vec<Published>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<Published>, Error> {
        let Some(first) = self.events.first() else { return Ok(Vec::new()) };
        let transaction = Transaction::around(executor, &first.subject, true).await?;
        let written = write_all(executor, &self.events).await;
        let published = transaction.close(executor, &first.subject, written).await?;
        commit_hint(executor);
        Ok(published)
    }
}

async fn write_all<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    events: &[Publish],
) -> Result<Vec<Published>, Error> {
    let mut published = Vec::with_capacity(events.len());
    for events in events.chunks(EVENTS_PER_STATEMENT) {
        published.append(&mut write_chunk(executor, events).await?);
    }
    Ok(published)
}

/// Writes events of one type without unique keys, in one statement.
async fn write_chunk<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    events: &[Publish],
) -> Result<Vec<Published>, Error> {
    let made: Vec<Publication> = events.iter().map(Publish::publication).collect::<Result<_, _>>()?;
    let (Some(event), Some(first)) = (events.first(), made.first()) else { return Ok(Vec::new()) };
    let rows: Vec<PublicationRow<'_>> =
        made.iter().map(|publication| PublicationRow { publication, cause: Cause::None }).collect();
    let mut statement = Statement::new("");
    push_publications(&mut statement, &rows);
    statement.sql(" RETURNING id, txid, position");
    let stored = executor.load::<Stored>(statement).await;
    let stored = stored.map_err(|error| Error::database(event.subject.clone(), error))?;
    // The database may return the rows in another order.
    let places: HashMap<Uuid, Stored> = stored.into_iter().map(|row| (row.id, row)).collect();
    let published = |publication: &Publication| {
        let stored = places.get(&publication.id)?;
        Some(stored.published(first.bus, false))
    };
    let all: Option<Vec<Published>> = made.iter().map(published).collect();
    all.ok_or_else(|| Error::database(event.subject.clone(), diesel::NotFound))
}
