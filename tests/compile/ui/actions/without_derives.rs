//! The log keeps an action's serde form, and its events can be shown and cloned.

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
#[evented(actions(Archive, Restore, Rename))]
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Clone, Debug)]
struct Archive;

#[derive(Serialize, Clone, Debug)]
struct Restore;

#[derive(Serialize, Deserialize)]
struct Rename(String);

macro_rules! action {
    ($($name:ident),*) => {$(
        impl Action<Item> for $name {
            fn apply(&self, _: &mut Item, _: &Context) {}
        }
    )*};
}
action!(Archive, Restore, Rename);

fn main() {}
