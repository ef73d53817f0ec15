//! The loop that keeps a worker alive in the database, has it take and give back parts, and publishes what is due.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use evented_diesel::Error;
use evented_diesel::spi::{DELAYED_CHUNK, EventedBackend, Executor, Statement, publish_due_of};
use evented_feed::spi::{Connector, Pace};

use crate::lend::Lend;
#[cfg(feature = "cron")]
use crate::run_schedules::run_schedule;
use crate::store::{self, Nothing, load, write};
use crate::worker::connection::Link;
#[cfg(feature = "metrics")]
use crate::worker::gauges::Gauges;
use crate::worker::share::{divide, give_back};
use crate::worker::shared::{LoopGuard, Shared};

/// The longest time between two beats.
const LONGEST_BEAT: Duration = Duration::from_secs(1);
/// How many milliseconds the loop waits at most for transactions of the application that hold up delayed events.
const PATIENCE: i64 = 500;
/// After how many leases a worker that is not seen is forgotten.
const FORGOTTEN: i64 = 20;

/// Runs until the worker stops, and its parts are given back.
pub(super) async fn run<DB, K, P>(shared: &Shared<<K::Executor as Lend<DB>>::Conn>, mut link: Link<DB, K, P>)
where
    DB: EventedBackend,
    K: Connector<DB, Executor: Lend<DB>>,
    P: Pace,
{
    let _guard = LoopGuard(shared);
    let beat = (shared.lease / 5).min(LONGEST_BEAT);
    #[cfg(feature = "metrics")]
    let mut gauges = Gauges::new();
    loop {
        let control = shared.listen_for_control();
        let began = Instant::now();
        // A worker that stops and has no connection cannot give its parts back: they are free after the lease.
        let Some(executor) = link.executor(shared).await else { return };
        let done = if shared.is_stopping() {
            leave(executor, shared).await
        } else {
            one_beat(executor, shared).await
        };
        match done {
            Ok(true) => return,
            Ok(false) => {
                #[cfg(feature = "metrics")]
                {
                    let reported = gauges.report(executor, shared).await;
                    if let Err(error) = noted(executor, shared, reported).await {
                        link.lose(shared, &error.to_string());
                        continue;
                    }
                }
                link.works();
                let wait = beat.saturating_sub(began.elapsed());
                link.pace.wait_for(control, wait).await;
            }
            Err(error) => link.lose(shared, &error.to_string()),
        }
    }
}

/// Gives back the parts that no runner works on. Returns whether that is all of them.
async fn leave<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<bool, Error> {
    for owned in &mut shared.state().owned_parts {
        owned.is_leaving = true;
    }
    give_back(executor, shared).await?;
    if shared.runners.load(Ordering::SeqCst) == 0 {
        // Nobody stores how effects ended. The parts are free after the lease.
        shared.state().owned_parts.clear();
    }
    if !shared.state().owned_parts.is_empty() {
        // Effects that run may take long: nobody takes their parts meanwhile.
        be_seen(executor, shared).await?;
        return Ok(false);
    }
    write(executor, store::remove_worker(shared.id)).await?;
    Ok(true)
}

async fn one_beat<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<bool, Error> {
    be_seen(executor, shared).await?;
    for (index, served) in shared.served.iter().enumerate() {
        divide(executor, shared, index, served).await?;
    }
    give_back(executor, shared).await?;
    publish_what_is_due(executor, shared).await?;
    write(executor, store::sweep(FORGOTTEN * shared.lease_millis())).await?;
    Ok(false)
}

/// Publishes delayed events, and those of schedules. An event that cannot be published holds up nothing but delayed events of its bus.
/// A copy of the database publishes nothing until its subscribers are adopted.
async fn publish_what_is_due<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<(), Error> {
    if shared.state().in_copy.contains(&true) {
        return Ok(());
    }
    let buses = i64::try_from(shared.buses.len().max(1)).unwrap_or(i64::MAX);
    let patience = (PATIENCE.min(shared.lease_millis() / 4) / buses).max(1);
    #[cfg(feature = "cron")]
    for schedule in &shared.schedules {
        let published = run_schedule(executor, schedule).await;
        noted(executor, shared, published).await?;
    }
    for bus in &shared.buses {
        let published = publish_due_of(executor, bus, None, Some(patience)).await;
        if noted(executor, shared, published).await? == Some(DELAYED_CHUNK) {
            // There may be more. The worker is seen in between.
            shared.announce_control();
        }
    }
    Ok(())
}

/// Reports an error, and goes on if the connection still answers.
async fn noted<T, DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
    result: Result<T, Error>,
) -> Result<Option<T>, Error> {
    let error = match result {
        Ok(value) => return Ok(Some(value)),
        Err(error) => error,
    };
    load::<Nothing, _, _>(executor, Statement::new("SELECT 1")).await?;
    shared.failed(&error.to_string());
    Ok(None)
}

/// Stores that the worker lives.
async fn be_seen<DB: EventedBackend, E: Executor<DB>, C>(
    executor: &mut E,
    shared: &Shared<C>,
) -> Result<(), Error> {
    let began = Instant::now();
    let pid = i64::from(std::process::id());
    let host = host();
    for served in &shared.served {
        let subscriber = &served.subscriber;
        let row = store::insert_worker(shared.id, &subscriber.name, subscriber.version, &host, pid);
        write(executor, row).await?;
    }
    // When it began: the database has seen the worker later than that.
    let late = shared.state().last_beat.replace(began).is_some_and(|last| last + shared.lease < began);
    if late {
        shared.announce_work();
    }
    Ok(())
}

/// Returns the name of this machine, for people.
fn host() -> String {
    let name = std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty());
    let from_file = || std::fs::read_to_string("/etc/hostname").ok().map(|name| name.trim().to_owned());
    name.or_else(from_file).unwrap_or_default()
}
