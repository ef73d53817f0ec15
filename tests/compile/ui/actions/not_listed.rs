//! An action is run that the model does not list: its events could not be read again.

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
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Rename(String);

impl Action<Item> for Rename {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.name = self.0.clone();
    }
}

fn wrong(item: &Item) {
    let _ = Item::execute_on(item.id, Rename("Desk".into()));
    let _ = item.changeset(&Rename("Desk".into()));
    let _ = item.rename(Rename("Desk".into()));
}

fn main() {}
