//! A link is one of the record's own log, and has the fields that the log says.

use evented_diesel::{EventLog, Evented, Id};
use serde::{Deserialize, Serialize};

#[derive(EventLog)]
#[event_log(table = "events", models(Note), links(ancestors, replies(Reply)))]
pub struct Events;

#[derive(EventLog)]
#[event_log(table = "other_events", models(Talk), links(hops))]
pub struct Others;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Others, only))]
struct Talk {
    id: Id<Talk>,
    name: String,
}

#[derive(Serialize, Deserialize)]
struct Reply {
    tone: String,
}

fn wrong(note: &Note, event: uuid::Uuid) {
    note.delete().link(other_events_hops::table, event);
    note.delete().link(events::table, event);
    note.delete().link(events_replies::table, event);
    note.delete().link_with(events_replies::table, event, &"mild");
}

fn main() {}
