//! The table's primary key has two columns, and the model takes one of them.

use evented_diesel::Evented;

diesel::table! {
    id_parts (id, user_id) { id -> Integer, user_id -> Integer, role -> Text }
}

#[derive(Evented, Clone)]
#[diesel(table_name = id_parts)]
struct IdPart {
    id: i32,
    user_id: i32,
    role: String,
}

fn main() {}
