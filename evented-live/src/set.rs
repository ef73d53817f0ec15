//! Sets: live values under labels, which change together.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use event_listener::Listener as _;
use evented_core::live::Shape;
use serde::Serialize;

use crate::cell::Viewer;
use crate::cut::Cut;
use crate::error::LiveError;
use crate::reader::Reader;
use crate::shared::Shared;
use crate::status::Status;
use crate::store::{Inner, Openable};

mod entry;
mod turn;

pub(crate) use entry::Shown;
use entry::{Entry, Slot, State};
pub use turn::{Flow, Sink, Turn};

/// Live values under labels, for one page or one actor. All labels of a [`Turn`] are of one cut.
///
/// [`sync`](Self::sync) puts a query under a label. [`changed`](Self::changed) waits for the next turn, and [`recv`](Self::recv)
/// does in blocking code. Callbacks see each turn first, and may point labels at other queries.
pub struct Set<E: Reader> {
    pub(crate) core: Core<E>,
    /// In a mutex only so that a set is `Sync`.
    callbacks: Vec<(String, Mutex<Callback<E>>)>,
}

type Callback<E> = Box<dyn FnMut(&mut Turn<'_, E>) -> Flow + Send>;

/// A label of a set, with the type of its values.
pub struct Label<V> {
    id: usize,
    value: PhantomData<fn() -> V>,
}

impl<V> Clone for Label<V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<V> Copy for Label<V> {}

impl<V> fmt::Debug for Label<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Label({})", self.id)
    }
}

/// The labels of a set.
pub(crate) struct Core<E: Reader> {
    inner: Weak<Inner<E>>,
    shared: Arc<Shared>,
    viewer: Viewer,
    /// The labels, in the order in which they came.
    pub(crate) labels: Vec<Named>,
    next_id: usize,
    cut: Cut,
    status: Status,
    is_over: bool,
}

/// A label and what is under it.
pub(crate) struct Named {
    id: usize,
    pub(crate) name: String,
    pub(crate) slot: Box<dyn Slot>,
}

impl<E: Reader> Core<E> {
    fn inner(&self) -> Result<Arc<Inner<E>>, LiveError> {
        self.inner.upgrade().ok_or(LiveError::Stopped { reason: None })
    }

    fn sync<Q: Openable<E>>(
        &mut self,
        name: &str,
        query: Q,
        shown: Option<Shown<Q::Value>>,
    ) -> Result<Label<Q::Value>, LiveError> {
        let at = self.labels.iter().position(|label| label.name == name);
        if let Some(named) = at.and_then(|at| self.labels.get_mut(at))
            && named.slot.as_any().downcast_mut::<Entry<Q::Value>>().is_none()
        {
            return Err(LiveError::OtherType { label: name.to_owned() });
        }
        let inner = self.inner()?;
        let cell = query.cell(&inner)?;
        inner.shared.tap.wake();
        cell.watch(&self.viewer);
        if let Some(named) = at.and_then(|at| self.labels.get_mut(at))
            && let Some(entry) = named.slot.as_any().downcast_mut::<Entry<Q::Value>>()
        {
            entry.point(cell, shown, &self.viewer);
            return Ok(Label { id: named.id, value: PhantomData });
        }
        self.next_id += 1;
        let slot = Box::new(Entry::<Q::Value>::new(cell, shown));
        self.labels.push(Named { id: self.next_id, name: name.to_owned(), slot });
        Ok(Label { id: self.next_id, value: PhantomData })
    }

    fn entry<V: Shape>(&self, label: Label<V>) -> Option<&Entry<V>> {
        let named = self.labels.iter().find(|named| named.id == label.id)?;
        named.slot.as_any_ref().downcast_ref()
    }

