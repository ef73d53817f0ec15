//! `.run(&mut conn)` without the prelude.

use diesel::SqliteConnection;
use evented_diesel::{Evented, Id};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
}

fn wrong(item: &Item, conn: &mut SqliteConnection) {
    let _ = item.delete().run(conn);
    let _ = Item::replay(item.id).run(conn);
}

fn main() {}
