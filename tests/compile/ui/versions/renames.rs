//! A rename is a step of the model, and leaves no doubt where a value goes.

use evented_diesel::Evented;

#[derive(Evented)]
#[evented(version = 1)]
struct OutOfRange {
    id: i32,
    #[evented(renamed(from = "a", version = 0))]
    b: i32,
    #[evented(renamed(from = "c", version = 1))]
    d: i32,
    #[evented(renamed(from = "e", version = 2))]
    f: i32,
}

#[derive(Evented)]
#[evented(version = 1)]
struct Ambiguous {
    id: i32,
    a: i32,
    #[evented(renamed(from = "a", version = 1))]
    b: i32,
    #[evented(renamed(from = "x", version = 1))]
    c: i32,
    #[evented(renamed(from = "x", version = 1))]
    d: i32,
    #[evented(renamed(from = "y", version = 1), renamed(from = "z", version = 1))]
    e: i32,
}

fn main() {}
