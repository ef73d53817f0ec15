//! What the tests of subscribers share: models, tables, and an abstraction over blocking and async connections.
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "test support")]

use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{PgConnection, SqliteConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;
use evented_diesel::{
    DomainEvent, DomainEvents, Entry, Error, EventedBackend, Executor, RawPayload, Run, RunAsync, Written,
};
use evented_react::testing::{self, DrainError, Drained};
use evented_react::{
    ActionChange, AnyEvent, Asynchronous, BusExt as _, Change, Delivery, DomainEventExt as _, Events,
    Failure, Handle, HandleAsync, MigrationsExt as _, Projection, StartError, Subscriber, Which, Worker,
    WorkerStatus, WorkerTasks, WorkerThreads, inline, retry,
};
use evented_tests::db::{Db, Face};
use serde::{Deserialize, Serialize};

pub mod model;
mod outbox;

pub use outbox::{Outbox, Sent};

diesel::table! { posts (id) { id -> Integer, title -> Text, } }
diesel::table! { comments (id) { id -> Integer, post_id -> Integer, text -> Text, } }

#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = posts)]
pub struct Post {
    pub id: i32,
    pub title: String,
}

#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = comments)]
#[evented(actions(Flag(aliases("mark"))), scopes(post = post_id))]
pub struct Comment {
    pub id: i32,
    pub post_id: i32,
    pub text: String,
}

diesel::table! { votes (id) { id -> Integer, post_id -> Integer, points -> Integer, } }

/// A vote, whose write computes the votes of its post.
#[derive(Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = votes)]
#[evented(after_write = Vote::count)]
pub struct Vote {
    pub id: i32,
    pub post_id: i32,
    pub points: i32,
}

impl Vote {
    async fn count<DB: EventedBackend, D: Executor<DB>>(
        written: Written<'_, Self>,
        conn: &mut D,
    ) -> Result<(), Error> {
        inline(&post_votes::<()>(), written, conn).await
    }
}

/// The votes of each post.
#[must_use]
pub fn post_votes<C: Send + 'static>() -> Subscriber<C> {
    Projection::table("post_votes", "post_id")
        .columns(["votes", "points"])
        .select(
            "SELECT v.post_id, count(*) AS votes, sum(v.points) AS points FROM votes v WHERE v.post_id IN ({keys}) \
             GROUP BY v.post_id",
        )
        .keyed(Vote::changes(), |vote: &Vote| vote.post_id)
        .inline()
        .into()
}

/// The number of rows in which the votes of the posts differ from a fresh count.
pub const WRONG_VOTES: &str = "SELECT (SELECT count(*) FROM (SELECT v.post_id, count(*) AS votes, sum(v.points) AS points \
     FROM votes v GROUP BY v.post_id) f LEFT JOIN post_votes p ON p.post_id = f.post_id \
     WHERE p.post_id IS NULL OR p.votes <> f.votes OR p.points <> f.points) \
     + (SELECT count(*) FROM post_votes p WHERE NOT EXISTS (SELECT 1 FROM votes v WHERE v.post_id = p.post_id))";

/// An action: marks a comment.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
pub struct Flag {
    pub reason: String,
}

impl Action<Comment> for Flag {
    fn apply(&self, comment: &mut Comment, _: &Context) {
        comment.text = format!("flagged: {}", self.reason);
    }
}

/// A domain event: a comment was reported.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "reported", version = 1, upcast(0 = Reported::with_a_reason), aliases("complained"), key = comment)]
pub struct Reported {
    pub comment: i32,
    pub reason: String,
}

impl Reported {
    fn with_a_reason(payload: &mut RawPayload) {
        if !payload.has("reason") {
            payload.set("reason", "none");
        }
    }
}

/// A domain event of another type.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "closed")]
pub struct Closed;

impl Record {
    fn of_event(subscriber: &str, (event, key): (uuid::Uuid, &str), text: &str, attempt: u32) -> String {
        format!(
            "INSERT INTO seen (subscriber, event, ordered_by, text, attempt) VALUES ('{subscriber}', '{event}', \
             '{key}', '{text}', {attempt})"
        )
    }

