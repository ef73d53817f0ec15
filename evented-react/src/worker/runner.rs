//! The loop of a runner: it handles the deliveries of one part after the other, on a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use evented_diesel::spi::EventedBackend;
use evented_feed::spi::{Connector, Pace};

use crate::division::Division;
use crate::due::{due_now, find, is_of_another_part};
use crate::item::Item;
use crate::lend::Lend;
use crate::part::{Part, Undone};
use crate::settle::{Settled, store_outcomes};
use crate::step::{Batching, Next, step, step_due};
use crate::subscriber::Subscriber;
use crate::telemetry;
use crate::worker::connection::Link;
use crate::worker::flights::DueFlight;
use crate::worker::job::{Job, JobResult, JobWork};
use crate::worker::shared::{LoopGuard, RunnerGuard, Shared};

/// The longest time that a runner waits before it looks for work again.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Runs until the worker stops.
pub(super) async fn run<DB, K, P>(shared: &Shared<<K::Executor as Lend<DB>>::Conn>, mut link: Link<DB, K, P>)
where
    DB: EventedBackend,
    K: Connector<DB, Executor: Lend<DB>>,
    P: Pace,
{
    let _guard = LoopGuard(shared);
    let _counted = RunnerGuard::new(shared);
    loop {
        let work = shared.listen_for_work();
        if shared.is_stopping() && !shared.has_flights() {
            return;
        }
        let job = match shared.next_job() {
            Ok(job) => job,
            Err(next) => {
                let wait = next.map_or(LONGEST_WAIT, |next| next.saturating_duration_since(Instant::now()));
                link.pace.wait_for(work, wait.min(LONGEST_WAIT)).await;
                continue;
            }
        };
        let Some(executor) = link.executor(shared).await else { return };
        let done = one::<DB, K::Executor>(shared, executor, job).await;
        // The part has pauses of its own: those of the connection must not grow with each job that loses it.
        link.works();
        if let Err(reason) = done {
            link.lose(shared, &reason);
        }
    }
}

/// Does a job.
///
/// # Errors
///
/// The reason why the connection is of no further use.
async fn one<DB: EventedBackend, E: Lend<DB>>(
    shared: &Shared<E::Conn>,
    executor: &mut E,
    mut job: Job<'_, E::Conn>,
) -> Result<(), String> {
    let Some(served) = shared.served.get(job.id.subscriber) else { return Ok(()) };
    let part = Part {
        number: job.id.part,
        division: job.division,
        owner: Some((shared.id, job.id.fence)),
        streams: &served.streams,
        marked: false,
    };
    let (next, is_due) = match &job.work {
        JobWork::Items(items) => {
            (step(executor, &served.subscriber, part, items, &mut job.batching).await, false)
        }
        JobWork::Ended(settlement) => {
            let settled = store_outcomes(executor, &served.subscriber, part, settlement).await;
            return stored(shared, &served.subscriber.name, job, settled);
        }
        JobWork::Due if served.subscriber.has_effects && !job.batching.runs_alone() => {
            return try_effects_again(shared, executor, &served.subscriber, part, job).await;
        }
        JobWork::Due => match try_due(executor, &served.subscriber, part, &mut job.batching).await {
            Due::Tried(next) => (next, true),
            Due::None { next } => {
                job.end(JobResult::Due { next });
                return Ok(());
            }
        },
    };
    if let Next::Took { handled, set_aside, .. } = next {
        shared.succeeded();
        shared.count(handled, set_aside);
        telemetry::handled(&served.subscriber.name, handled);
    }
    let mut lost = None;
    let result = match next {
        // At once again: this may have made the next delivery of the key due.
        Next::Took { .. } if is_due => JobResult::Due { next: Some(Duration::ZERO) },
        Next::Took { taken, set_aside, .. } => JobResult::Took { taken, set_aside },
        Next::Again(wait) if is_due => JobResult::Due { next: Some(wait) },
        Next::Again(wait) => JobResult::Again(wait),
        Next::Lost => {
            telemetry::lost(&served.subscriber.name, job.id.part);
            JobResult::Lost
        }
        Next::Reconnect(reason) => {
            lost = Some(reason);
            if is_due { JobResult::Due { next: Some(SOON) } } else { JobResult::Again(SOON) }
        }
    };
    job.end(result);
    lost.map_or(Ok(()), Err)
}

