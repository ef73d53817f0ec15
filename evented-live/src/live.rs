//! A live value as its viewer holds it.

use std::fmt;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use event_listener::{Event, EventListener, Listener as _};
use evented_core::Position;
use evented_core::live::{List, Shape, Step};
use futures_core::Stream;

use crate::cell::{Snapshot, Watched};
use crate::cut::Cut;
use crate::error::LiveError;
use crate::shared::deadline;
use crate::status::Status;

/// The answer of a query, kept equal to the database.
///
/// [`get`](Self::get) returns the value as it is now. [`changed`](Self::changed) waits for the next change, and
/// [`recv`](Self::recv) does in blocking code. A viewer that is slow gets the last value, with the steps from the one that it
/// saw. A `Live` is a [`Stream`] of the same updates. Dropping it ends it; the store keeps the value for a while, so that the
/// next viewer needs no read.
#[must_use = "a live value that is dropped is not watched any more"]
pub struct Live<V: Shape> {
    watched: Watched<V::Item>,
    changed: Arc<Event>,
    value: V,
    /// What the viewer has seen.
    list: List<V::Item>,
    version: u64,
    listener: Option<Pin<Box<EventListener>>>,
    is_over: bool,
}

/// A value that is being opened: `.await` it, or [`wait`](Self::wait) in blocking code.
#[must_use = "await it, or call `wait`"]
pub struct Opening<V: Shape> {
    watched: Result<Watched<V::Item>, LiveError>,
    changed: Arc<Event>,
}

impl<V: Shape> Opening<V> {
    /// Opens a value with a function that watches its cell.
    pub(crate) fn new(watch: impl FnOnce(&Arc<Event>) -> Result<Watched<V::Item>, LiveError>) -> Self {
        let changed = Arc::new(Event::new());
        Self { watched: watch(&changed), changed }
    }

    /// Waits until the value was read, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; why the value cannot be read.
    pub fn wait(self, timeout: Duration) -> Result<Live<V>, LiveError> {
        let (watched, signal) = (self.watched?, self.changed);
        let until = deadline(timeout);
        loop {
            let changed = signal.listen();
            if let Some(snapshot) = watched.snapshot()? {
                return Live::new(watched, signal, snapshot);
            }
            if changed.wait_deadline(until).is_none() {
                return Err(LiveError::TimedOut);
            }
        }
    }
}

impl<V: Shape> IntoFuture for Opening<V> {
    type Output = Result<Live<V>, LiveError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (watched, signal) = (self.watched?, self.changed);
            loop {
                let changed = signal.listen();
                if let Some(snapshot) = watched.snapshot()? {
                    return Live::new(watched, signal, snapshot);
                }
                changed.await;
            }
        })
    }
}

impl<V: Shape> fmt::Debug for Opening<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening").finish_non_exhaustive()
    }
}

/// A change of a live value, as one viewer sees it.
#[derive(Debug, Clone)]
pub struct Update<V: Shape> {
    old: V,
    new: V,
    steps: Arc<[Step<V::Item>]>,
    cut: Cut,
    status: Status,
}

impl<V: Shape> Update<V> {
    /// The value that the viewer saw before.
    pub fn old(&self) -> &V {
        &self.old
    }

    /// The value as it is now.
    #[expect(clippy::new_ret_no_self, reason = "the counterpart of `old`")]
    pub fn new(&self) -> &V {
        &self.new
    }

    /// The steps from [`old`](Self::old) to [`new`](Self::new). None if only the status changed.
    pub fn steps(&self) -> &[Step<V::Item>] {
        &self.steps
    }

    /// The cut that the value is of.
    pub fn position(&self) -> &Cut {
        &self.cut
    }

    /// How the value stands to the database.
    pub fn status(&self) -> &Status {
        &self.status
    }
}

impl<V: Shape> Live<V> {
    fn new(
        watched: Watched<V::Item>,
        changed: Arc<Event>,
        snapshot: Snapshot<V::Item>,
    ) -> Result<Self, LiveError> {
        let Snapshot { list, version, .. } = snapshot;
        let value = V::of(&list).ok_or(LiveError::TimedOut)?;
        Ok(Self { watched, changed, value, list, version, listener: None, is_over: false })
    }

    fn now(&self) -> Option<Snapshot<V::Item>> {
        self.watched.snapshot().ok().flatten()
    }

    /// The value as it is now. The clone is cheap. It is the last value after the store has stopped.
    pub fn get(&self) -> V {
        self.now().and_then(|now| V::of(&now.list)).unwrap_or_else(|| self.value.clone())
    }

    /// The cut that the value is of: everything up to it is in the value.
    pub fn position(&self) -> Cut {
        self.now().map(|now| now.cut).unwrap_or_default()
    }

    /// How the value stands to the database.
    pub fn status(&self) -> Status {
        match self.watched.snapshot() {
            Ok(Some(now)) => now.status,
            Ok(None) => Status::AsRead,
            Err(error) => Status::Stale { since: Instant::now(), error },
        }
    }