    fn reported(event: &Delivery<'_, Reported>) -> String {
        Self::of_event(event.subscriber(), (event.id(), event.key()), &event.reason, event.attempt())
    }

    fn any(event: &Delivery<'_, AnyEvent>) -> String {
        Self::of_event(event.subscriber(), (event.id(), event.key()), event.name(), event.attempt())
    }

    fn of_reason(reason: &str, attempt: u32) -> Result<(), Failure> {
        match reason {
            "dead" => Err(Failure::dead("it is dead")),
            "once" if attempt == 1 => Err(Failure::retry("the first time")),
            _ => Ok(()),
        }
    }
}

impl<C: diesel::Connection> Handle<Reported, C> for Record {
    fn handle(&self, event: Delivery<'_, Reported>, conn: &mut C) -> Result<(), Failure> {
        SimpleConnection::batch_execute(conn, &Self::reported(&event))?;
        Self::of_reason(&event.reason, event.attempt())
    }
}

impl<C: diesel_async::AsyncConnection> HandleAsync<Reported, C> for Record {
    async fn handle(&self, event: Delivery<'_, Reported>, conn: &mut C) -> Result<(), Failure> {
        SimpleAsyncConnection::batch_execute(conn, &Self::reported(&event)).await?;
        Self::of_reason(&event.reason, event.attempt())
    }
}

impl<C: diesel::Connection> Handle<AnyEvent, C> for Record {
    fn handle(&self, event: Delivery<'_, AnyEvent>, conn: &mut C) -> Result<(), Failure> {
        SimpleConnection::batch_execute(conn, &Self::any(&event))?;
        Ok(())
    }
}

impl<C: diesel_async::AsyncConnection> HandleAsync<AnyEvent, C> for Record {
    async fn handle(&self, event: Delivery<'_, AnyEvent>, conn: &mut C) -> Result<(), Failure> {
        SimpleAsyncConnection::batch_execute(conn, &Self::any(&event)).await?;
        Ok(())
    }
}

/// Returns the SQL that creates the tables of this package.
#[must_use]
pub fn tables(database: Database) -> String {
    let key = match database {
        Database::Postgres => "INTEGER PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY",
        Database::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
    };
    let migrations = Migrations::new().log::<Post>().log::<Comment>().log::<Vote>().react();
    let migrations = migrations.up_sql(database);
    format!(
        "CREATE TABLE posts (id {key}, title TEXT NOT NULL);
         CREATE TABLE comments (id {key}, post_id INTEGER NOT NULL, text TEXT NOT NULL);
         CREATE TABLE post_counts (post_id INTEGER PRIMARY KEY, title TEXT NOT NULL, comments BIGINT NOT NULL);
         CREATE TABLE votes (id {key}, post_id INTEGER NOT NULL, points INTEGER NOT NULL);
         CREATE TABLE post_votes (post_id INTEGER PRIMARY KEY, votes BIGINT NOT NULL, points BIGINT NOT NULL);
         CREATE TABLE seen (number {key}, subscriber TEXT NOT NULL, event TEXT NOT NULL, ordered_by TEXT NOT NULL,
             text TEXT NOT NULL, attempt INTEGER NOT NULL);
         CREATE TABLE refs (id INTEGER REFERENCES posts (id) DEFERRABLE INITIALLY DEFERRED);
         {migrations}"
    )
}

/// The comments of each post.
#[must_use]
pub fn post_counts<C: Send + 'static>() -> Subscriber<C> {
    Projection::table("post_counts", "post_id")
        .select(POST_COUNTS)
        .columns(["title", "comments"])
        .keyed(Post::changes(), |post: &Post| post.id)
        .keyed(Comment::changes(), |comment: &Comment| comment.post_id)
        .into()
}

/// The `SELECT` of [`post_counts`].
pub const POST_COUNTS: &str = "SELECT p.id AS post_id, p.title, count(c.id) AS comments FROM posts p \
     LEFT JOIN comments c ON c.post_id = p.id WHERE p.id IN ({keys}) GROUP BY p.id, p.title";

