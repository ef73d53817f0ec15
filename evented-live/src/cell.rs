//! The published state of a live value, which the engine writes and any number of viewers read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Instant;

use event_listener::Event;
use evented_core::live::{List, Step, steps};

use crate::cut::Cut;
use crate::error::LiveError;
use crate::shared::{Shared, lock};
use crate::status::Status;

mod past;

use past::{Earlier, Past};

/// The published state of one value, with items of type `I`.
pub(crate) struct Cell<I> {
    /// The number of the value in its store.
    pub(crate) id: u64,
    state: Mutex<State<I>>,
    viewers: Mutex<HashMap<u64, Arc<Event>>>,
    store: Arc<Shared>,
}

/// What a cell holds.
pub(crate) struct State<I> {
    /// The items; `None` before the first read.
    list: Option<Arc<Published<I>>>,
    /// Counts what viewers learn of.
    version: u64,
    status: Status,
    /// The cut at which the value stood last; `None` while it stands at the present cut of the store.
    stood: Option<Cut>,
    /// The number of the first cut at which the list stands.
    from: u64,
    past: Past<I>,
    /// Why the value ended, if it did.
    ended: Option<LiveError>,
}

/// A published list, with the steps from the one before.
struct Published<I> {
    list: List<I>,
    before: Option<(u64, List<I>)>,
    steps: OnceLock<Arc<[Step<I>]>>,
    json: OnceLock<Arc<str>>,
    #[cfg(feature = "axum")]
    patch: OnceLock<Option<Arc<str>>>,
}

/// The state of a value at a moment.
pub(crate) struct Snapshot<I> {
    pub(crate) list: List<I>,
    pub(crate) version: u64,
    pub(crate) status: Status,
    pub(crate) cut: Cut,
    /// Whether the value stands at the present cut.
    pub(crate) stands: bool,
}

static VIEWERS: AtomicU64 = AtomicU64::new(1);

/// A cell that a viewer watches: it is woken when the value changes. Two labels of a set may watch one cell.
pub(crate) struct Watched<I> {
    pub(crate) cell: Arc<Cell<I>>,
    id: u64,
}

impl<I> Watched<I> {
    /// Watches a cell. `changed` is notified when the value changes.
    pub(crate) fn new(cell: Arc<Cell<I>>, changed: &Arc<Event>) -> Self {
        let id = VIEWERS.fetch_add(1, Ordering::Relaxed);
        lock(&cell.viewers).insert(id, Arc::clone(changed));
        Self { cell, id }
    }
}

/// The store keeps the value for a while after the last viewer has left.
impl<I> Drop for Watched<I> {
    fn drop(&mut self) {
        let mut viewers = lock(&self.cell.viewers);
        viewers.remove(&self.id);
        if viewers.is_empty() {
            drop(viewers);
            self.cell.store.left(self.cell.id);
        }
    }
}

impl<I: Clone> Cell<I> {
    pub(crate) fn new(id: u64, store: Arc<Shared>) -> Self {
        let state = State {
            list: None,
            version: 0,
            status: Status::Exact,
            stood: Some(Cut::default()),
            from: 0,
            past: Past::default(),
            ended: None,
        };
        Self { id, state: Mutex::new(state), viewers: Mutex::default(), store }
    }

