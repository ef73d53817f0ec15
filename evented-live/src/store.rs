//! The store: keeps live values, for any number of viewers.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_channel::Receiver;
use event_listener::Event;
use evented_core::live::{LiveQuery, Many, One, Query, Shape, Subscription, TreeQuery, Valued};
use evented_diesel::spi::ready;
use evented_diesel::{LiveOn, TreeOn};
use evented_feed::Hub;
use evented_feed::spi::{BoxError, Thread, ThreadConnector};

use crate::cell::Watched;
use crate::engine::{self, Engine, Lanes};
use crate::error::LiveError;
use crate::live::Opening;
use crate::reader::{Job, Lane, Reader};
use crate::set::Set;
use crate::shared::{Shared, lock};
use crate::values::Settings;
use crate::watch::Watch;

mod channels;
mod filling;
mod requery;
#[cfg(feature = "__async")]
mod spawn;
mod watchable;

pub use channels::Channels;
pub use filling::Fillable;
#[cfg(feature = "__async")]
pub use requery::BoxedAnswer;
pub use requery::Requery;
#[cfg(feature = "__async")]
pub use spawn::{AsyncRequery, AsyncSet, AsyncStore, AsyncTurn};
pub use watchable::{Allowed, Watchable, allowed};

/// Keeps live values: the answers of queries, equal to the database at every cut that they report.
///
/// A store stands on a [`Hub`], which delivers every change to it, and has two connections of its own, which read what values need.
/// Equal queries of any number of viewers are one value, which is read once.
///
/// `Store` is a handle: its clones refer to the same store. The store stops when the last handle is dropped. Its parameter is
/// the kind of its connections: [`BlockingStore`] or [`AsyncStore`](crate::AsyncStore).
pub struct Store<E: Reader> {
    inner: Arc<Inner<E>>,
}

/// A store that reads with blocking connections of type `C`, on threads.
pub type BlockingStore<C> = Store<evented_diesel::spi::BlockingExecutor<Box<C>>>;

/// A turn of a [`BlockingSet`].
pub type BlockingTurn<'s, C> = crate::set::Turn<'s, evented_diesel::spi::BlockingExecutor<Box<C>>>;

/// A [`Requery`] of a [`BlockingStore`].
pub type BlockingRequery<C, T> = Requery<evented_diesel::spi::BlockingExecutor<Box<C>>, T>;

/// A set of a [`BlockingStore`].
pub type BlockingSet<C> = Set<evented_diesel::spi::BlockingExecutor<Box<C>>>;

pub(crate) struct Inner<E: Reader> {
    pub(crate) engine: Arc<Mutex<Engine<E>>>,
    pub(crate) shared: Arc<Shared>,
}

/// The state of a store. See [`Store::status`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatus {
    /// How many values the store keeps, with those that nobody watches at the moment.
    pub values: usize,
}

/// The longest time of a setting: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Configures a store before it is started: [`over`].
#[must_use = "a store reads nothing until it is started"]
#[derive(Debug)]
pub struct StoreBuilder {
    hub: Hub,
    settings: Settings,
    max_waiting: usize,
}

