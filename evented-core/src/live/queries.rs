//! The queries of a model, kept equal to the database from cut to cut.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::index::Index;
use super::model::LiveModel;
use super::plan::{Plan, Target};
use super::recent::Recent;
use super::routes::{Route, RouteOf};
use super::row::Row;
use super::window::{Fill, Held, Window};
use crate::{KeyValue, Position};

mod changes;
mod settling;

/// The number of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(hidden)]
pub struct QueryId(pub u64);

/// The queries of one model.
///
/// The caller tells each [`change`](Self::change) in its order, each [`cut`](Self::settle) between transactions, and what it
/// [read](Self::filled). At a cut, the rows of each query that [stands](Self::stands) are those of its query, evaluated over
/// everything that the hub has delivered up to that cut.
///
/// A read is wanted at some point of the stream. Its rows may contain later changes. The position behind its last statement,
/// the marker, says up to where. At the first cut that has reached the marker, the rows with all changes since the read was
/// wanted are the answer at that cut: a change says all of a record, so that it does no harm to a row that contains it.
#[doc(hidden)]
pub struct Queries<M: LiveModel> {
    entries: HashMap<QueryId, Entry<M>>,
    index: Index<M>,
    recent: Recent<M>,
    /// The reads that need the changes from a number on.
    reading: BTreeSet<(u64, QueryId)>,
    wanted: Vec<Wanted<M>>,
    dirty: Vec<QueryId>,
    next_id: u64,
    /// Whether changes say what the database generated.
    says_generated: bool,
    /// How many rows beyond its limit a window keeps at least.
    spare: usize,
}

struct Entry<M: LiveModel> {
    window: Window<M>,
    state: State<M>,
    /// How many reads of the query were wanted.
    generation: u64,
    dirty: bool,
    /// The number of changes since the window was last short.
    quiet: usize,
}

enum State<M: LiveModel> {
    /// The rows are those of the query.
    Stands,
    /// A read is under way. The rows are those of an earlier cut, or none.
    Reads(Read<M>),
    /// The rows are those of the query, but for what the database generated in some, which is being read.
    Refreshes(Read<M>),
    /// The last read failed.
    Failed,
}

struct Read<M: LiveModel> {
    /// The number of the first change since the read was wanted.
    from: u64,
    /// What was read, and its marker.
    arrived: Option<(Fill<M>, Position)>,
}

/// A read that the caller is to make.
#[doc(hidden)]
pub struct Wanted<M: LiveModel> {
    /// The query.
    pub id: QueryId,
    /// Which of its reads it is.
    pub generation: u64,
    /// What to read.
    pub plan: Arc<Plan<M>>,
    /// How many rows at most.
    pub capacity: Option<usize>,
    /// Whether the rows were known before.
    pub is_again: bool,
}

/// A record for which memory and the database disagree.
#[derive(Debug, Clone)]
#[doc(hidden)]
pub struct Differs {
    /// The query.
    pub id: QueryId,
    /// The record.
    pub key: KeyValue,
}

impl<M: LiveModel> Queries<M> {
    /// No queries. `says_generated`: whether changes say what the database generated, as the write-ahead log does. `spare`:
    /// how many rows beyond its limit a window keeps at least.
    #[must_use]
    pub fn new(says_generated: bool, spare: usize) -> Self {
        Self {
            entries: HashMap::new(),
            index: Index::new(RouteOf::nowhere()),
            recent: Recent::new(),
            reading: BTreeSet::new(),
            wanted: Vec::new(),
            dirty: Vec::new(),
            next_id: 0,
            says_generated: says_generated || !M::HAS_GENERATED,
            spare,
        }
    }

    /// Keeps the routes to the value whose lists the queries are. There must be no queries yet.
    pub(super) fn routed(mut self, route: Option<&Route>) -> Self {
        self.index = Index::new(route.map_or_else(RouteOf::nowhere, Route::of));
        self
    }

    /// Adds a query. Its rows are read, unless all of them are known.
    pub fn add(&mut self, plan: Arc<Plan<M>>) -> QueryId {
        self.next_id += 1;
        let id = QueryId(self.next_id);
        let known = self.known_rows(&plan);
        self.index.add(id, &plan);
        let window = Window::new(plan, self.spare);
        let entry = Entry { window, state: State::Failed, generation: 0, dirty: false, quiet: 0 };
        self.entries.insert(id, entry);
        match known {
            Some(rows) => self.stand(id, Fill { rows, complete: true }).unwrap_or_else(|_| self.read(id)),
            None => self.read(id),
        }
        id
    }

    /// The rows of a query by keys, if other queries have each of them.
    fn known_rows(&self, plan: &Plan<M>) -> Option<Vec<Row<M>>> {
        let Target::Keys(keys) = &plan.target else { return None };
        let known = |key: &KeyValue| {
            let ids = self.index.concerned(key, None);
            let standing = ids.into_iter().filter_map(|id| self.entries.get(&id));
            standing.filter(|it| matches!(it.state, State::Stands)).find_map(|it| it.window.row(key).cloned())
        };
        keys.list.iter().map(known).collect()
    }

    /// Removes a query.
    pub fn remove(&mut self, id: QueryId) {
        let Some(entry) = self.entries.remove(&id) else { return };
        if let State::Reads(read) | State::Refreshes(read) = &entry.state {
            self.reading.remove(&(read.from, id));
        }
        entry.window.keys().for_each(|key| self.index.release(id, key));
        self.index.remove(id, entry.window.plan());
        self.forget();
    }

