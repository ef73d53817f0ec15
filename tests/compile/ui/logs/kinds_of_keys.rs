//! The keys of a shared log are of one kind, and the log says which.

use evented_diesel::{EventLog, Evented};

#[derive(EventLog)]
#[event_log(table = "events", models(Named))]
pub struct Events;

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only))]
struct Named {
    id: String,
    name: String,
}

fn main() {}
