//! Each old version leads to today's by one step.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(version = 3, upcast(1 = f))]
struct Missing {
    id: i32,
}

#[derive(Evented)]
#[evented(version = 1, upcast(0 = f, 1 = g))]
struct Beyond {
    id: i32,
}

#[derive(Evented)]
#[evented(version = 1, upcast(0 = f, 0 = g))]
struct Twice {
    id: i32,
}

fn main() {}
