//! A key of the user's own type is made from what `key = …` says, and turned into it.

use evented_diesel::prelude::*;

diesel::table! {
    items (id) {
        id -> Text,
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Slug(String);

#[derive(Evented, Clone)]
struct Item {
    #[evented(key = String)]
    id: Slug,
}

fn main() {}
