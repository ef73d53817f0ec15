//! The model: items on the boards of organisations.

use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;

    items (id) {
        id -> Uid,
        org_id -> Integer,
        name -> Text,
    }
}

/// Something on a board.
#[derive(Evented, Queryable, Selectable, Serialize, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(actions(Rename, Transfer), scopes(org = org_id), check = Item::named)]
pub struct Item {
    /// Its key, made by the library.
    pub id: Id<Item>,
    /// On whose board it is.
    pub org_id: i32,
    /// What it is called.
    pub name: String,
}

impl Item {
    fn named(&self) -> Result<(), Invalid> {
        if self.name.trim().is_empty() { Err(Invalid::field("name", "is empty")) } else { Ok(()) }
    }
}

/// Calls it otherwise.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Rename {
    /// The new name.
    pub name: String,
}

impl Action<Item> for Rename {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.name.clone_from(&self.name);
    }
}

/// Moves it to the board of another organisation.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Transfer {
    /// On whose board it is now.
    pub to: i32,
}

impl Action<Item> for Transfer {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.org_id = self.to;
    }
}
