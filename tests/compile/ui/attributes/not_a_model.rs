//! Only a struct with named fields and without parameters is a row of a table.

use evented_diesel::Evented;

#[derive(Evented)]
enum Choice {
    A,
    B,
}

#[derive(Evented)]
union Either {
    a: u32,
    b: f32,
}

#[derive(Evented)]
struct Pair(i32, i32);

#[derive(Evented)]
struct Nothing;

#[derive(Evented)]
struct Borrowed<'a, T> {
    id: i32,
    name: &'a T,
}

fn main() {}
