//! From a change to those who are told of it.
//!
//! Channels are found by what the change is about: the record's key, and its scopes before and after. What a change
//! costs depends on how many subscriptions it matches, and not on how many there are.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use evented_core::{Fact, KeyValue, Position};

use super::channel::Channel;
use super::feed::{Ending, Feed, Parcel};
use super::told::{Interruption, Told, Unreadable};
use super::{Subscription, lock};
use crate::model::Model;
use crate::observe;

mod places;
mod recent;
mod subscriber;

use places::Places;
use recent::Recent;
pub(crate) use subscriber::later;
use subscriber::{Subscriber, seen_by};

/// A smaller buffer could not hold what comes at once.
const SMALLEST_BUFFER: usize = 4;

/// Who listens to the changes of one model.
pub(crate) struct Router<M: Model> {
    subscribers: HashMap<u64, Subscriber<M>>,
    places: Places<M>,
    next_id: u64,
    /// The number of the change that is being told.
    round: u64,
    /// The place of the last change.
    pub(crate) at: Position,
    /// Who does not resume hears of what is behind this place.
    now: Position,
    /// Whether a transaction has been told only in part.
    is_open: bool,
    /// Who has been told a part of that transaction, and wants to know its end.
    in_transaction: Vec<u64>,
    /// Who is still being told what was before.
    behind: Vec<u64>,
    recent: Option<Recent<M>>,
    /// Nothing will be told any more.
    closed: bool,
    /// What has left, and with it values of the users': they are dropped where no lock is held. See [`with`].
    gone: Gone<M>,
    this: Weak<Mutex<Self>>,
}

/// Subscriptions and channels that have left.
type Gone<M> = (Vec<Subscriber<M>>, Vec<Channel<M>>);

/// Does something with a router. The policies of what leaves by that are dropped after the lock was given back: they may
/// hold feeds, or the hub.
pub(crate) fn with<M: Model, R>(router: &Mutex<Router<M>>, work: impl FnOnce(&mut Router<M>) -> R) -> R {
    let mut locked = lock(router);
    let done = work(&mut locked);
    let gone = std::mem::take(&mut locked.gone);
    drop(locked);
    drop(gone);
    done
}

/// What a new subscriber wants.
pub(crate) struct Wanted<M: Model> {
    pub(crate) channel: Channel<M>,
    pub(crate) buffer: usize,
    pub(crate) whole: bool,
    /// From which place on, if not from now.
    pub(crate) from: Option<Position>,
}

impl<M: Model> Router<M> {
    pub(crate) fn shared(at: Position) -> Arc<Mutex<Self>> {
        Self::new(at, at, None)
    }

    /// One that keeps so many changes for those who subscribe from a place before now: where the stream cannot be read
    /// again. What comes up to `now` is told to those alone.
    #[cfg(feature = "wal")]
    pub(crate) fn remembering(at: Position, now: Position, changes: usize) -> Arc<Mutex<Self>> {
        Self::new(at, now, Some(Recent::new(at, changes)))
    }

    fn new(at: Position, now: Position, recent: Option<Recent<M>>) -> Arc<Mutex<Self>> {
        Arc::new_cyclic(|this| {
            Mutex::new(Self {
                subscribers: HashMap::new(),
                places: Places::new(),
                next_id: 0,
                round: 0,
                at,
                now,
                is_open: false,
                in_transaction: Vec::new(),
                behind: Vec::new(),
                recent,
                closed: false,
                gone: (Vec::new(), Vec::new()),
                this: this.clone(),
            })
        })
    }

    /// A new subscription, to a channel that is [allowed](Channel::check). None if the hub has stopped.
    pub(crate) fn subscribe(&mut self, wanted: Wanted<M>) -> Option<Feed<M>> {
        if self.closed {
            return None;
        }
        self.next_id += 1;
        let id = self.next_id;
        // What is told at once to those who resume has room of its own.
        let recent = self.recent.as_ref().filter(|_| wanted.from.is_some()).map_or(0, |it| it.told.len());
        let room = wanted.buffer.max(SMALLEST_BUFFER).saturating_add(recent);
        // A bounded channel would take all of its room at once, also for those who never fill it.
        let (parcels, receiver) = async_channel::unbounded();
        let ending = Ending::default();
        let start = wanted.from.unwrap_or_else(|| later(self.now, self.at));
        let subscriber = Subscriber {
            channels: Vec::new(),
            parcels,
            room,
            ending: Arc::clone(&ending),
            whole: wanted.whole,
            in_transaction: false,
            skips: wanted.whole && wanted.from.is_none() && self.is_open,
            began: None,
            round: 0,
            drained: start,
            after: start,
            behind: wanted.from.is_some(),
        };
        if subscriber.skips {
            self.in_transaction.push(id);
        }
        self.subscribers.insert(id, subscriber);
        self.listen(id, wanted.channel);
        match wanted.from {
            Some(from) if self.recent.is_some() => self.tell_recent(id, from),
            Some(_) => self.behind.push(id),
            None => {}
        }
        Some(Feed::new(id, receiver, ending, self.this.clone(), start))
    }

