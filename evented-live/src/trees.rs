//! The trees of a store.
//!
//! Each tree has lists of its own and follows the changes on its own: where it needs rows that it does not have, it stays at that
//! cut until they were read, and the other values go on. The changes meanwhile are kept once for all trees.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use event_listener::Event;
use evented_core::live::{AnyRawChange, Route, Routes, Shape, TreeParts, Valued};
use evented_diesel::TreeOn;

use crate::cell::{Cell, Watched};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::fill::Arrivals;
use crate::publish::Flip;
use crate::reader::{Job, Reader};
use crate::shared::Shared;
use crate::values::Settings;

mod kept;
mod model;
mod value;

use kept::Kept;
use model::Models;
use value::TreeValue;

/// The trees of a store, with their types erased.
pub(crate) struct Trees<E> {
    values: HashMap<u64, Box<dyn TreePart<E>>>,
    /// The trees that are shared, by what they ask for.
    shared: HashMap<Identity, u64>,
    identities: HashMap<u64, Identity>,
    /// The models of the trees that there were.
    models: HashSet<TypeId>,
    /// Finds the trees that a change may concern.
    routes: Arc<Routes>,
    /// The trees that take part in the next cut: they read, wait, or are concerned by a change. The others cost nothing.
    busy: HashSet<u64>,
    kept: Kept,
    /// The last cut.
    cut: Cut,
    store: Arc<Shared>,
    settings: Settings,
    arrivals: Arrivals,
}

/// What equal trees have in common: the query at the roots, the type of the tree, and whether it is a list.
type Identity = (Vec<u8>, TypeId, bool);

/// A tree with its type erased.
pub(crate) trait TreePart<E>: Send {
    /// Takes part in the next cut. The tree was at this cut, and takes the changes from this number on.
    fn wake(&mut self, at: u64, cut: &Cut);
    /// Whether the tree stands, and takes part in a cut only if a change concerns it.
    fn is_quiet(&self) -> bool;
    /// Whether a model is in the tree.
    fn has(&self, model: TypeId) -> bool;
    /// The number of the first change that the tree has not taken.
    fn at(&self) -> u64;
    /// Records that changes are missing.
    fn gap(&mut self, reason: &Arc<str>, cut: &Cut, now: Instant);
    /// Takes what a reader has read for a model, since the tree began for this time.
    fn arrived(&mut self, of: (u64, TypeId), arrived: Box<dyn Any + Send>, cut: &Cut, now: Instant);
    /// The number of the cut that the tree is at, if it is behind.
    fn behind(&self) -> Option<u64>;
    /// Follows the changes up to a cut, as far as it can.
    fn pass(&mut self, kept: &Kept, cut: &Cut, before: &Cut, flips: &mut Vec<Flip>);
    /// Takes what is to be published at once, at no new cut.
    fn flips(&mut self) -> Vec<Flip>;
    /// Takes the reads to make.
    fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)>;
    /// Does what is due, and returns when something is due next.
    fn tick(&mut self, cut: &Cut, now: Instant) -> Option<Instant>;
    /// Whether a policy has this key.
    fn has_policy(&self, key: &str) -> bool;
    /// Begins again: nothing is known. It follows from this change on.
    fn begin_again(&mut self, at: u64);
    fn end(&self, error: &LiveError);
    fn rows(&self) -> usize;
    fn is_watched(&self) -> bool;
    fn cell(&self) -> Arc<dyn Any + Send + Sync>;
}

impl<E: Reader> Trees<E> {
    pub(crate) fn new(store: &Arc<Shared>, settings: &Settings, arrivals: &Arrivals) -> Self {
        Self {
            values: HashMap::new(),
            shared: HashMap::new(),
            identities: HashMap::new(),
            models: HashSet::new(),
            routes: Arc::default(),
            busy: HashSet::new(),
            kept: Kept::default(),
            cut: Cut::default(),
            store: Arc::clone(store),
            settings: settings.clone(),
            arrivals: Arc::clone(arrivals),
        }
    }

    /// Finds the value of a query, or adds it with this number, and watches it.
    pub(crate) fn open<T: TreeOn<E::Db>, S: Valued<T>>(
        &mut self,
        id: u64,
        parts: TreeParts<T>,
        changed: &Arc<Event>,
    ) -> Watched<T> {
        let is_list = <S::Value as Shape>::IS_LIST;
        let identity = parts.plan.identity().map(|bytes| (bytes, TypeId::of::<T>(), is_list));
        if let Some(identity) = &identity
            && let Some(part) = self.shared.get(identity).and_then(|id| self.values.get(id))
            && let Ok(cell) = part.cell().downcast::<Cell<T>>()
        {
            return Watched::new(cell, changed);
        }
        let cell = Arc::new(Cell::new(id, Arc::clone(&self.store)));
        let models = Models::<E, T>::of_tree();
        self.models.extend(models.0.iter().map(|it| it.model));
        let context = model::Context {
            id,
            began: 0,
            store: Arc::clone(&self.store),
            arrivals: Arc::clone(&self.arrivals),
            most_rows: self.settings.max_rows,
            route: Route::new(&self.routes, id),
        };
        let value =
            TreeValue::new(parts, Arc::clone(&cell), models, context, &self.settings, self.kept.end());
        if let Some(identity) = identity {
            self.shared.insert(identity.clone(), id);
            self.identities.insert(id, identity);
        }
        self.values.insert(id, Box::new(value));
        self.busy.insert(id);
        Watched::new(cell, changed)
    }

