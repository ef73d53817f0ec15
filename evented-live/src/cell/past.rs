//! What a value was at earlier cuts: a set shows all its labels at one cut, and a tree may be behind.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Published;

/// How many earlier lists are kept at most.
const MOST: usize = 64;

/// The earlier lists of a value, as far back as a tree is behind.
pub(super) struct Past<I> {
    lists: VecDeque<Earlier<I>>,
}

/// A list, and the first and the last cut at which it stood.
pub(super) struct Earlier<I> {
    pub(super) published: Arc<Published<I>>,
    pub(super) version: u64,
    pub(super) from: u64,
    pub(super) to: u64,
}

impl<I> Default for Past<I> {
    fn default() -> Self {
        Self { lists: VecDeque::new() }
    }
}

impl<I> Past<I> {
    /// Keeps a list, if a tree is still at a cut at which it stood. `oldest` is the oldest cut of a tree.
    pub(super) fn keep(&mut self, earlier: Earlier<I>, oldest: u64) {
        self.lists.retain(|it| it.to >= oldest);
        if earlier.to >= oldest && earlier.from <= earlier.to {
            if self.lists.len() >= MOST {
                self.lists.pop_front();
            }
            self.lists.push_back(earlier);
        }
    }

    /// The list at a cut.
    pub(super) fn at(&self, cut: u64) -> Option<&Earlier<I>> {
        self.lists.iter().find(|it| (it.from..=it.to).contains(&cut))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<Published<I>>> {
        self.lists.iter().map(|it| &it.published)
    }
}
