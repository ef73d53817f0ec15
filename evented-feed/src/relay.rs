//! Passes hints from process to process, over PostgreSQL's `NOTIFY`.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use diesel::sql_types::Text;
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl};
use event_listener::EventListener;
use futures_core::Stream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use crate::hints::{ConnectedRelay, commit, listen_to_commits, poll_now};
use crate::hub::StartError;
use crate::run::{BoxError, pauses};
use crate::telemetry;

/// Passes hints from process to process: a write in one process wakes the hubs of the other processes immediately.
///
/// Run one relay for each database in each process that writes or subscribes: [`spawn`](Self::spawn) in async code,
/// [`start`](Self::start) in blocking code. Hubs find every change by polling, with a relay or without. While a relay is
/// connected, the hubs of its process poll only once a second, unless they find changes that no hint announced.
///
/// The relay has its own connection to the database of the logs. It sends each hint as a separate `NOTIFY`, after the
/// commit that the hint announces. It combines many commits into one hint: at most 1,000 hints a second, and fewer if the
/// server takes long to answer. (A `NOTIFY` inside the writing transaction would take a lock during its commit that all
/// writers of the server wait for.) A hint does not contain the change.
///
/// The relay ends when it is dropped.
///
/// ```no_run
/// # use diesel::prelude::*;
/// # use evented_diesel::{Evented, Id};
/// # diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } }
/// # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
/// # #[diesel(table_name = items)]
/// # struct Item { id: Id<Item>, name: String }
/// use diesel_async::{AsyncConnection, AsyncPgConnection};
/// use evented_feed::{Hub, Relay};
///
/// # async fn serve(url: String) -> Result<(), Box<dyn std::error::Error>> {
/// let connect = move || {
///     let url = url.clone();
///     async move { AsyncPgConnection::establish(&url).await }
/// };
/// let _relay = Relay::spawn(connect.clone()).await?;
/// let hub = Hub::of::<Item>().spawn(connect).await?;
/// # Ok(()) }
/// ```
#[must_use = "a relay that is dropped passes nothing on"]
pub struct Relay {
    /// Dropped with the relay, which ends the task.
    _alive: Sender<()>,
}

impl Relay {
    /// Starts the relay on a tokio task. `connect` opens its connection, and opens it again after it is lost.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if `connect` fails.
    pub async fn spawn<E, F, T>(connect: F) -> Result<Self, StartError>
    where
        E: Into<BoxError> + 'static,
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = Result<AsyncPgConnection, E>> + Send + 'static,
    {
        let mut end = End::new(connect);
        let conn = end.open().await.map_err(StartError::Connect)?;
        let (alive, dropped) = async_channel::bounded(1);
        tokio::spawn(end.work_until(conn, dropped));
        Ok(Self { _alive: alive })
    }

