//! The script of the example, with one worker in this process.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::{NaiveDate, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::publish;
use evented_react::{Which, retry, schedules};

use crate::day::{self, DayClosed};
use crate::mails::MailService;
use crate::model::{Item, NewItem, NewOrder, Order, days, invoices};
use crate::workers::{self, Options};
use crate::{Conn, Place, open, operator, tables};

/// How long the program waits for the worker. A machine can be busy.
const TIMEOUT: Duration = Duration::from_secs(200);

/// Runs the script, and prints each step to `out`.
pub fn tell(place: &Place, out: &mut impl Write) -> anyhow::Result<()> {
    let conn = &mut open(place.database())?;
    tables::create(conn)?;
    let end = Instant::now() + TIMEOUT;
    let options = Options { mails: place.file("mails"), nightly: day::NIGHTLY.to_owned() };
    let worker = workers::start(place.database(), &options)?;

    let new = |name: &str, stock| Item::insert(NewItem { name: name.into(), stock });
    let (lamp, chair) = (new("Lamp", 10).run(conn)?, new("Chair", 5).run(conn)?);
    let unknown = chair.id + 1;
    let today = day::in_shop(Utc::now());
    let orders = [("Ada", lamp.id, 1, 40), ("Bob", unknown, 1, 200), ("Cleo", chair.id, 2, 180)];
    for (customer, item_id, count, total) in orders {
        let order = NewOrder { customer: customer.into(), item_id, count, total, day: today };
        Order::insert(order).by(customer).run(conn)?;
    }
    operator::settle(conn, 1, end)?;
    writeln!(out, "3 orders are placed, and {} invoices written.", count_invoices(conn)?)?;

    let parked = operator::parked(conn)?;
    let (key, state, error) = (parked.key, parked.state, parked.error.unwrap_or_default());
    writeln!(out, "Set aside: key {key}, {state:?}: {error}")?;
    let desk = new("Desk", 5).run(conn)?;
    ensure!(desk.id == unknown, "the database gave the item another key");
    let retried = retry("stock", Which::One(parked.id)).run(conn)?;
    writeln!(out, "{} is created, and {retried} delivery is tried again.", desk.name)?;
    operator::settle(conn, 0, end)?;
    for item in [&lamp, &chair, &desk] {
        show_history(conn, item, out)?;
    }
    show_mails(conn, &MailService::new(options.mails), out)?;
    close_day(conn, today, end, out)?;
    Ok(worker.stop(Duration::from_secs(10))?)
}

fn count_invoices(conn: &mut Conn) -> QueryResult<i64> {
    invoices::table.count().get_result(conn)
}

fn show_history(conn: &mut Conn, item: &Item, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{}:", item.name)?;
    for entry in Item::history(item).run(conn)? {
        writeln!(out, "  {} {}: {}", entry.event.revision(), entry.event.action(), entry.changeset)?;
    }
    Ok(())
}

/// Prints how many mails were sent. That for Bob was asked for twice: the first attempt had no answer.
fn show_mails(conn: &mut Conn, service: &MailService, out: &mut impl Write) -> anyhow::Result<()> {
    let (requests, sent) = (service.requests()?.len(), service.sent()?);
    let mut customers: Vec<_> = sent.into_values().map(|mail| mail.customer).collect();
    customers.sort();
    let invoices = count_invoices(conn)?;
    let customers = customers.join(", ");
    writeln!(
        out,
        "{invoices} invoices; the mail service was asked {requests} times, and wrote to {customers}."
    )?;
    Ok(())
}

/// Publishes by hand what the schedule publishes in the night, as an operator would who needs the sums at once. The subscriber does not
/// know the difference.
fn close_day(conn: &mut Conn, day: NaiveDate, end: Instant, out: &mut impl Write) -> anyhow::Result<()> {
    for schedule in schedules().run(conn)? {
        writeln!(out, "Schedule {}: {} in {}", schedule.name, schedule.cron, schedule.zone)?;
    }
    publish(DayClosed { day, at: Utc::now() }).by("operator").run(conn)?;
    operator::settle(conn, 0, end)?;
    for (count, total) in days::table.select((days::orders, days::total)).load::<(i64, i64)>(conn)? {
        writeln!(out, "The day is closed by hand: {count} orders, {total} €")?;
    }
    Ok(())
}
