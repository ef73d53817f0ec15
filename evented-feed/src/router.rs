//! Routes each change to the subscribers that it concerns.
//!
//! The router looks up the subscribers by the record's key, and by its scopes before and after the change. The cost of
//! a change depends on the number of subscriptions that it matches, not on the total number of subscriptions.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, Weak};

use evented_core::{Channel, KeyValue, Position, RawChange};
use evented_diesel::Model;
use evented_diesel::spi::Delivery;
use evented_diesel::stream::{Interruption, Unreadable};

use crate::feed::{EndReason, Feed, FeedItem, Subscriptions, later};
use crate::status::SubscriptionInfo;
use crate::sync::lock;
use crate::tap::Taps;
use crate::telemetry;

mod catching_up;
mod recent;
mod removed;
mod subscriber;
mod subscriber_index;

pub(crate) use catching_up::CatchingUp;
use recent::Recent;
use removed::Removed;
pub(crate) use removed::{drop_each, with};
pub use subscriber::seen_by;
use subscriber::{Grouping, InTransaction, Phase, Subscriber};
use subscriber_index::SubscriberIndex;

/// The smallest buffer of a subscriber: a smaller one could not hold the items that arrive at once.
const MIN_BUFFER: usize = 4;

/// The subscriptions to the changes of one model.
pub(crate) struct Router<M: Model> {
    subscribers: HashMap<u64, Subscriber<M>>,
    index: SubscriberIndex<M>,
    next_id: u64,
    /// The number of the change that is being delivered.
    round: u64,
    /// The position of the last change.
    live: Position,
    /// A subscriber that does not resume receives the changes after this position.
    now: Position,
    /// Whether a transaction has been delivered only partly.
    is_open: bool,
    /// The subscribers to whole transactions that wait for the end of that transaction.
    in_transaction: Vec<u64>,
    /// The subscribers that are catching up.
    catching_up: BTreeSet<u64>,
    recent: Option<Recent<M>>,
    /// Whether the hub has stopped: no further delivery follows.
    closed: bool,
    removed: Removed<M>,
    taps: Arc<Taps>,
    this: Weak<Mutex<Self>>,
}

/// The request of a new subscriber.
pub(crate) struct SubscribeRequest<M: Model> {
    /// A channel that was [checked](Channel::check).
    pub(crate) channel: Channel<M>,
    /// How many changes its buffer holds.
    pub(crate) buffer: usize,
    /// Whether it wants whole transactions.
    pub(crate) by_transaction: bool,
    /// The position to resume from; `None` to begin now.
    pub(crate) resume: Option<Position>,
}

impl<M: Model> Router<M> {
    /// Creates a router whose stream is at a position.
    pub(crate) fn shared(live: Position, taps: &Arc<Taps>) -> Arc<Mutex<Self>> {
        Self::new(live, live, None, taps)
    }

    /// Creates a router of a stream that cannot be read again. It keeps the last `changes` changes for subscribers that
    /// resume. Only those subscribers receive the changes up to `now`.
    #[cfg(feature = "wal")]
    pub(crate) fn remembering(
        live: Position,
        now: Position,
        changes: usize,
        taps: &Arc<Taps>,
    ) -> Arc<Mutex<Self>> {
        Self::new(live, now, Some(Recent::new(live, changes)), taps)
    }

    fn new(live: Position, now: Position, recent: Option<Recent<M>>, taps: &Arc<Taps>) -> Arc<Mutex<Self>> {
        Arc::new_cyclic(|this| {
            Mutex::new(Self {
                subscribers: HashMap::new(),
                index: SubscriberIndex::new(),
                next_id: 0,
                round: 0,
                live,
                now,
                is_open: false,
                in_transaction: Vec::new(),
                catching_up: BTreeSet::new(),
                recent,
                closed: false,
                removed: Removed::default(),
                taps: Arc::clone(taps),
                this: this.clone(),
            })
        })
    }

    /// The position of the last change.
    pub(crate) fn live(&self) -> Position {
        self.live
    }