/// Why a store could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The store could not connect.
    #[error("no connection to the database")]
    Connect(#[source] BoxError),
    /// The operating system could not create a thread of the store.
    #[error("a thread could not be created")]
    Thread(#[source] std::io::Error),
}

impl StoreBuilder {
    /// Sets how long a value is kept after its last viewer has left. Default: 30 seconds.
    pub fn linger(mut self, time: Duration) -> Self {
        self.settings.linger = time.min(LONGEST);
        self
    }

    /// Sets how long a value that was read waits for the hub to deliver everything that the read may have seen, before it is
    /// shown [as read](crate::Status::AsRead). Default: 100 milliseconds.
    pub fn patience(mut self, time: Duration) -> Self {
        self.settings.patience = time.min(LONGEST);
        self
    }

    /// Sets how many rows a value has at most. Default: 100,000.
    pub fn max_rows(mut self, rows: usize) -> Self {
        self.settings.max_rows = rows;
        self
    }

    /// Sets how many rows all values together keep that nobody watches. Default: 100,000. The one that was left first goes
    /// first.
    pub fn max_idle_rows(mut self, rows: usize) -> Self {
        self.settings.max_idle_rows = rows;
        self
    }

    /// Sets how many changes wait for the store at most, while it is behind its hub. Default: 65,536; at least 1. If there are more, the store
    /// drops them and reads its values again, which are [stale](crate::Status::Stale) meanwhile.
    pub fn max_waiting(mut self, changes: usize) -> Self {
        self.max_waiting = changes.max(1);
        self
    }

    /// Starts the store on threads of its own. `connect` opens the store's blocking connections, and opens them again after
    /// they are lost.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if `connect` fails; [`StartError::Thread`].
    pub fn start<C, X, F>(self, connect: F) -> Result<BlockingStore<C>, StartError>
    where
        C: diesel::connection::LoadConnection<Backend: evented_diesel::EventedBackend> + Send + 'static,
        X: Into<BoxError> + 'static,
        F: Fn() -> Result<C, X> + Send + Sync + 'static,
    {
        let (store, opening, upkeep) = self.build();
        let connect = Arc::new(connect);
        for jobs in [opening, upkeep] {
            let connect = Arc::clone(&connect);
            let first = connect().map_err(|error| StartError::Connect(error.into()))?;
            let lane = Lane {
                executor: Some(evented_diesel::spi::BlockingExecutor(Box::new(first))),
                connector: ThreadConnector(move || connect()),
                pace: Thread,
                jobs,
                shared: Arc::clone(&store.inner.shared),
            };
            thread("evented-live-reader", move || lane.run_blocking())?;
        }
        let (engine, shared) = (Arc::clone(&store.inner.engine), Arc::clone(&store.inner.shared));
        thread("evented-live", move || {
            let _ = ready(engine::run(engine, shared, Thread));
        })?;
        Ok(store)
    }

    fn build<E: Reader>(self) -> (Store<E>, Jobs<E>, Jobs<E>) {
        let shared = Arc::new(Shared::new(&self.hub, self.max_waiting));
        let ((opening, opened), (upkeep, kept)) = (async_channel::unbounded(), async_channel::unbounded());
        let engine = Engine::new(&shared, self.settings, Lanes { opening, upkeep });
        let inner = Arc::new(Inner { engine: Arc::new(Mutex::new(engine)), shared });
        (Store { inner }, opened, kept)
    }
}

type Jobs<E> = Receiver<Box<dyn Job<E>>>;

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), StartError> {
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(work).map(drop).map_err(StartError::Thread)
}

/// Configures a store over a hub: `live::over(&hub).start(connect)`. The hub delivers every change to the store; the store keeps the
/// hub alive.
pub fn over(hub: &Hub) -> StoreBuilder {
    let settings = Settings {
        patience: Duration::from_millis(100),
        linger: Duration::from_secs(30),
        max_rows: 100_000,
        max_idle_rows: 100_000,
    };
    StoreBuilder { hub: hub.clone(), settings, max_waiting: 65_536 }
}

impl<E: Reader> Store<E> {
    /// Opens a live value. `.await` the result, or `.wait(timeout)` for it in blocking code.
    ///
    /// Its errors, when it is awaited: [`LiveError::NotRead`] for a model that the hub does not read; [`LiveError::Denied`]; a
    /// read that fails.
    pub fn open<Q: Openable<E>>(&self, query: Q) -> Opening<Q::Value> {
        let opening = Opening::new(|changed| query.watch(&self.inner, changed));
        self.inner.shared.tap.wake();
        opening
    }

    /// Makes an empty set: values under labels, which change together. For one page, or one actor.
    #[must_use]
    pub fn set(&self) -> Set<E> {
        Set::new(&self.inner)
    }