    /// Lets a tree take part in the next cut.
    fn wake(&mut self, id: u64) {
        if let Some(value) = self.values.get_mut(&id)
            && self.busy.insert(id)
        {
            value.wake(self.kept.cut_end(), &self.cut);
        }
    }

    /// Takes the next change.
    pub(crate) fn change(&mut self, model: TypeId, change: &Arc<dyn Any + Send + Sync>) {
        for id in self.routes.concerned(model, change) {
            self.wake(id);
        }
        if self.busy.is_empty() || !self.models.contains(&model) {
            return;
        }
        if !self.kept.keep(AnyRawChange { model, change: Arc::clone(change) }) {
            // Too many changes came while trees were read.
            let end = self.kept.end();
            self.each_busy(|value| value.begin_again(end));
        }
    }

    /// Does this with each tree that takes part in the next cut.
    fn each_busy(&mut self, mut act: impl FnMut(&mut dyn TreePart<E>)) {
        for id in &self.busy {
            if let Some(value) = self.values.get_mut(id) {
                act(&mut **value);
            }
        }
    }

    /// The trees for which this holds.
    fn find(&self, is_it: impl Fn(&dyn TreePart<E>) -> bool) -> Vec<u64> {
        self.values.iter().filter(|(_, value)| is_it(&***value)).map(|(id, _)| *id).collect()
    }

    /// Records that changes of a model, or of all models, are missing.
    pub(crate) fn gap(&mut self, model: Option<TypeId>, reason: &Arc<str>, cut: &Cut, now: Instant) {
        for id in self.find(|value| model.is_none_or(|model| value.has(model))) {
            self.wake(id);
            if let Some(value) = self.values.get_mut(&id) {
                value.gap(reason, cut, now);
            }
        }
    }

    pub(crate) fn arrived(
        &mut self,
        id: u64,
        of: (u64, TypeId),
        arrived: Box<dyn Any + Send>,
        cut: &Cut,
        now: Instant,
    ) {
        if let Some(value) = self.values.get_mut(&id) {
            value.arrived(of, arrived, cut, now);
        }
    }

    /// Prepares what is published at a cut.
    pub(crate) fn pass(&mut self, cut: &Cut, before: &Cut, flips: &mut Vec<Flip>) {
        self.kept.cut();
        let (mut behind, mut oldest) = (None, None);
        self.busy.retain(|id| {
            let Some(value) = self.values.get_mut(id) else { return false };
            value.pass(&self.kept, cut, before, flips);
            behind = behind.into_iter().chain(value.behind()).min();
            oldest = oldest.into_iter().chain([value.at()]).min();
            !value.is_quiet()
        });
        self.store.set_oldest(behind);
        self.kept.forget_before(oldest.unwrap_or_else(|| self.kept.end()));
        self.cut = cut.clone();
    }

    pub(crate) fn take_flips(&mut self) -> Vec<Flip> {
        let mut flips = Vec::new();
        self.each_busy(|value| flips.append(&mut value.flips()));
        flips
    }

    pub(crate) fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)> {
        let mut jobs = Vec::new();
        self.each_busy(|value| jobs.append(&mut value.jobs()));
        jobs
    }

    pub(crate) fn tick(&mut self, cut: &Cut, now: Instant) -> Option<Instant> {
        let mut due = None;
        self.each_busy(|value| due = due.into_iter().chain(value.tick(cut, now)).min());
        due
    }

    /// Reads the trees again whose policies have this key.
    pub(crate) fn reauthorise(&mut self, key: &str) {
        let end = self.kept.cut_end();
        for id in self.find(|value| value.has_policy(key)) {
            self.wake(id);
            if let Some(value) = self.values.get_mut(&id) {
                value.begin_again(end);
            }
        }
    }

    pub(crate) fn end(&self, error: &LiveError) {
        self.values.values().for_each(|value| value.end(error));
    }

    pub(crate) fn rows(&self, id: u64) -> Option<usize> {
        self.values.get(&id).map(|value| value.rows())
    }

    pub(crate) fn is_watched(&self, id: u64) -> bool {
        self.values.get(&id).is_some_and(|value| value.is_watched())
    }

    /// Removes a tree, if nobody watches it.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        if self.values.get(&id).is_none_or(|value| value.is_watched()) {
            return false;
        }
        self.values.remove(&id);
        self.busy.remove(&id);
        if let Some(identity) = self.identities.remove(&id) {
            self.shared.remove(&identity);
        }
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }
}
