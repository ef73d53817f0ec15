//! What is under a label of a set.

use std::any::Any;
use std::sync::Arc;

use evented_core::live::{List, Shape};
use serde::Serialize;

use crate::cell::{Cell, Viewer};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::json;
use crate::status::Status;

/// What is under a label, with the type of its values.
pub(crate) struct Entry<V: Shape> {
    /// The value that is shown, and the one to be shown next; `None` after the label was cancelled.
    current: Option<Pointed<V::Item>>,
    next: Option<Pointed<V::Item>>,
    value: Option<V>,
    old: Option<V>,
    changed: bool,
    shown: Option<Shown<V>>,
}

struct Pointed<I> {
    cell: Arc<Cell<I>>,
    /// The version and the list that the label shows; `None` before the first.
    seen: Option<(u64, List<I>)>,
    /// The list before that.
    before: Option<List<I>>,
}

/// How the values of a label become JSON.
pub(crate) struct Shown<V: Shape> {
    value: fn(&List<V::Item>) -> Arc<str>,
    #[cfg(feature = "axum")]
    patch: MakePatch<V::Item>,
}

/// Makes the patch from one list to the next.
#[cfg(feature = "axum")]
type MakePatch<I> = fn(&List<I>, &List<I>) -> Option<Arc<str>>;

impl<V: Shape<Item: Serialize + PartialEq>> Shown<V> {
    pub(crate) fn new() -> Self {
        Self {
            value: |list| json::value(list, V::IS_LIST),
            #[cfg(feature = "axum")]
            patch: |old, new| json::patch(old, new, V::IS_LIST),
        }
    }
}

/// The state of a label at a moment.
pub(crate) enum State {
    /// It was not read yet.
    Unread,
    /// It is read again.
    Waits,
    /// Its first read failed.
    Failed(LiveError),
    /// The store has stopped.
    Ended(LiveError),
    Ready {
        changed: bool,
        status: Status,
    },
}

/// [`Entry`] with its type erased.
pub(crate) trait Slot: Send + Sync {
    fn state(&self, now: &Cut) -> State;
    /// Shows what is there at this moment.
    fn take(&mut self, now: &Cut, viewer: &Viewer);
    /// Whether the label is pointed at another query that was not read yet.
    fn is_pointed(&self) -> bool;
    fn is_watched(&self) -> bool;
    fn has_changed(&self) -> bool;
    fn forget_change(&mut self);
    /// Ends the label, and keeps or clears its value.
    fn unwatch(&mut self, viewer: &Viewer, keep: bool);
    /// The value as JSON, with what distinguishes it from every other value of the store; `None` if the label is not shown.
    fn json(&self) -> Option<(Arc<str>, [u64; 2])>;
    /// The patch of the last turn; the whole value where there is none.
    #[cfg(feature = "axum")]
    fn patch(&self) -> Option<Arc<str>>;
    fn as_any(&mut self) -> &mut dyn Any;
    fn as_any_ref(&self) -> &dyn Any;
}

impl<V: Shape> Entry<V> {
    pub(crate) fn new(cell: Arc<Cell<V::Item>>, shown: Option<Shown<V>>) -> Self {
        let current = Some(Pointed { cell, seen: None, before: None });
        Self { current, next: None, value: None, old: None, changed: false, shown }
    }

    /// Points the label at another value, which the viewer watches.
    pub(crate) fn point(&mut self, cell: Arc<Cell<V::Item>>, shown: Option<Shown<V>>, viewer: &Viewer) {
        self.shown = shown;
        let leave = |cell: &Arc<Cell<V::Item>>, others: [Option<&Arc<Cell<V::Item>>>; 2]| {
            if !others.into_iter().flatten().any(|other| Arc::ptr_eq(cell, other)) {
                cell.unwatch(viewer);
            }
        };
        if let Some(skipped) = self.next.take() {
            leave(&skipped.cell, [Some(&cell), self.current.as_ref().map(|current| &current.cell)]);
        }
        match &self.current {
            Some(current) if Arc::ptr_eq(&current.cell, &cell) => {}
            Some(current) if current.seen.is_some() => {
                self.next = Some(Pointed { cell, seen: None, before: None });
            }
            _ => {
                if let Some(unread) =
                    self.current.replace(Pointed { cell: Arc::clone(&cell), seen: None, before: None })
                {
                    leave(&unread.cell, [Some(&cell), None]);
                }
            }
        }
    }

