//! Handles deliveries of one part in one transaction: lock, check, handle, move the cursors, commit.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evented_core::KeyValue;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Statement, wake};
use uuid::Uuid;

use crate::call::{NotHandled, call, refresh_rows};
use crate::failure::Failure;
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::lend::Lend;
use crate::next_state::next_state;
use crate::settle::Outcome;
use crate::store::{
    self, CursorRow, DeferredRow, Keyed, LockedPart, Nothing, Patience, State, failed, load, lock_part, write,
};
use crate::subscriber::Subscriber;
use crate::telemetry;

/// The part that a batch works for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) number: i32,
    /// The number of the division that the part belongs to.
    pub(crate) division: i32,
    /// The worker that owns the part, and the fence that it holds; `None` for a test, which needs to own nothing.
    pub(crate) owner: Option<(Uuid, i64)>,
    /// The names of the logs, by their index.
    pub(crate) streams: &'a [String],
    /// Whether the event was marked before it is run alone: the transaction takes the mark away.
    pub(crate) marked: bool,
}

/// Why a batch was not done. Nothing of it was written.
#[derive(Debug)]
pub(crate) enum Undone {
    /// The part belongs to somebody else now, or the subscriber is gone, has another version, or was resized.
    Lost,
    /// Another transaction works on the part.
    Locked,
    /// A handler has not handled the delivery with this index, or did so in a way that leaves the connection useless.
    /// `None`: which of the deliveries is the cause is not known.
    Failed { index: Option<usize>, failure: Failure, broken: bool },
    /// The database failed, and no delivery is the cause.
    Database(Error),
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

impl NotHandled {
    /// Converts the reason into that of the batch. The delivery has this index.
    pub(crate) fn into_undone(self, index: Option<usize>) -> Undone {
        match self {
            Self::Failed { failure, broken } => Undone::Failed { index, failure, broken },
            Self::Lost(error) => Undone::Database(error),
        }
    }
}

/// What a batch did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) handled: usize,
    pub(crate) set_aside: usize,
}

/// A delivery that failed alone, and is set aside in the next batch.
#[derive(Debug)]
pub(crate) struct Aside {
    pub(crate) index: usize,
    pub(crate) failure: Failure,
}

/// Handles deliveries, which are whole events in the order of their logs, and moves the cursors to the last of each log.
/// A delivery whose key waits is set aside behind the others of its key.
pub(crate) async fn run<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    items: &[Arc<Item<E::Conn>>],
    aside: &[Aside],
) -> Result<Done, Undone> {
    run_batch(executor, subscriber, part, items, Ends::Open { aside }).await
}

/// Stores how the effects of deliveries ended, which are whole events in the order of their logs, and moves the cursors.
pub(crate) async fn run_ended<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    items: &[Arc<Item<E::Conn>>],
    outcomes: &[Outcome],
) -> Result<Done, Undone> {
    run_batch(executor, subscriber, part, items, Ends::Known(outcomes)).await
}

async fn run_batch<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    items: &[Arc<Item<E::Conn>>],
    ends: Ends<'_>,
) -> Result<Done, Undone> {
    let depth = executor.depth().map_err(failed)?;
    executor.begin().await.map_err(failed)?;
    let batch = Batch { subscriber, part, items, ends, depth: depth + 1, called: AtomicBool::new(false) };
    let undone = match batch.in_transaction(executor).await {
        Ok(done) => match executor.commit().await {
            Ok(()) => {
                // Handlers may have written events.
                if done.handled > 0 && subscriber.table.is_none() && depth == 0 {
                    wake();
                }
                return Ok(done);
            }
            Err(error) => Undone::Database(failed(error)),
        },
        Err(undone) => undone,
    };
    let undone = roll_back(executor, depth, undone).await;
    let was_called = batch.called.load(Ordering::Relaxed);
    Err(if was_called { attribute(executor, undone).await } else { undone })
}

/// Attributes an error of the database to a handler, if one ran and the connection still answers. The handler has left an
/// aborted transaction, or a row that a deferred constraint refuses at the commit.
pub(crate) async fn attribute<DB: EventedBackend, E: Lend<DB>>(executor: &mut E, undone: Undone) -> Undone {
    match undone {
        Undone::Database(error) if !error.is_retryable() && answers(executor).await => {
            Undone::Failed { index: None, failure: Failure::from(error), broken: false }
        }
        other => other,
    }
}

async fn answers<DB: EventedBackend, E: Lend<DB>>(executor: &mut E) -> bool {
    executor.load::<Nothing>(Statement::new("SELECT 1")).await.is_ok()
}

/// Rolls back to a depth. If that fails, the connection is lost, and no delivery is the cause.
pub(crate) async fn roll_back<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    depth: u32,
    undone: Undone,
) -> Undone {
    let is_broken = matches!(undone, Undone::Failed { broken: true, .. });
    if is_broken {
        // The caller throws the connection away.
        return undone;
    }
    loop {
        match executor.depth() {
            Ok(now) if now > depth => {}
            Ok(_) => return undone,
            Err(error) => return Undone::Database(failed(error)),
        }
        if let Err(error) = executor.rollback().await {
            return Undone::Database(failed(error));
        }
    }
}

