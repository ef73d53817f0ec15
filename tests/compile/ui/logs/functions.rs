//! The functions of a log and of a hook have one form.

use evented_diesel::{EventedBackend, PendingEvent, Executor, Error, Event, EventLog, Evented, Id};

#[derive(EventLog)]
#[event_log(table = "events", models(Note, Memo, Talk), shards(4, by = shard))]
pub struct Events;

fn shard(record: &str) -> usize {
    record.len()
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), before_append = not_generic)]
struct Note {
    id: Id<Note>,
    name: String,
}

async fn not_generic(_: &mut PendingEvent<Note>, _: &[Event<Note>]) -> Result<(), Error> {
    Ok(())
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), before_append = not_async)]
struct Memo {
    id: Id<Memo>,
    name: String,
}

fn not_async<DB: EventedBackend, D: Executor<DB>>(
    _: &mut PendingEvent<Memo>,
    _: &[Event<Memo>],
    _: &mut D,
) -> Result<(), Error> {
    Ok(())
}

#[derive(Evented, Clone)]
#[evented(log(shared = Events, only), before_append = of_another)]
struct Talk {
    id: Id<Talk>,
    name: String,
}

async fn of_another<DB: EventedBackend, D: Executor<DB>>(
    _: &mut PendingEvent<Memo>,
    _: &[Event<Memo>],
    _: &mut D,
) -> Result<(), Error> {
    Ok(())
}

fn main() {}
