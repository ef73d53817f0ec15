//! Schedules: domain events that are published at times of a clock.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use evented_diesel::spi::catch_panic;
use evented_diesel::{DomainEvent, Publish, publish};

/// What becomes of the times of a schedule at which no worker ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Missed {
    /// Nothing: an event that is more than a minute late is not published.
    Skip,
    /// One event is published for all of them, with the last of the times. What is at most a minute late was not missed.
    #[default]
    Once,
    /// An event is published for each of them.
    All,
}

/// Publishes a domain event at times of a clock, on any number of workers once.
///
/// ```
/// # use evented_diesel::DomainEvent;
/// # use serde::{Deserialize, Serialize};
/// use chrono::{DateTime, Utc};
/// use chrono_tz::Europe::Berlin;
/// use evented_react::{Missed, Schedule};
///
/// #[derive(DomainEvent, Serialize, Deserialize, Debug)]
/// #[domain_event(name = "night_began")]
/// struct NightBegan { at: DateTime<Utc> }
///
/// let nightly = Schedule::cron("nightly", "0 3 * * *", |at| NightBegan { at })?
///     .zone(Berlin)
///     .missed(Missed::Once);
/// # Ok::<(), evented_react::ScheduleError>(())
/// ```
///
/// [`Worker::schedule`](crate::Worker::schedule) adds it to a worker. A subscriber of the event does what is to be done.
#[derive(Clone)]
pub struct Schedule {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) text: String,
    cron: Cron,
    zone: Tz,
    missed: Missed,
    event: Arc<dyn Fn(DateTime<Utc>) -> Publish + Send + Sync>,
}

/// Why the expression of a schedule was refused: it has no valid form, or no time matches it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("`{expression}` of the schedule `{schedule}` is no cron expression: {reason}")]
pub struct ScheduleError {
    schedule: String,
    expression: String,
    reason: String,
}

/// How late an event may be that was not missed.
const GRACE: TimeDelta = TimeDelta::minutes(1);
/// How many events one transaction publishes.
const MOST: usize = 500;

impl Schedule {
    /// Creates a schedule from an expression of cron, for example `0 3 * * *`: minute, hour, day of the month, month, day of the
    /// week, and optionally seconds before them. `event` makes the event from the time at which it is due.
    ///
    /// The name must not change: it stands for the schedule in the database.
    ///
    /// # Errors
    ///
    /// [`ScheduleError`]: the expression cannot be read, or no time ever matches it.
    pub fn cron<E: DomainEvent>(
        name: impl Into<String>,
        expression: impl Into<String>,
        event: impl Fn(DateTime<Utc>) -> E + Send + Sync + 'static,
    ) -> Result<Self, ScheduleError> {
        let (name, text) = (name.into(), expression.into());
        let refused = |error: croner::errors::CronError| ScheduleError {
            schedule: name.clone(),
            expression: text.clone(),
            reason: error.to_string(),
        };
        let cron = Cron::from_str(&text).map_err(refused)?;
        cron.find_next_occurrence(&DateTime::<Utc>::UNIX_EPOCH, false).map_err(refused)?;
        let event = Arc::new(move |due| publish(event(due)).at(due));
        Ok(Self { name, version: 1, text, cron, zone: Tz::UTC, missed: Missed::default(), event })
    }

    /// Sets the time zone. Default: UTC. Where the clock is set forward, a time that does not exist is the next one that does. Where
    /// it is set back, a time that exists twice is the first one. A schedule of intervals, as `*/10 * * * *`, runs in both hours.
    #[must_use]
    pub fn zone(mut self, zone: Tz) -> Self {
        self.zone = zone;
        self
    }

    /// Sets what becomes of times at which no worker ran. Default: [`Missed::Once`].
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Sets the version. Default: 1. Another expression or another zone must have a higher version, so that workers of an older
    /// program, which run beside, do not set it back.
    #[must_use]
    pub fn version(mut self, version: u16) -> Self {
        self.version = i32::from(version.max(1));
        self
    }