    /// Subscribes to values and channels: the changes of every record that a value contains, and of those that come to belong to
    /// it, in one stream, each once. A value alone is not changed: [`sync`](crate::sync) applies a change to it.
    ///
    /// ```ignore
    /// let mut watch = store.subscribe((&cards, Item::changes()))?;
    /// while let Some(change) = watch.next().await {
    ///     let synced = live::sync(&mut cards, &change?);
    ///     store.fill(&mut cards, &synced, |one| one).await?;
    ///     watch.follow(&cards);
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LiveError::NotRead`] for a model that the hub does not read; [`LiveError::Denied`] for a channel; [`LiveError::Stopped`].
    pub fn subscribe<W: Watchable<E>>(&self, what: W) -> Result<Watch, LiveError> {
        self.subscribe_as("", what)
    }

    /// Subscribes like [`subscribe`](Self::subscribe), under a name that [`subscriptions`](Self::subscriptions) lists.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_as<W: Watchable<E>>(&self, name: &str, what: W) -> Result<Watch, LiveError> {
        what.check()?;
        let mut engine = lock(&self.inner.engine);
        what.want(&engine)?;
        let queue = engine.watches.add(name, |watching| what.add(watching));
        drop(engine);
        self.inner.shared.tap.wake();
        Ok(Watch::new(queue))
    }

    /// Returns the name of each watch, with its subscriptions at the moment.
    #[must_use]
    pub fn subscriptions(&self) -> Vec<(String, Vec<Subscription>)> {
        let watches = lock(&self.inner.engine).watches.all();
        watches.iter().map(|watch| (watch.name().to_owned(), watch.subscriptions())).collect()
    }

    /// Reads the values again whose policies have this [key](evented_core::Policy::key): what they allow was changed elsewhere.
    pub fn reauthorise(&self, key: &str) {
        lock(&self.inner.engine).reauthorise(key);
        self.inner.shared.tap.wake();
    }

    /// The state of the store.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        StoreStatus { values: lock(&self.inner.engine).count() }
    }

    /// Stops the store. Its values end with [`LiveError::Stopped`].
    pub fn stop(&self) {
        self.inner.shared.stop();
    }
}

/// What a store opens: a live query of an evented model, or a [`Requery`].
pub trait Openable<E: Reader>: sealed::Openable<E> {}
impl<E: Reader, Q: sealed::Openable<E>> Openable<E> for Q {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use event_listener::Event;
    use evented_core::live::Shape;

    use crate::cell::Watched;
    use crate::error::LiveError;
    use crate::reader::Reader;
    use crate::store::Inner;

    pub trait Openable<E: Reader> {
        /// The value.
        type Value: Shape;
        /// Finds or adds the value, and watches it.
        #[expect(private_interfaces, reason = "users cannot name the trait")]
        fn watch(
            self,
            inner: &Inner<E>,
            changed: &Arc<Event>,
        ) -> Result<Watched<<Self::Value as Shape>::Item>, LiveError>;
    }
}

/// The queries of models.
macro_rules! openable {
    ($($query:ident),*) => {$(
        impl<E: Reader, M: LiveOn<E::Db>, I: Clone + PartialEq + Unpin + Send + Sync + 'static> sealed::Openable<E>
            for $query<M, I>
        {
            type Value = <Self as LiveQuery>::Value;

            #[expect(private_interfaces, reason = "users cannot name the trait")]
            fn watch(self, inner: &Inner<E>, changed: &Arc<Event>) -> Result<Watched<I>, LiveError> {
                let (plan, item) = self.into_parts();
                // The policy is the user's code: no lock is held.
                plan.check()?;
                let mut engine = lock(&inner.engine);
                let is_list = <<Self as LiveQuery>::Value as Shape>::IS_LIST;
                let watched = engine.values::<M>()?.open(plan, item, is_list, changed);
                engine.send_jobs();
                Ok(watched)
            }
        }
    )*};
}
openable!(Query, Many, One);

impl<E: Reader, T: TreeOn<E::Db>, S: Valued<T>> sealed::Openable<E> for TreeQuery<T, S> {
    type Value = S::Value;

    #[expect(private_interfaces, reason = "users cannot name the trait")]
    fn watch(self, inner: &Inner<E>, changed: &Arc<Event>) -> Result<Watched<T>, LiveError> {
        let parts = self.into_parts();
        // The policy is the user's code: no lock is held.
        parts.plan.check()?;
        let mut engine = lock(&inner.engine);
        engine.want_all::<T>()?;
        let id = engine.ids.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let watched = engine.trees.open::<T, S>(id, parts, changed);
        drop(engine);
        inner.shared.tap.wake();
        Ok(watched)
    }
}

impl<E: Reader> Drop for Inner<E> {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl<E: Reader> Clone for Store<E> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<E: Reader> fmt::Debug for Store<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