/// The number of rows in which the derived table differs from a fresh count.
pub const WRONG_COUNTS: &str = "SELECT (SELECT count(*) FROM posts p WHERE NOT EXISTS (SELECT 1 FROM post_counts k \
     WHERE k.post_id = p.id AND k.title = p.title AND k.comments = (SELECT count(*) FROM comments c WHERE c.post_id = p.id))) \
     + (SELECT count(*) FROM post_counts k WHERE NOT EXISTS (SELECT 1 FROM posts p WHERE p.id = k.post_id))";

/// Ends the connection of a handler, on PostgreSQL.
const CUT: &str = "SELECT pg_terminate_backend(pg_backend_pid())";

/// Waits until nobody holds the lock of [`GATE`], on PostgreSQL.
const WAIT_AT_GATE: &str = "SELECT pg_advisory_xact_lock_shared(hashtext(current_schema()))";
/// Makes handlers of comments with the text `gate` wait, on PostgreSQL.
pub const GATE: &str = "SELECT pg_advisory_lock(hashtext(current_schema()))";

/// A handler that writes a row for each delivery, and then does what the comment's text says.
#[derive(Debug, Clone, Copy)]
pub struct Record;

impl Record {
    fn sql(comment: &Delivery<'_, Change<Comment>>) -> String {
        let text =
            comment.after().or(comment.before()).map(|comment| comment.text.clone()).unwrap_or_default();
        format!(
            "INSERT INTO seen (subscriber, event, ordered_by, text, attempt) VALUES ('{}', '{}', '{}', '{}', {})",
            comment.subscriber(),
            comment.id(),
            comment.key(),
            text.replace('\'', "''"),
            comment.attempt()
        )
    }

    fn outcome(comment: &Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        let text = comment.after().map(|comment| comment.text.as_str()).unwrap_or_default();
        match text {
            "retry" => Err(Failure::retry("it says so")),
            "once" if comment.attempt() == 1 => Err(Failure::retry("the first time")),
            "dead" => Err(Failure::dead("it is dead")),
            "discard" => Err(Failure::discard("of no use")),
            "nul" => Err(Failure::dead("a\0b")),
            "snooze" => Err(Failure::snooze(Duration::from_secs(3_600))),
            "panic" => panic!("the test wants this panic"),
            "kill" => std::process::abort(),
            _ => Ok(()),
        }
    }
}

impl<C: diesel::Connection> Handle<Change<Comment>, C> for Record {
    fn handle(&self, comment: Delivery<'_, Change<Comment>>, conn: &mut C) -> Result<(), Failure> {
        SimpleConnection::batch_execute(conn, &Self::sql(&comment))?;
        match comment.after().map(|comment| comment.text.as_str()) {
            Some("open") => SimpleConnection::batch_execute(conn, "COMMIT")?,
            Some("slow") => std::thread::sleep(Duration::from_millis(300)),
            Some("deferred") => SimpleConnection::batch_execute(conn, "INSERT INTO refs VALUES (-1)")?,
            Some("cut") => drop(SimpleConnection::batch_execute(conn, CUT)),
            Some("gate") => SimpleConnection::batch_execute(conn, WAIT_AT_GATE)?,
            Some("swallow") => drop(SimpleConnection::batch_execute(conn, "SELECT nothing FROM nowhere")),
            _ => {}
        }
        Self::outcome(&comment)
    }
}

impl<C: diesel_async::AsyncConnection> HandleAsync<Change<Comment>, C> for Record {
    async fn handle(&self, comment: Delivery<'_, Change<Comment>>, conn: &mut C) -> Result<(), Failure> {
        SimpleAsyncConnection::batch_execute(conn, &Self::sql(&comment)).await?;
        match comment.after().map(|comment| comment.text.as_str()) {
            Some("open") => SimpleAsyncConnection::batch_execute(conn, "COMMIT").await?,
            Some("slow") => tokio::time::sleep(Duration::from_millis(300)).await,
            Some("deferred") => {
                SimpleAsyncConnection::batch_execute(conn, "INSERT INTO refs VALUES (-1)").await?;
            }
            Some("cut") => drop(SimpleAsyncConnection::batch_execute(conn, CUT).await),
            Some("gate") => SimpleAsyncConnection::batch_execute(conn, WAIT_AT_GATE).await?,
            Some("swallow") => {
                drop(SimpleAsyncConnection::batch_execute(conn, "SELECT nothing FROM nowhere").await);
            }
            _ => {}
        }
        Self::outcome(&comment)
    }
}