/// How the deliveries of a batch end.
#[derive(Clone, Copy)]
enum Ends<'b> {
    /// As their handlers end. Those in `aside` have failed alone.
    Open { aside: &'b [Aside] },
    /// They have ended, each in this way.
    Known(&'b [Outcome]),
}

impl<'b> Ends<'b> {
    /// Returns the failure of a delivery that is known.
    fn failure(self, index: usize) -> Option<&'b Failure> {
        match self {
            Self::Open { aside } => {
                aside.iter().find(|aside| aside.index == index).map(|aside| &aside.failure)
            }
            Self::Known(outcomes) => match outcomes.get(index) {
                Some(Outcome::Failed(failure)) => Some(failure),
                _ => None,
            },
        }
    }

    /// Returns how a delivery has ended.
    fn outcome(self, index: usize) -> Option<&'b Outcome> {
        match self {
            Self::Open { .. } => None,
            Self::Known(outcomes) => outcomes.get(index),
        }
    }
}

struct Batch<'b, C> {
    subscriber: &'b Subscriber<C>,
    part: Part<'b>,
    items: &'b [Arc<Item<C>>],
    ends: Ends<'b>,
    /// How many transactions are open within the batch.
    depth: u32,
    /// Whether a handler was called.
    called: AtomicBool,
}

