//! A field without a column.

use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
    name: String,
    value: i32,
}

fn main() {}