impl Record {
    fn flagged(flag: &Delivery<'_, ActionChange<Comment, Flag>>) -> String {
        let before = flag.change.before().map(|comment| comment.text.clone()).unwrap_or_default();
        format!(
            "INSERT INTO seen (subscriber, event, ordered_by, text, attempt) VALUES ('{}', '{}', '{before}', '{}', {})",
            flag.subscriber(),
            flag.id(),
            flag.action.reason,
            flag.attempt()
        )
    }
}

impl<C: diesel::Connection> Handle<ActionChange<Comment, Flag>, C> for Record {
    fn handle(&self, flag: Delivery<'_, ActionChange<Comment, Flag>>, conn: &mut C) -> Result<(), Failure> {
        SimpleConnection::batch_execute(conn, &Self::flagged(&flag))?;
        Ok(())
    }
}

impl<C: diesel_async::AsyncConnection> HandleAsync<ActionChange<Comment, Flag>, C> for Record {
    async fn handle(
        &self,
        flag: Delivery<'_, ActionChange<Comment, Flag>>,
        conn: &mut C,
    ) -> Result<(), Failure> {
        SimpleAsyncConnection::batch_execute(conn, &Self::flagged(&flag)).await?;
        Ok(())
    }
}

/// A handler that writes a row for each domain event: the text of the comment before and after the change that the event was
/// published with.
#[derive(Debug, Clone, Copy)]
pub struct Explain;

impl Explain {
    fn sql<T>(event: &Delivery<'_, T>, change: Option<&Entry<Comment>>, is_of_post: bool) -> String {
        let text = |side: &Option<Comment>| side.as_ref().map_or("-", |side| &side.text).to_owned();
        let change = change.map_or("none".to_owned(), |change| {
            format!("{} {} {}", change.event.action(), text(&change.before), text(&change.after))
        });
        let change = if is_of_post { format!("{change}, of a post") } else { change };
        Record::of_event(event.subscriber(), (event.id(), event.key()), &change, event.attempt())
    }
}

/// A worker on threads or on tasks.
#[derive(Debug)]
pub enum Running {
    Threads(WorkerThreads),
    Tasks(WorkerTasks),
}

impl Running {
    #[must_use]
    pub fn status(&self) -> WorkerStatus {
        match self {
            Self::Threads(worker) => worker.status(),
            Self::Tasks(worker) => worker.status(),
        }
    }

    pub async fn stop(self) {
        let deadline = Duration::from_secs(60);
        match self {
            Self::Threads(worker) => worker.stop(deadline).expect("the worker stops"),
            Self::Tasks(worker) => worker.stop(deadline).await.expect("the worker stops"),
        }
    }
}

