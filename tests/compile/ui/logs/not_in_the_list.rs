//! A model says that its events are in a log, and the log does not hold them.

use evented_diesel::{EventLog, Evented, Id};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) { id -> Uid, name -> Text, }
}

#[derive(EventLog)]
#[event_log(table = "events", models(Note))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events))]
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Talk {
    id: Id<Talk>,
    name: String,
}

fn main() {}
