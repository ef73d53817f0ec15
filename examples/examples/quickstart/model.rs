//! The model: an ordinary Diesel model, one derive, and two actions of its own.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    // Types that mean the same on SQLite and on PostgreSQL.
    use evented_diesel::sql_types::{Uid, UtcTime};

    items (id) {
        id -> Uid,
        name -> Text,
        price -> Integer,
        archived_at -> Nullable<UtcTime>,
    }
}

/// Something in a shop.
#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = items)]
#[evented(actions(Archive, Restore), check = Item::valid)]
pub struct Item {
    /// Its key, made by the library.
    pub id: Id<Item>,
    /// What it is called.
    pub name: String,
    /// What it costs.
    pub price: i32,
    /// Since when it is put away.
    #[evented(skip_insert)]
    pub archived_at: Option<DateTime<Utc>>,
}

impl Item {
    fn valid(&self) -> Result<(), Invalid> {
        if self.price < 0 { Err(Invalid::field("price", "is below zero")) } else { Ok(()) }
    }
}

/// Puts the item away.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Archive {
    /// Why.
    pub reason: String,
}

impl Action<Item> for Archive {
    fn check(&self, item: &Item, _: &Context) -> Result<(), Invalid> {
        match item.archived_at {
            Some(_) => Err(Invalid::field("archived_at", "is set: the item is put away already")),
            None => Ok(()),
        }
    }

    fn apply(&self, item: &mut Item, cx: &Context) {
        item.archived_at = Some(cx.at);
    }
}

/// Takes it out again.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub struct Restore;

impl Action<Item> for Restore {
    fn apply(&self, item: &mut Item, _: &Context) {
        item.archived_at = None;
    }
}
