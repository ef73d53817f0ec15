//! What a model says of its log, its table and its savepoints, and what does not go with that.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(log(shared = Events, table = schema::item_log, db_schema = "audit"))]
struct BothLogs {
    id: Id<BothLogs>,
}

#[derive(Evented)]
#[evented(log(shared = Events))]
struct MadeByTheDatabase {
    id: i32,
}

#[derive(Evented)]
#[evented(log(only))]
struct MadeByNobody {
    id: i64,
}

#[derive(Evented)]
#[evented(log(only))]
struct WithColumnsOfTheDatabase {
    id: Id<WithColumnsOfTheDatabase>,
    #[evented(generated)]
    rank: i32,
}

#[derive(Evented)]
#[evented(savepoint(every = 0))]
struct Always {
    id: Id<Always>,
}

#[derive(Evented)]
#[evented(savepoint(often = 2), log = "events", log(only) = true, before_append(f))]
struct Forms {
    id: Id<Forms>,
}

fn main() {}