/// The time after which a part is tried again whose connection was lost.
const SOON: Duration = Duration::from_millis(20);

/// Whether a delivery was due.
enum Due {
    Tried(Next),
    /// None was. The next one is after this time.
    None {
        next: Option<Duration>,
    },
}

/// Tries the delivery of a part again whose time came first.
async fn try_due<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    batching: &mut Batching,
) -> Due {
    match due_now(executor, subscriber, part.number).await {
        Ok((rows, next)) => match rows.first() {
            Some(row) => Due::Tried(step_due(executor, subscriber, part, row, batching).await),
            None => {
                Due::None { next: next.map(|millis| Duration::from_millis(millis.max(1).unsigned_abs())) }
            }
        },
        Err(error) => Due::Tried(Next::Reconnect(error.to_string())),
    }
}

/// Gives the deliveries of a part that are due to the effects that run.
async fn try_effects_again<DB: EventedBackend, E: Lend<DB>>(
    shared: &Shared<E::Conn>,
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    job: Job<'_, E::Conn>,
) -> Result<(), String> {
    let division = shared.division(job.id.subscriber);
    match begin_due(executor, subscriber, part, division.as_ref(), shared.due_of(job.id)).await {
        Ok((due, next)) => {
            shared.set_due(job.id, due);
            job.end(JobResult::Due { next });
            Ok(())
        }
        Err(Undone::Database(error)) => {
            job.end(JobResult::Due { next: Some(SOON) });
            Err(error.to_string())
        }
        Err(_) => {
            job.end(JobResult::Due { next: Some(SOON) });
            Ok(())
        }
    }
}

/// Ends a job that has stored how effects ended.
fn stored<C>(
    shared: &Shared<C>,
    subscriber: &str,
    job: Job<'_, C>,
    mut settled: Settled,
) -> Result<(), String> {
    shared.count(settled.handled, settled.set_aside);
    telemetry::handled(subscriber, settled.handled);
    let (wait, lost) = match settled.undone.take() {
        None => {
            shared.succeeded();
            (None, None)
        }
        Some(Next::Lost) => {
            telemetry::lost(subscriber, job.id.part);
            job.end(JobResult::Lost);
            return Ok(());
        }
        Some(Next::Reconnect(reason)) => (Some(SOON), Some(reason)),
        Some(Next::Again(wait)) => (Some(wait), None),
        Some(Next::Took { .. }) => (None, None),
    };
    job.end(JobResult::Stored { settled, wait });
    lost.map_or(Ok(()), Err)
}

/// Reads the deliveries of a part that are due, except those that run, and the time until the next one.
async fn begin_due<DB: EventedBackend, E: Lend<DB>>(
    executor: &mut E,
    subscriber: &Subscriber<E::Conn>,
    part: Part<'_>,
    division: Option<&Division>,
    running: Vec<i64>,
) -> Result<(Vec<DueFlight<E::Conn>>, Option<Duration>), Undone> {
    let (rows, next) = due_now(executor, subscriber, part.number).await?;
    let mut due = Vec::new();
    for row in rows.into_iter().filter(|row| !running.contains(&row.number)) {
        let items = match find(executor, subscriber, part, &row).await {
            Ok(items) => items,
            Err(Undone::Failed { failure, .. }) => {
                let (items, to_run) = (Vec::new(), Vec::new());
                due.push(DueFlight { row, items, to_run, result: Some(Err(failure)), is_running: false });
                continue;
            }
            Err(other) => return Err(other),
        };
        let of_part = |item: &&Arc<Item<E::Conn>>| {
            division.is_none_or(|division| !is_of_another_part(division, &row, item))
        };
        let to_run =
            items.iter().filter(of_part).filter(|item| item.key == row.key).map(Arc::clone).collect();
        due.push(DueFlight { row, items, to_run, result: None, is_running: false });
    }
    Ok((due, next.map(|millis| Duration::from_millis(millis.max(1).unsigned_abs()))))
}