    fn state(&self) -> MutexGuard<'_, State<I>> {
        lock(&self.state)
    }

    /// The state, if the value was read; the error, if it was not and the last read failed.
    ///
    /// The caller holds the store's turn, so that the states of several values are of one cut.
    pub(crate) fn snapshot(&self, now: &Cut) -> Result<Option<Snapshot<I>>, LiveError> {
        let state = self.state();
        if let Some(error) = &state.ended {
            return Err(error.clone());
        }
        match (&state.list, &state.status) {
            (Some(published), status) => Ok(Some(Snapshot {
                list: published.list.clone(),
                version: state.version,
                status: status.clone(),
                cut: state.stood.as_ref().unwrap_or(now).clone(),
                stands: state.stood.is_none() || !status.is_exact(),
            })),
            (None, Status::Stale { error, .. }) => Err(error.clone()),
            (None, _) => Ok(None),
        }
    }

    /// The state at an earlier cut, if that is known; otherwise as [`snapshot`](Self::snapshot), and it does not stand.
    pub(crate) fn snapshot_at(&self, cut: &Cut) -> Result<Option<Snapshot<I>>, LiveError> {
        let Some(mut snapshot) = self.snapshot(cut)? else { return Ok(None) };
        let state = self.state();
        let number = cut.number();
        let is_present = state.from <= number && state.stood.as_ref().is_none_or(|to| number <= to.number());
        if let Some(earlier) = state.past.at(number) {
            snapshot.list = earlier.published.list.clone();
            (snapshot.version, snapshot.status, snapshot.stands) = (earlier.version, Status::Exact, true);
        } else {
            // What belongs to no cut holds no set back.
            snapshot.stands = is_present || !state.status.is_exact();
        }
        Ok(Some(snapshot))
    }

    /// The last cut at which the value stood; `None` if it stands at the present one, or was not read.
    pub(crate) fn stood(&self) -> Option<Cut> {
        let state = self.state();
        state.list.as_ref().and(state.stood.clone()).filter(|_| state.status.is_exact())
    }

    /// Whether the value was read.
    pub(crate) fn is_read(&self) -> bool {
        self.state().list.is_some()
    }

    pub(crate) fn has_ended(&self) -> Option<LiveError> {
        self.state().ended.clone()
    }

    /// Publishes a list, if it differs. `stood` is the cut at which it stands, unless that is the present one. Returns whether
    /// viewers are to be woken.
    pub(crate) fn publish(&self, list: List<I>, status: Status, stood: Option<Cut>) -> bool
    where
        I: PartialEq,
    {
        let mut state = self.state();
        let (present, oldest) = self.store.numbers();
        let from = stood.as_ref().map_or(present, Cut::number);
        let stood_until = std::mem::replace(&mut state.stood, stood);
        let (stands_again, was_exact) = (stood_until.is_some(), state.status.is_exact());
        let to = stood_until.map_or(present.saturating_sub(1), |cut| cut.number());
        let earlier = state.list.as_ref().map(|published| Earlier {
            published: Arc::clone(published),
            version: state.version,
            from: state.from,
            to,
        });
        let same = state.list.as_ref().is_some_and(|before| before.list == list);
        let same_status = matches!(
            (&state.status, &status),
            (Status::Exact, Status::Exact) | (Status::AsRead, Status::AsRead)
        );
        if stands_again || !same {
            earlier.into_iter().filter(|_| was_exact).for_each(|earlier| state.past.keep(earlier, oldest));
            state.from = from;
        }
        if same && same_status {
            return stands_again && status.is_exact();
        }
        state.version += 1;
        state.status = status;
        if !same {
            let before = state.list.take().map(|before| (state.version - 1, before.list.clone()));
            state.list = Some(Arc::new(Published {
                list,
                before,
                steps: OnceLock::new(),
                json: OnceLock::new(),
                #[cfg(feature = "axum")]
                patch: OnceLock::new(),
            }));
        }
        true
    }

    /// Records that the value does not stand at the present cut. The last cut at which it stood was this one.
    pub(crate) fn leave(&self, cut: &Cut) {
        let mut state = self.state();
        state.stood.get_or_insert_with(|| cut.clone());
    }

    /// Records that the value could not be read.
    pub(crate) fn fail(&self, error: LiveError, cut: &Cut) {
        let mut state = self.state();
        state.stood.get_or_insert_with(|| cut.clone());
        let since = match &state.status {
            Status::Stale { since, .. } => *since,
            _ => Instant::now(),
        };
        state.status = Status::Stale { since, error };
        state.version += 1;
    }

    /// Ends the value.
    pub(crate) fn end(&self, error: &LiveError) {
        self.state().ended.get_or_insert_with(|| error.clone());
    }

    /// The steps from a version to a list.
    pub(crate) fn steps_from(&self, seen: Option<(u64, &List<I>)>, list: &List<I>) -> Arc<[Step<I>]>
    where
        I: PartialEq,
    {
        let Some((seen, old)) = seen else { return Arc::new([Step::Reset { items: list.clone() }]) };
        if let Some(published) = self.published(list)
            && let Some((before, before_list)) = &published.before
            && *before == seen
            && before_list.is(old)
        {
            return Arc::clone(published.steps.get_or_init(|| steps(before_list, list).into()));
        }
        steps(old, list).into()
    }

    /// What is published, if it is this list. It is used outside the lock, which the engine waits for.
    fn published(&self, list: &List<I>) -> Option<Arc<Published<I>>> {
        let state = self.state();
        state.list.iter().chain(state.past.all()).find(|published| published.list.is(list)).cloned()
    }

    /// The JSON of the value, made once for all viewers.
    pub(crate) fn json(&self, list: &List<I>, make: impl FnOnce(&List<I>) -> Arc<str>) -> Arc<str> {
        match self.published(list) {
            Some(published) => Arc::clone(published.json.get_or_init(|| make(list))),
            None => make(list),
        }
    }

    /// The JSON patch from the list before to this one, made once for all viewers; `None` if the viewer has another list, or
    /// if there is no patch.
    #[cfg(feature = "axum")]
    pub(crate) fn patch(
        &self,
        old: &List<I>,
        list: &List<I>,
        make: impl FnOnce(&List<I>, &List<I>) -> Option<Arc<str>>,
    ) -> Option<Arc<str>> {
        let published = self.published(list)?;
        let (_, before) = published.before.as_ref().filter(|(_, before)| before.is(old))?;
        published.patch.get_or_init(|| make(before, list)).clone()
    }

    pub(crate) fn is_watched(&self) -> bool {
        !lock(&self.viewers).is_empty()
    }

    /// Wakes the viewers.
    pub(crate) fn notify(&self) {
        lock(&self.viewers).values().for_each(|changed| {
            changed.notify(usize::MAX);
        });
    }

    pub(crate) fn store(&self) -> &Arc<Shared> {
        &self.store
    }
}
