//! The user's own log table has the columns of a log.

use evented_diesel::prelude::*;

mod schema {
    diesel::table! {
        items (id) {
            id -> Integer,
            name -> Text,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
        item_log (position) {
            position -> BigInt,
            txid -> BigInt,
            record_id -> Integer,
            revision -> BigInt,
            at -> UtcTime,
            version -> SmallInt,
            given_id -> Bool,
            action -> Text,
            payload -> JsonText,
            id -> Uid,
            state -> Binary,
        }
    }
}

#[derive(Evented, Clone)]
#[diesel(table_name = schema::items)]
#[evented(log(table = schema::item_log))]
struct Item {
    id: i32,
    name: String,
}

fn main() {}
