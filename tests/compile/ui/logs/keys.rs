//! A shared log holds no model whose keys the database makes.

use evented_diesel::{EventLog, Evented, Id};

diesel::table! { counts (id) { id -> Integer, name -> Text, } }

#[derive(EventLog)]
#[event_log(table = "events", models(Note, Count))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
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
