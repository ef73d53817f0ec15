//! One tree of a store.

use std::any::{Any, TypeId};
use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_core::Position;
use evented_core::live::{Grown, List, MOST_LEVELS, QueryId, SPARE, Tree, TreeParts, TreeState};

use super::TreePart;
use super::kept::Kept;
use super::model::{Context, Models};
use crate::cell::Cell;
use crate::cut::Cut;
use crate::error::LiveError;
use crate::publish::Flip;
use crate::reader::{Job, Reader};
use crate::status::Status;
use crate::values::{BETWEEN_GAPS, RETRY, Settings};

/// How many levels of a tree follow the changes before it is whole for the first time.
const MOST_LEVELS_AHEAD: usize = 16;

/// One tree: its state, which may be behind the present cut, and the cell that it is published in.
pub(super) struct TreeValue<E, T: Tree> {
    state: TreeState<T>,
    cell: Arc<Cell<T>>,
    models: Models<E, T>,
    context: Context,
    patience: Duration,
    /// The number of the first change that the state has not taken, and the cut that it is at.
    at: u64,
    cut: Cut,
    /// The number of the last cut that was published, and whether the value stands at the present one.
    shown: Option<u64>,
    stands: bool,
    /// Whether the cut of the state is known: not before the first cut after it began.
    is_at_cut: bool,
    /// How many levels were read, if the tree has never been whole.
    levels: usize,
    /// Since when rows wait for a cut that has reached their read, if the value was never shown.
    waits_since: Option<Instant>,
    /// Whether the state has rows that no cut has reached: it is shown as it was read, and begins again.
    is_as_read: bool,
    failed: Vec<(TypeId, QueryId, u64)>,
    /// When the failed reads are tried again, or all is read again.
    retry: Option<Instant>,
    begins_again: bool,
    pause: Duration,
    last_gap: Option<Instant>,
    flips: Vec<Flip>,
}

impl<E: Reader, T: Tree> TreeValue<E, T> {
    pub(super) fn new(
        parts: TreeParts<T>,
        cell: Arc<Cell<T>>,
        models: Models<E, T>,
        context: Context,
        settings: &Settings,
        at: u64,
    ) -> Self {
        let route = Some(context.route.clone());
        let state = TreeState::new(parts, context.store.on_wal, SPARE, route);
        Self {
            state,
            cell,
            models,
            context,
            patience: settings.patience,
            at,
            cut: Cut::default(),
            shown: None,
            stands: false,
            is_at_cut: false,
            levels: 0,
            waits_since: None,
            is_as_read: false,
            failed: Vec::new(),
            retry: None,
            begins_again: false,
            pause: RETRY.0,
            last_gap: None,
            flips: Vec::new(),
        }
    }

