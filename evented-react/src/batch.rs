//! Handles deliveries of one part in one transaction: lock, check, handle, move the cursors, commit.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use evented_core::KeyValue;
use evented_diesel::spi::{EventedBackend, wake};

use crate::call::{call, refresh_rows};
use crate::failure::Failure;
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::lend::Lend;
use crate::next_state::next_state;
use crate::outcome::Outcome;
use crate::part::{Part, Undone, attribute, lock, roll_back, unmark};
use crate::store::{self, CursorRow, DeferredRow, Keyed, LockedPart, Patience, State, failed, load, write};
use crate::subscriber::Subscriber;
use crate::telemetry;

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

/// How the deliveries of a batch end.
#[derive(Clone, Copy)]
pub(crate) enum Ends<'b> {
    /// As their handlers end. These have failed alone.
    Open(&'b [Aside]),
    /// Their effects have ended, each in this way.
    Known(&'b [Outcome]),
}

impl<'b> Ends<'b> {
    /// Returns the failure of a delivery that is known.
    fn failure(self, index: usize) -> Option<&'b Failure> {
        match self {
            Self::Open(aside) => aside.iter().find(|aside| aside.index == index).map(|aside| &aside.failure),
            Self::Known(outcomes) => match outcomes.get(index) {
                Some(Outcome::Failed(failure)) => Some(failure),
                _ => None,
            },
        }
    }

    /// Returns how a delivery has ended.
    fn outcome(self, index: usize) -> Option<&'b Outcome> {
        match self {
            Self::Open(_) => None,
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