/// A connection, blocking or async, with what subscribers need of it.
#[expect(async_fn_in_trait, reason = "nobody else implements it")]
pub trait Kit: Face + Send + 'static {
    async fn drain(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError>;
    async fn drain_tolerant(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError>;
    async fn step_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError>;
    async fn try_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError>;
    /// Creates a subscriber to comments with [`Record`].
    fn recorder(name: &str) -> Subscriber<Self>;
    /// Creates a subscriber to reports with [`Record`].
    fn of_reports(name: &str, reports: Events<Reported>) -> Subscriber<Self>;
    /// Creates a subscriber to reports and to all domain events with [`Explain`].
    fn explainer(name: &str) -> Subscriber<Self>;
    /// Creates a subscriber to all domain events with [`Record`].
    fn of_all_events(name: &str) -> Subscriber<Self>;
    /// Creates a subscriber to comments whose effect is an outbox, of the kind that the connection is of.
    fn sender(name: &str, outbox: &Outbox) -> Subscriber<Self>;
    async fn start(worker: Worker<Self>, url: &str) -> Running {
        Self::try_start(worker, url).await.expect("a worker")
    }
    async fn try_start(worker: Worker<Self>, url: &str) -> Result<Running, StartError>;
}

macro_rules! blocking {
    ($conn:ty) => {
        impl Handle<Reported, $conn> for Explain {
            fn handle(&self, event: Delivery<'_, Reported>, conn: &mut $conn) -> Result<(), Failure> {
                let change = Run::run(event.change::<Comment>(), conn)?;
                let of_post = Run::run(event.change::<Post>(), conn)?.is_some();
                SimpleConnection::batch_execute(conn, &Self::sql(&event, change.as_ref(), of_post))?;
                Ok(())
            }
        }

        impl Handle<AnyEvent, $conn> for Explain {
            fn handle(&self, event: Delivery<'_, AnyEvent>, conn: &mut $conn) -> Result<(), Failure> {
                let change = Run::run(event.change::<Comment>(), conn)?;
                let of_post = Run::run(event.change::<Post>(), conn)?.is_some();
                SimpleConnection::batch_execute(conn, &Self::sql(&event, change.as_ref(), of_post))?;
                Ok(())
            }
        }

        impl Kit for $conn {
            async fn drain(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::drain(subscriber, self)
            }
            async fn drain_tolerant(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::drain_tolerant(subscriber, self)
            }
            async fn step_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::step_once(subscriber, self)
            }
            async fn try_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::try_once(subscriber, self)
            }
            fn recorder(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(Comment::changes(), Record)
            }
            fn of_reports(name: &str, reports: Events<Reported>) -> Subscriber<Self> {
                Subscriber::new(name).on(reports, Record)
            }
            fn explainer(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(Reported::events(), Explain).on(DomainEvents::all(), Explain)
            }
            fn of_all_events(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(DomainEvents::all(), Record)
            }
            fn sender(name: &str, outbox: &Outbox) -> Subscriber<Self> {
                Subscriber::new(name).effect(Comment::changes(), outbox.clone())
            }
            async fn try_start(worker: Worker<Self>, url: &str) -> Result<Running, StartError> {
                let url = url.to_owned();
                let connect = move || evented_tests::db::connect::<$conn>(&url);
                worker.start(connect).map(Running::Threads)
            }
        }
    };
}

macro_rules! awaiting {
    ($conn:ty) => {
        impl HandleAsync<Reported, $conn> for Explain {
            async fn handle(&self, event: Delivery<'_, Reported>, conn: &mut $conn) -> Result<(), Failure> {
                let change = RunAsync::run(event.change::<Comment>(), conn).await?;
                let of_post = RunAsync::run(event.change::<Post>(), conn).await?.is_some();
                SimpleAsyncConnection::batch_execute(conn, &Self::sql(&event, change.as_ref(), of_post))
                    .await?;
                Ok(())
            }
        }

        impl HandleAsync<AnyEvent, $conn> for Explain {
            async fn handle(&self, event: Delivery<'_, AnyEvent>, conn: &mut $conn) -> Result<(), Failure> {
                let change = RunAsync::run(event.change::<Comment>(), conn).await?;
                let of_post = RunAsync::run(event.change::<Post>(), conn).await?.is_some();
                SimpleAsyncConnection::batch_execute(conn, &Self::sql(&event, change.as_ref(), of_post))
                    .await?;
                Ok(())
            }
        }

        impl Kit for $conn {
            async fn drain(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::drain_async(subscriber, self).await
            }
            async fn drain_tolerant(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::drain_tolerant_async(subscriber, self).await
            }
            async fn step_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::step_once_async(subscriber, self).await
            }
            async fn try_once(&mut self, subscriber: &Subscriber<Self>) -> Result<Drained, DrainError> {
                testing::try_once_async(subscriber, self).await
            }
            fn recorder(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(Comment::changes(), Record)
            }
            fn of_reports(name: &str, reports: Events<Reported>) -> Subscriber<Self> {
                Subscriber::new(name).on(reports, Record)
            }
            fn explainer(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(Reported::events(), Explain).on(DomainEvents::all(), Explain)
            }
            fn of_all_events(name: &str) -> Subscriber<Self> {
                Subscriber::new(name).on(DomainEvents::all(), Record)
            }
            fn sender(name: &str, outbox: &Outbox) -> Subscriber<Self> {
                Subscriber::new(name).effect::<_, Asynchronous>(Comment::changes(), outbox.clone())
            }
            async fn try_start(worker: Worker<Self>, url: &str) -> Result<Running, StartError> {
                let url = url.to_owned();
                let connect = move || {
                    let url = url.clone();
                    async move { evented_tests::db::connect_async::<$conn>(&url).await }
                };
                worker.spawn(connect).await.map(Running::Tasks)
            }
        }
    };
}

