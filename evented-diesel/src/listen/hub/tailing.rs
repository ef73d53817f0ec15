//! A hub that reads the write-ahead log.

use std::fmt;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use diesel::pg::Pg;
use evented_core::Position;

use super::super::router::Router;
use super::super::tail::desk::{ModelTable, TableDesk};
use super::super::tail::source::TailSource;
use super::super::tail::{epoch, place};
use super::super::told::Interruption;
use super::shared::{Reached, Shared, hint};
use super::{Hub, StartError, lock};
use crate::model::Rows;
use crate::observe;
use crate::wal::{Config, TableName, Tail, WalError};

/// A hub on the write-ahead log before it is started: `Hub::tailing::<Item>().and::<User>().spawn(config)`.
///
/// It tells of every change of the models' rows, also by `psql` and by other programs. Their tables have `REPLICA IDENTITY
/// FULL`, and are in the publication. If those of their logs are in it as well
/// ([`published`](super::super::published) names both), a change by a command of this library comes with its action and
/// its author. A table that only others write needs no log.
#[must_use = "a hub tells nothing until it is started"]
pub struct TailingBuilder {
    desks: Vec<PlannedTable>,
    tables: Vec<TableName>,
    shared: Arc<Shared>,
    recent: usize,
}

type PlannedTable = Box<dyn FnOnce(Begin, usize) -> Box<dyn TableDesk> + Send>;

/// Where a hub begins.
#[derive(Clone, Copy)]
struct Begin {
    /// With the first change that the server keeps for it.
    at: Position,
    /// Where the server was when the hub began.
    now: Position,
}

/// How many changes of each model are kept for those who resume.
const RECENT: usize = 1_024;

impl Hub {
    /// A hub for a model that reads PostgreSQL's write-ahead log.
    pub fn tailing<M: Rows<Pg>>() -> TailingBuilder {
        let shared = Arc::default();
        TailingBuilder { desks: Vec::new(), tables: Vec::new(), shared, recent: RECENT }.and::<M>()
    }
}

impl TailingBuilder {
    /// And for another model.
    pub fn and<M: Rows<Pg>>(mut self) -> Self {
        if !self.shared.lists::<M>() {
            return self;
        }
        let shared = Arc::clone(&self.shared);
        self.tables.push(TableName::of::<M>());
        self.desks.push(Box::new(move |begin: Begin, recent| {
            let router = Router::<M>::remembering(begin.at, begin.now, recent);
            shared.add_router(Arc::clone(&router));
            Box::new(ModelTable::new(router))
        }));
        self
    }

    /// How many changes of each model are kept in memory for those who subscribe from a place before now: 1,024, unless it
    /// is said here. Whoever comes from farther away must read anew: the server keeps its log only for the hub itself.
    pub fn keep_recent(mut self, changes: usize) -> Self {
        self.recent = changes;
        self
    }

    /// Starts the hub on a task of tokio's.
    ///
    /// A durable slot keeps what is written while no hub reads. It is told to those who
    /// [resume](Hub::subscribe_from) from before; others hear of what is written from the start on.
    ///
    /// # Errors
    ///
    /// If the log cannot be read: see [`WalError`]. A table that is not published, or whose replica identity is not full,
    /// is told with the statement to run.
    pub async fn spawn(self, config: Config) -> Result<Hub, StartError> {
        let work = self.open(config).await?;
        let shared = Arc::clone(&work.shared);
        tokio::spawn(work.run());
        Ok(Hub::new(shared, None))
    }

    /// Starts the hub on a thread of its own, for programs without a runtime.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn start(self, config: Config) -> Result<Hub, StartError> {
        let (opened, begun) = mpsc::channel();
        let thread = std::thread::Builder::new().name("evented-hub".to_owned());
        // All of it on that thread: the caller's may be one of a runtime, which must not wait for another.
        let thread = thread.spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(opened.send(Err(StartError::Thread(error)))),
            };
            runtime.block_on(async {
                match self.open(config).await {
                    Ok(work) => {
                        let _ = opened.send(Ok(Arc::clone(&work.shared)));
                        work.run().await;
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            });
        });
        let thread = thread.map_err(StartError::Thread)?;
        let shared = begun.recv().unwrap_or(Err(StartError::Waited))?;
        Ok(Hub::new(shared, Some(thread)))
    }

    async fn open(self, config: Config) -> Result<TailWorker, StartError> {
        let tail = Tail::open(config.whole_rows_of(self.tables)).await?;
        let epoch = epoch(tail.system());
        let begin = Begin { at: place(tail.start(), epoch), now: place(tail.opened_at(), epoch) };
        self.shared.passed(Reached { last: begin.at, to: begin.at });
        let desks = self.desks.into_iter().map(|desk| desk(begin, self.recent)).collect();
        lock(&self.shared.status).connected = true;
        Ok(TailWorker { shared: self.shared, source: TailSource::new(tail, desks, epoch) })
    }
}

/// How often it looks whether it is to stop, and how it is doing.
const LOOK: Duration = Duration::from_millis(250);

/// Reads, and tells.
struct TailWorker {
    shared: Arc<Shared>,
    source: TailSource,
}

/// However it ends, also with a runtime that is shut down: nobody waits for ever for the hub.
impl Drop for TailWorker {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl TailWorker {
    /// Works until the hub stops, or the log cannot be read any more.
    async fn run(mut self) {
        while !self.shared.is_stopping() {
            // A hint is also how a hub is told to stop.
            let stepped = tokio::select! {
                biased;
                stepped = self.source.step() => Some(stepped),
                _ = tokio::time::timeout(LOOK, hint()) => None,
            };
            match stepped {
                Some(Ok(Some(told))) => self.shared.passed(Reached { last: told, to: told }),
                Some(Ok(None)) => continue,
                Some(Err(error)) => {
                    observe::tail_ended(&error);
                    let mut status = lock(&self.shared.status);
                    (status.connected, status.error) = (false, Some(error.to_string()));
                    drop(status);
                    self.source.interrupt(&Interruption::MustRefetch { reason: reason(&error).into() });
                    break;
                }
                None => {}
            }
            let tail = self.source.tail.status();
            let mut status = lock(&self.shared.status);
            (status.connected, status.reconnects) = (tail.connected, tail.reconnects);
        }
    }
}

fn reason(error: &WalError) -> String {
    match error {
        WalError::MustRefetch { reason } => reason.to_string(),
        other => format!("the log cannot be read any more: {other}"),
    }
}

impl fmt::Debug for TailingBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TailingBuilder").field("tables", &self.tables).finish_non_exhaustive()
    }
}