    /// Tells somebody who is behind what is remembered of what they have missed; or that it is not.
    fn tell_recent(&mut self, id: u64, from: Position) {
        let Some(recent) = &self.recent else { return };
        let is_near = from.epoch() == recent.from.epoch() || from.epoch() == 0;
        if !is_near || !matches!(from.partial_cmp(&recent.from), Some(Ordering::Equal | Ordering::Greater)) {
            let reason = "the changes since that position are not there any more".into();
            return self.interrupt_one(id, Interruption::MustRefetch { reason });
        }
        for told in recent.told.clone() {
            self.tell_behind(id, &told);
        }
        self.caught_up(id);
    }

    /// Adds a channel that is [allowed](Channel::check).
    pub(crate) fn listen(&mut self, id: u64, channel: Channel<M>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if let Some(same) = subscriber.channels.iter_mut().find(|it| it.same_place(&channel)) {
            self.gone.1.push(std::mem::replace(same, channel));
            return;
        }
        self.places.add(id, &channel);
        subscriber.channels.push(channel);
    }

    pub(crate) fn remove(&mut self, id: u64, channel: &Channel<M>) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            let left = subscriber.channels.extract_if(.., |it| it.same_place(channel));
            self.gone.1.extend(left);
            self.places.remove(id, channel);
        }
    }

    pub(crate) fn unsubscribe(&mut self, id: u64) {
        if let Some(subscriber) = self.subscribers.remove(&id) {
            if subscriber.behind {
                self.behind.retain(|it| *it != id);
            }
            for channel in &subscriber.channels {
                self.places.remove(id, channel);
            }
            self.gone.0.push(subscriber);
        }
    }

    /// Tells everyone whom it concerns.
    pub(crate) fn tell(&mut self, told: &Told<M>) {
        if let Some(recent) = &mut self.recent {
            recent.keep(told);
        }
        match told {
            Told::Fact(fact) => self.tell_fact(fact),
            Told::Unreadable(unreadable) => {
                // Those who are behind come to it by themselves.
                let is_new = |it: &Subscriber<M>| !it.behind && it.after < unreadable.position;
                let new = self.subscribers.iter().filter(|(_, it)| is_new(it));
                let told = |(id, it): (&u64, &Subscriber<M>)| (*id, it.may_know(unreadable));
                let told: Vec<(u64, Unreadable)> = new.map(told).collect();
                for (id, unreadable) in told {
                    self.send(id, Parcel::Unreadable(unreadable));
                }
                self.at = unreadable.position;
            }
            Told::End => {
                self.is_open = false;
                for id in std::mem::take(&mut self.in_transaction) {
                    self.end_transaction(id);
                }
            }
        }
    }

    fn tell_fact(&mut self, fact: &Arc<Fact<M>>) {
        self.round += 1;
        self.is_open = true;
        let key = fact.key.as_ref().map(M::key_value);
        let ids = if fact.table.is_some() {
            self.subscribers.keys().copied().collect()
        } else {
            self.places.concerned(fact, key.as_ref())
        };
        for id in ids {
            self.tell_one(id, fact, key.as_ref(), false);
        }
        self.at = fact.position;
    }

    /// Tells one subscriber, if it concerns them.
    fn tell_one(&mut self, id: u64, fact: &Arc<Fact<M>>, key: Option<&KeyValue>, behind: bool) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if subscriber.behind != behind || (!behind && subscriber.round == self.round) {
            return;
        }
        subscriber.round = self.round;
        if subscriber.skips || fact.position <= subscriber.after {
            return;
        }
        let Some(change) = seen_by(&subscriber.channels, fact, key) else { return };
        if subscriber.whole && !subscriber.in_transaction {
            subscriber.in_transaction = true;
            subscriber.began = Some(subscriber.come(self.at));
            // Of those who are behind the live stream knows no end.
            if !behind {
                self.in_transaction.push(id);
            }
        }
        self.send(id, Parcel::Change(change));
    }

    /// Says that the transaction of which somebody was told a part has ended.
    fn end_transaction(&mut self, id: u64) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        subscriber.skips = false;
        if std::mem::take(&mut subscriber.in_transaction) {
            self.send(id, Parcel::End);
            if let Some(subscriber) = self.subscribers.get_mut(&id) {
                subscriber.began = None;
            }
        }
    }

    /// Puts something into a subscriber's buffer, or ends the subscription if that is full.
    fn send(&mut self, id: u64, parcel: Parcel<M>) {
        let Some(subscriber) = self.subscribers.get_mut(&id) else { return };
        if subscriber.parcels.is_empty() {
            subscriber.drained = later(subscriber.drained, subscriber.come(self.at));
        }
        if subscriber.parcels.len() >= subscriber.room {
            // A transaction of which only a part is there is told again from its beginning.
            let resume_from = subscriber.began.unwrap_or_else(|| subscriber.come(self.at));
            *lock(&subscriber.ending) = Some(Interruption::Lagged { resume_from });
            observe::listen_lagged(M::SCHEMA, id);
            self.unsubscribe(id);
        } else if subscriber.parcels.try_send(parcel).is_err() {
            // Nobody is there any more.
            self.unsubscribe(id);
        }
    }

    /// All is told up to a place, between two transactions.
    pub(crate) fn passed(&mut self, at: Position) {
        self.at = later(self.at, at);
    }

    /// Ends every subscription.
    pub(crate) fn interrupt(&mut self, why: &Interruption) {
        for (_, subscriber) in self.subscribers.drain() {
            *lock(&subscriber.ending) = Some(why.clone());
            self.gone.0.push(subscriber);
        }
        self.forget_places();
    }

    /// Ends every subscription without an error, and takes no more: the hub stops.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.gone.0.extend(self.subscribers.drain().map(|(_, subscriber)| subscriber));
        self.forget_places();
    }

    fn forget_places(&mut self) {
        self.places.clear();
        self.in_transaction.clear();
        self.behind.clear();
    }

    /// Who is still being told what was before: from which place on, and for how many changes there is room.
    pub(crate) fn behind(&self) -> Vec<(u64, Position, usize)> {
        let place = |id: &u64| {
            let it = self.subscribers.get(id)?;
            let room = it.room.saturating_sub(it.parcels.len());
            // One change is held back until the next is known, and each may end a transaction, which is told, too.
            let events = if it.whole { room / 2 } else { room };
            Some((*id, it.after, events.saturating_sub(1)))
        };
        self.behind.iter().filter_map(place).collect()
    }

    /// Tells somebody who is behind.
    pub(crate) fn tell_behind(&mut self, id: u64, told: &Told<M>) {
        self.round += 1;
        match told {
            Told::Fact(fact) => {
                let key = fact.key.as_ref().map(M::key_value);
                self.tell_one(id, fact, key.as_ref(), true);
                self.advance(id, fact.position);
            }
            Told::Unreadable(unreadable) => {
                let Some(subscriber) = self.subscribers.get(&id) else { return };
                let unreadable_to_it = subscriber.may_know(unreadable);
                self.send(id, Parcel::Unreadable(unreadable_to_it));
                self.advance(id, unreadable.position);
            }
            Told::End => self.end_transaction(id),
        }
    }

    fn advance(&mut self, id: u64, to: Position) {
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.after = later(subscriber.after, to);
        }
    }

    /// Somebody who was behind has been told all that was before: the live stream takes over.
    pub(crate) fn caught_up(&mut self, id: u64) {
        self.behind.retain(|it| *it != id);
        if let Some(subscriber) = self.subscribers.get_mut(&id) {
            subscriber.behind = false;
            if subscriber.in_transaction {
                self.in_transaction.push(id);
            }
        }
    }

    /// Ends one subscription.
    pub(crate) fn interrupt_one(&mut self, id: u64, why: Interruption) {
        if let Some(subscriber) = self.subscribers.get(&id) {
            *lock(&subscriber.ending) = Some(why);
        }
        self.unsubscribe(id);
    }

    /// How far a subscriber had come when its buffer was last empty.
    pub(crate) fn drained(&self, id: u64) -> Option<Position> {
        let subscriber = self.subscribers.get(&id)?;
        let is_empty = subscriber.parcels.is_empty() && !subscriber.in_transaction;
        Some(if is_empty { subscriber.come(self.at) } else { subscriber.drained })
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let of = |(id, it): (&u64, &Subscriber<M>)| Subscription {
            id: *id,
            channels: it.channels.iter().map(ToString::to_string).collect(),
            waiting: it.parcels.len(),
            room: it.room,
            catching_up: it.behind,
        };
        let mut list: Vec<_> = self.subscribers.iter().map(of).collect();
        list.sort_by_key(|subscription| subscription.id);
        list
    }
}