    /// Adds a subscription. `None` if the hub has stopped.
    pub(crate) fn subscribe(&mut self, request: SubscribeRequest<M>) -> Option<Feed<M>> {
        if self.closed {
            return None;
        }
        self.next_id += 1;
        let id = self.next_id;
        // A position of a write does not contain the database: the router treats it as a position of this stream.
        let resume = request.resume.map(|from| match from.epoch() {
            0 => from.in_epoch(self.live.epoch()),
            _ => from,
        });
        // The buffer has extra room for the changes that a resuming subscriber receives at once.
        let recent = self.recent.as_ref().filter(|_| resume.is_some());
        let recent = recent.map_or(0, |recent| recent.deliveries.len());
        let capacity = request.buffer.max(MIN_BUFFER).saturating_add(recent);
        // A bounded channel would allocate all of its capacity at once, also for a subscriber that never fills it.
        let (items, receiver) = async_channel::unbounded();
        let end_reason = EndReason::default();
        let start = resume.unwrap_or_else(|| later(self.now, self.live));
        let comes_within = resume.is_none() && self.is_open;
        let subscriber = Subscriber {
            channels: Vec::new(),
            items,
            capacity,
            end_reason: end_reason.clone(),
            phase: if resume.is_some() { Phase::CatchingUp } else { Phase::Live },
            grouping: match request.by_transaction {
                false => Grouping::ByChange,
                true if comes_within => Grouping::ByTransaction(InTransaction::Skipping),
                true => Grouping::ByTransaction(InTransaction::Outside),
            },
            round: 0,
            drained: start,
            after: start,
        };
        if subscriber.is_skipping() {
            self.in_transaction.push(id);
        }
        self.subscribers.insert(id, subscriber);
        self.add(id, request.channel);
        match resume {
            Some(from) if self.recent.is_some() => self.deliver_recent(id, from),
            Some(_) => drop(self.catching_up.insert(id)),
            None => {}
        }
        let subscriptions: Weak<dyn Subscriptions<M>> = self.this.clone();
        Some(Feed::new(id, receiver, end_reason, subscriptions, start))
    }

    /// Delivers the changes that a resuming subscriber has missed; interrupts it if those are no longer kept.
    fn deliver_recent(&mut self, id: u64, from: Position) {
        let Some(recent) = &self.recent else { return };
        if !matches!(from.partial_cmp(&recent.from), Some(Ordering::Equal | Ordering::Greater)) {
            let reason = "the hub no longer keeps the changes since that position".into();
            return self.interrupt_one(id, Interruption::MustRefetch { reason });
        }
        for delivery in recent.deliveries.clone() {
            self.deliver_to(id, &delivery);
        }
        self.caught_up(id);
    }

    /// Adds a channel that was [checked](Channel::check).
    fn add(&mut self, id: u64, channel: Channel<M>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if let Some(same) = subscriber.channels.iter_mut().find(|it| it.same_target(&channel)) {
            self.removed.channels.push(std::mem::replace(same, channel));
            return;
        }
        self.index.add(id, &channel);
        subscriber.channels.push(channel);
    }

