//! Lists subscribers, pauses them, and removes them.

use evented_diesel::spi::{EventedBackend, Executor, Operation, Transaction, sealed};
use evented_diesel::{Bus, DomainEvent, Error};
use serde::Serialize;

use crate::divide::lock_all;
use crate::operations::aside::duration;
use crate::store::{self, AsideCount, LiveRow, SubscriberRow, load, subject, write};

/// A registered subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SubscriberStatus {
    /// The name.
    pub name: String,
    /// The version.
    pub version: i32,
    /// The number of parts.
    pub parts: i32,
    /// Whether it is paused.
    pub paused: bool,
    /// Why it does not go on: the database was restored or copied.
    pub stalled: Option<String>,
    /// The workers that serve it and were seen in the last minute.
    pub workers: Vec<LiveWorker>,
    /// How many deliveries are set aside, with those that are dead.
    pub set_aside: u64,
    /// How many deliveries are not tried again until somebody says so.
    pub dead: u64,
}

/// A worker that serves a subscriber.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LiveWorker {
    /// The name of the machine; empty if it is not known.
    pub host: String,
    /// The id of the process.
    pub pid: i64,
    /// How long ago it was seen, in milliseconds.
    pub seen_ms_ago: u64,
}

/// Lists the registered subscribers, by name.
pub fn subscribers() -> Subscribers {
    Subscribers { takes: None }
}

/// Lists the registered subscribers of a domain event, by name, with those of every event of its bus. The filters of a subscriber are
/// in its program: the list has it also if they accept no such event.
pub fn subscribers_of<E: DomainEvent>() -> Subscribers {
    let of = |name: &str| format!("{} {name}", E::Bus::TABLE);
    let names = E::ALIASES.iter().copied().chain([E::NAME, "*"]);
    Subscribers { takes: Some(names.map(of).collect()) }
}

/// Lists the registered subscribers. Returned by [`subscribers`] and [`subscribers_of`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Subscribers {
    /// Those that take one of these; `None`: all.
    takes: Option<Vec<String>>,
}

impl Subscribers {
    fn includes(&self, row: &SubscriberRow) -> bool {
        let is_taken = |line: &str| self.takes.as_ref().is_none_or(|takes| takes.iter().any(|it| it == line));
        self.takes.is_none() || row.inputs.lines().any(is_taken)
    }
}

/// Within how many milliseconds a worker was seen that is listed.
const SEEN_WITHIN: i64 = 60_000;

impl sealed::Operation for Subscribers {}

impl<DB: EventedBackend> Operation<DB> for Subscribers {
    type Output = Vec<SubscriberStatus>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<SubscriberStatus>, Error> {
        let mut all = Vec::new();
        let rows = load::<SubscriberRow, _, _>(executor, store::subscribers()).await?;
        for row in rows.into_iter().filter(|row| self.includes(row)) {
            let workers =
                load::<LiveRow, _, _>(executor, store::live_workers(&row.name, row.version, SEEN_WITHIN))
                    .await?;
            let aside = load::<AsideCount, _, _>(executor, store::count_aside(&row.name)).await?;
            let AsideCount { set_aside, dead } =
                aside.into_iter().next().unwrap_or(AsideCount { set_aside: 0, dead: 0 });
            let workers = workers.into_iter().map(|worker| LiveWorker {
                host: worker.host,
                pid: worker.pid,
                seen_ms_ago: u64::try_from(duration(worker.unseen).as_millis()).unwrap_or(u64::MAX),
            });
            all.push(SubscriberStatus {
                workers: workers.collect(),
                set_aside,
                dead,
                name: row.name,
                version: row.version,
                parts: row.division.parts,
                paused: row.paused,
                stalled: row.stalled,
            });
        }
        Ok(all)
    }
}

/// Pauses a subscriber: within a second its workers handle nothing more, until [`resume`]. Nothing is missed. Returns
/// whether it is registered.
pub fn pause(subscriber: impl Into<String>) -> Pause {
    Pause { subscriber: subscriber.into(), paused: true }
}

/// Lets a paused subscriber go on where it was. Returns whether it is registered.
pub fn resume(subscriber: impl Into<String>) -> Pause {
    Pause { subscriber: subscriber.into(), paused: false }
}

/// Pauses or resumes a subscriber. Returned by [`pause`] and [`resume`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Pause {
    subscriber: String,
    paused: bool,
}

impl sealed::Operation for Pause {}

impl<DB: EventedBackend> Operation<DB> for Pause {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        let changed = write(executor, store::pause(&self.subscriber, self.paused)).await;
        changed.map(|rows| rows > 0).map_err(|error| error.about(subject(&self.subscriber)))
    }
}

/// Removes a subscriber with its progress and everything that it has set aside, as soon as no worker handles a batch of it. A
/// worker that serves it writes nothing more. Registered again, it begins as one that never was. Returns whether it was registered.
pub fn unsubscribe(subscriber: impl Into<String>) -> Unsubscribe {
    Unsubscribe { subscriber: subscriber.into() }
}

/// Removes a subscriber. Returned by [`unsubscribe`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Unsubscribe {
    subscriber: String,
}

impl sealed::Operation for Unsubscribe {}

impl<DB: EventedBackend> Operation<DB> for Unsubscribe {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        let name = subject(&self.subscriber);
        let transaction = Transaction::around(executor, &name, true).await?;
        let removed = remove(executor, &self.subscriber).await;
        let removed = transaction.close(executor, &name, removed).await;
        removed.map(|rows| rows > 0).map_err(|error| error.about(name))
    }
}

async fn remove<DB: EventedBackend, E: Executor<DB>>(executor: &mut E, name: &str) -> Result<usize, Error> {
    // In the order of every other change of a subscriber: two that lock rows in different orders end one another.
    write(executor, store::lock_subscriber(name)).await?;
    let rows = load::<SubscriberRow, _, _>(executor, store::subscriber_row(name)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(0) };
    lock_all(executor, name, row.division.parts).await?;
    // SQLite checks foreign keys only where the connection asks for it: each table is emptied by name.
    for table in ["evented_deferred", "evented_cursors", "evented_parts", "evented_workers"] {
        write(executor, store::unsubscribe(table, name)).await?;
    }
    write(executor, store::unsubscribe("evented_subscribers", name)).await
}
