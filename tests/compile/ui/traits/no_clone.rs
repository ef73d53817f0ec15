//! A model without `Clone`: an action is applied to a copy.

use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented)]
struct Item {
    id: Id<Item>,
    name: String,
}

fn main() {}
