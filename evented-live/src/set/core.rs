//! The labels of a set, and the next turn.

use std::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::time::Instant;

use event_listener::Event;
use evented_core::live::Shape;

use super::Label;
use super::entry::{At, Entry, Shown, Slot, State};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::status::Status;
use crate::store::{Inner, Openable};

/// The labels of a set.
pub(crate) struct Core<E: Reader> {
    pub(super) inner: Weak<Inner<E>>,
    pub(super) shared: Arc<Shared>,
    /// Notified when the value of a label changes.
    pub(super) changed: Arc<Event>,
    /// The shown labels that were cancelled since the last patches.
    pub(super) cancelled: Vec<String>,
    /// Those that were cancelled before the last turn.
    pub(super) gone: Vec<String>,
    /// The labels, in the order in which they came.
    pub(crate) labels: Vec<Named>,
    pub(super) next_id: usize,
    pub(super) cut: Cut,
    pub(super) status: Status,
    pub(super) is_over: bool,
}

/// A label and what is under it.
pub(crate) struct Named {
    pub(super) id: usize,
    pub(crate) name: String,
    pub(crate) slot: Box<dyn Slot>,
}

impl<E: Reader> Core<E> {
    fn inner(&self) -> Result<Arc<Inner<E>>, LiveError> {
        self.inner.upgrade().ok_or(LiveError::Stopped { reason: None })
    }

    pub(super) fn sync<Q: Openable<E>>(
        &mut self,
        name: &str,
        query: Q,
        shown: Option<Shown<Q::Value>>,
    ) -> Result<Label<Q::Value>, LiveError> {
        let at = self.labels.iter().position(|label| label.name == name);
        if let Some(named) = at.and_then(|at| self.labels.get_mut(at))
            && named.slot.is_watched()
            && named.slot.as_any().downcast_mut::<Entry<Q::Value>>().is_none()
        {
            return Err(LiveError::OtherType { label: name.to_owned() });
        }
        let inner = self.inner()?;
        let watched = query.watch(&inner, &self.changed)?;
        inner.shared.tap.wake();
        if let Some(named) = at.and_then(|at| self.labels.get_mut(at)) {
            if named.slot.is_shown() && shown.is_none() {
                self.cancelled.push(name.to_owned());
            }
            if let Some(entry) = named.slot.as_any().downcast_mut::<Entry<Q::Value>>() {
                entry.point(watched, shown);
                return Ok(Label { id: named.id, value: PhantomData });
            }
            // What was cancelled and kept had another type.
            named.slot = Box::new(Entry::<Q::Value>::new(watched, shown));
            return Ok(Label { id: named.id, value: PhantomData });
        }
        self.next_id += 1;
        let slot = Box::new(Entry::<Q::Value>::new(watched, shown));
        self.labels.push(Named { id: self.next_id, name: name.to_owned(), slot });
        Ok(Label { id: self.next_id, value: PhantomData })
    }

    pub(super) fn entry<V: Shape>(&self, label: Label<V>) -> Option<&Entry<V>> {
        let named = self.labels.iter().find(|named| named.id == label.id)?;
        named.slot.as_any_ref().downcast_ref()
    }