    fn schema_of(&self, model: TypeId) -> &'static str {
        self.models.0.iter().find(|it| it.model == model).map_or("", |it| it.schema)
    }

    fn fail(&mut self, error: LiveError, cut: &Cut) {
        let (cell, cut) = (Arc::clone(&self.cell), cut.clone());
        self.flips.push(Box::new(move || {
            cell.fail(error, &cut);
            cell.notify();
        }));
    }

    /// Fails, and tries again after a pause.
    fn fail_for_a_while(&mut self, error: LiveError, cut: &Cut, now: Instant) {
        self.retry.get_or_insert(now + self.pause);
        self.pause = (self.pause * 2).min(RETRY.1);
        self.fail(error, cut);
    }

    /// Takes the changes up to a cut.
    fn take(&mut self, kept: &Kept, cut: &Cut) {
        kept.since(self.at).iter().for_each(|change| self.state.change(change));
        (self.at, self.cut) = (kept.cut_end(), cut.clone());
    }

    /// Ends the reads that a cut has reached. Returns whether there were such reads.
    fn settle(&mut self, kept: &Kept, cut: &Cut) -> Result<bool, LiveError> {
        // At first, each level is of a cut that has reached its read, so that a viewer finds what was written before it came. Later
        // all of the tree is of the cut at which something was missing, if that can be restored: a tree that grows at each cut
        // would never be whole.
        if self.levels < MOST_LEVELS_AHEAD || !self.state.can_undo(kept.since(self.at)) {
            self.take(kept, cut);
        }
        let reached = |marker: Position| cut.reaches(marker).unwrap_or(false);
        let settled = self.state.settle(reached, kept.since(self.at));
        let settled =
            settled.map_err(|(model, key)| LiveError::Differs { schema: self.schema_of(model), key })?;
        self.levels = self.levels.saturating_add(usize::from(settled));
        if settled {
            self.waits_since = None;
        }
        Ok(settled)
    }

    fn grow(&mut self) -> Result<Grown, LiveError> {
        self.state.grow().map_err(|_| LiveError::TooDeep { most: MOST_LEVELS })
    }

    /// Records that the value does not stand any more. It did at this cut.
    fn leave(&mut self, cut: Cut) {
        if std::mem::take(&mut self.stands) {
            self.shown = Some(cut.number());
            let cell = Arc::clone(&self.cell);
            self.flips.push(Box::new(move || cell.leave(&cut)));
        }
    }

    fn publish(&self, list: List<T>, status: Status, stood: Option<Cut>, flips: &mut Vec<Flip>) {
        let cell = Arc::clone(&self.cell);
        flips.push(Box::new(move || {
            if cell.publish(list, status, stood) {
                cell.notify();
            }
        }));
    }

    fn follow(
        &mut self,
        kept: &Kept,
        cut: &Cut,
        before: &Cut,
        flips: &mut Vec<Flip>,
    ) -> Result<(), LiveError> {
        if self.state.is_reading() && !self.settle(kept, cut)? {
            return Ok(());
        }
        loop {
            let grown = self.grow()?;
            let is_present = self.at == kept.cut_end();
            if matches!(grown, Grown::Missing) {
                self.leave(before.clone());
                flips.append(&mut self.flips);
                return Ok(());
            }
            self.pause = RETRY.0;
            self.levels = usize::MAX;
            if let Some(list) = self.state.value() {
                let stood = (!is_present).then(|| self.cut.clone());
                (self.shown, self.stands) = (Some(stood.as_ref().unwrap_or(cut).number()), is_present);
                self.publish(list.clone(), Status::Exact, stood, flips);
            }
            if is_present {
                return Ok(());
            }
            self.take(kept, cut);
        }
    }
}

impl<E: Reader, T: Tree> TreePart<E> for TreeValue<E, T> {
    fn wake(&mut self, at: u64, cut: &Cut) {
        (self.at, self.cut) = (at, cut.clone());
    }

    fn is_quiet(&self) -> bool {
        let is_settled = self.retry.is_none() && self.failed.is_empty() && self.flips.is_empty();
        let is_known = self.stands && self.is_at_cut && !self.begins_again && !self.is_as_read;
        is_settled && is_known && self.cell.is_read() && !self.state.is_reading()
    }

    fn has(&self, model: TypeId) -> bool {
        self.models.0.iter().any(|it| it.model == model)
    }

    fn at(&self) -> u64 {
        self.at
    }

    fn behind(&self) -> Option<u64> {
        self.shown.filter(|_| !self.stands)
    }

    fn gap(&mut self, reason: &Arc<str>, cut: &Cut, now: Instant) {
        let schema = self.models.0.first().map_or("", |it| it.schema);
        let error = LiveError::Gap { schema, reason: Arc::clone(reason) };
        if self.cell.is_read() {
            self.fail(error, cut);
        }
        let earliest = self.last_gap.map_or(now, |last| last + BETWEEN_GAPS).max(now);
        self.begins_again = true;
        self.retry.get_or_insert(earliest);
        self.last_gap = Some(earliest);
    }

    fn arrived(&mut self, of: (u64, TypeId), arrived: Box<dyn Any + Send>, cut: &Cut, now: Instant) {
        let (began, model) = of;
        if began != self.context.began {
            return;
        }
        let Some(of_model) = self.models.0.iter().find(|it| it.model == model) else { return };
        if let Some(failed) = (of_model.arrived)(&mut self.state, arrived) {
            self.failed.push((model, failed.list, failed.generation));
            self.fail_for_a_while(failed.error, cut, now);
        } else if !self.cell.is_read() {
            self.waits_since.get_or_insert(now);
        }
    }