blocking!(PgConnection);
blocking!(SqliteConnection);
awaiting!(AsyncPgConnection);
awaiting!(SyncConnectionWrapper<SqliteConnection>);

/// Creates a database with the tables of this package.
pub async fn fresh<C: Kit>() -> Db<C> {
    let mut db = Db::<C>::new().await;
    db.sql(&tables(Db::<C>::DATABASE)).await;
    db
}

/// Waits until a query returns a number, for at most 200 seconds: a machine can be busy.
pub async fn eventually<C: Kit>(db: &mut Db<C>, sql: &str, expected: i64) {
    poll(db, None, sql, expected).await;
}

/// Waits like [`eventually`]. Deliveries whose process was killed three times while it ran them are tried again, as an operator
/// would do: a worker cannot tell a kill from a handler that ends its process.
pub async fn eventually_with_retries<C: Kit>(db: &mut Db<C>, subscriber: &str, sql: &str, expected: i64) {
    poll(db, Some(subscriber), sql, expected).await;
}

/// How many deliveries may be accused wrongly. Each accusation takes three kills.
const MOST_ACCUSED: i64 = 20;

async fn poll<C: Kit>(db: &mut Db<C>, retried: Option<&str>, sql: &str, expected: i64) {
    let accused =
        "SELECT count(*) FROM evented_deferred WHERE state = 'dead' AND error LIKE '%has ended the process%'";
    let mut found = 0;
    // Shorter than the time after which the test itself is ended: its message says what is wrong.
    let deadline = Instant::now() + Duration::from_secs(200);
    while Instant::now() < deadline {
        if db.number(sql).await == expected {
            return;
        }
        if let Some(subscriber) = retried {
            let accused = db.number(accused).await;
            if accused > 0 {
                // Kills are few: an accusation of each event would be a fault.
                found += accused;
                assert!(found <= MOST_ACCUSED, "{found} deliveries are said to have ended their process");
                db.run(retry(subscriber, Which::All)).await.expect("deliveries are tried again");
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{sql} is {} after 200 seconds, not {expected}", db.number(sql).await);
}

/// Checks that every event of a comment was recorded once by the subscriber `audit`, and that the derived table equals a
/// fresh count. A worker handles what is left first.
pub async fn holds<C: Kit>(db: &mut Db<C>) {
    let audit = C::recorder("audit").from(evented_react::From::Beginning);
    let worker = Worker::new().subscribe(audit).subscribe(post_counts()).lease(Duration::from_millis(400));
    let worker = C::start(worker, &db.url).await;
    let events = db.number("SELECT count(*) FROM comments_events").await;
    eventually_with_retries(db, "audit", "SELECT count(DISTINCT event) FROM seen", events).await;
    eventually_with_retries(db, "audit", "SELECT count(*) FROM evented_deferred", 0).await;
    eventually(db, WRONG_COUNTS, 0).await;
    worker.stop().await;
    assert_eq!(db.number("SELECT count(*) FROM seen").await, events, "an event was handled twice");
    let swapped = "SELECT count(*) FROM seen a JOIN seen b ON a.ordered_by = b.ordered_by AND a.number < b.number \
                   JOIN comments_events x ON CAST(x.id AS TEXT) = a.event JOIN comments_events y ON CAST(y.id AS TEXT) = b.event \
                   WHERE x.revision > y.revision";
    if Db::<C>::DATABASE == Database::Postgres {
        assert_eq!(db.number(swapped).await, 0, "two events of a record were handled in the wrong order");
    }
}
