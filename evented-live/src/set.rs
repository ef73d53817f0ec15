//! Sets: live values under labels, which change together.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_listener::Listener as _;
use evented_core::live::Shape;
use serde::Serialize;

use crate::cut::Cut;
use crate::error::LiveError;
use crate::reader::Reader;
use crate::shared::deadline;
use crate::status::Status;
use crate::store::{Inner, Openable};

mod core;
mod entries;
mod entry;
mod turn;

pub(crate) use self::core::Core;

pub use entries::Entries;
pub(crate) use entry::Shown;
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

impl<E: Reader> Set<E> {
    pub(crate) fn new(inner: &Arc<Inner<E>>) -> Self {
        let core = Core {
            inner: Arc::downgrade(inner),
            shared: Arc::clone(&inner.shared),
            changed: inner.shared.new_signal(),
            cancelled: Vec::new(),
            gone: Vec::new(),
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

    /// Puts several queries under their labels, and returns the labels in the same order:
    /// `let (me, items) = set.sync_all((("me", Person::live().one(id)), ("items", Item::live())))?`.
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync). The entries before the one that fails are in the set.
    pub fn sync_all<T: Entries<E>>(&mut self, entries: T) -> Result<T::Labels, LiveError> {
        entries.sync(&mut self.core)
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

    /// Takes all turns that there are, and returns whether every label was read.
    fn is_ready(&mut self) -> Result<bool, LiveError> {
        while let Some(turn) = self.look() {
            turn?;
        }
        self.core.is_ready()
    }

    /// Waits until every label was read, with those that callbacks point elsewhere meanwhile.
    ///
    /// # Errors
    ///
    /// Why a label cannot be read; [`LiveError::Stopped`].
    pub async fn ready(&mut self) -> Result<(), LiveError> {
        loop {
            let changed = self.core.changed.listen();
            if self.is_ready()? {
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
        let until = deadline(timeout);
        loop {
            let changed = self.core.changed.listen();
            if self.is_ready()? {
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
            let changed = self.core.changed.listen();
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
            let changed = self.core.changed.listen();
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
        let until = deadline(timeout);
        loop {
            let changed = self.core.changed.listen();
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
