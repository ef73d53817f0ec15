//! The hub's side and the engine's: what the hub has delivered, what is read, and which queries there are.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use evented_core::live::{Fill, LiveQuery as _, Plan, Queries, Query, QueryId, Row, Target, Wanted};
use evented_core::{Evented as _, Position, RawChange, RecordRef, RecordState, StreamId, Transaction};

use crate::Counts;
use crate::database::{Database, Source, Told};
use crate::model::Item;
use crate::random::Random;

pub(crate) struct Viewer {
    queries: Queries<Item>,
    plans: BTreeMap<QueryId, Arc<Plan<Item>>>,
    /// What every query that stood at the last cut has published.
    published: BTreeMap<QueryId, Vec<Item>>,
    /// What is delivered and not heard yet.
    waiting: VecDeque<Heard>,
    /// Everything that was heard up to the last cut, and the changes since.
    state: BTreeMap<i64, Item>,
    since: Vec<Told>,
    reached: (u64, u64),
    at_cut: bool,
    reads: Vec<Read>,
    source: Source,
    has_state: bool,
    /// Whether anything happened since the queries were last compared.
    is_news: bool,
}

enum Heard {
    Change(Told),
    Cut((u64, u64)),
}

/// A read that is under way.
struct Read {
    wanted: Wanted<Item>,
    fill: Option<Fill<Item>>,
    marker: Option<(u64, u64)>,
}

fn position((major, minor): (u64, u64)) -> Position {
    Position::new(StreamId::named("log"), major, minor)
}

impl Viewer {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            queries: Queries::new(false, 1),
            plans: BTreeMap::new(),
            published: BTreeMap::new(),
            waiting: VecDeque::new(),
            state: BTreeMap::new(),
            since: Vec::new(),
            reached: (0, 0),
            at_cut: true,
            reads: Vec::new(),
            source,
            has_state: false,
            is_news: false,
        }
    }

    /// The hub reads the database.
    pub(crate) fn poll(&mut self, database: &mut Database) {
        if !self.has_state {
            // What was there before the hub began.
            drop(database.tell());
            self.state = database.rows().clone();
            self.has_state = true;
        }
        let (told, to) = database.tell();
        self.waiting.extend(told.into_iter().map(Heard::Change));
        let to = to.max(self.reached);
        self.waiting.push_back(Heard::Cut(to));
    }

    /// The engine hears some of what is delivered.
    pub(crate) fn hear(&mut self, random: &mut Random, counts: &mut Counts) {
        let some = if random.one_in(3) { usize::MAX } else { 1 + random.below(6) as usize };
        for _ in 0..some {
            let Some(heard) = self.waiting.pop_front() else { break };
            match heard {
                Heard::Change(told) => {
                    self.at_cut = false;
                    self.queries.change(&Arc::new(change_of(&told)));
                    self.since.push(told);
                }
                Heard::Cut(to) => {
                    for told in self.since.drain(..) {
                        self.is_news = true;
                        match told.after {
                            Some(item) => self.state.insert(told.key, item),
                            None => self.state.remove(&told.key),
                        };
                    }
                    self.at_cut = true;
                    self.reached = self.reached.max(to);
                    counts.cuts += 1;
                    self.settle(counts);
                }
            }
            self.take_wanted(counts);
        }
        if self.at_cut {
            self.settle(counts);
        }
        self.take_wanted(counts);
    }

    fn take_wanted(&mut self, counts: &mut Counts) {
        for wanted in self.queries.take_wanted() {
            counts.reads += 1;
            counts.again += usize::from(wanted.is_again);
            self.reads.push(Read { wanted, fill: None, marker: None });
        }
    }

    fn settle(&mut self, counts: &mut Counts) {
        let reached = position(self.reached);
        for settled in self.queries.settle(|marker| marker <= reached) {
            settled.expect("memory and the database agree");
            self.is_news = true;
        }
        for id in self.queries.take_dirty() {
            let rows = self.queries.rows(id).iter().map(|held| held.row.to_record()).collect();
            self.published.insert(id, rows);
            self.is_news = true;
        }
        if !std::mem::take(&mut self.is_news) {
            return;
        }
        for (id, plan) in &self.plans {
            if self.queries.stands(*id) {
                counts.compared += 1;
                assert_eq!(
                    self.published.get(id),
                    Some(&naive(plan, &self.state)),
                    "{plan:?} at {:?}",
                    self.reached
                );
            }
        }
    }

    /// A reader goes a step further with a read: the rows, then the marker, then the engine gets both.
    pub(crate) fn read(&mut self, database: &Database, random: &mut Random) {
        if self.reads.is_empty() {
            return;
        }
        let index = usize::try_from(random.below(self.reads.len() as u64)).unwrap();
        let read = &mut self.reads[index];
        if read.fill.is_none() {
            // A reader waits until it sees what is delivered.
            if self.source != Source::ToldFirst || database.all_told_is_visible() {
                let rows = database.visible();
                read.fill = Some(select(&read.wanted.plan, &rows, read.wanted.capacity));
            }
        } else if read.marker.is_none() {
            read.marker = Some(database.marker());
        } else {
            let read = self.reads.remove(index);
            let (Some(fill), Some(marker)) = (read.fill, read.marker) else { return };
            self.queries.filled(read.wanted.id, read.wanted.generation, fill, position(marker));
        }
    }

    pub(crate) fn open(&mut self, random: &mut Random, database: &Database) {
        if !self.has_state || self.plans.len() > 8 {
            return;
        }
        let plan = Arc::new(query(random, database));
        let id = self.queries.add(Arc::clone(&plan));
        self.plans.insert(id, plan);
    }

    pub(crate) fn close(&mut self, random: &mut Random) {
        let ids: Vec<QueryId> = self.plans.keys().copied().collect();
        if self.plans.len() > 3
            && let Some(id) = random.choose(&ids)
        {
            self.queries.remove(*id);
            self.plans.remove(id);
            self.published.remove(id);
        }
    }

    /// Lets everything come to rest.
    pub(crate) fn rest(&mut self, database: &mut Database, random: &mut Random, counts: &mut Counts) {
        for _ in 0..25 {
            self.poll(database);
            while !self.waiting.is_empty() {
                self.hear(random, counts);
            }
            self.take_wanted(counts);
            for _ in 0..self.reads.len() * 3 {
                let by = usize::from(!self.reads.is_empty());
                self.reads.rotate_left(by);
                self.read(database, &mut Random::new(1));
            }
            self.hear(random, counts);
        }
    }

    pub(crate) fn all_stand(&self) -> bool {
        self.plans.keys().all(|id| self.queries.stands(*id))
    }

    /// Compares every query with the rows of the database.
    pub(crate) fn compare_with(&self, rows: &BTreeMap<i64, Item>, history: u64) {
        for (id, plan) in &self.plans {
            assert_eq!(
                self.published.get(id),
                Some(&naive(plan, rows)),
                "history {history}: {plan:?} at rest"
            );
        }
    }
}

