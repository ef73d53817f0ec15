//! An alias leads from a name that is written no more to one that is.

use evented_diesel::{Action, Context, EventLog, Evented, Id};
use serde::{Deserialize, Serialize};

#[derive(EventLog)]
#[event_log(table = "events", models(Note, Talk), actions(close(aliases("shut")), open(aliases("say"))))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), actions(Open))]
struct Note {
    id: Id<Note>,
    name: String,
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), actions(Say))]
struct Talk {
    id: Id<Talk>,
    name: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Open;
impl Action<Note> for Open {
    fn apply(&self, _: &mut Note, _: &Context) {}
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Say;
impl Action<Talk> for Say {
    fn apply(&self, _: &mut Talk, _: &Context) {}
}

fn main() {}
