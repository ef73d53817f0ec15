//! The changes since the oldest read that is under way.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{Evented, RawChange};

/// How many changes are kept at most. If there are more, the reads under way begin again.
const MOST: usize = 65_536;

/// The last changes, each with a number.
pub(super) struct Recent<M: Evented> {
    changes: VecDeque<Arc<RawChange<M>>>,
    /// The number of the first change that is kept.
    first: u64,
}

impl<M: Evented> Recent<M> {
    pub(super) fn new() -> Self {
        Self { changes: VecDeque::new(), first: 0 }
    }

    /// The number that the next change gets.
    pub(super) fn next(&self) -> u64 {
        self.first + self.changes.len() as u64
    }

    /// Keeps a change. Returns `false` if there are too many: none is kept then.
    pub(super) fn keep(&mut self, change: &Arc<RawChange<M>>) -> bool {
        if self.changes.len() >= MOST {
            self.forget_before(self.next());
            return false;
        }
        self.changes.push_back(Arc::clone(change));
        true
    }

    /// The changes from a number on.
    pub(super) fn from(&self, number: u64) -> impl Iterator<Item = &Arc<RawChange<M>>> {
        let skipped = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.changes.iter().skip(skipped)
    }

    /// Forgets the changes before a number.
    pub(super) fn forget_before(&mut self, number: u64) {
        let count = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.changes.drain(..count.min(self.changes.len()));
        self.first = self.first.max(number);
    }
}
