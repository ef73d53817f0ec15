//! What is under a label of a set.

use std::any::Any;
use std::sync::Arc;

use evented_core::live::{List, Shape};
use serde::Serialize;

use crate::cell::Watched;
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
    watched: Watched<I>,
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
    fn take(&mut self, now: &Cut);
    /// Whether the label is pointed at another query that was not read yet; the error, if its read failed.
    fn is_pointed(&self, now: &Cut) -> Result<bool, LiveError>;
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
        let current = Some(Pointed { watched, seen: None, before: None });
        Self { current, next: None, value: None, old: None, changed: false, shown }
    }

    /// Points the label at another value.
    pub(crate) fn point(&mut self, watched: Watched<V::Item>, shown: Option<Shown<V>>) {
        self.shown = shown;
        self.next = None;
        let pointed = Pointed { watched, seen: None, before: None };
        match &self.current {
            // It is there already.
            Some(current) if Arc::ptr_eq(&current.watched.cell, &pointed.watched.cell) => {}
            Some(current) if current.seen.is_some() => self.next = Some(pointed),
            _ => self.current = Some(pointed),
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
        let snapshot = next.watched.cell.snapshot(now).ok()??;
        snapshot.stands.then_some(next)
    }
}

impl<V: Shape> Slot for Entry<V> {
    fn state(&self, now: &Cut) -> State {
        let next = self.next_ready(now);
        let Some(pointed) = next.or(self.current.as_ref()) else {
            return State::Ready { changed: false, status: Status::Exact };
        };
        match pointed.watched.cell.snapshot(now) {
            Err(error) if pointed.watched.cell.has_ended().is_some() => State::Ended(error),
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

    fn take(&mut self, now: &Cut) {
        if self.next_ready(now).is_some() {
            self.current = self.next.take();
        }
        let Some(pointed) = &mut self.current else { return };
        let Ok(Some(snapshot)) = pointed.watched.cell.snapshot(now) else { return };
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

    fn is_pointed(&self, now: &Cut) -> Result<bool, LiveError> {
        let Some(next) = &self.next else { return Ok(false) };
        next.watched.cell.snapshot(now).map(|_| true)
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
            self.value = None;
        }
    }

    fn json(&self) -> Option<Arc<str>> {
        let shown = self.shown.as_ref()?;
        let pointed = self.current.as_ref()?;
        let (_, list) = pointed.seen.as_ref()?;
        Some(pointed.watched.cell.json(list, shown.value))
    }

    #[cfg(feature = "axum")]
    fn shown_version(&self) -> Option<[u64; 2]> {
        self.shown.as_ref()?;
        let pointed = self.current.as_ref()?;
        let (version, _) = pointed.seen.as_ref()?;
        Some([pointed.watched.cell.id, *version])
    }

    #[cfg(feature = "axum")]
    fn patch(&self) -> Option<Arc<str>> {
        let shown = self.shown.as_ref()?;
        let pointed = self.current.as_ref()?;
        let (_, list) = pointed.seen.as_ref()?;
        let made =
            pointed.before.as_ref().and_then(|before| pointed.watched.cell.patch(before, list, shown.patch));
        Some(made.unwrap_or_else(|| json::replacement(&pointed.watched.cell.json(list, shown.value))))
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }

    fn as_any_ref(&self) -> &dyn Any {
        self
    }
}
