//! A field whose type is not its column's: it shows where a command is run.

use diesel::SqliteConnection;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        value -> Text,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Id<Item>,
    value: i32,
}

fn wrong(conn: &mut SqliteConnection) {
    let _ = Item::insert(NewItem { value: 3 }).run(conn);
}

fn main() {}
