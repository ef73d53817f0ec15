//! A record is named by exactly one field.

use evented_diesel::{Evented, Id};

#[derive(Evented)]
struct WithoutKey {
    name: String,
}

#[derive(Evented)]
struct WithTwo {
    #[evented(id)]
    a: i32,
    #[evented(id)]
    b: i32,
}

#[derive(Evented)]
#[diesel(primary_key(org_id, user_id))]
struct OfTwo {
    org_id: i32,
    user_id: i32,
}

#[derive(Evented)]
#[diesel(primary_key(uid))]
struct Elsewhere {
    id: Id<Elsewhere>,
}

fn main() {}
