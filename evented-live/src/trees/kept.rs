//! The changes that trees have not taken yet.

use std::collections::VecDeque;

use evented_core::live::AnyRawChange;

/// How many changes are kept at most. If there are more, the trees begin again.
const MOST: usize = 65_536;

/// The changes since the oldest cut at which a tree is, each with a number.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    changes: VecDeque<AnyRawChange>,
    /// The number of the first change that is kept.
    first: u64,
    /// The number of the first change after the last cut.
    cut_end: u64,
}

impl Kept {
    /// Keeps a change. Returns `false` if there are too many: none is kept then.
    pub(super) fn keep(&mut self, change: AnyRawChange) -> bool {
        if self.changes.len() >= MOST {
            self.forget_before(self.end());
            self.cut_end = self.end();
            return false;
        }
        self.changes.push_back(change);
        true
    }

    /// The number of the next change.
    pub(super) fn end(&self) -> u64 {
        self.first + self.changes.len() as u64
    }

    /// Records a cut.
    pub(super) fn cut(&mut self) {
        self.cut_end = self.end();
        self.changes.make_contiguous();
    }

    /// The number of the first change after the last cut.
    pub(super) fn cut_end(&self) -> u64 {
        self.cut_end
    }

    /// The changes from a number on, up to the last cut.
    pub(super) fn since(&self, number: u64) -> &[AnyRawChange] {
        let index = |number: u64| usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let changes = self.changes.as_slices().0;
        changes.get(index(number)..index(self.cut_end).min(changes.len())).unwrap_or_default()
    }

    /// Forgets the changes before a number.
    pub(super) fn forget_before(&mut self, number: u64) {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.changes.drain(..count.min(self.changes.len()));
        self.first = self.first.max(number);
    }
}
