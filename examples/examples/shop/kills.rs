//! Places orders while worker processes are killed at random moments.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_diesel::{publish, stream};
use evented_react::{Which, retry};

use crate::day::{self, DayClosed};
use crate::mails::MailService;
use crate::model::{Item, NewItem, NewOrder, Order, invoices};
use crate::workers::{Options, Pool};
use crate::{Conn, Place, check, open, operator, tables};

/// How many processes are killed, by default.
pub const KILLS: u64 = 30;
/// How many processes run at the same time.
const PROCESSES: u64 = 2;
/// How many orders are placed for each kill.
const ORDERS: u64 = 12;
/// How much of each item there is.
const STOCK: i32 = 10_000;
/// How long the whole check may take. A machine can be busy.
const TIMEOUT: Duration = Duration::from_secs(200);
/// The schedule closes a day at each second, so that it runs while workers are killed.
const EACH_SECOND: &str = "* * * * * *";

/// A shop whose workers are killed.
struct Shop {
    conn: Conn,
    mails: MailService,
    pool: Pool,
    items: Vec<i32>,
    /// The key of an item that does not exist.
    unknown: i32,
    day: NaiveDate,
    /// How many invoices there were before the last orders were placed.
    invoices: i64,
    dice: u64,
    end: Instant,
}

/// Kills workers while orders are placed, and checks what they have left behind. With the words as its arguments, this program runs a
/// worker.
pub fn check(place: &Place, words: &[&str], kills: u64, out: &mut impl Write) -> anyhow::Result<()> {
    let mut shop = Shop::open(place, words)?;
    // On a very busy machine fewer are killed: half of the time is for what comes after.
    let (half, mut killed) = (shop.end - TIMEOUT / 2, 0);
    while killed < kills && Instant::now() < half {
        shop.round(killed)?;
        killed += 1;
    }
    shop.mend()?;
    let closed = shop.close_day()?;
    shop.pool.check()?;
    let Shop { mut conn, mails, pool, day, .. } = shop;
    // From here on nobody writes any more.
    drop(pool);
    let orders = check::orders(&mut conn)?;
    check::invoices(&mut conn, &orders)?;
    let requests = check::mails(&mails, &orders)?;
    check::stock(&mut conn, STOCK)?;
    check::sums(&mut conn, day)?;
    let ticks = check::ticks(&mut conn, closed)?;
    writeln!(out, "{} orders were placed, while {killed} workers were killed.", orders.len())?;
    writeln!(
        out,
        "One was for an item that did not exist. It was set aside, and tried again when the item was there."
    )?;
    writeln!(
        out,
        "Each order has one invoice. The mail service was asked {requests} times, with one key for each order."
    )?;
    writeln!(
        out,
        "The stock and the sums are right. The schedule closed a day {ticks} times, once for each second."
    )?;
    Ok(())
}

impl Shop {
    fn open(place: &Place, words: &[&str]) -> anyhow::Result<Self> {
        let mut conn = open(place.database())?;
        tables::create(&mut conn)?;
        let mut items = Vec::new();
        for name in ["Lamp", "Chair", "Rug"] {
            items.push(Item::insert(NewItem { name: name.into(), stock: STOCK }).run(&mut conn)?.id);
        }
        let unknown = items.iter().max().map_or(1, |last| last + 1);
        let options = Options { mails: place.file("mails"), nightly: EACH_SECOND.to_owned() };
        let mails = MailService::new(options.mails.clone());
        let pool = Pool::start(words, place.database(), options, PROCESSES)?;
        let (day, end) = (day::in_shop(Utc::now()), Instant::now() + TIMEOUT);
        Ok(Self { conn, mails, pool, items, unknown, day, invoices: 0, dice: 0x2545_f491_4f6c_dd1d, end })
    }

    /// Returns a number that looks random.
    fn below(&mut self, end: u64) -> u64 {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice >> 11) % end
    }

    /// Places orders, and kills a process at a random moment between two of them.
    fn round(&mut self, round: u64) -> anyhow::Result<()> {
        // Before most rounds the workers write an invoice of the round before, however slow the machine is. So most kills hit workers
        // that work, and some hit workers that start.
        let before = self.invoices;
        if round > 0 && self.below(4) > 0 {
            operator::wait(&mut self.conn, self.end, "another invoice", |conn| {
                Ok(count_invoices(conn)? > before)
            })?;
        }
        self.invoices = count_invoices(&mut self.conn)?;
        let moment = self.below(ORDERS);
        for number in 0..ORDERS {
            self.place_order(round, number)?;
            if number == moment {
                let micros = self.below(10_000);
                std::thread::sleep(Duration::from_micros(micros));
                let index = usize::try_from(self.below(PROCESSES))?;
                self.pool.kill(index)?;
            }
        }
        Ok(())
    }

    /// Places an order. The first one of all is for an item that does not exist.
    fn place_order(&mut self, round: u64, number: u64) -> anyhow::Result<()> {
        let index = usize::try_from(number)?;
        let is_poison = (round, number) == (0, 0);
        let item_id = if is_poison { self.unknown } else { self.items[index % self.items.len()] };
        let customer = ["Ada", "Bob", "Cleo", "Dan", "Eve"][(usize::try_from(round)? + index) % 5];
        let count = i32::try_from(number)? + 1;
        let order = NewOrder { customer: customer.into(), item_id, count, total: 7 * count, day: self.day };
        Order::insert(order).by(customer).run(&mut self.conn)?;
        Ok(())
    }

    /// Waits until everything is handled but the poison order, and looks at what is set aside. Creates the item, and tries again.
    fn mend(&mut self) -> anyhow::Result<()> {
        let conn = &mut self.conn;
        operator::settle(conn, 1, self.end)?;
        let parked = operator::parked(conn)?;
        let error = parked.error.unwrap_or_default();
        ensure!(error == format!("order 1: there is no item {}", self.unknown), "it is parked for `{error}`");
        let valid: Vec<_> = check::orders(conn)?.into_iter().filter(|(id, _)| *id != 1).collect();
        check::invoices(conn, &valid)?;
        check::mails(&self.mails, &valid)?;
        let desk = Item::insert(NewItem { name: "Desk".into(), stock: STOCK }).run(conn)?;
        ensure!(desk.id == self.unknown, "the database gave the item another key");
        retry("stock", Which::One(parked.id)).run(conn)?;
        operator::settle(conn, 0, self.end)
    }

    /// Closes the day by hand, after the schedule has closed some. Returns when.
    fn close_day(&mut self) -> anyhow::Result<DateTime<Utc>> {
        let conn = &mut self.conn;
        operator::wait(conn, self.end, "days that the schedule closes", |conn| {
            Ok(stream::published::<DayClosed>().run(conn)?.len() >= 3)
        })?;
        let at = Utc::now();
        publish(DayClosed { day: self.day, at }).by("operator").run(conn)?;
        operator::settle(conn, 0, self.end)?;
        Ok(at)
    }
}

fn count_invoices(conn: &mut Conn) -> QueryResult<i64> {
    invoices::table.count().get_result(conn)
}
