//! The builder of a hub that reads event logs.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use evented_core::Position;
use evented_diesel::spi::{DEFAULT_STATE_CACHE_SIZE, ModelVisitor, SourceLog, SqlTypes};
use evented_diesel::{ItemOn, LiveOn, Model};

use crate::router::Router;
use crate::shared::{Reached, Shared};
use crate::source::log::{EVENTS_PER_PAGE, LogModel, ModelConsumer, PlannedLog};

/// Configures a hub before it is started: `Hub::of::<Item>().and::<User>().start(connect)`.
#[must_use = "a hub delivers nothing until it is started"]
pub struct HubBuilder {
    pub(super) plan: Vec<PlannedLog>,
    pub(super) shared: Arc<Shared>,
    /// The poll interval that the user chose.
    pub(super) interval: Option<Duration>,
    pub(super) cache_size: NonZeroUsize,
}

impl HubBuilder {
    /// A builder without models.
    pub(super) fn new() -> Self {
        let cache_size = DEFAULT_STATE_CACHE_SIZE;
        Self { plan: Vec::new(), shared: Arc::default(), interval: None, cache_size }
    }

    /// Adds a model. The hub reads models that share a log together.
    pub fn and<M: Model>(mut self) -> Self {
        self.add::<M>();
        self
    }

    /// Adds all models of a record, a row or a tree on a database: `.and_all::<PostTree, Sqlite>()`.
    pub fn and_all<T: ItemOn<DB>, DB: SqlTypes>(mut self) -> Self {
        T::visit_models(&mut AddAll(&mut self));
        self
    }

    fn add<M: Model>(&mut self) {
        if !self.shared.add_model::<M>() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        let log = SourceLog::of::<M::Log>();
        let model = Box::new(move |at: Position, database, cache_size| {
            let router = Router::<M>::shared(at, &shared.taps);
            shared.add_router(Arc::clone(&router));
            shared.set_reached(Reached { last: at, to: at });
            Box::new(LogModel::new(router, log.stream, database, cache_size)) as Box<dyn ModelConsumer>
        });
        match self.plan.iter_mut().find(|planned| planned.log.stream == log.stream) {
            Some(planned) => planned.models.push(model),
            None => self.plan.push(PlannedLog { log, models: vec![model] }),
        }
    }

    /// Fixes the poll interval: how long the hub waits before it polls for changes that no hint announced.
    ///
    /// By default the interval adapts to the writers. Right after an unannounced change it is 4 ms. It grows to an eighth
    /// of the time since then, up to 100 ms, or up to a second if a `Relay` in this process receives hints from the other
    /// processes. A command of this process makes the hub poll at once in any case.
    ///
    /// While an open transaction delays changes, or a subscriber is catching up, the hub also polls more often than a
    /// fixed interval says.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Sets for how many records of each model the hub keeps the state. Default: 65,536. Minimum: 1,000. Up to twice as
    /// many states are in memory. For any other record the hub reads the history again with the record's next event.
    pub fn state_cache_size(mut self, records: NonZeroUsize) -> Self {
        // The hub keeps the states of all records of a page until the page is delivered.
        self.cache_size = records.max(EVENTS_PER_PAGE);
        self
    }
}

/// Adds the models that it visits.
struct AddAll<'b>(&'b mut HubBuilder);

impl<DB: SqlTypes> ModelVisitor<DB> for AddAll<'_> {
    fn model<M: LiveOn<DB>>(&mut self) {
        self.0.add::<M>();
    }
}

impl fmt::Debug for HubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubBuilder").field("logs", &self.plan.len()).finish_non_exhaustive()
    }
}
