//! Runs subscribers within a test, on the test's own connection and in its transaction, without a worker.
//!
//! ```
//! # #[cfg(feature = "sqlite")]
//! # mod example {
//! # use diesel::prelude::*;
//! # use evented_diesel::prelude::*;
//! # use evented_react::{Change, Delivery, Failure, Subscriber, register, testing};
//! # diesel::table! { notes (id) { id -> Integer, text -> Text, } }
//! # #[derive(Evented, Clone, Debug)]
//! # struct Note { id: i32, text: String }
//! # fn test(conn: &mut SqliteConnection) -> Result<(), Box<dyn std::error::Error>> {
//! let audit = Subscriber::new("audit").on(
//!     Note::changes(),
//!     |note: Delivery<'_, Change<Note>>, conn: &mut SqliteConnection| Ok::<(), Failure>(()),
//! );
//! register(&audit).run(conn)??;
//! Note::insert(NewNote { text: "Buy milk".into() }).run(conn)?;
//! assert_eq!(testing::drain(&audit, conn)?.handled, 1);
//! # Ok(()) }
//! # }
//! ```
//!
//! Within a transaction of the test, the subscriber also sees what the transaction has written and not committed. A
//! function touches only the subscriber that it is called with.

mod assertions;
#[cfg(feature = "__async")]
mod asynchronous;
mod decisions;
mod delayed;

use std::sync::Arc;

use diesel::connection::LoadConnection;
use evented_diesel::Error;
use evented_diesel::spi::{BlockingExecutor, EventedBackend, database_id, ready};

use crate::division::Division;
use crate::due::due_now;
use crate::item::Item;
use crate::lend::Lend;
use crate::part::Part;
use crate::register::{RegisterError, registered, stream_name};
use crate::step::{Batching, Next, step, step_due};
use crate::store::{self, CursorRow, DeferredRow, MovedPart, PartRow, failed, load};
use crate::subscriber::Subscriber;
use crate::tail::{Place, Tail};

pub use assertions::{assert_published, refute_published};
#[cfg(feature = "__async")]
pub use assertions::{assert_published_async, refute_published_async};
pub use decisions::{Given, Then, given};
pub use delayed::{PublishDelayed, publish_delayed};

/// What a run of a subscriber did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// How many deliveries were handled.
    pub handled: usize,
    /// How many deliveries were set aside: those that failed, and those that wait for them.
    pub set_aside: usize,
}

/// Why a run of a subscriber did not finish. What was handled before is done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// The subscriber cannot be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] Error),
    /// A delivery failed, and is set aside.
    #[error("subscriber `{subscriber}`, key {key}: {error}")]
    Failed {
        /// The name of the subscriber.
        subscriber: String,
        /// The key of the delivery.
        key: String,
        /// The text of the failure.
        error: String,
    },
    /// The connection is of no further use: a handler panicked, took too long, or left a transaction open.
    #[error("subscriber `{subscriber}`: {reason}")]
    Broken {
        /// The name of the subscriber.
        subscriber: String,
        /// The reason.
        reason: String,
    },
    /// A live worker works on the subscriber, or the subscriber was removed meanwhile.
    #[error("subscriber `{subscriber}`: a worker works on it")]
    InUse {
        /// The name of the subscriber.
        subscriber: String,
    },
}

/// Handles all deliveries of a subscriber that are there, on a blocking connection. Registers it first if it is not
/// registered.
///
/// # Errors
///
/// See [`DrainError`]: the first delivery that fails is the error.
pub fn drain<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    blocking(run(&mut BlockingExecutor(conn), subscriber, Stop::AtFailure))
}

/// Like [`drain`], but goes on after a failure, and counts the deliveries that are set aside.
///
/// # Errors
///
/// As [`drain`], without [`DrainError::Failed`].
pub fn drain_tolerant<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    blocking(run(&mut BlockingExecutor(conn), subscriber, Stop::AtEnd))
}