    /// The value with its cut and its status, all of one moment.
    pub fn read(&self) -> (V, Cut, Status) {
        match self.watched.snapshot() {
            Ok(Some(Snapshot { list, cut, status, .. })) => {
                (V::of(&list).unwrap_or_else(|| self.value.clone()), cut, status)
            }
            Ok(None) => (self.value.clone(), Cut::default(), Status::AsRead),
            Err(error) => {
                (self.value.clone(), Cut::default(), Status::Stale { since: Instant::now(), error })
            }
        }
    }

    /// The change since the viewer last looked, if there is one.
    fn look(&mut self) -> Option<Result<Update<V>, LiveError>> {
        if self.is_over {
            return None;
        }
        let now = match self.watched.snapshot() {
            Ok(now) => now.filter(|now| now.version != self.version)?,
            Err(error) => {
                self.is_over = true;
                return Some(Err(error));
            }
        };
        let Snapshot { list, version, status, cut, .. } = now;
        let seen = Some((self.version, &self.list));
        let steps =
            if list.is(&self.list) { Arc::default() } else { self.watched.cell.steps_from(seen, &list) };
        let value = V::of(&list)?;
        let old = std::mem::replace(&mut self.value, value.clone());
        (self.list, self.version) = (list, version);
        Some(Ok(Update { old, new: value, steps, cut, status }))
    }

    /// Waits for the next change of the value or of its status. Returns `None` after the end. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`LiveError::Stopped`] when the store or its hub stops: the last item.
    pub async fn changed(&mut self) -> Option<Result<Update<V>, LiveError>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Waits for the next change, for blocking code. Returns `None` after the end.
    ///
    /// # Errors
    ///
    /// As [`changed`](Self::changed).
    pub fn recv(&mut self) -> Option<Result<Update<V>, LiveError>> {
        loop {
            let changed = self.changed.listen();
            if let Some(update) = self.look() {
                return Some(update);
            }
            if self.is_over {
                return None;
            }
            changed.wait();
        }
    }

    /// Waits for the next change for at most `timeout`, for blocking code.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`changed`](Self::changed).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Update<V>, LiveError> {
        let until = deadline(timeout);
        loop {
            let changed = self.changed.listen();
            if let Some(update) = self.look() {
                return update;
            }
            if self.is_over {
                return Err(LiveError::Stopped { reason: None });
            }
            if changed.wait_deadline(until).is_none() {
                return Err(LiveError::TimedOut);
            }
        }
    }

    /// Waits until the value contains a write: its cut has reached the position of the write. A value that is as it was read,
    /// or stale, has not.
    ///
    /// # Errors
    ///
    /// [`LiveError::OtherStream`] for a position of a stream that the hub does not read; [`LiveError::Stopped`].
    pub async fn reaches(&self, position: Position) -> Result<(), LiveError> {
        loop {
            let passed = self.watched.cell.store().passed.listen();
            let changed = self.changed.listen();
            if self.has_reached(position)? {
                return Ok(());
            }
            either(passed, changed).await;
        }
    }

    /// Waits like [`reaches`](Self::reaches), for blocking code, for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`LiveError::TimedOut`]; as [`reaches`](Self::reaches).
    pub fn wait_for(&self, position: Position, timeout: Duration) -> Result<(), LiveError> {
        let until = deadline(timeout);
        loop {
            let passed = self.watched.cell.store().passed.listen();
            if self.has_reached(position)? {
                return Ok(());
            }
            // A value that stands again at the same cut wakes its viewers, but is no passed cut.
            let soon = Instant::now() + Duration::from_millis(20);
            if passed.wait_deadline(until.min(soon)).is_none() && Instant::now() >= until {
                return Err(LiveError::TimedOut);
            }
        }
    }

    fn has_reached(&self, position: Position) -> Result<bool, LiveError> {
        let Some(now) = self.watched.snapshot()? else { return Ok(false) };
        if now.cut.positions().is_empty() {
            return Ok(false);
        }
        let reached = now.cut.reaches(position).ok_or(LiveError::OtherStream { position })?;
        Ok(reached && now.status.is_exact())
    }

    /// Ends the value for this viewer, as dropping it does.
    pub fn cancel(self) {}
}

impl<I: Clone> Watched<I> {
    fn snapshot(&self) -> Result<Option<Snapshot<I>>, LiveError> {
        let turn = self.cell.store().turn();
        self.cell.snapshot(&turn)
    }
}

/// Waits for one of two listeners.
async fn either(mut one: EventListener, mut other: EventListener) {
    std::future::poll_fn(|cx| {
        let first = Pin::new(&mut one).poll(cx).is_ready();
        if first || Pin::new(&mut other).poll(cx).is_ready() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl<V: Shape> Stream for Live<V> {
    type Item = Result<Update<V>, LiveError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // Listen first, so that no change between the look and the wait is missed.
            if self.listener.is_none() {
                self.listener = Some(Box::pin(self.changed.listen()));
            }
            if let Some(update) = self.look() {
                return Poll::Ready(Some(update));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            match self.listener.as_mut().map(|listener| listener.as_mut().poll(cx)) {
                Some(Poll::Pending) => return Poll::Pending,
                _ => self.listener = None,
            }
        }
    }
}

impl<V: Shape + fmt::Debug> fmt::Debug for Live<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live")
            .field("value", &self.get())
            .field("position", &self.position())
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
