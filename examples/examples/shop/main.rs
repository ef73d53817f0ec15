//! A shop whose orders publish a domain event, and what follows from it.
//!
//! ```text
//! cargo run -p examples --features react --example shop
//! ```
//!
//! Three subscribers handle each order: one takes its items out of the stock by a command, one writes an invoice, one sends a
//! mail. One order is for an item that does not exist. The program shows what is set aside because of it, creates the item, and
//! tries again.

#![allow(unreachable_pub, reason = "it reads as it would in a crate of your own")]

mod model;
mod subscribers;

use std::time::{Duration, Instant};

use anyhow::ensure;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::DomainEvents;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;
use evented_react::{MigrationsExt as _, Which, Worker, lag, retry, set_aside};

use model::{Item, NewItem, NewOrder, Order, TABLES};
use subscribers::MailService;

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("shop.db").to_string_lossy().into_owned();
    let conn = &mut connect(&file)?;
    conn.batch_execute("PRAGMA journal_mode = WAL")?;
    conn.batch_execute(TABLES)?;
    Migrations::new().log::<Item>().log::<Order>().bus::<DomainEvents>().react().run(conn)?;
    shop(conn, &file)
}

fn connect(file: &str) -> ConnectionResult<SqliteConnection> {
    let mut conn = SqliteConnection::establish(file)?;
    conn.batch_execute("PRAGMA busy_timeout = 10000").map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

fn shop(conn: &mut SqliteConnection, file: &str) -> anyhow::Result<()> {
    let mails = MailService::default();
    let [stock, invoices, letters] = subscribers::all(&mails);
    let worker = Worker::new().subscribe(stock).subscribe(invoices).subscribe(letters);
    let of_worker = file.to_owned();
    let worker = worker.start(move || connect(&of_worker))?;

    let lamp = Item::insert(NewItem { name: "Lamp".into(), stock: 10 }).run(conn)?;
    let unknown = lamp.id + 1;
    for (customer, item_id, count) in [("Ada", lamp.id, 1), ("Bob", unknown, 1), ("Cleo", lamp.id, 3)] {
        Order::insert(NewOrder { customer: customer.into(), item_id, count }).by(customer).run(conn)?;
    }
    wait(conn, 1)?;
    for row in set_aside("stock").run(conn)? {
        println!("set aside: key {}, {:?}: {}", row.key, row.state, row.error.unwrap_or_default());
    }
    let desk = Item::insert(NewItem { name: "Desk".into(), stock: 5 }).run(conn)?;
    ensure!(desk.id == unknown, "the database gave the item another key");
    println!(
        "{} was created, and {} delivery is tried again",
        desk.name,
        retry("stock", Which::All).run(conn)?
    );
    wait(conn, 0)?;
    worker.stop(Duration::from_secs(10))?;

    for item in [&lamp, &desk] {
        let history = Item::history(item).run(conn)?;
        println!("{}:", item.name);
        for entry in history {
            println!("  {} {}: {}", entry.event.revision(), entry.event.action(), entry.changeset);
        }
    }
    let invoices: i64 =
        diesel::dsl::sql::<diesel::sql_types::BigInt>("SELECT count(*) FROM invoices").get_result(conn)?;
    println!("3 orders, {invoices} invoices, mails to {}", mails.sent().join(", "));
    ensure!(invoices == 3 && mails.sent().len() == 3, "an invoice or a mail is missing, or there twice");
    Ok(())
}

/// Waits until every event is handled, except those that are dead.
fn wait(conn: &mut SqliteConnection, dead: usize) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        let mut is_done = true;
        let mut aside = 0;
        for name in ["stock", "invoices", "mails"] {
            let lags = lag(name).run(conn)?;
            is_done &= !lags.is_empty() && lags.iter().all(|lag| lag.events == 0);
            aside += set_aside(name).run(conn)?.len();
        }
        if is_done && aside == dead {
            return Ok(());
        }
        ensure!(Instant::now() < end, "the worker has not handled the orders within a minute");
        std::thread::sleep(Duration::from_millis(10));
    }
}