    /// The number of queries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no queries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the rows of a query are those of the last cut.
    #[must_use]
    pub fn stands(&self, id: QueryId) -> bool {
        self.entries.get(&id).is_some_and(|it| matches!(it.state, State::Stands | State::Refreshes(_)))
    }

    /// The rows of a query.
    #[must_use]
    pub fn rows(&self, id: QueryId) -> &[Held<M>] {
        self.entries.get(&id).map(|entry| entry.window.shown()).unwrap_or_default()
    }

    /// The number of rows that are kept for a query.
    #[must_use]
    pub fn kept(&self, id: QueryId) -> usize {
        self.entries.get(&id).map_or(0, |entry| entry.window.len())
    }

    /// The rows of a query as they were read, before a cut has reached the read.
    #[must_use]
    pub fn as_read(&self, id: QueryId) -> Option<Vec<Held<M>>> {
        let entry = self.entries.get(&id)?;
        let State::Reads(Read { arrived: Some((fill, _)), .. }) = &entry.state else { return None };
        let mut window = Window::new(Arc::clone(entry.window.plan()), self.spare);
        window.fill(Fill { rows: fill.rows.clone(), complete: fill.complete }).ok()?;
        Some(window.shown().to_vec())
    }

    /// Takes the reads that are wanted since the last call.
    pub fn take_wanted(&mut self) -> Vec<Wanted<M>> {
        std::mem::take(&mut self.wanted)
    }

    /// Takes the queries that stand and whose rows changed since the last call.
    pub fn take_dirty(&mut self) -> Vec<QueryId> {
        let (stands, waits): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.dirty).into_iter().partition(|id| self.stands(*id));
        self.dirty = waits.into_iter().filter(|id| self.entries.contains_key(id)).collect();
        for id in &stands {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.dirty = false;
            }
        }
        stands
    }

    /// Reads a query again, for example after a read failed.
    pub fn read(&mut self, id: QueryId) {
        self.want(id, State::Reads);
    }

    /// Reads all queries again: changes are missing, or could not be read.
    pub fn read_all(&mut self) {
        let ids: Vec<_> = self.entries.keys().copied().collect();
        ids.into_iter().for_each(|id| self.read(id));
    }

    /// Reads the queries again for which this holds.
    pub fn read_if(&mut self, is_it: impl Fn(&Plan<M>) -> bool) {
        let ids: Vec<_> =
            self.entries.iter().filter(|(_, entry)| is_it(entry.window.plan())).map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.read(id));
    }

    /// Reads what the database generated in the rows of a query that stands.
    fn refresh(&mut self, id: QueryId) {
        if self.entries.get(&id).is_some_and(|entry| matches!(entry.state, State::Stands)) {
            self.want(id, State::Refreshes);
        }
    }

    fn want(&mut self, id: QueryId, state: impl FnOnce(Read<M>) -> State<M>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let State::Reads(read) | State::Refreshes(read) = &entry.state {
            self.reading.remove(&(read.from, id));
        }
        let from = self.recent.next();
        let is_again = entry.generation > 0;
        entry.generation += 1;
        entry.state = state(Read { from, arrived: None });
        self.reading.insert((from, id));
        self.wanted.push(Wanted {
            id,
            generation: entry.generation,
            plan: Arc::clone(entry.window.plan()),
            capacity: entry.window.capacity(),
            is_again,
        });
        self.forget();
    }

    /// Records that a read failed. The query does not stand until it is [read](Self::read) again. Returns `false` if another
    /// read was wanted meanwhile.
    pub fn failed(&mut self, id: QueryId, generation: u64) -> bool {
        let is_it = self.entries.get(&id).is_some_and(|entry| entry.generation == generation);
        is_it && self.fail(id)
    }

    /// Records that all queries fail, whatever their reads bring.
    pub fn fail_all(&mut self) {
        let ids: Vec<_> = self.entries.keys().copied().collect();
        ids.into_iter().for_each(|id| {
            self.fail(id);
        });
    }

    /// Records that a query fails. It does not stand until it is [read](Self::read) again.
    pub fn fail(&mut self, id: QueryId) -> bool {
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        if let State::Reads(read) | State::Refreshes(read) = &entry.state {
            self.reading.remove(&(read.from, id));
        }
        entry.state = State::Failed;
        entry.generation += 1;
        self.forget();
        true
    }

    /// The queries that are being read.
    pub(super) fn reading(&self) -> impl Iterator<Item = QueryId> {
        self.reading.iter().map(|(_, id)| *id)
    }

    /// Whether a read is under way.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        !self.reading.is_empty()
    }

    /// Whether changes say all of a record.
    #[must_use]
    pub fn says_generated(&self) -> bool {
        self.says_generated
    }

    /// Whether a query that stands has a record.
    #[must_use]
    pub fn shows(&self, id: QueryId, key: &KeyValue) -> bool {
        self.rows(id).iter().any(|held| held.key == *key)
    }

    fn forget(&mut self) {
        let oldest = self.reading.first().map_or(self.recent.next(), |(from, _)| *from);
        self.recent.forget_before(oldest);
    }
}

impl<M: LiveModel> std::fmt::Debug for Queries<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Queries({} of {})", self.entries.len(), M::SCHEMA)
    }
}

impl<M: LiveModel> std::fmt::Debug for Wanted<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wanted").field("id", &self.id).field("plan", &self.plan).finish_non_exhaustive()
    }
}

impl<M: LiveModel> Entry<M> {
    fn mark(&mut self, id: QueryId, dirty: &mut Vec<QueryId>) {
        if !self.dirty {
            self.dirty = true;
            dirty.push(id);
        }
    }
}
