//! A tree that follows a hub, as a store lets it.

use std::any::TypeId;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use evented_core::live::{
    AnyRawChange, Fill, Filter, Grown, List, Plan, Route, Routes, Row, Target, TreeQuery, TreeState, Wanted,
};
use evented_core::{Evented as _, Position, RawChange, RecordRef, RecordState, StreamId, Transaction};

use crate::Counts;
use crate::database::{Database, Source, Told};
use crate::model::Item;
use crate::naive::Naive;
use crate::random::Random;
use crate::trees::{Card, Links, Nest, Rooted};

type Rows = BTreeMap<i64, Item>;
type Order = fn(&Item, &Item) -> std::cmp::Ordering;

/// A query of trees, and the roots that it should have.
struct Asked<T: Rooted> {
    state: TreeState<T>,
    has: fn(&Item) -> bool,
    order: Order,
    limit: usize,
}

/// [`Asked`] with the type of its trees erased.
trait Tree {
    fn state(&mut self) -> &mut dyn State;
    /// Compares the value with the rows at its cut.
    fn compare(&self, rows: &Rows, what: &str);
}

/// [`TreeState`] with the type of its trees erased.
trait State {
    fn change(&mut self, change: &AnyRawChange);
    fn can_undo(&self, changes: &[AnyRawChange]) -> bool;
    fn settle(&mut self, reached: Position, ahead: &[AnyRawChange]);
    fn is_reading(&self) -> bool;
    /// Whether the value is known, and whether it changed.
    fn grow(&mut self) -> Option<bool>;
    fn take_wanted(&mut self) -> Vec<Wanted<Item>>;
    fn filled(&mut self, wanted: &Wanted<Item>, fill: Fill<Item>, marker: Position);
}

impl<T: Rooted> State for TreeState<T> {
    fn change(&mut self, change: &AnyRawChange) {
        self.change(change);
    }
    fn can_undo(&self, changes: &[AnyRawChange]) -> bool {
        self.can_undo(changes)
    }
    fn settle(&mut self, reached: Position, ahead: &[AnyRawChange]) {
        self.settle(|marker| marker <= reached, ahead).expect("memory and the database agree");
    }
    fn is_reading(&self) -> bool {
        self.is_reading()
    }
    fn grow(&mut self) -> Option<bool> {
        match self.grow().expect("no deep tree") {
            Grown::Missing => None,
            Grown::Same => Some(false),
            Grown::Changed => Some(true),
        }
    }
    fn take_wanted(&mut self) -> Vec<Wanted<Item>> {
        self.take_wanted::<Item>()
    }
    fn filled(&mut self, wanted: &Wanted<Item>, fill: Fill<Item>, marker: Position) {
        self.filled(wanted.id, wanted.generation, fill, marker);
    }
}

impl<T: Rooted + Naive> Tree for Asked<T> {
    fn state(&mut self) -> &mut dyn State {
        &mut self.state
    }
    fn compare(&self, rows: &Rows, what: &str) {
        let mut roots: Vec<&Item> = rows.values().filter(|item| (self.has)(item)).collect();
        roots.sort_by(|one, other| (self.order)(one, other).then(one.id.cmp(&other.id)));
        roots.truncate(self.limit);
        let expected: Vec<T> = roots.into_iter().map(|item| T::naive(item, rows)).collect();
        let value: &List<T> = self.state.value().expect("a value");
        let keys = |trees: &[T]| trees.iter().map(Rooted::key).collect::<Vec<_>>();
        assert_eq!(keys(value), keys(&expected), "{what}: the roots");
        assert_eq!(**value, *expected, "{what}");
    }
}

pub(crate) struct Follower {
    routes: Arc<Routes>,
    tree: Box<dyn Tree>,
    /// What is delivered and not heard yet.
    waiting: VecDeque<Heard>,
    /// Everything that was heard, and how much of it the last cut has, and the tree.
    heard: Vec<AnyRawChange>,
    cut: usize,
    at: usize,
    since: Vec<Told>,
    /// The rows at each cut since the one of the tree, by the number of changes up to it.
    rows: BTreeMap<usize, Rows>,
    reached: (u64, u64),
    reads: Vec<Read>,
    source: Source,
    has_rows: bool,
    /// The place at which the tree was compared last.
    compared: Option<usize>,
}

enum Heard {
    Change(Told),
    Cut((u64, u64)),
}

struct Read {
    wanted: Wanted<Item>,
    fill: Option<Fill<Item>>,
    marker: Option<(u64, u64)>,
}

fn position((major, minor): (u64, u64)) -> Position {
    Position::new(StreamId::named("log"), major, minor)
}