impl<C: Send + 'static> Batch<'_, C> {
    async fn in_transaction<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
    ) -> Result<Done, Undone> {
        let name = self.subscriber.name.as_str();
        let patience = if self.is_of_one_event() { Patience::None } else { Patience::NoneAndBriefly };
        let locked = lock(executor, self.subscriber, self.part, patience).await?;
        let cursors = store::cursors_of(name, Some(self.part.number));
        let cursors = load::<CursorRow, _, _>(executor, cursors).await?;
        let mut waiting = HashSet::new();
        if locked.deferred > 0 {
            let keys = load::<Keyed, _, _>(executor, store::waiting_keys(name, self.part.number)).await?;
            waiting.extend(keys.into_iter().map(|key| key.0));
        }
        let mut done = Done::default();
        let mut rows: Vec<KeyValue> = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            if self.is_done(&locked, &cursors, item) {
                continue;
            }
            self.one(executor, &locked, (index, item), &mut waiting, &mut rows, &mut done).await?;
        }
        self.refresh(executor, rows).await?;
        self.move_cursors(executor, &cursors).await?;
        unmark(executor, name, self.part).await?;
        Ok(done)
    }

    /// Returns whether a delivery was handled already, in this division or before a resize.
    fn is_done(&self, locked: &LockedPart, cursors: &[CursorRow], item: &Item<C>) -> bool {
        let Some(stream) = self.part.streams.get(item.stream) else { return true };
        let is_passed = |cursor: &CursorRow| cursor.stream == *stream && item.offset <= cursor.offset;
        // What was handled of an event that cannot be read is decided when its key is known.
        let is_handled = || locked.division.is_handled(&item.key, stream, item.offset);
        cursors.iter().any(is_passed) || (!item.is_anywhere() && is_handled())
    }

    /// Handles one delivery, or sets it aside.
    async fn one<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        locked: &LockedPart,
        (index, item): (usize, &Item<C>),
        waiting: &mut HashSet<OrderKey>,
        rows: &mut Vec<KeyValue>,
        done: &mut Done,
    ) -> Result<(), Undone> {
        if matches!(self.ends.outcome(index), Some(Outcome::Done)) {
            done.handled += 1;
            return Ok(());
        }
        if waiting.contains(&item.key) {
            self.defer(executor, locked, item, (State::Behind, None, 0, None)).await?;
            done.set_aside += 1;
            return Ok(());
        }
        if matches!(self.ends.outcome(index), Some(Outcome::Behind)) {
            // What it waited for is gone: it is due at once.
            self.defer(executor, locked, item, (State::Retry, None, 0, Some(0))).await?;
            waiting.insert(item.key.clone());
            done.set_aside += 1;
            return Ok(());
        }
        if let Some(failure) = self.ends.failure(index) {
            match self.set_aside(executor, locked, item, failure).await? {
                None => done.handled += 1,
                Some(state) => {
                    done.set_aside += 1;
                    if state != State::Passed {
                        waiting.insert(item.key.clone());
                    }
                }
            }
            return Ok(());
        }
        match &item.work {
            Work::Unreadable { reason, .. } => {
                self.defer(executor, locked, item, (State::Unreadable, Some(reason), 0, None)).await?;
                telemetry::set_aside(&self.subscriber.name, &item.key, reason);
                waiting.insert(item.key.clone());
                done.set_aside += 1;
            }
            Work::Refresh(key) if !self.is_of_one_event() => {
                rows.push(key.clone());
                done.handled += 1;
            }
            _ => {
                self.called.store(true, Ordering::Relaxed);
                call(executor, self.subscriber, item, 1, self.depth)
                    .await
                    .map_err(|uncalled| uncalled.into_undone(Some(index)))?;
                done.handled += 1;
            }
        }
        Ok(())
    }

    /// Returns whether all deliveries are of one event: then the one that fails must be known.
    fn is_of_one_event(&self) -> bool {
        self.items.first().is_none_or(|first| self.items.iter().all(|item| item.is_of_same_event(first)))
    }

    /// Sets a delivery aside whose first attempt failed. Returns its state; `None` if it counts as handled.
    async fn set_aside<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        locked: &LockedPart,
        item: &Item<C>,
        failure: &Failure,
    ) -> Result<Option<State>, Undone> {
        let reason = failure.text();
        let next = next_state(self.subscriber, failure, 0);
        let Some((state, attempts, retry_in)) = next else { return Ok(None) };
        telemetry::set_aside(&self.subscriber.name, &item.key, &reason);
        if matches!(state, State::Dead | State::Passed) {
            telemetry::dead(&self.subscriber.name, &item.key, &reason);
        }
        self.defer(executor, locked, item, (state, Some(&reason), attempts, retry_in)).await?;
        Ok(Some(state))
    }

    async fn defer<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        locked: &LockedPart,
        item: &Item<C>,
        (state, error, attempts, retry_in): (State, Option<&str>, i32, Option<i64>),
    ) -> Result<(), Undone> {
        let Some(stream) = self.part.streams.get(item.stream) else { return Ok(()) };
        let row = DeferredRow {
            part: self.part.number,
            number: 0,
            stream: stream.clone(),
            offset: item.offset,
            input: item.input,
            key: item.key.clone(),
            state,
            attempts,
            error: error.map(str::to_owned),
            due_in: None,
            age: 0,
            origin: item.is_anywhere().then_some((locked.division.parts, self.part.number)),
        };
        write(executor, store::defer(&self.subscriber.name, &row, retry_in)).await?;
        Ok(())
    }

    /// Computes the rows of a derived table, each once.
    async fn refresh<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        mut keys: Vec<KeyValue>,
    ) -> Result<(), Undone> {
        if keys.is_empty() {
            return Ok(());
        }
        // Sorted, so that two parts that lock the same rows of another table do so in one order.
        keys.sort_unstable();
        keys.dedup();
        self.called.store(true, Ordering::Relaxed);
        refresh_rows(executor, self.subscriber, &keys).await.map_err(|failure| Undone::Failed {
            index: None,
            failure,
            broken: false,
        })
    }

    /// Moves the cursor of each log to the last delivery of the batch.
    async fn move_cursors<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        cursors: &[CursorRow],
    ) -> Result<(), Undone> {
        for cursor in cursors {
            let of_log =
                self.items.iter().filter(|item| self.part.streams.get(item.stream) == Some(&cursor.stream));
            let Some(last) = of_log.max_by_key(|item| item.offset).filter(|item| item.offset > cursor.offset)
            else {
                continue;
            };
            let to = CursorRow {
                offset: last.offset,
                anchor: last.position.anchor().cast_signed(),
                epoch: last.position.epoch().cast_signed(),
                ..cursor.clone()
            };
            let moved = store::move_cursor(&self.subscriber.name, &to, cursor.offset);
            if write(executor, moved).await? == 0 {
                return Err(Undone::Locked);
            }
        }
        Ok(())
    }
}

/// Locks a part, and checks that it still belongs to this worker.
pub(crate) async fn lock<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    patience: Patience,
) -> Result<LockedPart, Undone> {
    let name = subscriber.name.as_str();
    if !lock_part(executor, name, part.number, patience).await? {
        return Err(Undone::Locked);
    }
    // A statement of its own: what the last holder of the lock has committed is visible to it.
    let rows = load::<LockedPart, _, _>(executor, store::locked_part(name, part.number)).await?;
    let Some(locked) = rows.into_iter().next() else { return Err(Undone::Lost) };
    let is_mine =
        part.owner.is_none_or(|(owner, fence)| fence == locked.fence && locked.owner == Some(owner));
    let is_current = locked.version == subscriber.version && locked.division.number == part.division;
    if is_mine && is_current { Ok(locked) } else { Err(Undone::Lost) }
}

/// Takes the mark of the event away that was run alone, if it was marked.
pub(crate) async fn unmark<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &str,
    part: Part<'_>,
) -> Result<(), Undone> {
    if let Some((_, fence)) = part.owner.filter(|_| part.marked) {
        write(executor, store::mark_event(subscriber, part.number, fence, None, 0)).await?;
    }
    Ok(())
}
