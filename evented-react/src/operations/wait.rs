//! Waits until a subscriber has handled what was written: read your writes.

use std::time::{Duration, Instant};

use evented_core::{Position, StreamId};
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, log_offset, sealed};

use crate::store::{self, CursorRow, DeferredRow, load};

/// Waits until a subscriber has handled everything up to a position, for at most `timeout`. Any process may wait, also
/// before the first worker has started.
///
/// [`Recorded::position`](evented_diesel::Recorded::position) is the position of a write. Wait outside of a transaction:
/// one with a snapshot of its own does not see the progress.
///
/// ```ignore
/// let done = comment.update(changes).recorded().run(conn)?;
/// if react::wait_for("post_counts", done.position(), Duration::from_secs(2)).run(conn)? == Waited::Handled {
///     // The derived table contains the comment.
/// }
/// ```
pub fn wait_for(subscriber: impl Into<String>, position: Position, timeout: Duration) -> WaitFor {
    WaitFor { subscriber: subscriber.into(), position, timeout }
}

/// Waits for a subscriber. Returned by [`wait_for`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct WaitFor {
    subscriber: String,
    position: Position,
    timeout: Duration,
}

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Waited {
    /// The subscriber has handled everything up to the position.
    Handled,
    /// The subscriber has set the event at the position aside: it failed, or it waits for an earlier one of its key.
    SetAside {
        /// The text of the failure; `None` if it waits for an earlier one.
        error: Option<String>,
    },
    /// The time is over.
    TimedOut {
        /// Whether the subscriber is registered and reads this log.
        registered: bool,
    },
}

/// The first and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(25));

impl sealed::Operation for WaitFor {}

impl<DB: EventedBackend> Operation<DB> for WaitFor {
    type Output = Waited;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Waited, Error> {
        let until = Instant::now().checked_add(self.timeout);
        let (mut pause, longest) = PAUSES;
        loop {
            let registered = match look(executor, &self.subscriber, self.position).await? {
                Look::Done(waited) => return Ok(waited),
                Look::NotYet { registered } => registered,
            };
            let left = until.map_or(Duration::MAX, |until| until.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Ok(Waited::TimedOut { registered });
            }
            executor.sleep(pause.min(left)).await;
            pause = (pause * 2).min(longest);
        }
    }
}

enum Look {
    Done(Waited),
    NotYet { registered: bool },
}

async fn look<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    subscriber: &str,
    position: Position,
) -> Result<Look, Error> {
    let at = log_offset(position);
    let cursors = load::<CursorRow, _, _>(executor, store::cursors_of(subscriber, None)).await?;
    let of_log: Vec<&CursorRow> =
        cursors.iter().filter(|cursor| StreamId::named(&cursor.stream) == position.stream()).collect();
    let Some(first) = of_log.first() else { return Ok(Look::NotYet { registered: false }) };
    // Read after the cursors: what was set aside was so in the transaction that moved them.
    let aside = store::deferred_at(subscriber, &first.stream, at);
    let aside = load::<DeferredRow, _, _>(executor, aside).await?;
    if let Some(row) = aside.into_iter().next() {
        return Ok(Look::Done(Waited::SetAside { error: row.error }));
    }
    if of_log.iter().all(|cursor| cursor.offset >= at) {
        return Ok(Look::Done(Waited::Handled));
    }
    Ok(Look::NotYet { registered: true })
}
