//! A database with open transactions, and a hub that reads it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Item;
use crate::random::Random;

/// How transactions commit, and how the hub delivers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// Transactions overlap. The hub delivers them in the order of their numbers, below the oldest that is open.
    Overlapping,
    /// One transaction at a time.
    OneWriter,
    /// Transactions overlap. The hub delivers them in the order of their commits, before readers see them.
    ToldFirst,
}

/// A change of a record, as the hub delivers it.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) key: i64,
    pub(crate) before: Option<Item>,
    pub(crate) after: Option<Item>,
    /// The place in the stream.
    pub(crate) at: (u64, u64),
}

#[derive(Debug, Default)]
struct Transaction {
    number: Option<u64>,
    writes: BTreeMap<i64, Option<Item>>,
    events: Vec<Told>,
}

pub(crate) struct Database {
    pub(crate) source: Source,
    rows: BTreeMap<i64, Item>,
    open: BTreeMap<u64, Transaction>,
    locks: BTreeMap<i64, u64>,
    last_number: BTreeMap<i64, u64>,
    /// What is committed and not delivered yet.
    committed: Vec<Told>,
    /// Transactions that are delivered and not visible to readers yet, with what they wrote.
    hidden: Vec<(u64, BTreeMap<i64, Option<Item>>)>,
    commits: u64,
    /// The position of the last committed event.
    last_position: u64,
    next_number: u64,
    next_handle: u64,
    next_position: u64,
    next_key: i64,
    ended: BTreeSet<u64>,
}

