//! A log lists a model that records its events in a log of its own.

use evented_diesel::{EventLog, Evented, Id};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    notes (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(EventLog)]
#[event_log(table = "events", models(Note), hashed)]
pub struct Events;

#[derive(Evented, Clone)]
#[diesel(table_name = notes)]
pub struct Note {
    id: Id<Note>,
    name: String,
}

fn main() {}
