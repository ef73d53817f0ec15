//! The nightly job: a schedule publishes an event, and its handler writes the sums of the day.

use chrono::{DateTime, Days, NaiveDate, Utc};
use chrono_tz::Europe::Berlin;
use diesel::dsl::{count_star, sum};
use diesel::prelude::*;
use evented_diesel::DomainEvent;
use evented_react::{Delivery, Failure, Handle, Missed, Schedule, ScheduleError};
use serde::{Deserialize, Serialize};

use crate::Conn;
use crate::model::{days, orders};

/// When a day is closed: in the night after it, by the clock of the shop.
pub const NIGHTLY: &str = "0 3 * * *";

/// A day is over: no order of it comes any more.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug)]
#[domain_event(name = "day_closed")]
pub struct DayClosed {
    pub day: NaiveDate,
    /// When it was closed: by the schedule, the time at which it was due.
    pub at: DateTime<Utc>,
}

/// Returns the schedule. It closes the day before.
///
/// A program would write the expression here. This one takes it from the command line, because nobody who tries the example waits
/// for the night: the check `kill` closes a day every second. In a database that has the schedule already, another expression needs a
/// higher `version`; each run of the example has a new database.
///
/// Each night has a day of its own. So after three nights without a worker, three events are published: `Missed::All`.
/// `Missed::Once`, the default, would leave two days without sums.
pub fn nightly(expression: &str) -> Result<Schedule, ScheduleError> {
    let close = |at: DateTime<Utc>| DayClosed { day: in_shop(at) - Days::new(1), at };
    Ok(Schedule::cron("nightly", expression, close)?.zone(Berlin).missed(Missed::All))
}

/// Returns the day of a time, by the clock of the shop.
pub fn in_shop(at: DateTime<Utc>) -> NaiveDate {
    at.with_timezone(&Berlin).date_naive()
}

/// Writes the sums of a day. If the day is closed again, the sums are computed again.
pub struct SumUp;

impl Handle<DayClosed, Conn> for SumUp {
    fn handle(&self, closed: Delivery<'_, DayClosed>, conn: &mut Conn) -> Result<(), Failure> {
        let of_day = orders::table.filter(orders::day.eq(closed.day));
        let (count, total): (i64, Option<i64>) =
            of_day.select((count_star(), sum(orders::total))).first(conn)?;
        let sums = (days::orders.eq(count), days::total.eq(total.unwrap_or(0)));
        diesel::insert_into(days::table)
            .values((days::day.eq(closed.day), sums))
            .on_conflict(days::day)
            .do_update()
            .set(sums)
            .execute(conn)?;
        Ok(())
    }
}