impl Database {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            source,
            rows: BTreeMap::new(),
            open: BTreeMap::new(),
            locks: BTreeMap::new(),
            last_number: BTreeMap::new(),
            committed: Vec::new(),
            hidden: Vec::new(),
            commits: 0,
            last_position: 0,
            next_number: 1,
            next_handle: 0,
            next_position: 0,
            next_key: 0,
            ended: BTreeSet::new(),
        }
    }

    fn item(random: &mut Random, id: i64) -> Item {
        let org = match random.below(5) {
            0 => None,
            1 | 2 => Some(1),
            _ => Some(2),
        };
        let rank = i16::try_from(random.below(8)).unwrap();
        let name = random.choose(&["a", "ab", "b", "", "ä"]).unwrap().to_string();
        let up = (!random.one_in(4)).then(|| i64::try_from(1 + random.below(12)).unwrap());
        let to = (!random.one_in(4)).then(|| i64::try_from(1 + random.below(12)).unwrap());
        Item { id, org, rank, name, up, to }
    }

    /// Rows that were there before everything.
    pub(crate) fn fill(&mut self, random: &mut Random, rows: u64) {
        for _ in 0..rows {
            self.next_key += 1;
            let item = Self::item(random, self.next_key);
            self.rows.insert(self.next_key, item);
        }
    }

    /// The rows that the last commits lead to.
    pub(crate) fn rows(&self) -> &BTreeMap<i64, Item> {
        &self.rows
    }

    /// The rows that everything that was delivered leads to, before the next delivery.
    #[allow(dead_code, reason = "another test uses it")]
    pub(crate) fn told(&self) -> BTreeMap<i64, Item> {
        let mut rows = self.rows.clone();
        for event in self.committed.iter().rev() {
            match &event.before {
                Some(item) => rows.insert(event.key, item.clone()),
                None => rows.remove(&event.key),
            };
        }
        rows
    }

    /// The rows that a reader sees.
    pub(crate) fn visible(&self) -> BTreeMap<i64, Item> {
        let mut rows = self.rows.clone();
        // What is hidden is undone: nobody else could write the same records meanwhile.
        for (_, before) in self.hidden.iter().rev() {
            for (key, before) in before {
                match before {
                    Some(item) => rows.insert(*key, item.clone()),
                    None => rows.remove(key),
                };
            }
        }
        rows
    }

    /// Whether a reader sees everything that the hub has delivered.
    pub(crate) fn all_told_is_visible(&self) -> bool {
        self.hidden.is_empty()
    }

    /// Lets readers see the oldest commit that they do not see yet.
    pub(crate) fn become_visible(&mut self) {
        if !self.hidden.is_empty() {
            let (handle, _) = self.hidden.remove(0);
            self.locks.retain(|_, owner| *owner != handle);
        }
    }

    /// The position behind everything that a read so far may have seen.
    pub(crate) fn marker(&self) -> (u64, u64) {
        match self.source {
            Source::Overlapping => (self.next_number - 1, u64::MAX),
            Source::OneWriter => (0, self.last_position),
            Source::ToldFirst => (self.commits, u64::MAX),
        }
    }

    pub(crate) fn begin(&mut self, _: &mut Random) {
        let most = if self.source == Source::OneWriter { 1 } else { 4 };
        if self.open.len() < most {
            self.next_handle += 1;
            self.open.insert(self.next_handle, Transaction::default());
        }
    }

    pub(crate) fn write(&mut self, random: &mut Random, drains: bool) {
        let handles: Vec<u64> = self.open.keys().copied().collect();
        let Some(handle) = random.choose(&handles).copied() else { return };
        let transaction = self.open.get_mut(&handle).unwrap();
        let mut keys: BTreeSet<i64> = self.rows.keys().copied().collect();
        keys.extend(transaction.writes.keys());
        let mut keys: Vec<i64> = keys.into_iter().collect();
        if drains {
            // The first ones of an order by rank.
            keys.sort_by_key(|key| self.rows.get(key).map(|item| (item.rank, item.id)));
            keys.truncate(8);
        }
        let key = match random.choose(&keys) {
            Some(key) if !random.one_in(if drains { 12 } else { 4 }) => *key,
            _ => {
                self.next_key += 1;
                self.next_key
            }
        };
        if self.locks.get(&key).is_some_and(|owner| *owner != handle) {
            return;
        }
        let before = transaction.writes.get(&key).cloned().unwrap_or_else(|| self.rows.get(&key).cloned());
        let deletes = before.is_some() && (random.one_in(4) || (drains && !random.one_in(6)));
        let after = (!deletes).then(|| Self::item(random, key));
        let own = *transaction.number.get_or_insert_with(|| {
            self.next_number += 1;
            self.next_number - 1
        });
        self.locks.insert(key, handle);
        transaction.writes.insert(key, after.clone());
        self.next_position += 1;
        let number = match self.source {
            Source::OneWriter => 0,
            // The order of the log follows the record: never before its last event.
            _ => own.max(self.last_number.get(&key).copied().unwrap_or_default()),
        };
        self.last_number.insert(key, number);
        transaction.events.push(Told { key, before, after, at: (number, self.next_position) });
    }

    /// Writes a record that is new.
    #[allow(dead_code, reason = "another test uses it")]
    pub(crate) fn insert(&mut self, random: &mut Random) {
        let Some(transaction) = self.open.values_mut().next() else { return };
        self.next_key += 1;
        self.next_position += 1;
        let (key, item) = (self.next_key, Self::item(random, self.next_key));
        transaction.writes.insert(key, Some(item.clone()));
        let at = (0, self.next_position);
        transaction.events.push(Told { key, before: None, after: Some(item), at });
    }

    pub(crate) fn end(&mut self, random: &mut Random) {
        let handles: Vec<u64> = self.open.keys().copied().collect();
        let Some(handle) = random.choose(&handles).copied() else { return };
        let transaction = self.open.remove(&handle).unwrap();
        self.ended.extend(transaction.number);
        if random.one_in(7) {
            self.locks.retain(|_, owner| *owner != handle);
            return;
        }
        let last = transaction.events.last().map_or(0, |event| event.at.1);
        self.last_position = self.last_position.max(last);
        let mut before = BTreeMap::new();
        for (key, after) in transaction.writes {
            let old = match after {
                Some(item) => self.rows.insert(key, item),
                None => self.rows.remove(&key),
            };
            before.insert(key, old);
        }
        if self.source == Source::ToldFirst && !transaction.events.is_empty() {
            self.commits += 1;
            let commit = self.commits;
            let told =
                transaction.events.into_iter().zip(1..).map(|(it, index)| Told { at: (commit, index), ..it });
            self.committed.extend(told);
            // The records stay locked until readers see the commit.
            self.hidden.push((handle, before));
            return;
        }
        self.committed.extend(transaction.events);
        self.locks.retain(|_, owner| *owner != handle);
    }

    pub(crate) fn end_all(&mut self, random: &mut Random) {
        while !self.open.is_empty() {
            self.end(random);
        }
        while !self.hidden.is_empty() {
            self.become_visible();
        }
    }

    /// Everything that can be delivered now, and up to where that is complete.
    pub(crate) fn tell(&mut self) -> (Vec<Told>, (u64, u64)) {
        let open = self.open.values().filter_map(|transaction| transaction.number);
        let horizon = open.min().unwrap_or(self.next_number);
        let (mut told, later): (Vec<Told>, Vec<Told>) = std::mem::take(&mut self.committed)
            .into_iter()
            .partition(|event| self.source != Source::Overlapping || event.at.0 < horizon);
        self.committed = later;
        told.sort_by_key(|event| event.at);
        let to = match self.source {
            Source::Overlapping => (horizon - 1, u64::MAX),
            Source::OneWriter => (0, self.last_position),
            Source::ToldFirst => (self.commits, u64::MAX),
        };
        (told, to)
    }
}
