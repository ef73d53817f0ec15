//! What follows from an order: the stock, an invoice, a mail.

use std::time::Duration;

use diesel::prelude::*;
use evented_diesel::prelude::*;
use evented_react::{Delivery, DomainEventExt as _, Effect, Failure, From, Handle, Retry, Subscriber};

use crate::Conn;
use crate::day::{self, DayClosed};
use crate::mails::{MailService, Request};
use crate::model::{Item, OrderPlaced, StockReserved, TakeStock, invoices};

/// The names of the subscribers. One that waits for the events of another comes after it.
pub const NAMES: [&str; 4] = ["stock", "invoices", "mails", "days"];

/// Takes the items of an order out of the stock, by a command. The event that it publishes is there if and only if the change is.
struct Stock;

impl Handle<OrderPlaced, Conn> for Stock {
    fn handle(&self, placed: Delivery<'_, OrderPlaced>, conn: &mut Conn) -> Result<(), Failure> {
        let customer = placed.customer.clone();
        let reserved = StockReserved { order: placed.order, customer, total: placed.total };
        let take = Item::execute_on(placed.item, TakeStock(placed.count));
        match take.caused_by(placed.id()).publish(reserved).run(conn) {
            // Another attempt would find no item, either: somebody must look.
            Err(evented_diesel::Error::NotFound { .. }) => {
                Err(Failure::dead(format!("order {}: there is no item {}", placed.order, placed.item)))
            }
            other => Ok(other.map(drop)?),
        }
    }
}

/// Writes an invoice. It is in the transaction that stores the progress, so each order has exactly one.
struct Invoices;

impl Handle<StockReserved, Conn> for Invoices {
    fn handle(&self, reserved: Delivery<'_, StockReserved>, conn: &mut Conn) -> Result<(), Failure> {
        diesel::insert_into(invoices::table)
            .values((invoices::order_id.eq(reserved.order), invoices::total.eq(reserved.total)))
            .execute(conn)?;
        Ok(())
    }
}

/// Sends a mail. It is outside of the database, so it is sent at least once: the key makes a second attempt harmless.
struct Mails(MailService);

impl Effect<StockReserved> for Mails {
    fn run(&self, reserved: Delivery<'_, StockReserved>) -> Result<(), Failure> {
        let (key, customer) = (reserved.idempotency_key(), reserved.customer.clone());
        self.0.send(&Request { key, order: reserved.order, customer }, reserved.attempt())?;
        Ok(())
    }
}

/// Returns the subscribers. A publisher knows none of them.
pub fn all(service: MailService) -> [Subscriber<Conn>; 4] {
    let [stock, invoices, mails, days] = NAMES.map(|name| Subscriber::new(name).from(From::Beginning));
    let soon = Retry::exponential(Duration::from_millis(50), Duration::from_secs(1));
    [
        stock.on(OrderPlaced::events(), Stock),
        invoices.on(StockReserved::events(), Invoices),
        mails.effect(StockReserved::events(), Mails(service)).retry(soon),
        // Two events of one day are handled one after the other.
        days.on(DayClosed::events().key(|closed| closed.day.to_string()), day::SumUp),
    ]
}
