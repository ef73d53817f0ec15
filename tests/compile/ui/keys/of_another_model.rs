//! The key of one model does not name a record of another.

use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    users (id) {
        id -> Uid,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
}

#[derive(Evented, Clone)]
struct User {
    id: Id<User>,
}

fn wrong(item: Item, user: User) {
    let _ = User::replay(item.id);
    let _ = Item::delete_by(&user);
    let _ = Item::history(uuid::Uuid::nil());
    let _ = Item::savepoint(item);
}

fn main() {}
