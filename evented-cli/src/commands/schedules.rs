//! `schedules` and `schedule`: lists and removes schedules.

use serde::Serialize;

use crate::failure::Failure;
use evented_diesel::spi::{EventedBackend, Executor, Operation};
use evented_react::ScheduleStatus;

/// The result of a subcommand.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Done {
    /// `schedules`: the registered schedules.
    Listed { schedules: Vec<ScheduleStatus> },
    /// `remove`: the schedule was removed.
    Removed { schedule: String, removed: bool },
}

/// Lists the registered schedules.
pub(crate) async fn list<DB: EventedBackend, E: Executor<DB>>(executor: &mut E) -> Result<Done, Failure> {
    Ok(Done::Listed { schedules: evented_react::schedules().perform(executor).await? })
}

/// Removes a schedule. Fails if it is not registered.
pub(crate) async fn remove<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    name: String,
) -> Result<Done, Failure> {
    if evented_react::unschedule(&name).perform(executor).await? {
        return Ok(Done::Removed { schedule: name, removed: true });
    }
    let registered = evented_react::schedules().perform(executor).await?;
    let names: Vec<String> = registered.into_iter().map(|schedule| schedule.name).collect();
    Err(Failure::new(match names.as_slice() {
        [] => format!("there is no schedule `{name}`: this database has none"),
        names => format!("there is no schedule `{name}`; this database has {}", names.join(", ")),
    }))
}
