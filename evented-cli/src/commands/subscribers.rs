//! `subscribers` and `subscriber`: shows and manages durable subscribers.

use serde::Serialize;

use crate::arguments::Subscriber as Asked;
use crate::failure::Failure;
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_react::{Lag, SetAside, SetAsideState, SubscriberStatus};

/// The result of a subcommand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Done {
    /// `subscribers`: the state of each registered subscriber.
    Listed { subscribers: Vec<SubscriberStatus> },
    /// `lag`: how far the subscriber is behind each of its logs.
    Behind { subscriber: String, logs: Vec<Lag> },
    /// `aside`: the deliveries, whether only dead ones were asked for, and whether the list has all of them.
    Aside {
        subscriber: String,
        set_aside: Vec<SetAside>,
        complete: bool,
        #[serde(skip)]
        dead: bool,
    },
    /// `retry`: how many deliveries are tried again.
    Retried { subscriber: String, retried: usize },
    /// `skip`: how many deliveries were skipped.
    Skipped { subscriber: String, skipped: usize },
    /// `pause` and `resume`: whether the subscriber is paused now.
    Paused { subscriber: String, paused: bool },
    /// `resize`: how many parts the subscriber has now.
    Resized { subscriber: String, parts: u16 },
    /// `adopt`: the subscriber runs in this database, and whether it skipped what was pending.
    Adopted { subscriber: String, adopted: bool, skipped_pending: bool },
    /// `unsubscribe`: the subscriber was removed.
    Unsubscribed { subscriber: String, removed: bool },
}

/// The most deliveries that `evented_react::set_aside` lists.
pub(crate) const MOST_LISTED: usize = 10_000;

/// Fails if a subcommand that loses something is not confirmed.
pub(crate) fn must_be_confirmed(asked: &Asked) -> Result<(), Failure> {
    match asked {
        Asked::Unsubscribe { name, yes: false } => Err(Failure::new(format!(
            "unsubscribe removes the progress of `{name}` and everything that it has set aside: pass --yes to \
             confirm"
        ))),
        _ => Ok(()),
    }
}

/// Lists the registered subscribers.
pub(crate) async fn list<DB: EventedBackend, E: Executor<DB>>(executor: &mut E) -> Result<Done, Failure> {
    Ok(Done::Listed { subscribers: evented_react::subscribers().perform(executor).await? })
}

/// Runs a subcommand about one subscriber.
pub(crate) async fn run<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    asked: Asked,
) -> Result<Done, Failure> {
    Ok(match asked {
        Asked::Lag { name } => {
            let logs = evented_react::lag(&name).perform(executor).await?;
            must_be_registered(executor, &name, !logs.is_empty()).await?;
            Done::Behind { subscriber: name, logs }
        }
        Asked::Aside { name, dead } => {
            let mut set_aside = evented_react::set_aside(&name).perform(executor).await?;
            must_be_registered(executor, &name, !set_aside.is_empty()).await?;
            let complete = set_aside.len() < MOST_LISTED;
            set_aside.retain(|delivery| !dead || needs_somebody(delivery));
            Done::Aside { subscriber: name, set_aside, complete, dead }
        }
        Asked::Retry { name, which } => {
            let retried = evented_react::retry(&name, which.into()).perform(executor).await?;
            must_be_registered(executor, &name, retried > 0).await?;
            Done::Retried { subscriber: name, retried }
        }
        Asked::Skip { name, which } => {
            let skipped = evented_react::skip(&name, which.into()).perform(executor).await?;
            must_be_registered(executor, &name, skipped > 0).await?;
            Done::Skipped { subscriber: name, skipped }
        }
        Asked::Pause { name } => {
            if !evented_react::pause(&name).perform(executor).await? {
                return Err(unknown(executor, &name).await?);
            }
            Done::Paused { subscriber: name, paused: true }
        }
        Asked::Resume { name } => {
            if !evented_react::resume(&name).perform(executor).await? {
                return Err(unknown(executor, &name).await?);
            }
            Done::Paused { subscriber: name, paused: false }
        }
        Asked::Resize { name, parts } => {
            if !evented_react::resize(&name, parts).perform(executor).await? {
                return Err(unknown(executor, &name).await?);
            }
            Done::Resized { subscriber: name, parts }
        }
        Asked::Adopt { name, skip_pending } => {
            let adopt = evented_react::adopt(&name);
            let adopt = if skip_pending { adopt.skip_pending() } else { adopt };
            if !adopt.perform(executor).await? {
                return Err(unknown(executor, &name).await?);
            }
            Done::Adopted { subscriber: name, adopted: true, skipped_pending: skip_pending }
        }
        Asked::Unsubscribe { name, yes: _ } => {
            if !evented_react::unsubscribe(&name).perform(executor).await? {
                return Err(unknown(executor, &name).await?);
            }
            Done::Unsubscribed { subscriber: name, removed: true }
        }
    })
}

/// Whether a delivery counts as dead in [`SubscriberStatus::dead`].
fn needs_somebody(delivery: &SetAside) -> bool {
    matches!(delivery.state, SetAsideState::Dead | SetAsideState::PassedOver | SetAsideState::Unreadable)
}

/// Fails if a subscriber is not registered. `found`: something of it was found, so it is.
async fn must_be_registered<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
    found: bool,
) -> Result<(), Failure> {
    if found {
        return Ok(());
    }
    let registered = names(executor).await?;
    if registered.iter().any(|it| it == name) { Ok(()) } else { Err(no_such(name, &registered)) }
}

/// Returns the failure for a subscriber that an operation did not find.
async fn unknown<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: &str,
) -> Result<Failure, Failure> {
    Ok(no_such(name, &names(executor).await?))
}

async fn names<DB: EventedBackend, E: Executor<DB>>(executor: &mut E) -> Result<Vec<String>, Failure> {
    let registered = evented_react::subscribers().perform(executor).await?;
    Ok(registered.into_iter().map(|subscriber| subscriber.name).collect())
}

fn no_such(name: &str, registered: &[String]) -> Failure {
    match registered {
        [] => Failure::new(format!("there is no subscriber `{name}`: this database has none")),
        registered => Failure::new(format!(
            "there is no subscriber `{name}`; this database has {}",
            registered.join(", ")
        )),
    }
}