fn asked(random: &mut Random, route: Option<Route>) -> Box<dyn Tree> {
    let keys = |_: &Item, _: &Item| std::cmp::Ordering::Equal;
    if random.one_in(4) {
        let query = TreeQuery::<Nest>::all().filter(|i| i.rank.lt(4));
        return Box::new(Asked {
            state: TreeState::new(query.into_parts(), false, 1, route),
            has: |item| item.rank < 4,
            order: keys,
            limit: usize::MAX,
        });
    }
    if random.one_in(4) {
        let state = TreeState::new(TreeQuery::<Links>::all().into_parts(), false, 1, route);
        return Box::new(Asked { state, has: |_| true, order: keys, limit: usize::MAX });
    }
    match random.below(4) {
        0 => {
            let query = TreeQuery::<Card>::all().one(RecordRef::by_key(3));
            Box::new(Asked {
                state: TreeState::new(query.into_parts(), false, 1, route),
                has: |item| item.id == 3,
                order: keys,
                limit: 1,
            })
        }
        1 => Box::new(Asked {
            state: TreeState::new(TreeQuery::<Card>::all().into_parts(), false, 1, route),
            has: |_| true,
            order: keys,
            limit: usize::MAX,
        }),
        _ => {
            let limit = 1 + random.below(5) as usize;
            let query = TreeQuery::<Card>::all().filter(|i| i.org.eq(1)).order(|i| i.rank.asc()).limit(limit);
            Box::new(Asked {
                state: TreeState::new(query.into_parts(), false, 1, route),
                has: |item| item.org == Some(1),
                order: |one, other| one.rank.cmp(&other.rank),
                limit,
            })
        }
    }
}

impl Follower {
    pub(crate) fn new(source: Source, random: &mut Random) -> Self {
        let routes = Arc::default();
        let tree = asked(random, Some(Route::new(&routes, 1)));
        Self::of(source, routes, tree)
    }

    /// A follower of all cards.
    pub(crate) fn of_cards(source: Source) -> Self {
        let routes = Arc::default();
        let route = Some(Route::new(&routes, 1));
        let state = TreeState::<Card>::new(TreeQuery::all().into_parts(), false, 1, route);
        let order: Order = |_, _| std::cmp::Ordering::Equal;
        Self::of(source, routes, Box::new(Asked { state, has: |_| true, order, limit: usize::MAX }))
    }

    fn of(source: Source, routes: Arc<Routes>, tree: Box<dyn Tree>) -> Self {
        Self {
            routes,
            tree,
            waiting: VecDeque::new(),
            heard: Vec::new(),
            cut: 0,
            at: 0,
            since: Vec::new(),
            rows: BTreeMap::new(),
            reached: (0, 0),
            reads: Vec::new(),
            source,
            has_rows: false,
            compared: None,
        }
    }

    /// The hub reads the database.
    pub(crate) fn poll(&mut self, database: &mut Database) {
        if !self.has_rows {
            drop(database.tell());
            self.rows.insert(0, database.told());
            self.has_rows = true;
        }
        let (told, to) = database.tell();
        self.waiting.extend(told.into_iter().map(Heard::Change));
        self.waiting.push_back(Heard::Cut(to.max(self.reached)));
    }

    /// The engine hears some of what is delivered.
    pub(crate) fn hear(&mut self, random: &mut Random, counts: &mut Counts) {
        let some = if random.one_in(3) { usize::MAX } else { 1 + random.below(6) as usize };
        for _ in 0..some {
            let Some(heard) = self.waiting.pop_front() else { break };
            match heard {
                Heard::Change(told) => {
                    self.heard.push(change_of(&told));
                    self.since.push(told);
                }
                Heard::Cut(to) => self.pass(to, counts),
            }
        }
        if self.has_rows {
            self.follow(counts);
        }
    }

    fn pass(&mut self, to: (u64, u64), counts: &mut Counts) {
        let mut rows = self.rows.get(&self.cut).cloned().unwrap();
        for told in self.since.drain(..) {
            match told.after {
                Some(item) => rows.insert(told.key, item),
                None => rows.remove(&told.key),
            };
        }
        self.cut = self.heard.len();
        self.rows.insert(self.cut, rows);
        self.reached = self.reached.max(to);
        counts.cuts += 1;
        self.follow(counts);
    }

