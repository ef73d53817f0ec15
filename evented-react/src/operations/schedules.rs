//! Lists schedules, and removes them.

use chrono::{DateTime, Utc};
use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, sealed};
use serde::Serialize;

use crate::store::{self, ScheduleRow, load, write};

/// Lists the schedules that workers have registered.
pub fn schedules() -> Schedules {
    Schedules
}

/// Lists schedules. Returned by [`schedules`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Schedules;

/// A schedule in the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScheduleStatus {
    /// The name.
    pub name: String,
    /// The version.
    pub version: i32,
    /// The expression of cron.
    pub cron: String,
    /// The time zone.
    pub zone: String,
    /// When it is due next; `None` if no time matches it any more.
    pub next_due: Option<DateTime<Utc>>,
    /// For which time it has published an event last; `None` if it has not.
    pub last_due: Option<DateTime<Utc>>,
}

impl From<ScheduleRow> for ScheduleStatus {
    fn from(row: ScheduleRow) -> Self {
        let time = |millis: Option<i64>| millis.and_then(DateTime::from_timestamp_millis);
        Self {
            next_due: time(row.next_due),
            last_due: time(row.last_due),
            name: row.name,
            version: row.version,
            cron: row.cron,
            zone: row.zone,
        }
    }
}

impl sealed::Operation for Schedules {}

impl<DB: EventedBackend> Operation<DB> for Schedules {
    type Output = Vec<ScheduleStatus>;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<Vec<ScheduleStatus>, Error> {
        let rows = load::<ScheduleRow, _, _>(executor, store::schedules()).await?;
        Ok(rows.into_iter().map(ScheduleStatus::from).collect())
    }
}

/// Removes a schedule. A worker that has it publishes nothing more, and registers it again when it is started. Returns whether it was
/// there.
pub fn unschedule(schedule: impl Into<String>) -> Unschedule {
    Unschedule { schedule: schedule.into() }
}

/// Removes a schedule. Returned by [`unschedule`].
#[derive(Debug)]
#[must_use = "an operation does nothing until it is run"]
pub struct Unschedule {
    schedule: String,
}

impl sealed::Operation for Unschedule {}

impl<DB: EventedBackend> Operation<DB> for Unschedule {
    type Output = bool;

    async fn perform<E: Executor<DB>>(self, executor: &mut E) -> Result<bool, Error> {
        let removed = write(executor, store::remove_schedule(&self.schedule)).await;
        let subject = store::subject_of_schedule(&self.schedule);
        removed.map(|rows| rows > 0).map_err(|error| error.about(subject))
    }
}
