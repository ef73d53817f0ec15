//! Faults of what a model publishes.

use evented_diesel::prelude::*;
use evented_diesel::DomainEvent;
use serde::{Deserialize, Serialize};

diesel::table! { orders (id) { id -> Integer, status -> Text, } }

#[derive(DomainEvent, Serialize, Deserialize)]
#[domain_event(name = "placed")]
struct Placed;

#[derive(Serialize, Deserialize, Clone, Debug)]
struct NotAnEvent;

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Cancel;

#[derive(Evented, Clone, Debug)]
#[diesel(table_name = orders)]
#[evented(publish(on(update(statsu)) = Placed, on(Cancel) = Placed, after(insert) = Placed, on(insert)))]
struct Misspelled {
    id: i32,
    status: String,
}

mod without_an_impl {
    use super::*;

    #[derive(Evented, Clone, Debug)]
    #[diesel(table_name = orders)]
    #[evented(publish(on(insert) = Placed, on(delete) = NotAnEvent))]
    struct Order {
        id: i32,
        status: String,
    }
}

mod published_by_a_command {
    use super::*;

    #[derive(Evented, Clone, Debug)]
    #[diesel(table_name = orders)]
    struct Order {
        id: i32,
        status: String,
    }

    fn publish(order: &Order) {
        let _ = order.delete().publish(NotAnEvent);
    }
}

fn main() {}
