//! `update = Type` takes an action.

use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Clone)]
#[evented(update = MyChanges)]
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct MyChanges {
    name: String,
}

fn main() {}
