//! The names of models in a log: one for each, and the one that the log says.

use evented_diesel::{EventLog, Evented, Id};

#[derive(EventLog)]
#[event_log(table = "events", models(Note, Memo, Talk(schema = "talk")))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), schema = "notes")]
struct Memo {
    id: Id<Memo>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Talk {
    id: Id<Talk>,
    name: String,
}

fn main() {}
