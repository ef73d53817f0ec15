//! What a model names is no log.

use evented_diesel::{Evented, Id};

struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Journal, only))]
struct Talk {
    id: Id<Talk>,
    name: String,
}

fn main() {}