    /// Takes the next turn, if there is one: all labels that changed, at one cut.
    fn look(&mut self) -> Option<Result<(), LiveError>> {
        if self.is_over {
            return None;
        }
        let shared = Arc::clone(&self.shared);
        let now = shared.turn();
        let mut status = Status::Exact;
        let mut changes = false;
        for named in &self.labels {
            match named.slot.state(&now) {
                State::Ended(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
                // A label that is read again holds the others back: they would be of different cuts.
                State::Waits => return None,
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
            named.slot.take(&now, &self.viewer);
        }
        (self.cut, self.status) = (now.clone(), status);
        Some(Ok(()))
    }

    /// Whether every label was read and is where it was pointed.
    fn is_ready(&self) -> Result<bool, LiveError> {
        let now = self.shared.turn();
        for named in &self.labels {
            match named.slot.state(&now) {
                State::Failed(error) | State::Ended(error) => return Err(error),
                State::Unread | State::Waits => return Ok(false),
                State::Ready { changed, .. } if changed => return Ok(false),
                State::Ready { .. } => {}
            }
            if named.slot.is_pointed() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The labels that are shown, as a JSON object, and what distinguishes them from every other state of the store.
    #[cfg(feature = "axum")]
    pub(crate) fn json(&self) -> (String, String) {
        let mut state = Vec::new();
        let shown = self.labels.iter().filter_map(|named| {
            let (json, version) = named.slot.json()?;
            state.extend_from_slice(named.name.as_bytes());
            version.iter().for_each(|number| state.extend_from_slice(&number.to_be_bytes()));
            Some((named.name.as_str(), json))
        });
        let json = crate::json::object(shown);
        let state = evented_diesel::spi::stable_hash(&state);
        (json, format!("{:x}-{state:x}", self.shared.nonce))
    }

    /// The patches of the labels that are shown and changed in the last turn, as a JSON object; `None` if there are none.
    #[cfg(feature = "axum")]
    pub(crate) fn patches(&self) -> Option<String> {
        let changed = self.labels.iter().filter(|named| named.slot.has_changed());
        let mut patches =
            changed.filter_map(|named| Some((named.name.as_str(), named.slot.patch()?))).peekable();
        patches.peek()?;
        Some(crate::json::object(patches))
    }

    fn forget_changes(&mut self) {
        self.labels.iter_mut().for_each(|named| named.slot.forget_change());
    }

    fn cancel(&mut self, name: &str, keep: bool) -> bool {
        let Some(at) = self.labels.iter().position(|named| named.name == name) else { return false };
        if let Some(named) = self.labels.get_mut(at) {
            named.slot.unwatch(&self.viewer, keep);
        }
        true
    }
}

impl<E: Reader> Drop for Core<E> {
    fn drop(&mut self) {
        for named in &mut self.labels {
            named.slot.unwatch(&self.viewer, false);
        }
    }
}

impl<E: Reader> Set<E> {
    pub(crate) fn new(inner: &Arc<Inner<E>>) -> Self {
        let core = Core {
            inner: Arc::downgrade(inner),
            shared: Arc::clone(&inner.shared),
            viewer: Viewer::new(),
            labels: Vec::new(),
            next_id: 0,
            cut: Cut::default(),
            status: Status::Exact,
            is_over: false,
        };
        Self { core, callbacks: Vec::new() }
    }

    /// Puts a query under a label. If the label has one, it is pointed at the new query: the old value stays until the new one
    /// was read, and they change places in one turn.
    ///
    /// # Errors
    ///
    /// [`LiveError::OtherType`] if the label has values of another type; as [`Store::open`](crate::Store::open).
    pub fn sync<Q: Openable<E>>(&mut self, label: &str, query: Q) -> Result<Label<Q::Value>, LiveError> {
        self.core.sync(label, query, None)
    }

    /// Puts a query under a label like [`sync`](Self::sync), and shows its values to the browser: only such labels are sent.
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync).
    pub fn show<Q: Openable<E>>(&mut self, label: &str, query: Q) -> Result<Label<Q::Value>, LiveError>
    where
        <Q::Value as Shape>::Item: Serialize + PartialEq,
    {
        self.core.sync(label, query, Some(Shown::new()))
    }

    /// The value of a label, of the last turn; `None` before it was read, and after it was cancelled.
    pub fn get<V: Shape>(&self, label: Label<V>) -> Option<V> {
        self.core.entry(label)?.value().cloned()
    }

    /// The cut of the last turn.
    #[must_use]
    pub fn position(&self) -> &Cut {
        &self.core.cut
    }

    /// How the values of the last turn stand to the database: as the worst of them.
    #[must_use]
    pub fn status(&self) -> &Status {
        &self.core.status
    }

    /// Whether a label is kept up.
    #[must_use]
    pub fn watching(&self, label: &str) -> bool {
        self.core.labels.iter().any(|named| named.name == label && named.slot.is_watched())
    }

    /// Ends a label, and clears its value. Returns whether there was one.
    pub fn cancel(&mut self, label: &str) -> bool {
        self.core.cancel(label, false)
    }

    /// Ends a label, and keeps its last value. Returns whether there was one.
    pub fn cancel_keep(&mut self, label: &str) -> bool {
        self.core.cancel(label, true)
    }

    /// Ends all labels, and clears their values.
    pub fn cancel_all(&mut self) {
        let names: Vec<_> = self.core.labels.iter().map(|named| named.name.clone()).collect();
        for name in names {
            self.core.cancel(&name, false);
        }
    }

    /// Attaches a callback, which is called with each turn, before it is given out. Callbacks are called in the order in which
    /// they were attached.
    ///
    /// # Errors
    ///
    /// [`LiveError::SecondCallback`] if there is one with this name.
    pub fn attach(
        &mut self,
        name: &str,
        callback: impl FnMut(&mut Turn<'_, E>) -> Flow + Send + 'static,
    ) -> Result<(), LiveError> {
        if self.callbacks.iter().any(|(other, _)| other == name) {
            return Err(LiveError::SecondCallback { name: name.to_owned() });
        }
        self.callbacks.push((name.to_owned(), Mutex::new(Box::new(callback))));
        Ok(())
    }

    /// Replaces the callback with this name, in its place, or attaches it as the last.
    pub fn replace(&mut self, name: &str, callback: impl FnMut(&mut Turn<'_, E>) -> Flow + Send + 'static) {
        match self.callbacks.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = Mutex::new(Box::new(callback)),
            None => self.callbacks.push((name.to_owned(), Mutex::new(Box::new(callback)))),
        }
    }

    /// Detaches a callback. Returns whether there was one.
    pub fn detach(&mut self, name: &str) -> bool {
        let count = self.callbacks.len();
        self.callbacks.retain(|(other, _)| other != name);
        self.callbacks.len() < count
    }

    /// Takes the next turn, if there is one, and calls the callbacks.
    pub(crate) fn look(&mut self) -> Option<Result<(), LiveError>> {
        self.core.forget_changes();
        let turn = self.core.look()?;
        if turn.is_ok() {
            let mut turn = Turn::new(&mut self.core);
            for (_, callback) in &mut self.callbacks {
                let callback = callback.get_mut().unwrap_or_else(PoisonError::into_inner);
                if callback(&mut turn) == Flow::Halt {
                    break;
                }
            }
        }
        Some(turn)
    }

    /// Waits until every label was read, with those that callbacks point elsewhere meanwhile.
    ///
    /// # Errors
    ///
    /// Why a label cannot be read; [`LiveError::Stopped`].
    pub async fn ready(&mut self) -> Result<(), LiveError> {
        loop {
            let changed = self.core.viewer.changed.listen();
            while let Some(turn) = self.look() {
                turn?;
            }
            if self.core.is_ready()? {
                return Ok(());
            }
            changed.await;
        }
    }

    /// Waits like [`ready`](Self::ready), for blocking code, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`ready`](Self::ready).
    pub fn wait(&mut self, timeout: Duration) -> Result<(), LiveError> {
        let until = Instant::now() + timeout;
        loop {
            let changed = self.core.viewer.changed.listen();
            while let Some(turn) = self.look() {
                turn?;
            }
            if self.core.is_ready()? {
                return Ok(());
            }
            if changed.wait_deadline(until).is_none() {
                return Err(LiveError::TimedOut);
            }
        }
    }

    /// Waits for the next turn. Returns `None` after the end. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`LiveError::Stopped`]: the last item.
    pub async fn changed(&mut self) -> Option<Result<Turn<'_, E>, LiveError>> {
        loop {
            let changed = self.core.viewer.changed.listen();
            match self.look() {
                Some(Ok(())) => return Some(Ok(Turn::new(&mut self.core))),
                Some(Err(error)) => return Some(Err(error)),
                None if self.core.is_over => return None,
                None => changed.await,
            }
        }
    }

    /// Waits for the next turn, for blocking code. Returns `None` after the end.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed).
    pub fn recv(&mut self) -> Option<Result<Turn<'_, E>, LiveError>> {
        loop {
            let changed = self.core.viewer.changed.listen();
            match self.look() {
                Some(Ok(())) => return Some(Ok(Turn::new(&mut self.core))),
                Some(Err(error)) => return Some(Err(error)),
                None if self.core.is_over => return None,
                None => changed.wait(),
            }
        }
    }

    /// Waits for the next turn for at most `timeout`, for blocking code.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`changed`](Self::changed).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Turn<'_, E>, LiveError> {
        let until = Instant::now() + timeout;
        loop {
            let changed = self.core.viewer.changed.listen();
            match self.look() {
                Some(Ok(())) => return Ok(Turn::new(&mut self.core)),
                Some(Err(error)) => return Err(error),
                None if self.core.is_over => return Err(LiveError::Stopped { reason: None }),
                None if changed.wait_deadline(until).is_none() => return Err(LiveError::TimedOut),
                None => {}
            }
        }
    }

    /// Gives each turn to a sink, until the end: for state that is kept elsewhere.
    ///
    /// # Errors
    ///
    /// [`LiveError::Stopped`] when the store or its hub stops.
    pub async fn drive(&mut self, sink: &mut (impl Sink<E> + ?Sized)) -> Result<(), LiveError> {
        while let Some(turn) = self.changed().await {
            sink.assign(&turn?);
        }
        Ok(())
    }
}

impl<E: Reader> fmt::Debug for Set<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels: Vec<_> = self.core.labels.iter().map(|named| named.name.as_str()).collect();
        f.debug_struct("Set")
            .field("labels", &labels)
            .field("position", &self.core.cut)
            .finish_non_exhaustive()
    }
}
