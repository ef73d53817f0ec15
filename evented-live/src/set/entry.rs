//! What is under a label of a set.

use std::any::Any;
use std::sync::Arc;

use evented_core::live::{List, Shape};
use serde::Serialize;

use crate::cell::{Cell, Snapshot, Watched};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::json;
use crate::status::Status;

/// What is under a label, with the type of its values.
pub(crate) struct Entry<V: Shape> {
    /// What the label is pointed at; `None` after it was cancelled.
    current: Option<Watched<V::Item>>,
    /// What it is pointed at from the turn on in which that was read.
    next: Option<Watched<V::Item>>,
    /// What the label has.
    seen: Option<Seen<V::Item>>,
    value: Option<V>,
    old: Option<V>,
    changed: bool,
    shown: Option<Shown<V>>,
    /// Whether the label is shown since the last turn, so that the page has nothing of it.
    is_announced: bool,
}

/// The value of a label at a turn.
struct Seen<I> {
    cell: Arc<Cell<I>>,
    version: u64,
    list: List<I>,
    /// The list before, if it is of the same cell.
    #[cfg(feature = "axum")]
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

/// The cut at which the labels of a set are looked at.
#[derive(Clone, Copy)]
pub(crate) enum At<'c> {
    /// The present one.
    Present(&'c Cut),
    /// An earlier one.
    Past(&'c Cut),
}

impl At<'_> {
    fn snapshot<I: Clone>(self, cell: &Cell<I>) -> Result<Option<Snapshot<I>>, LiveError> {
        match self {
            At::Present(cut) => cell.snapshot(cut),
            At::Past(cut) => cell.snapshot_at(cut),
        }
    }

    pub(crate) fn cut(self) -> Cut {
        let (At::Present(cut) | At::Past(cut)) = self;
        cut.clone()
    }
}

/// The state of a label at a moment.
pub(crate) enum State {
    /// It was not read yet.
    Unread,
    /// It does not stand at the cut. It did at this one.
    Waits(Option<Cut>),
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
    fn state(&self, at: At<'_>) -> State;
    /// Shows what is there at this moment.
    fn take(&mut self, at: At<'_>);
    /// Whether the label is pointed at another query that was not read yet; the error, if its read failed.
    fn is_pointed(&self, at: At<'_>) -> Result<bool, LiveError>;
    /// Whether its values are shown.
    fn is_shown(&self) -> bool;
    fn is_watched(&self) -> bool;
    fn has_changed(&self) -> bool;
    fn forget_change(&mut self);
    /// Ends the label, and keeps or clears its value.
    fn unwatch(&mut self, keep: bool);
    /// The value as JSON; `None` if the label is not shown.
    fn json(&self) -> Option<Arc<str>>;
    /// What distinguishes the value from every other value of the store; `None` if the label is not shown.
    #[cfg(feature = "axum")]
    fn shown_version(&self) -> Option<[u64; 2]>;
    /// The patch of the last turn; the whole value where there is none.
    #[cfg(feature = "axum")]
    fn patch(&self) -> Option<Arc<str>>;
    fn as_any(&mut self) -> &mut dyn Any;
    fn as_any_ref(&self) -> &dyn Any;
}

impl<V: Shape> Entry<V> {
    pub(crate) fn new(watched: Watched<V::Item>, shown: Option<Shown<V>>) -> Self {
        Self {
            current: Some(watched),
            next: None,
            seen: None,
            value: None,
            old: None,
            changed: false,
            is_announced: shown.is_some(),
            shown,
        }
    }

    /// Points the label at another value.
    pub(crate) fn point(&mut self, watched: Watched<V::Item>, shown: Option<Shown<V>>) {
        self.is_announced |= shown.is_some() && self.shown.is_none();
        self.shown = shown;
        self.next = None;
        match &self.current {
            // It is there already.
            Some(current) if Arc::ptr_eq(&current.cell, &watched.cell) => {}
            Some(current) if self.seen_of(&current.cell).is_some() => self.next = Some(watched),
            _ => self.current = Some(watched),
        }
    }

    /// What the label has of a cell.
    fn seen_of(&self, cell: &Arc<Cell<V::Item>>) -> Option<&Seen<V::Item>> {
        self.seen.as_ref().filter(|seen| Arc::ptr_eq(&seen.cell, cell))
    }

    /// The value of the last turn.
    pub(crate) fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// The value before the last turn.
    pub(crate) fn old(&self) -> Option<&V> {
        self.old.as_ref()
    }

    /// What the label is pointed at, if that was read.
    fn next_ready(&self, at: At<'_>) -> Option<&Watched<V::Item>> {
        let next = self.next.as_ref()?;
        let snapshot = at.snapshot(&next.cell).ok()??;
        snapshot.stands.then_some(next)
    }
}

impl<V: Shape> Slot for Entry<V> {
    fn state(&self, at: At<'_>) -> State {
        let Some(watched) = self.next_ready(at).or(self.current.as_ref()) else {
            return State::Ready { changed: false, status: Status::Exact };
        };
        let seen = self.seen_of(&watched.cell);
        match at.snapshot(&watched.cell) {
            Err(error) if watched.cell.has_ended().is_some() => State::Ended(error),
            Err(error) => State::Failed(error),
            Ok(None) => State::Unread,
            Ok(Some(snapshot)) if !snapshot.stands => match seen {
                Some(_) => State::Waits(watched.cell.stood()),
                None => State::Unread,
            },
            Ok(Some(snapshot)) => State::Ready {
                changed: self.is_announced || seen.is_none_or(|seen| seen.version != snapshot.version),
                status: snapshot.status,
            },
        }
    }

    fn take(&mut self, at: At<'_>) {
        if self.next_ready(at).is_some() {
            self.current = self.next.take();
        }
        let Some(watched) = &self.current else { return };
        let Ok(Some(snapshot)) = at.snapshot(&watched.cell) else { return };
        if !snapshot.stands {
            return;
        }
        let cell = Arc::clone(&watched.cell);
        let before = self.seen.take();
        let is_same = before.as_ref().is_some_and(|seen| seen.list == snapshot.list);
        #[cfg(feature = "axum")]
        let before = before
            .filter(|seen| !is_same && !self.is_announced && Arc::ptr_eq(&seen.cell, &cell))
            .map(|seen| seen.list);
        if !is_same {
            self.old = std::mem::replace(&mut self.value, V::of(&snapshot.list));
        }
        self.changed = !is_same || self.is_announced;
        self.is_announced = false;
        self.seen = Some(Seen {
            cell,
            version: snapshot.version,
            list: snapshot.list,
            #[cfg(feature = "axum")]
            before,
        });
    }

    fn is_pointed(&self, at: At<'_>) -> Result<bool, LiveError> {
        let Some(next) = &self.next else { return Ok(false) };
        at.snapshot(&next.cell).map(|_| true)
    }

    fn is_shown(&self) -> bool {
        self.shown.is_some()
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

    fn unwatch(&mut self, keep: bool) {
        (self.current, self.next) = (None, None);
        if !keep {
            (self.value, self.seen) = (None, None);
        }
    }

    fn json(&self) -> Option<Arc<str>> {
        let (shown, seen) = (self.shown.as_ref()?, self.seen.as_ref()?);
        Some(seen.cell.json(&seen.list, shown.value))
    }

    #[cfg(feature = "axum")]
    fn shown_version(&self) -> Option<[u64; 2]> {
        self.shown.as_ref()?;
        self.seen.as_ref().map(|seen| [seen.cell.id, seen.version])
    }

    #[cfg(feature = "axum")]
    fn patch(&self) -> Option<Arc<str>> {
        let (shown, seen) = (self.shown.as_ref()?, self.seen.as_ref()?);
        let made = seen.before.as_ref().and_then(|before| seen.cell.patch(before, &seen.list, shown.patch));
        Some(made.unwrap_or_else(|| json::replacement(&seen.cell.json(&seen.list, shown.value))))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any_ref(&self) -> &dyn Any {
        self
    }
}
