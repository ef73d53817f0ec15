//! Moves the cursors of parts where nothing happened, so that they do not fall behind, and so that a program that waits for
//! a position finds them there.

use std::time::{Duration, Instant};

use evented_core::LogOffset;
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Transaction};

use crate::store::{self, CursorRow, MovedPart, load, subject};
use crate::tail::Place;
use crate::worker::owned_part::OwnedPart;
use crate::worker::shared::Shared;

/// The shortest time between two moves: they are transactions, and the log moves often.
const GAP: Duration = Duration::from_millis(50);

/// When cursors were moved last.
pub(super) struct Moves {
    last: Option<Instant>,
    /// Whether a cursor is behind what was read.
    pending: bool,
}

/// Parts of a subscriber whose cursors move to one place.
struct Move {
    subscriber: usize,
    stream: usize,
    to: Place,
    /// The number of their division.
    division: i32,
    parts: Vec<i32>,
}

impl Moves {
    pub(super) fn new() -> Self {
        Self { last: None, pending: false }
    }

    /// Returns how long the next move may still wait; `None` if there is none.
    pub(super) fn wait(&self) -> Option<Duration> {
        let since = self.last.map_or(GAP, |last| last.elapsed());
        self.pending.then(|| GAP.saturating_sub(since))
    }

    /// Moves the cursors that are behind, in one transaction.
    pub(super) async fn run<DB: EventedBackend, E: Executor<DB>, C>(
        &mut self,
        executor: &mut E,
        shared: &Shared<C>,
    ) -> Result<(), Error> {
        let mut moves = planned(shared);
        self.pending = !moves.is_empty();
        if !self.pending || self.last.is_some_and(|last| last.elapsed() < GAP) {
            return Ok(());
        }
        self.last = Some(Instant::now());
        let name = subject("");
        let transaction = Transaction::around(executor, &name, true).await?;
        let moved = all(executor, shared, &mut moves).await;
        transaction.close(executor, &name, moved).await?;
        for moved in &moves {
            moved.store(shared);
        }
        // A cursor that was locked is moved with the next ones.
        self.pending = !planned(shared).is_empty();
        Ok(())
    }
}

/// Moves cursors, and leaves the parts in `moves` whose cursors were moved.
async fn all<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    moves: &mut [Move],
) -> Result<(), Error> {
    for planned in moves {
        planned.parts = one(executor, shared, planned).await?;
    }
    Ok(())
}

async fn one<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    planned: &Move,
) -> Result<Vec<i32>, Error> {
    let Some(served) = shared.served.get(planned.subscriber) else { return Ok(Vec::new()) };
    let Some(stream) = served.streams.get(planned.stream) else { return Ok(Vec::new()) };
    let Place { offset, anchor } = planned.to;
    let to = CursorRow { part: 0, stream: stream.clone(), offset, anchor };
    let parts = (planned.division, planned.parts.as_slice());
    let statement = store::move_idle(&served.subscriber.name, parts, &to, Some(shared.id));
    let moved = load::<MovedPart, _, _>(executor, statement).await?;
    Ok(moved.into_iter().map(|part| part.0).collect())
}

impl Move {
    /// Stores that the cursors were moved.
    fn store<C>(&self, shared: &Shared<C>) {
        let mut state = shared.state();
        for owned in &mut state.owned_parts {
            if owned.id.subscriber == self.subscriber
                && owned.division == self.division
                && self.parts.contains(&owned.id.part)
                && let Some(cursor) = owned.cursors.get_mut(self.stream)
                && cursor.offset < self.to.offset
            {
                *cursor = self.to;
            }
        }
    }
}

/// Returns the moves to make: of parts that have nothing to do, and have been read for further than their cursor.
fn planned<C>(shared: &Shared<C>) -> Vec<Move> {
    let state = shared.state();
    let mut moves: Vec<Move> = Vec::new();
    let is_waiting = |owned: &&OwnedPart<C>| {
        owned.is_idle() && owned.queue.is_empty() && !owned.is_leaving && state.goes_on(owned.id.subscriber)
    };
    for owned in state.owned_parts.iter().filter(is_waiting) {
        for (stream, (cursor, read_to)) in owned.cursors.iter().zip(&owned.read_to).enumerate() {
            if cursor.offset >= read_to.offset || read_to.offset == LogOffset::default() {
                continue;
            }
            let (subscriber, division, to) = (owned.id.subscriber, owned.division, *read_to);
            let is_same = |known: &&mut Move| {
                (known.subscriber, known.division, known.stream, known.to)
                    == (subscriber, division, stream, to)
            };
            match moves.iter_mut().find(is_same) {
                Some(known) => known.parts.push(owned.id.part),
                None => moves.push(Move { subscriber, stream, to, division, parts: vec![owned.id.part] }),
            }
        }
    }
    moves
}