fn change_of(told: &Told) -> RawChange<Item> {
    let state = |item: &Option<Item>| item.clone().map(|item| Arc::new(RecordState::new(item)));
    RawChange {
        key: Some(told.key),
        before: state(&told.before),
        after: state(&told.after),
        table: None,
        position: position(told.at),
        transaction: Transaction { id: 0, commit: 0, index: 0, last: false },
        event: None,
    }
}

fn query(random: &mut Random, database: &Database) -> Plan<Item> {
    let all = Query::<Item>::all();
    let keys: Vec<i64> = (0..4).map(|_| i64::try_from(random.below(70)).unwrap()).collect();
    match random.below(10) {
        0 => return all.one(RecordRef::by_key(keys[0])).into_parts().0,
        1 | 2 => return all.many(keys).into_parts().0,
        _ => {}
    }
    let mut query = match random.below(7) {
        0 => all,
        1 => all.filter(|i| i.org.eq(1)),
        2 => all.filter(|i| i.org.is_in([1, 3]).and(i.rank.ge(2))),
        3 => all.filter(|i| i.org.ne(1).or(i.name.starts_with("a"))),
        4 => all.filter(|i| i.org.eq(2).not().and(i.rank.lt(6))),
        5 => all.filter(|i| i.org.is_null().or(i.org.eq(1).and(i.rank.gt(1)))),
        _ => all.filter(|i| i.name.le("ab".to_owned())),
    };
    query = match random.below(5) {
        0 => query,
        1 => query.order(|i| i.rank.asc()),
        2 => query.order(|i| (i.rank.desc(), i.name.asc())),
        3 => query.order(|i| i.org.asc()),
        _ => query.order(|i| (i.org.desc(), i.rank.asc())),
    };
    if !random.one_in(4) {
        query = query.limit(1 + random.below(4) as usize);
    }
    let rows: Vec<&Item> = database.rows().values().collect();
    if random.one_in(4)
        && let Some(row) = random.choose(&rows)
    {
        query = query.after(row);
    }
    query.into_parts().0
}

/// The rows of a query in its order, written without what is tested.
fn naive(plan: &Plan<Item>, rows: &BTreeMap<i64, Item>) -> Vec<Item> {
    if let Target::Keys(keys) = &plan.target {
        let keys = keys.list.iter().filter_map(|key| Item::key_from(key.clone()));
        return keys.filter_map(|key| rows.get(&key).cloned()).collect();
    }
    let mut items: Vec<Item> = rows.values().filter(|item| plan.filter.has(item)).cloned().collect();
    items.sort_by(|one, other| order(plan, one, other));
    if let Some(after) = &plan.after {
        items.retain(|item| order(plan, item, &after.record).is_gt());
    }
    items.truncate(plan.limit.unwrap_or(usize::MAX));
    items
}

fn order(plan: &Plan<Item>, one: &Item, other: &Item) -> Ordering {
    let null_last = |one: Option<i32>, other: Option<i32>| match (one, other) {
        (Some(one), Some(other)) => one.cmp(&other),
        (one, other) => one.is_none().cmp(&other.is_none()),
    };
    for term in &plan.order {
        let order = match term.field.name {
            "org" => null_last(one.org, other.org),
            "rank" => one.rank.cmp(&other.rank),
            _ => one.name.cmp(&other.name),
        };
        let order = if term.descending { order.reverse() } else { order };
        if order.is_ne() {
            return order;
        }
    }
    one.id.cmp(&other.id)
}

/// What the database answers.
fn select(plan: &Plan<Item>, rows: &BTreeMap<i64, Item>, capacity: Option<usize>) -> Fill<Item> {
    let mut whole = plan.clone();
    whole.limit = None;
    let mut items = naive(&whole, rows);
    let complete = capacity.is_none_or(|capacity| items.len() <= capacity);
    items.truncate(capacity.unwrap_or(usize::MAX));
    Fill { rows: items.into_iter().map(Row::new).collect(), complete }
}
