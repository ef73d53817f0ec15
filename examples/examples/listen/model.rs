//! The model: items that belong to an organisation.

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
        price -> Integer,
    }
}

/// Something that an organisation has. The scope makes `Item::ORG`: it can be listened to by organisation.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(actions(Rename, Transfer), scopes(org = org_id))]
pub struct Item {
    /// Its key, made by the library.
    pub id: Id<Item>,
    /// Whose it is.
    pub org_id: i32,
    /// What it is called.
    pub name: String,
    /// What it costs.
    pub price: i32,
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

/// Gives it to another organisation.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Transfer {
    /// Whose it is now.
    pub to: i32,
}

impl Action<Item> for Transfer {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.org_id = self.to;
    }
}