/// Handles the deliveries of one event: the next one of the first part that has one.
///
/// # Errors
///
/// As [`drain`].
pub fn step_once<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    blocking(run(&mut BlockingExecutor(conn), subscriber, Stop::AfterOne))
}

/// Handles the deliveries of one event, and rolls back what the handlers wrote: a failure is the error.
///
/// # Errors
///
/// As [`drain`].
pub fn try_once<C>(subscriber: &Subscriber<C>, conn: &mut C) -> Result<Drained, DrainError>
where
    C: LoadConnection<Backend: EventedBackend> + Send + 'static,
{
    blocking(rolled_back(&mut BlockingExecutor(conn), subscriber))
}

async fn rolled_back<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
) -> Result<Drained, DrainError> {
    registered(executor, subscriber).await?;
    executor.begin().await.map_err(failed)?;
    let tried = run(executor, subscriber, Stop::AfterOne).await;
    executor.rollback().await.map_err(failed)?;
    tried
}

fn blocking<T>(work: impl Future<Output = Result<T, DrainError>>) -> Result<T, DrainError> {
    ready(work).unwrap_or(Err(DrainError::Database(Error::NotReady)))
}

#[cfg(feature = "__async")]
pub use asynchronous::{drain_async, drain_tolerant_async, step_once_async, try_once_async};

/// When a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    AtEnd,
    AtFailure,
    AfterOne,
}

/// Within how many milliseconds an owner was seen that counts as alive.
const SEEN_WITHIN: i64 = 10_000;
/// How many events are read at once.
const PAGE: i64 = 1_000;

async fn run<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    stop: Stop,
) -> Result<Drained, DrainError> {
    let division = registered(executor, subscriber).await?.division;
    let owned = load::<PartRow, _, _>(executor, store::part_rows(&subscriber.name)).await?;
    if owned.iter().any(|part| part.unseen.is_some_and(|unseen| unseen < SEEN_WITHIN)) {
        return Err(DrainError::InUse { subscriber: subscriber.name.clone() });
    }
    let streams: Vec<String> = subscriber.logs().iter().map(stream_name).collect();
    let parts = division.parts;
    let mut run = Run { subscriber, division, streams: &streams, stop, drained: Drained::default() };
    for number in 0..parts {
        if run.due(executor, number).await? {
            return Ok(run.drained);
        }
    }
    for stream in 0..streams.len() {
        if run.log(executor, stream).await? {
            break;
        }
    }
    Ok(run.drained)
}

struct Run<'r, C> {
    subscriber: &'r Subscriber<C>,
    division: Division,
    streams: &'r [String],
    stop: Stop,
    drained: Drained,
}

