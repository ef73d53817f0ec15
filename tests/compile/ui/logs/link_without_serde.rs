//! The fields of a link are kept as JSON.

use evented_diesel::{EventLog, Evented, Id};

#[derive(EventLog)]
#[event_log(table = "events", models(Note), links(replies(Reply)))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Note {
    id: Id<Note>,
    name: String,
}

struct Reply {
    tone: String,
}

fn main() {}
