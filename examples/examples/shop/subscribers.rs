//! What follows from an order: the stock, an invoice, a mail.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::Integer;
use evented_diesel::prelude::*;
use evented_react::{Delivery, DomainEventExt as _, Effect, Failure, From, Handle, Retry, Subscriber};

use crate::model::{Item, OrderPlaced, TakeStock};

/// Takes the items of an order out of the stock, by a command.
struct Stock;

impl Handle<OrderPlaced, SqliteConnection> for Stock {
    fn handle(&self, placed: Delivery<'_, OrderPlaced>, conn: &mut SqliteConnection) -> Result<(), Failure> {
        let take = Item::execute_on(placed.item, TakeStock(placed.count)).caused_by(placed.id());
        match take.run(conn) {
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

impl Handle<OrderPlaced, SqliteConnection> for Invoices {
    fn handle(&self, placed: Delivery<'_, OrderPlaced>, conn: &mut SqliteConnection) -> Result<(), Failure> {
        diesel::sql_query("INSERT INTO invoices (order_id) VALUES (?)")
            .bind::<Integer, _>(placed.order)
            .execute(conn)?;
        Ok(())
    }
}

/// A mail service, which recognizes a mail that it has sent already by its key.
#[derive(Clone, Default)]
pub struct MailService {
    sent: Arc<Mutex<BTreeMap<String, String>>>,
}

impl MailService {
    /// Sends a mail, unless it was sent. The first attempt for a customer whose name begins with `B` has no answer.
    fn send(&self, key: String, to: &str, attempt: u32) -> Result<(), String> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).insert(key, to.to_owned());
        if attempt == 1 && to.starts_with('B') {
            Err("the mail service gave no answer".to_owned())
        } else {
            Ok(())
        }
    }

    /// Returns to whom mails were sent.
    pub fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

/// Sends a mail. It is outside of the database, so it is sent at least once: the key makes a second attempt harmless.
struct Mails(MailService);

impl Effect<OrderPlaced> for Mails {
    fn run(&self, placed: Delivery<'_, OrderPlaced>) -> Result<(), Failure> {
        self.0.send(placed.idempotency_key(), &placed.customer, placed.attempt()).map_err(Failure::retry)
    }
}

/// Returns the three subscribers. An order knows none of them.
pub fn all(mails: &MailService) -> [Subscriber<SqliteConnection>; 3] {
    let soon = Retry::exponential(Duration::from_millis(50), Duration::from_secs(1));
    [
        Subscriber::new("stock").on(OrderPlaced::events(), Stock).from(From::Beginning),
        Subscriber::new("invoices").on(OrderPlaced::events(), Invoices).from(From::Beginning),
        Subscriber::new("mails")
            .effect(OrderPlaced::events(), Mails(mails.clone()))
            .from(From::Beginning)
            .retry(soon),
    ]
}