    fn pass(&mut self, kept: &Kept, cut: &Cut, before: &Cut, flips: &mut Vec<Flip>) {
        flips.append(&mut self.flips);
        if self.begins_again {
            self.at = kept.cut_end();
            return;
        }
        if self.is_as_read {
            self.at = kept.cut_end();
            self.show_as_read(cut, Instant::now());
            flips.append(&mut self.flips);
            return;
        }
        if !self.is_at_cut {
            self.take(kept, cut);
            self.is_at_cut = true;
        } else if !self.state.is_reading() {
            if kept.since(self.at).is_empty() && self.cell.is_read() && self.cut == *before {
                self.cut = cut.clone();
                return;
            }
            self.take(kept, cut);
        }
        if let Err(error) = self.follow(kept, cut, before, flips) {
            self.begins_again = true;
            self.fail_for_a_while(error, before, Instant::now());
            flips.append(&mut self.flips);
        }
    }

    fn flips(&mut self) -> Vec<Flip> {
        std::mem::take(&mut self.flips)
    }

    fn jobs(&mut self) -> Vec<(bool, Box<dyn Job<E>>)> {
        self.models.0.iter().flat_map(|it| (it.jobs)(&mut self.state, &self.context)).collect()
    }

    fn tick(&mut self, cut: &Cut, now: Instant) -> Option<Instant> {
        if self.retry.is_some_and(|due| due <= now) {
            self.retry = None;
            let failed = std::mem::take(&mut self.failed);
            if self.begins_again {
                self.begin_again(self.at);
            }
            for (model, list, generation) in failed {
                if let Some(of_model) = self.models.0.iter().find(|it| it.model == model) {
                    (of_model.read_again)(&mut self.state, list, generation);
                }
            }
        }
        let waits_since = self.waits_since.filter(|_| !self.cell.is_read() && !self.begins_again);
        let due = waits_since.map(|since| since + self.patience);
        if due.is_some_and(|due| due <= now) {
            self.show_as_read(cut, now);
        }
        [self.retry, due.filter(|due| *due > now)].into_iter().flatten().min()
    }

    fn has_policy(&self, key: &str) -> bool {
        self.state.plan().has_policy(key)
    }

    fn begin_again(&mut self, at: u64) {
        self.leave(self.cut.clone());
        self.context.began += 1;
        self.state = self.state.again();
        self.at = at;
        (self.is_at_cut, self.begins_again) = (false, false);
        (self.is_as_read, self.waits_since) = (false, None);
        self.levels = 0;
        self.failed.clear();
        self.context.store.tap.wake();
    }

    fn end(&self, error: &LiveError) {
        self.cell.end(error);
        self.cell.notify();
    }

    fn rows(&self) -> usize {
        self.state.rows()
    }

    fn is_watched(&self) -> bool {
        self.cell.is_watched()
    }

    fn cell(&self) -> Arc<dyn Any + Send + Sync> {
        Arc::clone(&self.cell) as Arc<dyn Any + Send + Sync>
    }
}

impl<E: Reader, T: Tree> TreeValue<E, T> {
    /// Shows the tree as it was read: no cut has reached the reads. When all of it was read, it is read again, to become exact.
    fn show_as_read(&mut self, cut: &Cut, now: Instant) {
        self.is_as_read = true;
        let settled = self.state.settle(|_| true, &[]);
        let grown = settled
            .map_err(|(model, key)| LiveError::Differs { schema: self.schema_of(model), key })
            .and_then(|_| self.grow());
        match grown {
            Ok(Grown::Missing) => {}
            Ok(Grown::Same | Grown::Changed) => {
                if let Some(list) = self.state.value().cloned() {
                    let mut flips = Vec::new();
                    self.publish(list, Status::AsRead, Some(cut.clone()), &mut flips);
                    self.flips.append(&mut flips);
                }
                self.begin_again(self.at);
            }
            Err(error) => {
                self.begins_again = true;
                self.fail_for_a_while(error, cut, now);
            }
        }
    }
}
