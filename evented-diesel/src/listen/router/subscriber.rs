//! One subscription: what it has been told, and what it may know.

use std::sync::Arc;

use async_channel::Sender;
use evented_core::{Fact, KeyValue, Moment, Position};

use super::super::channel::{Address, Channel};
use super::super::feed::{Ending, Parcel};
use super::super::told::Unreadable;
use crate::model::Model;

/// A subscription, as the router knows it.
pub(super) struct Subscriber<M: Model> {
    pub(super) channels: Vec<Channel<M>>,
    pub(super) parcels: Sender<Parcel<M>>,
    /// How many parcels wait at most.
    pub(super) room: usize,
    pub(super) ending: Ending,
    pub(super) whole: bool,
    /// Whether it has been told a part of the transaction that is being told, and wants to know its end.
    pub(super) in_transaction: bool,
    /// It wants whole transactions, and came within one, which was committed before: that is not told.
    pub(super) skips: bool,
    /// The place before that transaction, if it wants whole ones.
    pub(super) began: Option<Position>,
    /// The last change that it was looked at for.
    pub(super) round: u64,
    /// When its buffer was last empty: how far it had come.
    pub(super) drained: Position,
    /// Only what comes after this place: it has come that far by itself.
    pub(super) after: Position,
    /// It is still being told what was before: the live stream passes it by.
    pub(super) behind: bool,
}

impl<M: Model> Subscriber<M> {
    /// What it may know of an event that nobody can read: whether the record is one that it may see cannot be found out, so
    /// that only who sees all of them, or asked for this one, is told which it is.
    pub(super) fn may_know(&self, unreadable: &Unreadable) -> Unreadable {
        let sees = |channel: &Channel<M>| {
            channel.policy.is_none()
                && match channel.address() {
                    Ok(Address::All) => true,
                    Ok(Address::Record(key)) => unreadable.record.as_ref() == Some(key),
                    Ok(Address::Scope(_)) | Err(_) => false,
                }
        };
        if self.channels.iter().any(sees) { unreadable.clone() } else { unreadable.hidden() }
    }
    /// How far it has come, where the live stream is at a place.
    pub(super) fn come(&self, at: Position) -> Position {
        if self.behind { self.after } else { later(self.after, at) }
    }
}

/// The change as a subscriber with these channels sees it.
pub(super) fn seen_by<M: Model>(
    channels: &[Channel<M>],
    fact: &Arc<Fact<M>>,
    key: Option<&KeyValue>,
) -> Option<evented_core::Change<M>> {
    let (mut before, mut after, mut wanted) = (false, false, false);
    for channel in channels {
        let may_see = |moment: Option<&Arc<Moment<M>>>| {
            let Some(moment) = moment else { return false };
            channel.may_see(moment.record())
        };
        let was = channel.covers(key, || fact.scopes_before());
        let is = channel.covers(key, || fact.scopes_after());
        let (was, is) = (was && may_see(fact.before.as_ref()), is && may_see(fact.after.as_ref()));
        // A channel asks for what the change is to itself alone: a further one takes nothing away.
        wanted |= fact.kind(was, is).is_some_and(|kind| channel.kinds.wants(kind));
        before |= was;
        after |= is;
    }
    if wanted { fact.seen(before, after) } else { None }
}

/// The later one of two places.
pub(crate) fn later(one: Position, other: Position) -> Position {
    if other > one { other } else { one }
}
