//! Laws of the effects of a part, under random schedules.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_core::{KeyValue, LogOffset, Position, StreamId};
use uuid::Uuid;

use super::{DueFlight, Flights, Ticket};
use crate::delivery::Place;
use crate::effect::CallEffect;
use crate::failure::Failure;
use crate::handler::BoxFuture;
use crate::item::{Item, Work};
use crate::key::OrderKey;
use crate::outcome::Outcome;
use crate::store::{DeferredRow, State};
use crate::subscriber::Subscriber;

struct NoEffect;

impl CallEffect for NoEffect {
    #[cfg(feature = "__async")]
    fn is_blocking(&self) -> bool {
        true
    }

    fn call<'a>(&'a self, _: Place<'a>) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

fn item(position: i64, key: u64) -> Arc<Item<()>> {
    Arc::new(Item {
        stream: 0,
        offset: LogOffset { txid: 0, position },
        event: Uuid::nil(),
        position: Position::new(StreamId::named("log"), 0, position.unsigned_abs()),
        key: OrderKey::of(&KeyValue::Text(key.to_string())),
        input: 0,
        work: Work::Effect(Box::new(NoEffect)),
    })
}

/// A part, with what its database has stored.
struct Part {
    flights: Flights<()>,
    subscriber: Subscriber<()>,
    queue: VecDeque<Arc<Item<()>>>,
    /// The number of the first delivery of the queue.
    first: u64,
    running: BTreeMap<u64, OrderKey>,
    /// The deliveries whose effects were had, and those that failed.
    done: BTreeSet<u64>,
    failed: BTreeSet<u64>,
    /// The numbers of the deliveries that are set aside, by key.
    aside: BTreeMap<OrderKey, BTreeSet<u64>>,
    dice: u64,
}

const SHARE: usize = 3;

impl Part {
    fn new(seed: u64) -> Self {
        Self {
            flights: Flights::new(SHARE, Duration::ZERO),
            subscriber: Subscriber::new("test"),
            queue: VecDeque::new(),
            first: 0,
            running: BTreeMap::new(),
            done: BTreeSet::new(),
            failed: BTreeSet::new(),
            aside: BTreeMap::new(),
            dice: seed,
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % end
    }

    fn begin(&mut self, is_leaving: bool) {
        let Some(takeoff) = self.flights.next(&self.queue, Instant::now(), is_leaving) else { return };
        let Ticket::New(number) = takeoff.ticket else { panic!("nothing is due") };
        let key = &takeoff.items[0].key;
        let index = usize::try_from(number - self.first).unwrap();
        assert!(Arc::ptr_eq(&takeoff.items[0], &self.queue[index]));
        assert!(self.running.values().all(|running| running != key), "two of one key run");
        assert!(!self.aside.contains_key(key), "an earlier one of the key is set aside");
        for (earlier, item) in (self.first..number).zip(&self.queue) {
            assert!(item.key != *key || self.done.contains(&earlier), "{number} overtakes {earlier}");
        }
        self.running.insert(number, key.clone());
        assert!(self.running.len() <= SHARE);
    }

    fn end(&mut self) {
        let count = u64::try_from(self.running.len()).unwrap();
        if count == 0 {
            return;
        }
        let chosen = usize::try_from(self.below(count)).unwrap();
        let number = *self.running.keys().nth(chosen).unwrap();
        self.running.remove(&number);
        let result = if self.below(10) == 0 { Err(Failure::dead("it says so")) } else { Ok(()) };
        if result.is_ok() {
            self.done.insert(number)
        } else {
            self.failed.insert(number)
        };
        self.flights.land(Ticket::New(number), &self.queue, &self.subscriber, result, Instant::now());
    }

    fn store(&mut self) {
        let settlement = self.flights.settlement(&self.queue);
        let taken = settlement.items.len();
        assert!(!super::is_within_event(&self.queue, taken), "an event is stored in part");
        for (number, (item, outcome)) in (self.first..).zip(settlement.items.iter().zip(&settlement.outcomes))
        {
            match outcome {
                Outcome::Done => assert!(self.done.contains(&number), "{number} was not done"),
                Outcome::Failed(_) => assert!(self.failed.contains(&number)),
                Outcome::Behind | Outcome::Unread => {
                    assert!(!self.done.contains(&number) && !self.failed.contains(&number));
                }
            }
            if !matches!(outcome, Outcome::Done) {
                self.aside.entry(item.key.clone()).or_default().insert(number);
            }
        }
        self.flights.took(taken, &[]);
        let stored: HashSet<OrderKey> = self.aside.keys().cloned().collect();
        self.flights.learn_waiting(self.queue.iter().skip(taken), stored, &self.subscriber);
        drop(self.queue.drain(..taken));
        self.first += u64::try_from(taken).unwrap();
    }

    /// An operator skips what is set aside of a key.
    fn skip(&mut self) {
        if let Some(key) = self.aside.keys().next().cloned() {
            self.aside.remove(&key);
        }
    }
}

#[test]
fn under_any_schedule_keys_keep_their_order_and_what_is_stored_has_ended() {
    for seed in 1..=200 {
        let mut part = Part::new(seed * 0x9e37_79b9);
        part.store();
        let (mut position, mut pushed) = (0, 0_u64);
        while pushed < 120 || part.first < pushed {
            match part.below(9) {
                0 | 1 if pushed < 120 => {
                    position += 1;
                    for _ in 0..1 + part.below(2) {
                        let key = part.below(6);
                        part.queue.push_back(item(position, key));
                        pushed += 1;
                    }
                }
                2..=4 => part.begin(false),
                5 | 6 => part.end(),
                7 => part.store(),
                _ => part.skip(),
            }
        }
        assert!(part.flights.is_settled(&part.queue));
        assert_eq!(part.flights.running, 0);
    }
}

#[test]
fn a_part_that_leaves_settles_and_leaves_nothing_to_run_again() {
    for seed in 1..=200 {
        let mut part = Part::new(seed * 0x9e37_79b9);
        part.store();
        for position in 1..=40 {
            // Both deliveries of some events have one key, as two inputs of one event do.
            let key = part.below(6);
            part.queue.push_back(item(position, key));
            if part.below(2) == 0 {
                let key = if part.below(2) == 0 { key } else { part.below(6) };
                part.queue.push_back(item(position, key));
            }
        }
        for _ in 0..part.below(40) {
            match part.below(6) {
                0..=2 => part.begin(false),
                3 | 4 => part.end(),
                _ => part.store(),
            }
        }
        let mut steps = 0;
        while !part.flights.is_settled(&part.queue) {
            part.begin(true);
            part.end();
            part.store();
            steps += 1;
            assert!(steps < 1_000, "the part never settles");
        }
        assert_eq!(part.done.range(part.first..).count(), 0, "what was done is not stored");
    }
}

#[test]
fn a_delivery_that_is_due_waits_for_the_end_of_a_pause() {
    let mut part = Part::new(1);
    part.store();
    let item = item(1, 7);
    let row = DeferredRow {
        part: 0,
        number: 5,
        stream: "log".to_owned(),
        offset: item.offset,
        input: 0,
        key: item.key.clone(),
        state: State::Retry,
        attempts: 1,
        error: None,
        due_in: Some(0),
        age: 0,
        origin: None,
    };
    let items = vec![item];
    part.flights.set_due(vec![DueFlight {
        row,
        to_run: items.clone(),
        items,
        result: None,
        is_running: false,
    }]);
    let mut next = |is_paused| part.flights.next(&part.queue, Instant::now(), is_paused);
    assert!(next(true).is_none());
    let takeoff = next(false).unwrap();
    assert_eq!((takeoff.ticket, takeoff.attempt), (Ticket::Due(5), 2));
    assert!(next(false).is_none());
}
