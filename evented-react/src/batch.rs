//! Handles deliveries of one part in one transaction: lock, check, handle, move the cursors, commit.

use std::collections::HashSet;
use std::sync::Arc;

use evented_core::KeyValue;
use evented_diesel::Error;
use evented_diesel::spi::{Database, EventedBackend, wake};

use crate::call::{call, refresh_rows};
use crate::failure::{Failure, Verdict};
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::lend::Lend;
use crate::store::{self, CursorRow, DeferredRow, Fenced, Keyed, LockedPart, State, failed, load, write};
use crate::subscriber::{OnDead, Subscriber};
use crate::telemetry;

/// The part that a batch works for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) number: i32,
    /// The fence that the worker holds; `None` for a test, which needs to own nothing.
    pub(crate) fence: Option<i64>,
    /// The names of the logs, by their index.
    pub(crate) streams: &'a [String],
    /// Whether the event was marked before it is run alone: the transaction takes the mark away.
    pub(crate) marked: bool,
}

/// Why a batch was not done. Nothing of it was written.
#[derive(Debug)]
pub(crate) enum Undone {
    /// The part belongs to somebody else now, or the subscriber is gone or has another version.
    Lost,
    /// Another transaction works on the part.
    Locked,
    /// A handler has not handled the delivery with this index, or did so in a way that leaves the connection useless.
    Failed { index: usize, failure: Failure, broken: bool },
    /// The database failed. Nobody is blamed.
    Database(Error),
}

impl From<Error> for Undone {
    fn from(error: Error) -> Self {
        Self::Database(error)
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
    let depth = executor.depth().map_err(failed)?;
    executor.begin().await.map_err(failed)?;
    let batch = Batch { subscriber, part, items, aside, depth: depth + 1 };
    match batch.in_transaction(executor).await {
        Ok(done) => {
            executor.commit().await.map_err(failed)?;
            // Handlers may have written events.
            if done.handled > 0 && subscriber.table.is_none() && depth == 0 {
                wake();
            }
            Ok(done)
        }
        Err(undone) => Err(roll_back(executor, depth, undone).await),
    }
}

/// Rolls back to a depth. If that fails, the connection is lost, and whatever failed is not to blame.
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
    while executor.depth().is_ok_and(|now| now > depth) {
        if let Err(error) = executor.rollback().await {
            return Undone::Database(failed(error));
        }
    }
    undone
}

struct Batch<'b, C> {
    subscriber: &'b Subscriber<C>,
    part: Part<'b>,
    items: &'b [Arc<Item<C>>],
    aside: &'b [Aside],
    /// How many transactions are open within the batch.
    depth: u32,
}