    /// Returns the name of the zone.
    pub(crate) fn zone_name(&self) -> &'static str {
        self.zone.name()
    }

    /// Returns the first time after another one, in milliseconds; `None` if there is none.
    pub(crate) fn next_after(&self, millis: i64) -> Option<i64> {
        let after = DateTime::from_timestamp_millis(millis)?.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(next.timestamp_millis())
    }

    /// Returns the last time before another one, in milliseconds.
    fn last_before(&self, millis: i64) -> Option<i64> {
        let before = DateTime::from_timestamp_millis(millis)?.with_timezone(&self.zone);
        let last = self.cron.find_previous_occurrence(&before, false).ok()?;
        Some(last.timestamp_millis())
    }

    /// Returns the times for which an event is published, and the next time, in milliseconds. `due` is the first time that was not
    /// published, and not after `now`.
    pub(crate) fn passed(&self, due: i64, now: i64) -> (Vec<i64>, Option<i64>) {
        // What is earlier than this was missed.
        let recent = now.saturating_sub(GRACE.num_milliseconds());
        let (mut passed, mut next) = (Vec::new(), Some(due));
        if due < recent && self.missed != Missed::All {
            if self.missed == Missed::Once {
                passed.push(self.last_before(recent).unwrap_or(due).max(due));
            }
            next = self.next_after(recent.saturating_sub(1));
        }
        while let Some(time) = next.filter(|time| *time <= now && passed.len() < MOST) {
            passed.push(time);
            next = self.next_after(time);
        }
        (passed, next)
    }

    /// Returns the event that is due at a time. No other event of the schedule is published for it.
    ///
    /// # Errors
    ///
    /// The function of the schedule panicked.
    pub(crate) fn event(&self, due: i64) -> Result<Publish, String> {
        let time = DateTime::from_timestamp_millis(due).ok_or("the time is beyond all calendars")?;
        let event = catch_panic(|| (self.event)(time)).ok_or("the function of the schedule panicked")?;
        Ok(event.by(format!("schedule:{}", self.name)).unique(format!("{}@{due}", self.name)))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("name", &self.name)
            .field("cron", &self.text)
            .field("zone", &self.zone)
            .field("missed", &self.missed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(evented_diesel::DomainEvent, serde::Serialize, serde::Deserialize, Debug)]
    #[domain_event(name = "tick")]
    struct Tick {
        at: DateTime<Utc>,
    }

    fn schedule(expression: &str) -> Schedule {
        Schedule::cron("test", expression, |at| Tick { at }).unwrap().zone(chrono_tz::Europe::Berlin)
    }

    fn millis(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
    }

    fn times(schedule: &Schedule, from: &str, count: usize) -> Vec<String> {
        let mut time = millis(from);
        let next = || {
            time = schedule.next_after(time).unwrap();
            DateTime::from_timestamp_millis(time).unwrap().format("%d %H:%M").to_string()
        };
        std::iter::repeat_with(next).take(count).collect()
    }

    #[test]
    fn a_daily_event_comes_once_a_day_over_both_clock_changes() {
        // 2026-03-29: 02:00 is 03:00 in Berlin. 2026-10-25: 03:00 is 02:00 again.
        let nightly = schedule("30 2 * * *");
        assert_eq!(times(&nightly, "2026-03-27T12:00:00Z", 3), ["28 01:30", "29 01:00", "30 00:30"]);
        assert_eq!(times(&nightly, "2026-10-23T12:00:00Z", 3), ["24 00:30", "25 00:30", "26 01:30"]);
        let often = schedule("*/30 * * * *");
        assert_eq!(
            times(&often, "2026-10-24T23:59:00Z", 5),
            ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00"]
        );
    }

    #[test]
    fn missed_times_are_skipped_or_made_up_once_or_each() {
        let due = millis("2026-05-01T01:00:00Z");
        let now = millis("2026-05-04T09:00:00Z");
        let hour = 3_600_000;
        let daily = schedule("0 3 * * *");
        let next = Some(millis("2026-05-05T01:00:00Z"));
        let last = due + 3 * 24 * hour;
        assert_eq!(daily.clone().missed(Missed::Skip).passed(due, now), (vec![], next));
        assert_eq!(daily.clone().missed(Missed::Once).passed(due, now), (vec![last], next));
        let all = daily.clone().missed(Missed::All).passed(due, now);
        assert_eq!(all, ((0..4).map(|day| due + day * 24 * hour).collect(), next));
        // Nothing is missed while a worker runs.
        assert_eq!(daily.missed(Missed::Skip).passed(due, due + 900), (vec![due], Some(due + 24 * hour)));
        // Times that a late look finds together are not missed.
        let often = schedule("* * * * * *");
        for missed in [Missed::Skip, Missed::Once] {
            let (times, next) = often.clone().missed(missed).passed(due, due + 2_500);
            assert_eq!((times, next), (vec![due, due + 1_000, due + 2_000], Some(due + 3_000)));
        }
        // A year of missed seconds is not walked through.
        let (times, _) = often.missed(Missed::Once).passed(due, due + 365 * 24 * hour);
        assert_eq!((times.len(), times[0]), (62, due + 365 * 24 * hour - 61_000));
        let second = schedule("* * * * * *").missed(Missed::All);
        let (first, next) = second.passed(due, due + hour);
        assert_eq!((first.len(), next), (500, Some(due + 500_000)));
    }

    #[test]
    fn an_expression_that_is_none_is_an_error_with_its_name() {
        for wrong in ["0 25 * * *", "", "0 0 31 2 *"] {
            let error = Schedule::cron("test", wrong, |at| Tick { at }).unwrap_err();
            assert!(error.to_string().contains("`test` is no cron expression"), "{error}");
        }
    }
}
