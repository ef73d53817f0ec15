//! A model with a type of PostgreSQL's, run on SQLite.

use diesel::SqliteConnection;
use evented_diesel::prelude::*;
use uuid::Uuid;

diesel::table! {
    items (id) {
        id -> Uuid,
        tags -> Array<Text>,
    }
}

#[derive(Evented, Clone)]
struct Item {
    id: Uuid,
    tags: Vec<String>,
}

fn wrong(item: &Item, conn: &mut SqliteConnection) {
    let _ = Item::insert(NewItem { tags: Vec::new() }).run(conn);
    let _ = item.delete().run(conn);
    let _ = Item::replay(item.id).run(conn);
}

fn main() {}
