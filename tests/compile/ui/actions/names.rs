//! Each action has a method and a name in the log of its own.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(actions(Insert, Filter, path::LastPosition, a::Close, b::Close))]
struct Methods {
    id: i32,
}

#[derive(Evented)]
#[evented(actions(Close, Shut as "close", External))]
#[evented(retired("close" = f, "lost" = f, "lost" = g))]
#[evented(aliases(close = "lost", update = "change", insert = "change"))]
struct LogNames {
    id: i32,
}

#[derive(Evented)]
#[evented(actions(Close, Open), aliases(clsoe = "shut", reopen = "unshut"))]
struct Aliases {
    id: i32,
}

#[derive(Evented)]
#[evented(schema = "", log_schema = "a_schema_whose_name_is_longer_than_postgresql_keeps_the_name_of_one")]
#[evented(actions(Close as ""), retired("a\0b" = f))]
struct Lengths {
    id: i32,
}

#[derive(Evented)]
#[evented(log_schema = "my audit")]
struct Characters {
    id: i32,
}

fn main() {}
