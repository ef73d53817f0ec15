//! Keys that are made of another type than their columns.

use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    persons (id) {
        id -> Integer,
        name -> Text,
    }
}

diesel::table! {
    days (shop_id, day) {
        shop_id -> Integer,
        day -> Date,
        name -> Text,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct PersonId(i32);

#[derive(Evented)]
#[diesel(table_name = persons)]
struct Person {
    #[evented(key = Uuid)]
    id: PersonId,
    name: String,
}

#[derive(Evented)]
#[diesel(table_name = days, primary_key(shop_id, day))]
struct Day {
    shop_id: i32,
    #[evented(key = String)]
    day: chrono::NaiveDate,
    name: String,
}

diesel::table! {
    others (id) {
        id -> Integer,
        name -> Text,
    }
}

#[derive(Evented)]
struct Other {
    id: i64,
    name: String,
}

fn main() {}