    fn remove(&mut self, id: u64, channel: &Channel<M>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            let removed = subscriber.channels.extract_if(.., |it| it.same_target(channel));
            self.removed.channels.extend(removed);
            self.index.remove(id, channel);
        }
    }

    fn unsubscribe(&mut self, id: u64) {
        if let Some(subscriber) = self.subscribers.remove(&id) {
            if subscriber.phase == Phase::CatchingUp {
                self.catching_up.remove(&id);
            }
            for channel in &subscriber.channels {
                self.index.remove(id, channel);
            }
            self.removed.subscribers.push(subscriber);
        }
    }

    /// Delivers to every subscriber of the live stream that the delivery concerns.
    pub(crate) fn deliver(&mut self, delivery: &Delivery<M>) {
        self.taps.deliver(delivery);
        if let Some(recent) = &mut self.recent {
            self.removed.deliveries.extend(recent.keep(delivery));
        }
        match delivery {
            Delivery::Change(change) => self.deliver_change(change),
            Delivery::Revised(_) => {}
            Delivery::Unreadable(unreadable) => self.deliver_unreadable(unreadable),
            Delivery::EndOfTransaction => {
                self.is_open = false;
                for id in std::mem::take(&mut self.in_transaction) {
                    self.end_transaction(id);
                }
            }
        }
    }

    fn deliver_change(&mut self, change: &Arc<RawChange<M>>) {
        self.round += 1;
        self.is_open = true;
        let key = change.key.as_ref().map(M::key_value);
        let ids = if change.table.is_some() {
            self.subscribers.keys().copied().collect()
        } else {
            self.index.concerned(change, key.as_ref())
        };
        for id in ids {
            self.deliver_change_to(id, change, key.as_ref(), Phase::Live);
        }
        self.live = change.position;
    }

    fn deliver_unreadable(&mut self, unreadable: &Unreadable) {
        // A subscriber that is catching up reads this event on its own.
        let is_next = |it: &Subscriber<M>| it.phase == Phase::Live && it.after < unreadable.position;
        let next = self.subscribers.iter().filter(|(_, it)| is_next(it));
        let items: Vec<_> = next.map(|(id, it)| (*id, it.view_of(unreadable))).collect();
        for (id, unreadable) in items {
            self.send(id, FeedItem::Unreadable(unreadable));
        }
        self.live = unreadable.position;
    }

    /// Delivers a change to a subscriber in this phase, if it concerns the subscriber.
    fn deliver_change_to(
        &mut self,
        id: u64,
        change: &Arc<RawChange<M>>,
        key: Option<&KeyValue>,
        phase: Phase,
    ) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        // The index returns a subscriber with several channels several times.
        let is_considered = phase == Phase::Live && subscriber.round == self.round;
        if subscriber.phase != phase || is_considered {
            return;
        }
        subscriber.round = self.round;
        if subscriber.is_skipping() || change.position <= subscriber.after {
            return;
        }
        let Some(seen) = seen_by(&subscriber.channels, change, key) else { return };
        if subscriber.grouping == Grouping::ByTransaction(InTransaction::Outside) {
            let began = subscriber.position(self.live);
            subscriber.grouping = Grouping::ByTransaction(InTransaction::Open(began));
            // The live stream does not know where the transactions of a subscriber that is catching up end.
            if phase == Phase::Live {
                self.in_transaction.push(id);
            }
        }
        self.send(id, FeedItem::Change(seen));
    }

    /// Ends the transaction that a subscriber has received partly, or that it skips.
    fn end_transaction(&mut self, id: u64) {
        let Some(subscriber) = self.subscribers.get(&id) else { return };
        if subscriber.is_in_transaction() {
            self.send(id, FeedItem::EndOfTransaction);
        }
        if let Some(subscriber) = self.subscribers.get_mut(&id)
            && matches!(subscriber.grouping, Grouping::ByTransaction(_))
        {
            subscriber.grouping = Grouping::ByTransaction(InTransaction::Outside);
        }
    }

    /// Puts an item into a subscriber's buffer, or ends the subscription if the buffer is full.
    fn send(&mut self, id: u64, item: FeedItem<M>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if subscriber.items.is_empty() {
            subscriber.drained = later(subscriber.drained, subscriber.position(self.live));
        }
        if subscriber.items.len() >= subscriber.capacity {
            let resume_from = subscriber.resume_from(self.live);
            subscriber.end_reason.set(Interruption::Lagged { resume_from });
            telemetry::subscriber_lagged(M::SCHEMA, id);
            self.removed.items.push(item);
            self.unsubscribe(id);
        } else if let Err(returned) = subscriber.items.try_send(item) {
            // The feed is gone.
            self.removed.items.push(returned.into_inner());
            self.unsubscribe(id);
        }
    }

    /// Records that everything up to a position, which is between two transactions, has been delivered.
    pub(crate) fn passed(&mut self, to: Position) {
        self.live = later(self.live, to);
    }

    /// Ends every subscription, and continues at another position.
    pub(crate) fn restart(&mut self, reason: &Interruption, live: Position) {
        self.interrupt(reason);
        self.taps.gap::<M>(&reason.to_string());
        self.live = live;
    }

    /// Ends every subscription.
    pub(crate) fn interrupt(&mut self, reason: &Interruption) {
        for (_, subscriber) in self.subscribers.drain() {
            subscriber.end_reason.set(reason.clone());
            self.removed.subscribers.push(subscriber);
        }
        self.forget_all();
    }

    /// Ends every subscription without an error and accepts no new ones: the hub stops.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.removed.subscribers.extend(self.subscribers.drain().map(|(_, subscriber)| subscriber));
        self.forget_all();
    }

    fn forget_all(&mut self) {
        self.index.clear();
        self.in_transaction.clear();
        self.catching_up.clear();
    }

    fn drained(&self, id: u64) -> Option<Position> {
        let subscriber = self.subscribers.get(&id)?;
        let is_empty = subscriber.items.is_empty() && !subscriber.is_in_transaction();
        Some(if is_empty { subscriber.position(self.live) } else { subscriber.drained })
    }

    pub(crate) fn subscriptions(&self) -> Vec<SubscriptionInfo> {
        let info = |(id, it): (&u64, &Subscriber<M>)| SubscriptionInfo {
            id: *id,
            channels: it.channels.iter().map(ToString::to_string).collect(),
            buffered: it.items.len(),
            capacity: it.capacity,
            catching_up: it.phase == Phase::CatchingUp,
        };
        in_order(self.subscribers.iter().map(info).collect())
    }
}

/// Sorts by id. Not generic: a sort is much code to compile for each model.
fn in_order(mut list: Vec<SubscriptionInfo>) -> Vec<SubscriptionInfo> {
    list.sort_by_key(|subscription| subscription.id);
    list
}

impl<M: Model> Subscriptions<M> for Mutex<Router<M>> {
    fn drained(&self, id: u64) -> Option<Position> {
        lock(self).drained(id)
    }

    fn add(&self, id: u64, channel: Channel<M>) {
        with(self, |router| router.add(id, channel));
    }

    fn remove(&self, id: u64, channel: &Channel<M>) {
        with(self, |router| router.remove(id, channel));
    }

    fn unsubscribe(&self, id: u64) {
        with(self, |router| router.unsubscribe(id));
    }
}
