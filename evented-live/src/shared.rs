//! What the engine of a store, its readers and its viewers share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak};
use std::time::{Duration, Instant};

use event_listener::Event;
use evented_feed::Hub;
use evented_feed::spi::Tap;

use crate::cut::Cut;
use crate::error::LiveError;

/// The end of a time that is waited for. Ten years are for ever.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(Duration::from_secs(10 * 365 * 24 * 60 * 60))
}

/// Locks, also after a panic of another thread.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the engine of a store, its readers and its viewers share.
pub(crate) struct Shared {
    pub(crate) hub: Hub,
    pub(crate) tap: Tap,
    /// Distinguishes the states of this store from those of others.
    #[cfg(feature = "axum")]
    pub(crate) nonce: u64,
    /// Whether the hub reads the write-ahead log.
    pub(crate) on_wal: bool,
    /// The present cut. While it is locked, no value changes.
    turn: RwLock<Cut>,
    /// Notified at each cut.
    pub(crate) passed: Event,
    /// The numbers of the present cut, and of the oldest cut at which a tree is.
    present: AtomicU64,
    oldest: AtomicU64,
    /// When the hub was last made to look at the publications.
    #[cfg(feature = "wal")]
    checked: Mutex<Option<Instant>>,
    stopping: AtomicBool,
    /// Why all values have ended.
    ended: Mutex<Option<LiveError>>,
    /// The signals of sets: a set without labels learns of the end by its own.
    signals: Mutex<Vec<Weak<Event>>>,
    /// The values that a last viewer has left.
    left: Mutex<Vec<u64>>,
}

/// How often the hub looks at the publications, if values are read.
#[cfg(feature = "wal")]
const BETWEEN_CHECKS: Duration = Duration::from_secs(1);

impl Shared {
    pub(crate) fn new(hub: &Hub, max_waiting: usize) -> Self {
        Self {
            hub: hub.clone(),
            tap: evented_feed::spi::attach(hub, max_waiting),
            #[cfg(feature = "axum")]
            nonce: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0),
            on_wal: evented_feed::spi::is_on_wal(hub),
            turn: RwLock::default(),
            passed: Event::new(),
            present: AtomicU64::new(0),
            oldest: AtomicU64::new(u64::MAX),
            #[cfg(feature = "wal")]
            checked: Mutex::default(),
            stopping: AtomicBool::new(false),
            ended: Mutex::default(),
            signals: Mutex::default(),
            left: Mutex::default(),
        }
    }

    /// The present cut. No value changes while the guard lives.
    pub(crate) fn turn(&self) -> RwLockReadGuard<'_, Cut> {
        self.turn.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes values and the cut, which viewers see together.
    pub(crate) fn advance(&self, cut: &Cut, change: impl FnOnce()) {
        let mut turn = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        self.present.store(cut.number(), Ordering::SeqCst);
        change();
        *turn = cut.clone();
        drop(turn);
        self.passed.notify(usize::MAX);
    }

    /// Whether the hub is to look at the publications. Then it does.
    #[cfg(feature = "wal")]
    pub(crate) fn is_check_due(&self) -> bool {
        let (mut checked, now) = (lock(&self.checked), Instant::now());
        let is_due = checked.is_none_or(|last| now.duration_since(last) > BETWEEN_CHECKS);
        if is_due {
            *checked = Some(now);
        }
        is_due
    }

    /// Records the oldest cut at which a tree is; `None` if all are at the present one.
    pub(crate) fn set_oldest(&self, number: Option<u64>) {
        self.oldest.store(number.unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// The numbers of the present cut, and of the oldest cut at which a tree is.
    pub(crate) fn numbers(&self) -> (u64, u64) {
        (self.present.load(Ordering::SeqCst), self.oldest.load(Ordering::SeqCst))
    }

    /// Records that all values have ended.
    pub(crate) fn end(&self, error: &LiveError) {
        lock(&self.ended).get_or_insert_with(|| error.clone());
        for signal in lock(&self.signals).iter().filter_map(Weak::upgrade) {
            signal.notify(usize::MAX);
        }
        self.passed.notify(usize::MAX);
    }

    /// Why all values have ended, if they have.
    pub(crate) fn has_ended(&self) -> Option<LiveError> {
        lock(&self.ended).clone()
    }

    /// Makes a signal that is notified at the end, too.
    pub(crate) fn new_signal(&self) -> Arc<Event> {
        let signal = Arc::new(Event::new());
        let mut signals = lock(&self.signals);
        if signals.len() == signals.capacity() {
            signals.retain(|signal| signal.strong_count() > 0);
        }
        signals.push(Arc::downgrade(&signal));
        signal
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.tap.wake();
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn left(&self, value: u64) {
        lock(&self.left).push(value);
    }

    pub(crate) fn take_left(&self) -> Vec<u64> {
        std::mem::take(&mut lock(&self.left))
    }
}
