//! The builder of a hub that reads the write-ahead log.

use std::fmt;
use std::sync::{Arc, mpsc};

use diesel::pg::Pg;
use evented_core::Position;
use evented_diesel::spi::ModelVisitor;
use evented_diesel::{ItemOn, LiveOn, ModelOn};
use evented_wal::{Config, RequiredTable, Tail};

use crate::hub::worker::Worker;
use crate::hub::{Hub, StartError};
use crate::router::Router;
use crate::shared::{Reached, Shared};
use crate::source::write_ahead_log::{ModelTable, TableConsumer, WalSource};
use crate::wal::positions::{server_id, wal_position};
use crate::wal::{required_logs_of, required_table_of};

/// Configures a hub on PostgreSQL's write-ahead log before it is started:
/// `Hub::on_wal::<Item>().and::<User>().spawn(config)`.
///
/// The hub delivers every change of the models' rows, also changes by `psql` and by other programs. The models' tables
/// must have `REPLICA IDENTITY FULL` and be in the publication. If the publication also contains the tables of the
/// models' logs ([`tables_of`](crate::wal::tables_of) names both), a change by a command of evented carries its action
/// and its author. A table that only other programs write needs no log.
#[must_use = "a hub delivers nothing until it is started"]
pub struct WalHubBuilder {
    models: Vec<PlannedTable>,
    tables: Vec<RequiredTable>,
    shared: Arc<Shared>,
    replay_buffer: usize,
}

type PlannedTable = Box<dyn FnOnce(&Tail, Begin, usize) -> Box<dyn TableConsumer> + Send>;

/// The positions at which a hub begins.
#[derive(Clone, Copy)]
struct Begin {
    /// The position before the first change that the server keeps for the hub.
    at: Position,
    /// The position of the server when the hub began.
    now: Position,
}

/// How many changes of each model the hub keeps for subscribers that resume, by default.
const DEFAULT_REPLAY_BUFFER: usize = 1_024;

impl Hub {
    /// Configures a hub that reads a model's changes from PostgreSQL's write-ahead log. [`and`](WalHubBuilder::and)
    /// adds further models.
    pub fn on_wal<M: ModelOn<Pg>>() -> WalHubBuilder {
        let (models, tables, shared) = (Vec::new(), Vec::new(), Arc::default());
        WalHubBuilder { models, tables, shared, replay_buffer: DEFAULT_REPLAY_BUFFER }.and::<M>()
    }
}

impl WalHubBuilder {
    /// Adds a model. Adding a model again has no effect.
    pub fn and<M: ModelOn<Pg>>(mut self) -> Self {
        self.add::<M>();
        self
    }

    /// Adds all models of a record, a row or a tree: `.and_all::<PostTree>()`.
    pub fn and_all<T: ItemOn<Pg>>(mut self) -> Self {
        T::visit_models(&mut AddAll(&mut self));
        self
    }

    fn add<M: ModelOn<Pg>>(&mut self) {
        if !self.shared.add_model::<M>() {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.tables.push(required_table_of::<M>());
        self.tables.extend(required_logs_of::<M>().map(RequiredTable::if_published));
        self.models.push(Box::new(move |tail: &Tail, begin: Begin, replay_buffer| {
            let router = Router::<M>::remembering(begin.at, begin.now, replay_buffer, &shared.taps);
            shared.add_router(Arc::clone(&router));
            Box::new(ModelTable::new(router, tail))
        }));
    }

    /// Sets how many changes of each model the hub keeps in memory for subscribers that resume. Default: 1,024. A
    /// subscriber that resumes from an older position must read the table again: the server keeps its log only for the
    /// hub itself.
    pub fn replay_buffer(mut self, changes: usize) -> Self {
        self.replay_buffer = changes;
        self
    }

    /// Starts the hub on a tokio task.
    ///
    /// A durable slot retains changes while no hub is running. Subscribers that [resume](Hub::subscribe_from) from an
    /// older position receive them; new subscribers start at the position at which the hub started.
    ///
    /// # Errors
    ///
    /// [`StartError::Wal`] if the log cannot be read: see [`WalError`](evented_wal::WalError). For a table that is not
    /// published completely, or whose replica identity is not full, the error names the statement to run.
    pub async fn spawn(self, config: Config) -> Result<Hub, StartError> {
        let worker = self.open(config).await?;
        let shared = Arc::clone(&worker.shared);
        tokio::spawn(worker.run());
        Ok(Hub::new(shared, None))
    }

    /// Starts the hub on its own thread, for programs without an async runtime.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn start(self, config: Config) -> Result<Hub, StartError> {
        let (opened, begun) = mpsc::channel();
        let thread = std::thread::Builder::new().name("evented-hub".to_owned());
        // Everything runs on that thread: the caller's thread may belong to a runtime, which must not block on another
        // runtime.
        let thread = thread.spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(StartError::Thread(error)))),
            };
            runtime.block_on(async {
                match self.open(config).await {
                    Ok(worker) => {
                        let _ = opened.send(Ok(Arc::clone(&worker.shared)));
                        worker.run().await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        });
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Hub::new(started(&begun)?, Some(thread)))
    }

    async fn open(self, config: Config) -> Result<Worker<WalSource>, StartError> {
        let tail = Tail::open(self.tables.into_iter().fold(config, Config::require)).await?;
        let server = server_id(tail.system());
        let begin =
            Begin { at: wal_position(tail.start(), server), now: wal_position(tail.opened_at(), server) };
        self.shared.set_reached(Reached { last: begin.at, to: begin.at });
        let models = self.models.into_iter().map(|model| model(&tail, begin, self.replay_buffer)).collect();
        self.shared.update_status(|status| status.connected = true);
        let taps = Arc::clone(&self.shared.taps);
        Ok(Worker { shared: self.shared, source: WalSource::new(tail, models, server, taps) })
    }
}

/// Waits for the thread of the hub to report how the start went.
fn started(begun: &mpsc::Receiver<Result<Arc<Shared>, StartError>>) -> Result<Arc<Shared>, StartError> {
    // A thread that panics reports nothing: its end of the channel is dropped.
    begun.recv().unwrap_or(Err(StartError::ThreadEnded))
}

/// Adds the models that it visits.
struct AddAll<'b>(&'b mut WalHubBuilder);

impl ModelVisitor<Pg> for AddAll<'_> {
    fn model<M: LiveOn<Pg>>(&mut self) {
        self.0.add::<M>();
    }
}

impl fmt::Debug for WalHubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalHubBuilder").field("tables", &self.tables).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_ends_before_the_hub_is_started_is_reported() {
        let (opened, begun) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let _opened = opened;
            panic!("a panic of the hub's thread: the test wants it");
        });
        let error = started(&begun).err();
        assert!(thread.join().is_err());
        assert!(matches!(error, Some(StartError::ThreadEnded)), "{error:?}");
    }
}