impl<C: Send + 'static> Batch<'_, C> {
    async fn in_transaction<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
    ) -> Result<Done, Undone> {
        let name = self.subscriber.name.as_str();
        let locked = lock(executor, self.subscriber, self.part).await?;
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
            let is_done = cursors.iter().any(|cursor| {
                Some(&cursor.stream) == self.part.streams.get(item.stream) && item.offset <= cursor.offset
            });
            if is_done {
                continue;
            }
            self.one(executor, index, item, &mut waiting, &mut rows, &mut done).await?;
        }
        self.refresh(executor, rows).await?;
        self.move_cursors(executor, &cursors).await?;
        unmark(executor, name, self.part).await?;
        Ok(done)
    }

    /// Handles one delivery, or sets it aside.
    async fn one<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        index: usize,
        item: &Item<C>,
        waiting: &mut HashSet<OrderKey>,
        rows: &mut Vec<KeyValue>,
        done: &mut Done,
    ) -> Result<(), Undone> {
        if waiting.contains(&item.key) {
            self.defer(executor, item, State::Behind, None, 0, None).await?;
            done.set_aside += 1;
            return Ok(());
        }
        if let Some(aside) = self.aside.iter().find(|aside| aside.index == index) {
            if self.set_aside(executor, item, &aside.failure).await? {
                waiting.insert(item.key.clone());
            }
            done.set_aside += 1;
            return Ok(());
        }
        match &item.work {
            Work::Unreadable(reason) => {
                self.defer(executor, item, State::Unreadable, Some(reason), 0, None).await?;
                telemetry::set_aside(&self.subscriber.name, &item.key, reason);
                waiting.insert(item.key.clone());
                done.set_aside += 1;
            }
            Work::Refresh(key) if !self.is_of_one_event() => {
                rows.push(key.clone());
                done.handled += 1;
            }
            _ => {
                call(executor, self.subscriber, item, 1, self.depth)
                    .await
                    .map_err(|(failure, broken)| Undone::Failed { index, failure, broken })?;
                done.handled += 1;
            }
        }
        Ok(())
    }

    /// Returns whether all deliveries are of one event: then the one that fails must be known.
    fn is_of_one_event(&self) -> bool {
        self.items.first().is_none_or(|first| self.items.iter().all(|item| item.is_of_same_event(first)))
    }

    /// Sets a delivery aside whose first attempt failed. Returns whether its key waits.
    async fn set_aside<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        item: &Item<C>,
        failure: &Failure,
    ) -> Result<bool, Undone> {
        let reason = failure.to_string();
        let next = next_state(self.subscriber, failure, 0);
        let Some((state, attempts, retry_in)) = next else { return Ok(false) };
        telemetry::set_aside(&self.subscriber.name, &item.key, &reason);
        self.defer(executor, item, state, Some(&reason), attempts, retry_in).await?;
        Ok(state != State::Passed)
    }

    async fn defer<DB: EventedBackend, E: Lend<DB, Conn = C>>(
        &self,
        executor: &mut E,
        item: &Item<C>,
        state: State,
        error: Option<&str>,
        attempts: i32,
        retry_in: Option<i64>,
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
        let index = self.items.len().saturating_sub(1);
        refresh_rows(executor, self.subscriber, &keys).await.map_err(|failure| Undone::Failed {
            index,
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
            let moved = executor.execute(store::move_cursor(&self.subscriber.name, &to, cursor.offset)).await;
            let moved = moved.map_err(|error| {
                // A handler that swallows an error leaves the transaction aborted.
                let index = self.items.len().saturating_sub(1);
                Undone::Failed { index, failure: Failure::from(error), broken: false }
            })?;
            if moved == 0 {
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
) -> Result<LockedPart, Undone> {
    let name = subscriber.name.as_str();
    let lock = store::lock_part(name, part.number, false);
    match DB::DATABASE {
        Database::Postgres => {
            let locked = load::<Fenced, _, _>(executor, lock).await?;
            if !locked.first().is_some_and(|row| row.0) {
                return Err(Undone::Locked);
            }
        }
        Database::Sqlite => {
            write(executor, lock).await?;
        }
    }
    // A statement of its own: what the last holder of the lock has committed is visible to it.
    let rows = load::<LockedPart, _, _>(executor, store::locked_part(name, part.number)).await?;
    let Some(locked) = rows.into_iter().next() else { return Err(Undone::Lost) };
    let is_mine = part.fence.is_none_or(|fence| fence == locked.fence && locked.owner.is_some());
    if is_mine && locked.version == subscriber.version { Ok(locked) } else { Err(Undone::Lost) }
}

/// Takes the mark of the event away that was run alone, if it was marked.
pub(crate) async fn unmark<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &str,
    part: Part<'_>,
) -> Result<(), Undone> {
    if let Some(fence) = part.fence.filter(|_| part.marked) {
        write(executor, store::try_event(subscriber, part.number, fence, None, 0)).await?;
    }
    Ok(())
}

/// Returns the state of a delivery after a failure, the number of its attempts so far, and the milliseconds until the next
/// one; `None` if it counts as handled. `before`: the attempts before this one.
pub(crate) fn next_state<C>(
    subscriber: &Subscriber<C>,
    failure: &Failure,
    before: i32,
) -> Option<(State, i32, Option<i64>)> {
    let dead = match subscriber.on_dead {
        OnDead::Block => State::Dead,
        OnDead::PassOver => State::Passed,
    };
    let millis =
        |time: std::time::Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
    let attempts = before.saturating_add(1);
    Some(match failure.verdict {
        Verdict::Discard => return None,
        Verdict::Snooze(time) => (State::Retry, before, Some(millis(time))),
        Verdict::Dead => (dead, attempts, None),
        Verdict::Unreadable => (State::Unreadable, before, None),
        Verdict::Retry | Verdict::Conflict => {
            let attempt = u32::try_from(attempts).unwrap_or(u32::MAX);
            match subscriber.retry.pause_after(attempt) {
                Some(pause) => (State::Retry, attempts, Some(millis(pause))),
                None => (dead, attempts, None),
            }
        }
    })
}