impl<C: Send + 'static> Run<'_, C> {
    fn part(&self, number: i32) -> Part<'_> {
        Part { number, division: self.division.number, owner: None, streams: self.streams, marked: false }
    }

    /// Tries the deliveries of a part again whose time has come. Returns whether the run ends.
    async fn due<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &mut self,
        executor: &mut E,
        part: i32,
    ) -> Result<bool, DrainError> {
        loop {
            let (rows, _) = due_now(executor, self.subscriber, part).await?;
            let Some(row) = rows.first() else { return Ok(false) };
            let mut batching = Batching::new();
            let next = step_due(executor, self.subscriber, self.part(part), row, &mut batching).await;
            if self.took(executor, next).await?.is_none() {
                continue;
            }
            if self.stop == Stop::AfterOne {
                return Ok(true);
            }
        }
    }

    /// Handles the deliveries of a log. Returns whether the run ends.
    async fn log<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &mut self,
        executor: &mut E,
        stream: usize,
    ) -> Result<bool, DrainError> {
        let name = self.subscriber.name.as_str();
        let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(name, None)).await?;
        let of_log = cursors.iter().filter(|cursor| Some(&cursor.stream) == self.streams.get(stream));
        let Some(first) = of_log.min_by_key(|cursor| cursor.offset) else { return Ok(false) };
        let Some(log) = self.subscriber.logs().get(stream).copied() else { return Ok(false) };
        let database = database_id(executor, log.name).await?;
        let Some(mut tail) = Tail::new(self.subscriber, stream, database, Place::from(first)) else {
            return Ok(false);
        };
        loop {
            // Without a horizon: what the test's own transaction wrote is not final yet.
            let read = tail.read(executor, None, PAGE).await?;
            let mut by_part: Vec<Vec<Arc<Item<C>>>> = (0..self.division.parts).map(|_| Vec::new()).collect();
            for item in read.items {
                let item = Arc::new(item);
                for (part, items) in (0..).zip(&mut by_part) {
                    if item.is_of_part(&self.division, part) {
                        items.push(Arc::clone(&item));
                    }
                }
            }
            for (number, items) in (0..).zip(by_part) {
                if self.items(executor, number, &items).await? {
                    return Ok(true);
                }
            }
            self.move_all(executor, stream, read.to).await?;
            if !read.more {
                return Ok(false);
            }
        }
    }

    /// Moves the cursors of all parts to a place up to which everything was handled.
    async fn move_all<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        stream: usize,
        to: Place,
    ) -> Result<(), DrainError> {
        let Some(stream) = self.streams.get(stream) else { return Ok(()) };
        let parts: Vec<i32> = (0..self.division.parts).collect();
        let Place { offset, anchor } = to;
        let to = CursorRow { part: 0, stream: stream.clone(), offset, anchor };
        let division = (self.division.number, parts.as_slice());
        let statement = store::move_idle(&self.subscriber.name, division, &to, None);
        load::<MovedPart, _, _>(executor, statement).await?;
        Ok(())
    }

    async fn items<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &mut self,
        executor: &mut E,
        part: i32,
        items: &[Arc<Item<C>>],
    ) -> Result<bool, DrainError> {
        // An effect that was had is not undone with its batch.
        let is_alone = self.stop == Stop::AfterOne || self.subscriber.has_effects;
        let mut batching = if is_alone { Batching::one_by_one() } else { Batching::new() };
        let mut queue = items;
        while !queue.is_empty() {
            let before = self.drained.clone();
            let next = step(executor, self.subscriber, self.part(part), queue, &mut batching).await;
            let Some(taken) = self.took(executor, next).await? else { continue };
            queue = queue.get(taken..).unwrap_or_default();
            // Events that were handled before are read again, and are no step.
            if self.stop == Stop::AfterOne && self.drained != before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Counts what a step did. Returns how many deliveries are done; `None` if it must be repeated.
    async fn took<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &mut self,
        executor: &mut E,
        next: Next,
    ) -> Result<Option<usize>, DrainError> {
        match next {
            Next::Took { taken, handled, set_aside } => {
                self.drained.handled += handled;
                self.drained.set_aside += set_aside;
                if set_aside > 0 && self.stop != Stop::AtEnd {
                    return Err(self.failure(executor).await?);
                }
                Ok(Some(taken))
            }
            Next::Again(wait) => {
                executor.sleep(wait).await;
                Ok(None)
            }
            Next::Reconnect(reason) => Err(self.broken(reason)),
            Next::Lost => Err(DrainError::InUse { subscriber: self.subscriber.name.clone() }),
        }
    }

    /// Returns the failure of the delivery that was set aside last.
    async fn failure<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
    ) -> Result<DrainError, Error> {
        let statement = store::deferred_of(&self.subscriber.name, i64::MAX);
        let rows = load::<DeferredRow, _, _>(executor, statement).await?;
        let failed = rows.into_iter().rev().find(|row| row.error.is_some());
        let (key, error) = failed.map_or_else(
            || (String::new(), "a delivery waits for one that failed before".to_owned()),
            |row| (row.key.to_string(), row.error.unwrap_or_default()),
        );
        Ok(DrainError::Failed { subscriber: self.subscriber.name.clone(), key, error })
    }

    fn broken(&self, reason: String) -> DrainError {
        DrainError::Broken { subscriber: self.subscriber.name.clone(), reason }
    }
}
