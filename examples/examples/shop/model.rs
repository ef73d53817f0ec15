//! Items and orders, and the domain event that an order publishes.

use evented_diesel::prelude::*;
use evented_diesel::{DomainEvent, PublishFor, Publishing};
use serde::{Deserialize, Serialize};

diesel::table! { items (id) { id -> Integer, name -> Text, stock -> Integer, } }
diesel::table! { orders (id) { id -> Integer, customer -> Text, item_id -> Integer, count -> Integer, } }

#[derive(Evented, Clone, Debug)]
#[diesel(table_name = items)]
#[evented(actions(TakeStock))]
pub struct Item {
    pub id: i32,
    pub name: String,
    pub stock: i32,
}

/// Takes items out of the stock.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct TakeStock(pub i32);

impl Action<Item> for TakeStock {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.stock -= self.0;
    }
}

#[derive(Evented, Clone, Debug)]
#[diesel(table_name = orders)]
#[evented(publish(on(insert) = OrderPlaced))]
pub struct Order {
    pub id: i32,
    pub customer: String,
    pub item_id: i32,
    pub count: i32,
}

/// An order was placed. It contains what its subscribers need.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug)]
#[domain_event(name = "order_placed", key = order)]
pub struct OrderPlaced {
    pub order: i32,
    pub customer: String,
    pub item: i32,
    pub count: i32,
}

impl PublishFor<Order> for OrderPlaced {
    fn of(change: &Publishing<'_, Order>) -> Option<Self> {
        let order = change.after()?;
        Some(Self {
            order: order.id,
            customer: order.customer.clone(),
            item: order.item_id,
            count: order.count,
        })
    }
}

/// The tables of the application.
pub const TABLES: &str = "
    CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, stock INTEGER NOT NULL);
    CREATE TABLE orders (id INTEGER PRIMARY KEY AUTOINCREMENT, customer TEXT NOT NULL, item_id INTEGER NOT NULL,
        count INTEGER NOT NULL);
    CREATE TABLE invoices (number INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER NOT NULL);";
