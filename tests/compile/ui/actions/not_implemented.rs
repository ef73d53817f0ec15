//! An action is listed, and there is no `impl Action` for it: the error is at its name in the list.

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
#[evented(actions(Archive, actions::Restore(name = "unarchive"), Rename))]
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Archive;

mod actions {
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Clone, Debug)]
    pub(super) struct Restore;
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Rename(String);

impl Action<Item> for Rename {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.name = self.0.clone();
    }
}

fn main() {}
