//! Hints from process to process, over PostgreSQL's `NOTIFY`.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::time::Duration;

use async_channel::Sender;
use diesel::sql_types::Text;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use event_listener::EventListener;
use futures_core::Stream;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::hub::{BoxError, StartError, committed, look, pauses};
use crate::observe;

/// Passes hints from process to process: a write in one wakes the hubs of the others at once.
///
/// Hubs find every change by looking, with a relay or without. With one in each process that writes or listens, they need
/// not look so often: give them a longer [`look_every`](super::HubBuilder::look_every).
///
/// It has a connection of its own, to the database of the logs. A hint is a `NOTIFY` by itself, after the commit that it is
/// about, and many commits are one: at most 200 in a second. (A `NOTIFY` within a write takes a lock for its commit that all
/// writers of the server wait for.) What is hinted at is not in it.
///
/// It ends when it is dropped.
///
/// ```no_run
/// use std::time::Duration;
///
/// # use diesel::prelude::*;
/// # use evented_diesel::{Evented, Id};
/// # diesel::table! { use evented_diesel::sql_types::Uid; use diesel::sql_types::*; items (id) { id -> Uid, name -> Text } }
/// # #[derive(Evented, Queryable, Selectable, Clone, Debug)]
/// # #[diesel(table_name = items)]
/// # struct Item { id: Id<Item>, name: String }
/// use diesel_async::{AsyncConnection, AsyncPgConnection};
/// use evented_diesel::listen::{Hub, Relay};
///
/// # async fn serve(url: String) -> Result<(), Box<dyn std::error::Error>> {
/// let connect = move || {
///     let url = url.clone();
///     async move { AsyncPgConnection::establish(&url).await }
/// };
/// let _relay = Relay::spawn(connect.clone()).await?;
/// let hub = Hub::of::<Item>().look_every(Duration::from_secs(1)).spawn(connect).await?;
/// # Ok(()) }
/// ```
#[must_use = "a relay that is dropped passes nothing on"]
pub struct Relay {
    /// Closed with it.
    _alive: Sender<()>,
}

impl Relay {
    /// Runs on a task of tokio's, with a connection that `connect` makes, also after it was lost.
    ///
    /// # Errors
    ///
    /// If there is no connection.
    pub async fn spawn<E, F, T>(connect: F) -> Result<Self, StartError>
    where
        E: Into<BoxError> + 'static,
        F: FnMut() -> T + Send + 'static,
        T: Future<Output = Result<AsyncPgConnection, E>> + Send + 'static,
    {
        let mut end = End { connect, name: Uuid::now_v7().simple().to_string() };
        let conn = end.open().await.map_err(StartError::Connect)?;
        let (alive, dropped) = async_channel::bounded(1);
        tokio::spawn(async move {
            // It is given nothing: it ends when the relay does.
            let ended = pin!(dropped.recv());
            let work = pin!(end.work(conn));
            tokio::select! { _ = ended => {}, () = work => {} }
        });
        Ok(Self { _alive: alive })
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

/// The channel of the notifications.
const LISTEN: &str = "LISTEN evented";
const NOTIFY: &str = "SELECT pg_notify('evented', $1)";

/// How long lies between two notifications at least: what is committed meanwhile is one.
const GAP: Duration = Duration::from_millis(5);
/// After how long a silence it is looked whether the connection is still there.
const SILENCE: Duration = Duration::from_secs(30);
/// How long an answer may take before the connection counts as lost.
const ANSWER: Duration = Duration::from_secs(10);

/// This process's end.
struct End<F> {
    connect: F,
    /// By which it knows its own notifications.
    name: String,
}

/// What there is to do.
enum Next {
    /// Something was committed here.
    Committed,
    /// It is time to tell the others.
    Tell,
    /// Somebody told us, or the connection broke.
    Told(Option<diesel::QueryResult<diesel::pg::PgNotification>>),
}

impl<E, F, T> End<F>
where
    E: Into<BoxError>,
    F: FnMut() -> T,
    T: Future<Output = Result<AsyncPgConnection, E>>,
{
    async fn open(&mut self) -> Result<AsyncPgConnection, BoxError> {
        let mut conn = (self.connect)().await.map_err(Into::into)?;
        diesel::sql_query(LISTEN).execute(&mut conn).await?;
        Ok(conn)
    }

    /// Passes hints on for ever.
    async fn work(mut self, mut conn: AsyncPgConnection) {
        let mut commits = committed();
        loop {
            let Err(error) = pass(&self.name, &mut conn, &mut commits).await;
            observe::relay_failed(&error);
            let mut pauses = pauses();
            conn = loop {
                sleep(pauses.next().unwrap_or(SILENCE)).await;
                match self.open().await {
                    Ok(conn) => break conn,
                    Err(error) => observe::relay_failed(&error),
                }
            };
            // Nobody knows what was not heard meanwhile.
            look();
        }
    }
}

/// Passes hints on until the connection breaks.
async fn pass(
    name: &str,
    conn: &mut AsyncPgConnection,
    commits: &mut EventListener,
) -> Result<Infallible, BoxError> {
    let mut last = Instant::now();
    // What was committed while there was no connection has not been told.
    let mut due = Some(last);
    loop {
        let tell_at = due.unwrap_or(last + SILENCE);
        let next = {
            let mut told = pin!(conn.notifications_stream());
            tokio::select! {
                () = &mut *commits, if due.is_none() => Next::Committed,
                () = sleep_until(tell_at) => Next::Tell,
                told = poll_fn(|cx| told.as_mut().poll_next(cx)) => Next::Told(told),
            }
        };
        match next {
            Next::Committed => {
                due = Some(last + GAP);
                // Before the others are told: what is committed from here on is told after.
                *commits = committed();
            }
            Next::Tell => {
                let notify = diesel::sql_query(NOTIFY).bind::<Text, _>(name);
                timeout(ANSWER, notify.execute(conn)).await??;
                (last, due) = (Instant::now(), None);
            }
            Next::Told(Some(told)) if told.as_ref().is_ok_and(|told| told.payload == name) => {}
            Next::Told(Some(told)) => {
                told?;
                look();
            }
            Next::Told(None) => return Err("the connection has ended".into()),
        }
    }
}
