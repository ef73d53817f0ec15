//! Measures creates that publish a domain event, beside creates that do not, and beside two operations in a transaction.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::{DomainEvent, DomainEvents, Error, EventedDsl as _, Run, publish};
use serde::{Deserialize, Serialize};

use super::sqlite;
use crate::measure::{Contest, compare};
use crate::model::{Task, new};
use crate::report::Report;
use crate::setup::Bench;

const OPERATIONS: u32 = 200;
const ON_SQLITE: u32 = 2_000;
const PLAIN: &str = "a create";
const PUBLISHING: &str = "a create that publishes";
const TWO: &str = "two operations in a transaction";
const NAME: &str = "write the report";

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "task_made", key = name)]
struct TaskMade {
    name: String,
    number: u32,
}

fn made(number: u32) -> TaskMade {
    TaskMade { name: NAME.to_owned(), number }
}

pub(crate) fn run(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    if !bench.wants("record/publish") {
        return Ok(());
    }
    on_postgres(bench, report)?;
    on_sqlite(bench, report)
}

fn on_postgres(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let url = bench.fresh("bench_publish")?;
    let bus = Migrations::new().bus::<DomainEvents>().up_sql(Database::Postgres);
    PgConnection::establish(&url)?.batch_execute(&bus)?;
    let (mut plain, mut publishing) = (PgConnection::establish(&url)?, PgConnection::establish(&url)?);
    let mut two = PgConnection::establish(&url)?;
    let mut contest = Contest::default();
    contest.add(PLAIN, || {
        for _ in 0..OPERATIONS {
            Task::insert(new(NAME)).run(&mut plain)?;
        }
        Ok(())
    });
    contest.add(PUBLISHING, || {
        for number in 0..OPERATIONS {
            Task::insert(new(NAME)).publish(made(number)).run(&mut publishing)?;
        }
        Ok(())
    });
    contest.add(TWO, || {
        for number in 0..OPERATIONS {
            two.transaction(|conn| {
                Task::insert(new(NAME)).run(conn)?;
                publish(made(number)).run(conn)?;
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    });
    let times = contest.run(bench.rounds * 3)?;
    if let Some(ratio) = times.ratio(PUBLISHING, PLAIN) {
        report.at_most("record/publish-beside-the-command", 1.15, &ratio, OPERATIONS);
    }
    if let Some(ratio) = times.ratio(PUBLISHING, TWO) {
        report.at_most("record/publish-beside-two-operations", 1.0, &ratio, OPERATIONS);
    }
    Ok(())
}

fn on_sqlite(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut plain, mut publishing) =
        (sqlite::open(&folder, "plain.db")?, sqlite::open(&folder, "publishing.db")?);
    publishing.batch_execute(&Migrations::new().bus::<DomainEvents>().up_sql(Database::Sqlite))?;
    let ratio = compare(
        bench.rounds,
        || {
            for number in 0..ON_SQLITE {
                Task::insert(new(NAME)).publish(made(number)).run(&mut publishing)?;
            }
            Ok(())
        },
        || {
            for _ in 0..ON_SQLITE {
                Task::insert(new(NAME)).run(&mut plain)?;
            }
            Ok(())
        },
    )?;
    report.at_most("record/publish-on-sqlite", 1.25, &ratio, ON_SQLITE);
    Ok(())
}