    /// Lets the tree follow, as far as it can.
    fn follow(&mut self, counts: &mut Counts) {
        let reached = position(self.reached);
        let tree = self.tree.state();
        if tree.is_reading() {
            let ahead = self.heard.get(self.at..self.cut).unwrap();
            if tree.can_undo(ahead) {
                tree.settle(reached, ahead);
            } else {
                ahead.iter().for_each(|change| tree.change(change));
                self.at = self.cut;
                tree.settle(reached, &[]);
            }
        }
        let grown = tree.grow();
        for wanted in tree.take_wanted() {
            counts.reads += 1;
            self.reads.push(Read { wanted, fill: None, marker: None });
        }
        let Some(changed) = grown else { return self.forget() };
        counts.published += usize::from(changed);
        counts.behind += usize::from(changed && self.at != self.cut);
        if changed || self.compared != Some(self.at) {
            counts.compared += 1;
            let rows = self.rows.get(&self.at).unwrap();
            self.tree.compare(rows, &format!("at change {} of {}", self.at, self.cut));
            self.compared = Some(self.at);
        }
        let tree = self.tree.state();
        if self.at == self.cut {
            return self.forget();
        }
        // A tree that stands takes nothing up to the first change that has a route to it.
        let changes = self.heard.get(self.at..self.cut).unwrap();
        let has_route = |it: &AnyRawChange| !self.routes.concerned(it.model, &it.change).is_empty();
        let first = changes.iter().position(has_route).unwrap_or(changes.len());
        counts.passed_over += first;
        changes.iter().skip(first).for_each(|change| tree.change(change));
        self.at = self.cut;
        self.follow(counts);
    }

    /// Forgets the rows at cuts that the tree has passed.
    fn forget(&mut self) {
        let at = self.at;
        self.rows.retain(|number, _| *number >= at);
    }

    /// A reader goes a step further with a read: the rows, then the marker, then the tree gets both.
    pub(crate) fn read(&mut self, database: &Database, random: &mut Random) {
        if self.reads.is_empty() {
            return;
        }
        let index = usize::try_from(random.below(self.reads.len() as u64)).unwrap();
        let read = &mut self.reads[index];
        if read.fill.is_none() {
            if self.source != Source::ToldFirst || database.all_told_is_visible() {
                read.fill = Some(select(&read.wanted.plan, &database.visible(), read.wanted.capacity));
            }
        } else if read.marker.is_none() {
            read.marker = Some(database.marker());
        } else {
            let Read { wanted, fill, marker } = self.reads.remove(index);
            let (Some(fill), Some(marker)) = (fill, marker) else { return };
            self.tree.state().filled(&wanted, fill, position(marker));
        }
    }

    /// How many changes were heard.
    pub(crate) fn heard(&self) -> usize {
        self.heard.len()
    }

    /// Ends all reads that there are.
    pub(crate) fn read_all(&mut self, database: &Database) {
        for _ in 0..self.reads.len() * 3 {
            let by = usize::from(!self.reads.is_empty());
            self.reads.rotate_left(by);
            self.read(database, &mut Random::new(1));
        }
    }

    pub(crate) fn hear_all(&mut self, random: &mut Random, counts: &mut Counts) {
        while !self.waiting.is_empty() {
            self.hear(random, counts);
        }
        self.hear(random, counts);
    }

    /// Lets everything come to rest.
    pub(crate) fn rest(&mut self, database: &mut Database, random: &mut Random, counts: &mut Counts) {
        for _ in 0..40 {
            self.poll(database);
            self.hear_all(random, counts);
            self.read_all(database);
            self.hear_all(random, counts);
        }
    }

    /// Compares the tree with the rows of the database.
    pub(crate) fn compare_with(&mut self, rows: &Rows, history: u64) {
        assert!(!self.tree.state().is_reading(), "history {history}: the tree did not settle at rest");
        assert_eq!(self.at, self.heard.len(), "history {history}");
        self.tree.compare(rows, &format!("history {history} at rest"));
    }
}

fn change_of(told: &Told) -> AnyRawChange {
    let state = |item: &Option<Item>| item.clone().map(|item| Arc::new(RecordState::new(item)));
    let change = RawChange::<Item> {
        key: Some(told.key),
        before: state(&told.before),
        after: state(&told.after),
        table: None,
        position: position(told.at),
        transaction: Transaction { id: 0, commit: 0, index: 0, last: false },
        event: None,
    };
    AnyRawChange { model: TypeId::of::<Item>(), change: Arc::new(change) }
}

/// What the database answers.
fn select(plan: &Plan<Item>, rows: &Rows, capacity: Option<usize>) -> Fill<Item> {
    let among = |item: &Item| match &plan.target {
        Target::Keys(keys) => keys.list.contains(&Item::key_value(&item.id)),
        Target::Filtered => plan.filter.has(item),
    };
    // Children are read with their siblings.
    let siblings: Filter<Item> = match &plan.parent {
        Some(parent) => Plan::siblings(&[parent]),
        None => Filter::everything(),
    };
    let mut items: Vec<Item> =
        rows.values().filter(|item| among(item) && siblings.has(item)).cloned().collect();
    items.sort_by(|one, other| {
        let keys = (Item::key_value(&one.id), Item::key_value(&other.id));
        plan.compare((one, &keys.0), (other, &keys.1))
    });
    let complete = capacity.is_none_or(|capacity| items.len() <= capacity);
    items.truncate(capacity.unwrap_or(usize::MAX));
    Fill { rows: items.into_iter().map(Row::new).collect(), complete }
}
