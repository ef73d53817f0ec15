//! Each action has a method and a name in the log of its own.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(actions(Insert, Filter, path::LastPosition, a::Close, b::Close))]
struct Methods {
    id: i32,
}

#[derive(Evented)]
#[evented(actions(Close(aliases("lost")), Shut(name = "close"), External))]
#[evented(retired("close" = f, "lost" = f, "lost" = g))]
struct LogNames {
    id: i32,
}

#[derive(Evented)]
#[evented(actions(Close(aliases("shut", "shut")), update(aliases("change")), insert(aliases("change"))))]
struct Aliases {
    id: i32,
}

#[derive(Evented)]
#[evented(schema = "", log(db_schema = "a_schema_whose_name_is_longer_than_postgresql_keeps_the_name_of_one"))]
#[evented(actions(Close(name = "")), retired("a\0b" = f))]
struct Lengths {
    id: i32,
}

#[derive(Evented)]
#[evented(log(db_schema = "my audit"))]
struct Characters {
    id: i32,
}

fn main() {}
