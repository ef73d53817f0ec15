//! Registers schedules, and publishes the events that are due.

use evented_diesel::Error;
use evented_diesel::spi::{EventedBackend, Executor, Operation, Transaction, wake};

use crate::register::RegisterError;
use crate::schedule::Schedule;
use crate::store::{self, ScheduleRow, load, write};
use crate::telemetry;

/// Registers a schedule: from then on it is due at its times.
pub(crate) async fn register_schedule<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    schedule: &Schedule,
) -> Result<(), RegisterError> {
    let name = store::subject_of_schedule(&schedule.name);
    let transaction = Transaction::around(executor, &name, true).await?;
    let registered = in_transaction(executor, schedule).await;
    let registered = transaction.close(executor, &name, registered).await?;
    registered.map_or(Ok(()), Err)
}

/// Returns the reason why the schedule is refused.
async fn in_transaction<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    schedule: &Schedule,
) -> Result<Option<RegisterError>, Error> {
    write(executor, store::insert_schedule(&schedule.name)).await?;
    write(executor, store::lock_schedule(&schedule.name)).await?;
    let rows = load::<ScheduleRow, _, _>(executor, store::schedule_row(&schedule.name)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let is_same = row.cron == schedule.text && row.zone == schedule.zone_name();
    if row.version == schedule.version && !is_same {
        return Ok(Some(RegisterError::Schedule {
            schedule: schedule.name.clone(),
            version: row.version,
            cron: row.cron,
            zone: row.zone,
        }));
    }
    if row.version > schedule.version {
        telemetry::older_schedule(&schedule.name, schedule.version, row.version);
    }
    if row.version < schedule.version {
        let next_due = if is_same { row.next_due } else { schedule.next_after(row.now) };
        let row = ScheduleRow {
            version: schedule.version,
            cron: schedule.text.clone(),
            zone: schedule.zone_name().to_owned(),
            next_due,
            ..row
        };
        write(executor, store::set_schedule(&row)).await?;
    }
    Ok(None)
}

/// Publishes the events of a schedule that are due.
pub(crate) async fn run_schedule<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    schedule: &Schedule,
) -> Result<(), Error> {
    // Looked at first without a lock: mostly nothing is due.
    let rows = load::<ScheduleRow, _, _>(executor, store::schedule_row(&schedule.name)).await?;
    let is_due =
        |row: &ScheduleRow| row.version == schedule.version && row.next_due.is_some_and(|due| due <= row.now);
    if rows.first().is_none_or(|row| !is_due(row)) {
        return Ok(());
    }
    let name = store::subject_of_schedule(&schedule.name);
    let transaction = Transaction::around(executor, &name, true).await?;
    let published = publish_passed(executor, schedule).await;
    transaction.close(executor, &name, published).await?;
    wake();
    Ok(())
}

async fn publish_passed<DB: EventedBackend, E: Executor<DB>>(
    executor: &mut E,
    schedule: &Schedule,
) -> Result<(), Error> {
    if DB::LOCKS_FIRST {
        write(executor, store::lock_schedule(&schedule.name)).await?;
    }
    let due = store::lock_due_schedule(&schedule.name, schedule.version);
    let rows = load::<ScheduleRow, _, _>(executor, due).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(()) };
    let Some(due) = row.next_due else { return Ok(()) };
    let (passed, next_due) = schedule.passed(due, row.now);
    let last_due = passed.last().copied().or(row.last_due);
    for due in passed {
        let event = schedule.event(due).map_err(|reason| Error::Encode {
            record: store::subject_of_schedule(&schedule.name),
            error: reason.into(),
        })?;
        event.perform(executor).await?;
    }
    write(executor, store::set_schedule(&ScheduleRow { next_due, last_due, ..row })).await?;
    Ok(())
}