    /// Starts the relay on its own thread, for blocking code. It connects to `url` without TLS. For a connection with
    /// TLS, [`spawn`](Self::spawn) the relay on a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError::Connect`] if the relay cannot connect; [`StartError::Thread`]; [`StartError::ThreadEnded`].
    pub fn start(url: impl Into<String>) -> Result<Self, StartError> {
        let url = url.into();
        let mut end = End::new(move || {
            let url = url.clone();
            async move { AsyncPgConnection::establish(&url).await }
        });
        let (alive, dropped) = async_channel::bounded(1);
        let (report, started) = std::sync::mpsc::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(StartError::Thread)?;
        let run = move || {
            runtime.block_on(async {
                let conn = match end.open().await {
                    Ok(conn) => conn,
                    Err(error) => return drop(report.send(Err(StartError::Connect(error)))),
                };
                drop(report.send(Ok(())));
                end.work_until(conn, dropped).await;
            });
        };
        let thread = std::thread::Builder::new().name("evented-relay".to_owned());
        thread.spawn(run).map_err(StartError::Thread)?;
        started.recv().unwrap_or(Err(StartError::ThreadEnded))?;
        Ok(Self { _alive: alive })
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

/// Subscribes to the channel of the notifications.
const LISTEN: &str = "LISTEN evented";
const NOTIFY: &str = "SELECT pg_notify('evented', $1)";

/// The shortest time between two notifications. The commits in between share one notification.
const MIN_GAP: Duration = Duration::from_millis(1);
/// The time between two notifications is at least this many times what the server took for the last one, so that relays
/// do not add to the load of a busy server.
const GAP_PER_ANSWER: u32 = 8;
/// After how long a silence the relay checks whether the connection still works.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// How long an answer may take before the relay treats the connection as lost.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The relay's end in this process.
struct End<F> {
    connect: F,
    /// The payload by which this end recognizes its own notifications.
    name: String,
}

/// What the relay does next.
enum Next {
    /// A transaction was committed in this process.
    Committed,
    /// It is time to notify the other processes.
    Notify,
    /// Another process sent a notification, or the connection broke.
    Notified(Option<diesel::QueryResult<diesel::pg::PgNotification>>),
}

impl<E, F, T> End<F>
where
    E: Into<BoxError>,
    F: FnMut() -> T,
    T: Future<Output = Result<AsyncPgConnection, E>>,
{
    fn new(connect: F) -> Self {
        listen_to_commits();
        Self { connect, name: Uuid::now_v7().simple().to_string() }
    }

    async fn open(&mut self) -> Result<AsyncPgConnection, BoxError> {
        let mut conn = (self.connect)().await.map_err(Into::into)?;
        diesel::sql_query(LISTEN).execute(&mut conn).await?;
        Ok(conn)
    }

    /// Passes hints on until the relay is dropped.
    async fn work_until(self, conn: AsyncPgConnection, dropped: Receiver<()>) {
        // Nothing is ever sent on this channel: it closes when the relay is dropped.
        let ended = pin!(dropped.recv());
        let work = pin!(self.work(conn));
        tokio::select! { _ = ended => {}, () = work => {} }
    }

    /// Passes hints on forever; reconnects when the connection breaks.
    async fn work(mut self, mut conn: AsyncPgConnection) {
        let mut commits = commit();
        loop {
            let connected = ConnectedRelay::new();
            let Err(error) = pass(&self.name, &mut conn, &mut commits).await;
            drop(connected);
            telemetry::relay_failed(&error);
            let mut pauses = pauses();
            conn = loop {
                sleep(pauses.next().unwrap_or(KEEP_ALIVE_INTERVAL)).await;
                match self.open().await {
                    Ok(conn) => break conn,
                    Err(error) => telemetry::relay_failed(&error),
                }
            };
            // Notifications may have been missed while there was no connection.
            poll_now();
        }
    }
}

/// Passes hints on until the connection breaks.
async fn pass(
    name: &str,
    conn: &mut AsyncPgConnection,
    commits: &mut EventListener,
) -> Result<Infallible, BoxError> {
    let (mut last, mut gap) = (Instant::now(), MIN_GAP);
    // The commits made while there was no connection have not been announced.
    let mut due = Some(last);
    loop {
        let notify_at = due.unwrap_or(last + KEEP_ALIVE_INTERVAL);
        let next = {
            let mut notifications = pin!(conn.notifications_stream());
            tokio::select! {
                () = &mut *commits, if due.is_none() => Next::Committed,
                () = sleep_until(notify_at) => Next::Notify,
                next = poll_fn(|cx| notifications.as_mut().poll_next(cx)) => Next::Notified(next),
            }
        };
        match next {
            Next::Committed => {
                due = Some(last + gap);
                // Register before the notification is sent, so that the next notification covers every commit from here
                // on.
                *commits = commit();
            }
            Next::Notify => {
                let sent = Instant::now();
                let notify = diesel::sql_query(NOTIFY).bind::<Text, _>(name);
                timeout(ANSWER_TIMEOUT, notify.execute(conn)).await??;
                gap = MIN_GAP.max(sent.elapsed() * GAP_PER_ANSWER);
                (last, due) = (Instant::now(), None);
            }
            Next::Notified(Some(notification))
                if notification.as_ref().is_ok_and(|notification| notification.payload == name) => {}
            Next::Notified(Some(notification)) => {
                notification?;
                poll_now();
            }
            Next::Notified(None) => return Err("the connection has ended".into()),
        }
    }
}
