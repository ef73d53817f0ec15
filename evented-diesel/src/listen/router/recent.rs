//! What was told last, for those who resume.

use std::collections::VecDeque;

use evented_core::Position;

use super::super::told::Told;
use crate::model::Model;

/// What was told last, where the stream cannot be read again.
pub(super) struct Recent<M: Model> {
    pub(super) told: VecDeque<Told<M>>,
    /// How many of that are changes.
    changes: usize,
    /// How many changes are kept.
    most: usize,
    /// All changes after this place are here.
    pub(super) from: Position,
}

impl<M: Model> Recent<M> {
    #[cfg(feature = "wal")]
    pub(super) fn new(from: Position, most: usize) -> Self {
        Self { told: VecDeque::new(), changes: 0, most, from }
    }

    pub(super) fn keep(&mut self, told: &Told<M>) {
        // One end is enough: of most transactions nothing is told here but that.
        if matches!((told, self.told.back()), (Told::End, None | Some(Told::End))) {
            return;
        }
        self.changes += usize::from(!matches!(told, Told::End));
        self.told.push_back(told.clone());
        while self.changes > self.most || matches!(self.told.front(), Some(Told::End)) {
            match self.told.pop_front() {
                Some(Told::Fact(fact)) => self.from = fact.position,
                Some(Told::Unreadable(unreadable)) => self.from = unreadable.position,
                Some(Told::End) => continue,
                None => return,
            }
            self.changes -= 1;
        }
    }
}
