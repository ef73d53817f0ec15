//! One subscription: the position that it has reached, and the records that it may see.

use std::sync::Arc;

use async_channel::Sender;
use evented_core::{Change, Channel, ChannelTarget, KeyValue, Position, RawChange, RecordState};
use evented_diesel::Model;
use evented_diesel::stream::Unreadable;

use crate::feed::{EndReason, FeedItem, later};

/// A subscription, as the router knows it.
pub(super) struct Subscriber<M: Model> {
    pub(super) channels: Vec<Channel<M>>,
    pub(super) items: Sender<FeedItem<M>>,
    /// How many items the buffer holds.
    pub(super) capacity: usize,
    pub(super) end_reason: EndReason,
    pub(super) phase: Phase,
    pub(super) grouping: Grouping,
    /// The number of the last change that the router considered for this subscriber.
    pub(super) round: u64,
    /// The position that it had reached when its buffer was last empty.
    pub(super) drained: Position,
    /// It receives the changes after this position: it has read up to it on its own.
    pub(super) after: Position,
}

/// Whether a subscriber reads the live stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// It still reads the changes that were committed before it subscribed: the live stream skips it.
    CatchingUp,
    /// It reads the live stream.
    Live,
}

/// Whether a subscriber receives the ends of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// It receives single changes.
    ByChange,
    /// It receives whole transactions.
    ByTransaction(InTransaction),
}

/// The state of a subscriber to whole transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InTransaction {
    /// It is between two of its transactions.
    Outside,
    /// It subscribed during the delivery of a transaction. It does not receive the rest of that transaction, which was
    /// committed before.
    Skipping,
    /// It has received a part of a transaction that began after this position.
    Open(Position),
}

impl<M: Model> Subscriber<M> {
    /// Returns the position that it has reached, when the live stream is at `live`.
    pub(super) fn position(&self, live: Position) -> Position {
        match self.phase {
            Phase::CatchingUp => self.after,
            Phase::Live => later(self.after, live),
        }
    }

    /// Returns the position to resume from if it ends now. A transaction that it has received partly starts again from
    /// its beginning.
    pub(super) fn resume_from(&self, live: Position) -> Position {
        match self.grouping {
            Grouping::ByTransaction(InTransaction::Open(began)) => began,
            _ => self.position(live),
        }
    }

    pub(super) fn is_in_transaction(&self) -> bool {
        matches!(self.grouping, Grouping::ByTransaction(InTransaction::Open(_)))
    }

    pub(super) fn is_skipping(&self) -> bool {
        self.grouping == Grouping::ByTransaction(InTransaction::Skipping)
    }

    /// Returns what it may see of an event that cannot be read. Whether it may see the record is unknown, so only a
    /// subscriber to all records, or to this record, receives the record's key.
    pub(super) fn view_of(&self, unreadable: &Unreadable) -> Unreadable {
        let sees = |channel: &Channel<M>| {
            !channel.is_restricted()
                && match channel.target() {
                    Ok(ChannelTarget::All) => true,
                    Ok(ChannelTarget::Record(key)) => unreadable.record.as_ref() == Some(key),
                    Ok(ChannelTarget::Scope(_)) | Err(_) => false,
                }
        };
        if self.channels.iter().any(sees) { unreadable.clone() } else { unreadable.hidden() }
    }
}

/// Returns the change as a subscriber with these channels sees it; `None` if the change does not concern the
/// subscriber. This function decides what each subscriber may see.
#[must_use]
pub fn seen_by<M: Model>(
    channels: &[Channel<M>],
    change: &Arc<RawChange<M>>,
    key: Option<&KeyValue>,
) -> Option<Change<M>> {
    let (mut before, mut after, mut wanted) = (false, false, false);
    for channel in channels {
        let may_see = |state: Option<&Arc<RecordState<M>>>| {
            let Some(state) = state else { return false };
            channel.may_see(state.record())
        };
        let was = channel.covers(key, || change.scopes_before()) && may_see(change.before.as_ref());
        let is = channel.covers(key, || change.scopes_after()) && may_see(change.after.as_ref());
        // Each channel filters by the kind of the change as that channel sees it: a further channel hides nothing.
        wanted |= change.kind(was, is).is_some_and(|kind| channel.kinds().contains(kind));
        before |= was;
        after |= is;
    }
    if wanted { change.seen(before, after) } else { None }
}