    /// Takes the next turn, if there is one: all labels that changed, at one cut.
    pub(super) fn look(&mut self) -> Option<Result<(), LiveError>> {
        if self.is_over {
            return None;
        }
        if let Some(error) = self.shared.has_ended() {
            self.is_over = true;
            return Some(Err(error));
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.turn();
        let mut at = At::Present(&now);
        let behind = self.oldest_behind(&now);
        if let Some(behind) = &behind {
            // A label that is behind holds the others back: they would be of different cuts.
            at = At::Past(behind.as_ref().filter(|cut| cut.number() > self.cut.number())?);
        }
        let mut status = Status::Exact;
        let mut changes = !self.cancelled.is_empty();
        for named in &self.labels {
            match named.slot.state(at) {
                State::Ended(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                State::Waits(_) => return None,
                State::Unread => {}
                State::Ready { changed, status: of_label } => {
                    changes |= changed;
                    status = status.worse(of_label);
                }
                State::Failed(error) => {
                    status = status.worse(Status::Stale { since: Instant::now(), error });
                }
            }
        }
        if !changes {
            return None;
        }
        for named in &mut self.labels {
            named.slot.take(at);
        }
        self.gone = std::mem::take(&mut self.cancelled);
        (self.cut, self.status) = (at.cut(), status);
        Some(Ok(()))
    }

    /// The oldest cut at which a label stood that does not stand now; the inner `None`: it is not known.
    fn oldest_behind(&self, now: &Cut) -> Option<Option<Cut>> {
        let mut behind: Option<Option<Cut>> = None;
        for named in &self.labels {
            let State::Waits(stood) = named.slot.state(At::Present(now)) else { continue };
            behind = Some(match (behind, stood) {
                (None, stood) => stood,
                (Some(Some(one)), Some(other)) if other.number() < one.number() => Some(other),
                (Some(Some(one)), Some(_)) => Some(one),
                (Some(_), _) => None,
            });
        }
        behind
    }

    /// Whether every label was read and is where it was pointed.
    pub(super) fn is_ready(&self) -> Result<bool, LiveError> {
        let now = self.shared.turn();
        for named in &self.labels {
            match named.slot.state(At::Present(&now)) {
                State::Failed(error) | State::Ended(error) => return Err(error),
                State::Unread => return Ok(false),
                // It was read, and a turn has it.
                State::Waits(_) => {}
                State::Ready { changed, .. } if changed => return Ok(false),
                State::Ready { .. } => {}
            }
            if named.slot.is_pointed(At::Present(&now))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The labels that are shown, as a JSON object.
    #[cfg(feature = "axum")]
    pub(crate) fn json(&self) -> String {
        crate::json::object(
            self.labels.iter().filter_map(|named| Some((named.name.as_str(), named.slot.json()?))),
        )
    }

    /// Forgets the cancelled labels: a reset sends the whole page.
    #[cfg(feature = "axum")]
    pub(crate) fn forget_cancelled(&mut self) {
        self.cancelled.clear();
        self.gone.clear();
    }

    /// A name for the state of the labels that are shown. No other state has it, of this store or another.
    #[cfg(feature = "axum")]
    pub(crate) fn state_name(&self) -> String {
        let mut state = Vec::new();
        for named in &self.labels {
            let Some(version) = named.slot.shown_version() else { continue };
            state.extend_from_slice(named.name.as_bytes());
            version.iter().for_each(|number| state.extend_from_slice(&number.to_be_bytes()));
        }
        format!("{:x}-{:x}", self.shared.nonce, evented_diesel::spi::stable_hash(&state))
    }

    /// The patches of the labels that are shown and changed in the last turn, as a JSON object; `None` if there are none.
    #[cfg(feature = "axum")]
    pub(crate) fn patches(&mut self) -> Option<String> {
        let mut gone = std::mem::take(&mut self.gone);
        // Those that a callback has cancelled in this turn.
        gone.append(&mut self.cancelled);
        gone.retain(|name| !self.labels.iter().any(|named| named.name == *name && named.slot.is_shown()));
        let null = crate::json::replacement("null");
        let gone = gone.iter().map(|name| (name.as_str(), Arc::clone(&null)));
        let changed = self.labels.iter().filter(|named| named.slot.has_changed());
        let changed = changed.filter_map(|named| Some((named.name.as_str(), named.slot.patch()?)));
        let mut patches = gone.chain(changed).peekable();
        patches.peek()?;
        Some(crate::json::object(patches))
    }

    pub(super) fn forget_changes(&mut self) {
        self.labels.iter_mut().for_each(|named| named.slot.forget_change());
    }

    pub(super) fn cancel(&mut self, name: &str, keep: bool) -> bool {
        let Some(at) = self.labels.iter().position(|named| named.name == name) else { return false };
        if keep {
            if let Some(named) = self.labels.get_mut(at) {
                named.slot.unwatch(true);
            }
            return true;
        }
        let gone = self.labels.remove(at);
        if gone.slot.is_shown() {
            self.cancelled.push(gone.name);
        }
        true
    }
}
