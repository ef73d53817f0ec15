//! The part that a transaction works for: its lock, and how the transaction ends that was not done.

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Statement};
use uuid::Uuid;

use crate::call::NotHandled;
use crate::failure::Failure;
use crate::lend::Lend;
use crate::store::{self, LockedPart, Nothing, Patience, failed, load, lock_part, write};
use crate::subscriber::Subscriber;

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
