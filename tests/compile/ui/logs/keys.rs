//! A shared log holds no model whose keys the database makes.

use evented_diesel::{EventLog, Evented, Id};

diesel::table! { counts (id) { id -> Integer, name -> Text, } }

#[derive(EventLog)]
#[event_log(table = "events", schemas(Note, Count))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log = Events, log_only)]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
struct Count {
    id: i32,
    name: String,
}

fn main() {}
