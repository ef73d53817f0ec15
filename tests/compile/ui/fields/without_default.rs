//! What the caller does not give on insert starts as its type's default.

use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::{JsonText, Uid};
    items (id) {
        id -> Uid,
        place -> JsonText,
        rank -> JsonText,
    }
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Place(i32, i32);

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Rank(i32);

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
    #[evented(skip_insert)]
    place: Place,
    #[evented(generated)]
    rank: Rank,
}

fn main() {}
