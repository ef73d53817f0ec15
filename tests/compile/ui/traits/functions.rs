//! The functions of `check` and `savepoint` have one type each.

use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    users (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Clone)]
#[evented(check = Item::valid, savepoint(with = short))]
struct Item {
    id: Id<Item>,
    name: String,
}

impl Item {
    fn valid(&self) -> bool {
        !self.name.is_empty()
    }
}

fn short(item: &Item) -> String {
    item.name.clone()
}

#[derive(Evented, Clone)]
#[evented(check = valid, savepoint(with = User::shrot))]
struct User {
    id: Id<User>,
    name: String,
}

fn valid(_: User) -> Result<(), ValidationErrors> {
    Ok(())
}

impl User {
    fn short(&self) -> evented_diesel::Fields {
        evented_diesel::Fields::new()
    }
}

fn main() {}
