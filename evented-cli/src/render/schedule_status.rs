//! Renders schedules.

use crate::answer::Answer;
use crate::commands::schedules::Done;
use crate::screen::{Screen, harmless, plain, time};
use evented_react::ScheduleStatus;

impl Answer for Done {
    fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    fn text(&self, screen: &Screen) -> String {
        match self {
            Self::Listed { schedules } if schedules.is_empty() => "no schedule is registered".to_owned(),
            Self::Listed { schedules } => status_table(screen, schedules),
            Self::Removed { schedule, .. } => format!("{}: removed", harmless(schedule)),
        }
    }
}

fn status_table(screen: &Screen, schedules: &[ScheduleStatus]) -> String {
    let header = ["name", "version", "cron", "zone", "next due (UTC)", "last due (UTC)"];
    let rows = schedules.iter().map(|schedule| {
        let at = |due: Option<_>| due.map_or_else(|| "never".to_owned(), time);
        [
            plain(&schedule.name),
            schedule.version.to_string(),
            plain(&schedule.cron),
            plain(&schedule.zone),
            at(schedule.next_due),
            at(schedule.last_due),
        ]
    });
    screen.table(header, rows)
}