    /// The value of the last turn.
    pub(crate) fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// The value before the last turn.
    pub(crate) fn old(&self) -> Option<&V> {
        self.old.as_ref()
    }

    /// The value that the label shows at the next turn.
    fn next_ready(&self, now: &Cut) -> Option<&Pointed<V::Item>> {
        let next = self.next.as_ref()?;
        let snapshot = next.cell.snapshot(now).ok()??;
        snapshot.stands.then_some(next)
    }
}

impl<V: Shape> Slot for Entry<V> {
    fn state(&self, now: &Cut) -> State {
        let next = self.next_ready(now);
        let Some(pointed) = next.or(self.current.as_ref()) else {
            return State::Ready { changed: false, status: Status::Exact };
        };
        match pointed.cell.snapshot(now) {
            Err(error) if pointed.cell.has_ended().is_some() => State::Ended(error),
            Err(error) => State::Failed(error),
            Ok(None) => State::Unread,
            Ok(Some(snapshot)) if !snapshot.stands => match pointed.seen {
                Some(_) => State::Waits,
                None => State::Unread,
            },
            Ok(Some(snapshot)) => State::Ready {
                changed: pointed.seen.as_ref().is_none_or(|(version, _)| *version != snapshot.version),
                status: snapshot.status,
            },
        }
    }

    fn take(&mut self, now: &Cut, viewer: &Viewer) {
        if self.next_ready(now).is_some() {
            let left = std::mem::replace(&mut self.current, self.next.take());
            if let Some(left) = left {
                left.cell.unwatch(viewer);
            }
        }
        let Some(pointed) = &mut self.current else { return };
        let Ok(Some(snapshot)) = pointed.cell.snapshot(now) else { return };
        if !snapshot.stands || pointed.seen.as_ref().is_some_and(|(version, _)| *version == snapshot.version)
        {
            return;
        }
        let seen = pointed.seen.replace((snapshot.version, snapshot.list.clone()));
        let is_same = seen.as_ref().is_some_and(|(_, list)| list.is(&snapshot.list));
        pointed.before = seen.map(|(_, list)| list);
        if !is_same {
            self.old = std::mem::replace(&mut self.value, V::of(&snapshot.list));
            self.changed = true;
        }
    }

    fn is_pointed(&self) -> bool {
        self.next.is_some()
    }

    fn is_watched(&self) -> bool {
        self.current.is_some()
    }

    fn has_changed(&self) -> bool {
        self.changed
    }

    fn forget_change(&mut self) {
        self.changed = false;
        self.old = None;
    }

    fn unwatch(&mut self, viewer: &Viewer, keep: bool) {
        for pointed in [self.current.take(), self.next.take()].into_iter().flatten() {
            pointed.cell.unwatch(viewer);
        }
        if !keep {
            self.value = None;
        }
    }

    fn json(&self) -> Option<(Arc<str>, [u64; 2])> {
        let shown = self.shown.as_ref()?;
        let pointed = self.current.as_ref()?;
        let (version, list) = pointed.seen.as_ref()?;
        Some((pointed.cell.json(list, shown.value), [pointed.cell.id, *version]))
    }

    #[cfg(feature = "axum")]
    fn patch(&self) -> Option<Arc<str>> {
        let shown = self.shown.as_ref()?;
        let pointed = self.current.as_ref()?;
        let (_, list) = pointed.seen.as_ref()?;
        let made = pointed.before.as_ref().and_then(|before| pointed.cell.patch(before, list, shown.patch));
        Some(made.unwrap_or_else(|| json::replacement(&pointed.cell.json(list, shown.value))))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any_ref(&self) -> &dyn Any {
        self
    }
}
