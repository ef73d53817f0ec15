//! Delivers everything that a hub reads to those that keep values equal to the database: the changes of all models in one
//! order, and the cuts between transactions.

use std::any::{Any, TypeId};
use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use event_listener::{Event, EventListener};
use evented_core::Position;
use evented_diesel::Model;
use evented_diesel::spi::Delivery;

use crate::sync::lock;

/// How many transactions of the write-ahead log are remembered.
#[cfg(feature = "wal")]
const MOST_COMMITS: usize = 16_384;

/// What a tap receives from its hub.
pub enum Notice {
    /// A change of a model: an `Arc<RawChange<M>>`.
    Change(TypeId, Arc<dyn Any + Send + Sync>),
    /// Changes of a model are missing, or could not be read.
    Gap(TypeId, Arc<str>),
    /// The hub has delivered everything up to these positions, one of each stream. They are between transactions of all models.
    Cut(Vec<Position>),
    /// Too many changes waited in the tap, and some of them are missing.
    Overrun,
    /// The hub has stopped.
    Ended(Option<String>),
}

/// The taps of a hub.
#[derive(Default)]
pub(crate) struct Taps {
    attached: AtomicBool,
    /// Whether a tap was attached since the last cut.
    is_new: AtomicBool,
    taps: Mutex<Vec<Arc<Queue>>>,
    /// The numbers of the last transactions that the hub has delivered from the write-ahead log, without their epoch.
    commits: Mutex<VecDeque<u32>>,
}

struct Queue {
    state: Mutex<State>,
    /// How many notices wait at most.
    most: usize,
    arrived: Event,
}

#[derive(Default)]
struct State {
    notices: VecDeque<Notice>,
    /// The models whose changes are wanted.
    models: HashSet<TypeId>,
    is_overrun: bool,
}

impl Taps {
    /// Passes on a delivery of a model.
    pub(crate) fn deliver<M: Model>(&self, delivery: &Delivery<M>) {
        if !self.attached.load(Ordering::Relaxed) {
            return;
        }
        match delivery {
            Delivery::Change(change) | Delivery::Revised(change) => {
                self.notify_of::<M>(|| {
                    Notice::Change(TypeId::of::<M>(), Arc::clone(change) as Arc<dyn Any + Send + Sync>)
                });
            }
            Delivery::Unreadable(unreadable) => {
                let reason: Arc<str> = unreadable.source.to_string().into();
                self.notify_of::<M>(|| Notice::Gap(TypeId::of::<M>(), Arc::clone(&reason)));
            }
            Delivery::EndOfTransaction => {}
        }
    }

    /// Announces that changes of a model are missing.
    pub(crate) fn gap<M: Model>(&self, reason: &str) {
        let reason: Arc<str> = reason.into();
        self.notify_of::<M>(|| Notice::Gap(TypeId::of::<M>(), Arc::clone(&reason)));
    }

    fn notify_of<M: Model>(&self, notice: impl Fn() -> Notice) {
        for tap in lock(&self.taps).iter() {
            let mut state = lock(&tap.state);
            if !state.models.contains(&TypeId::of::<M>()) || state.is_overrun {
                continue;
            }
            if state.notices.len() < tap.most {
                state.notices.push_back(notice());
            } else {
                // Those that come until the tap is read are missing as well.
                state.is_overrun = true;
                state.notices.clear();
                state.notices.push_back(Notice::Overrun);
            }
        }
    }

    /// Announces a cut.
    pub(crate) fn cut(&self, positions: impl Fn() -> Vec<Position>) {
        if !self.attached.load(Ordering::Relaxed) {
            return;
        }
        for tap in lock(&self.taps).iter() {
            let mut state = lock(&tap.state);
            if let Some(Notice::Cut(_)) = state.notices.back() {
                state.notices.pop_back();
            }
            state.notices.push_back(Notice::Cut(positions()));
            drop(state);
            tap.arrived.notify(usize::MAX);
        }
    }

    /// Whether a tap was attached since the last call: it waits for a cut, also if nothing is written.
    pub(crate) fn take_new(&self) -> bool {
        self.is_new.swap(false, Ordering::Relaxed)
    }

    /// Remembers a transaction that the hub has delivered from the write-ahead log.
    #[cfg(feature = "wal")]
    pub(crate) fn committed(&self, xid: u32) {
        let mut commits = lock(&self.commits);
        if commits.len() >= MOST_COMMITS {
            commits.pop_front();
        }
        commits.push_back(xid);
    }

    /// Announces that the hub has stopped.
    pub(crate) fn end(&self, reason: Option<String>) {
        for tap in lock(&self.taps).iter() {
            lock(&tap.state).notices.push_back(Notice::Ended(reason.clone()));
            tap.arrived.notify(usize::MAX);
        }
    }
}

/// A tap of a hub. Dropping it detaches it.
pub struct Tap {
    queue: Arc<Queue>,
    taps: Arc<Taps>,
}

impl Tap {
    /// `most` is how many changes wait in the tap at most.
    pub(crate) fn attach(taps: &Arc<Taps>, most: usize) -> Self {
        let queue = Arc::new(Queue { state: Mutex::default(), most, arrived: Event::new() });
        let mut list = lock(&taps.taps);
        list.push(Arc::clone(&queue));
        taps.attached.store(true, Ordering::Relaxed);
        taps.is_new.store(true, Ordering::Relaxed);
        drop(list);
        Self { queue, taps: Arc::clone(taps) }
    }

    /// Wants the changes of a model from now on.
    pub fn want<M: Model>(&self) {
        lock(&self.queue.state).models.insert(TypeId::of::<M>());
    }

    /// Takes what the hub has delivered since the last call.
    #[must_use]
    pub fn take(&self) -> VecDeque<Notice> {
        let mut state = lock(&self.queue.state);
        state.is_overrun = false;
        std::mem::take(&mut state.notices)
    }

    /// Listens for the next cut, and for the end of the hub.
    #[must_use]
    pub fn listen(&self) -> EventListener {
        self.queue.arrived.listen()
    }

    /// Wakes those that listen.
    pub fn wake(&self) {
        self.queue.arrived.notify(usize::MAX);
    }

    /// The transactions that the hub has delivered from the write-ahead log, and that readers may not see yet.
    #[must_use]
    pub fn commits(&self) -> Vec<u32> {
        lock(&self.taps.commits).iter().copied().collect()
    }

    /// Forgets delivered transactions that readers see.
    pub fn forget_commits(&self, are_seen: impl Fn(u32) -> bool) {
        lock(&self.taps.commits).retain(|xid| !are_seen(*xid));
    }

    /// Detaches the tap. The hub delivers nothing to it any more.
    pub fn detach(&self) {
        let mut taps = lock(&self.taps.taps);
        taps.retain(|tap| !Arc::ptr_eq(tap, &self.queue));
        self.taps.attached.store(!taps.is_empty(), Ordering::Relaxed);
        drop(taps);
        lock(&self.queue.state).notices.clear();
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.detach();
    }
}

impl std::fmt::Debug for Tap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tap").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Change(..) => f.write_str("Change"),
            Self::Gap(_, reason) => write!(f, "Gap({reason})"),
            Self::Cut(positions) => write!(f, "Cut({positions:?})"),
            Self::Overrun => f.write_str("Overrun"),
            Self::Ended(reason) => write!(f, "Ended({reason:?})"),
        }
    }
}
