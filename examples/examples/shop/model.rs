//! Items and orders, and the domain events that follow from an order.

use chrono::NaiveDate;
use evented_diesel::prelude::*;
use evented_diesel::{DomainEvent, PublishFor, Publishing};
use serde::{Deserialize, Serialize};

diesel::table! { items (id) { id -> Integer, name -> Text, stock -> Integer, } }
diesel::table! {
    orders (id) { id -> Integer, customer -> Text, item_id -> Integer, count -> Integer, total -> Integer, day -> Date, }
}
diesel::table! { invoices (number) { number -> Integer, order_id -> Integer, total -> Integer, } }
diesel::table! { days (day) { day -> Date, orders -> BigInt, total -> BigInt, } }

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
    /// The price of all items.
    pub total: i32,
    /// The day on which it was placed, by the clock of the shop.
    pub day: NaiveDate,
}

/// An order was placed. It contains what its subscribers need.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug)]
#[domain_event(name = "order_placed", key = order)]
pub struct OrderPlaced {
    pub order: i32,
    pub customer: String,
    pub item: i32,
    pub count: i32,
    pub total: i32,
}

impl PublishFor<Order> for OrderPlaced {
    fn of(change: &Publishing<'_, Order>) -> Option<Self> {
        let order = change.after()?;
        Some(Self {
            order: order.id,
            customer: order.customer.clone(),
            item: order.item_id,
            count: order.count,
            total: order.total,
        })
    }
}

/// The items of an order were taken out of the stock.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug)]
#[domain_event(name = "stock_reserved", key = order)]
pub struct StockReserved {
    pub order: i32,
    pub customer: String,
    pub total: i32,
}
