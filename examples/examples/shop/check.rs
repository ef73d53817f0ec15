//! What must hold when everything is handled, however often workers were killed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, ensure};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use diesel::dsl::{count_star, sum};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::stream::published;

use crate::Conn;
use crate::day::DayClosed;
use crate::mails::MailService;
use crate::model::{days, invoices, items, orders};

/// Reads the key and the total of each order.
pub fn orders(conn: &mut Conn) -> QueryResult<Vec<(i32, i32)>> {
    orders::table.select((orders::id, orders::total)).order(orders::id).load(conn)
}

/// Checks that each of these orders has one invoice with its total, and that there is no other invoice.
pub fn invoices(conn: &mut Conn, orders: &[(i32, i32)]) -> anyhow::Result<()> {
    let read = invoices::table.select((invoices::order_id, invoices::total)).order(invoices::order_id);
    let invoices: Vec<(i32, i32)> = read.load(conn)?;
    ensure!(invoices == orders, "the invoices {invoices:?} differ from the orders {orders:?}");
    Ok(())
}

/// Checks that a mail was asked for at least once for each of these orders and for no other, and always with the same key. Returns how
/// often the service was asked.
pub fn mails(service: &MailService, orders: &[(i32, i32)]) -> anyhow::Result<usize> {
    let requests = service.requests()?;
    let mut keys: BTreeMap<i32, BTreeSet<&str>> = BTreeMap::new();
    for request in &requests {
        keys.entry(request.order).or_default().insert(&request.key);
    }
    ensure!(keys.keys().eq(orders.iter().map(|(id, _)| id)), "mails were sent for {:?}", keys.keys());
    for (order, keys) in &keys {
        ensure!(keys.len() == 1, "order {order} has the keys {keys:?}");
    }
    let mails = service.sent()?.len();
    ensure!(mails == orders.len(), "there are {mails} keys for {} orders", orders.len());
    Ok(requests.len())
}

/// Checks that of each item so many are left as were not ordered.
pub fn stock(conn: &mut Conn, before: i32) -> anyhow::Result<()> {
    for (id, left) in items::table.select((items::id, items::stock)).load::<(i32, i32)>(conn)? {
        let of_item = orders::table.filter(orders::item_id.eq(id));
        let ordered: Option<i64> = of_item.select(sum(orders::count)).first(conn)?;
        let expected = i64::from(before) - ordered.unwrap_or(0);
        ensure!(i64::from(left) == expected, "{left} of item {id} are left, and not {expected}");
    }
    Ok(())
}

/// Checks the sums of a day on which all orders were placed.
pub fn sums(conn: &mut Conn, day: NaiveDate) -> anyhow::Result<()> {
    let expected: (i64, Option<i64>) =
        orders::table.select((count_star(), sum(orders::total))).first(conn)?;
    let sums = days::table.find(day).select((days::orders, days::total.nullable())).first(conn).optional()?;
    let sums: (i64, Option<i64>) = sums.context("the day has no sums")?;
    ensure!(sums == expected, "the sums of the day are {sums:?}, and not {expected:?}");
    Ok(())
}

/// Checks that the schedule has published one event for each second, without a gap. Returns how many. The day that was closed by hand
/// does not count.
pub fn ticks(conn: &mut Conn, by_hand: DateTime<Utc>) -> anyhow::Result<usize> {
    let events = published::<DayClosed>().run(conn)?;
    let mut times: Vec<_> = events.into_iter().map(|closed| closed.at).filter(|at| *at != by_hand).collect();
    times.sort();
    let second = TimeDelta::seconds(1);
    let is_gapless = times.windows(2).all(|pair| pair[1] - pair[0] == second);
    ensure!(is_gapless, "the schedule has left out a second, or closed one twice: {times:?}");
    Ok(times.len())
}
