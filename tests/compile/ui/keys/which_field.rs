//! A record is named by one field, or by all fields of the primary key.

use evented_diesel::{Evented, Id};

#[derive(Evented)]
struct WithoutKey {
    name: String,
}

#[derive(Evented)]
#[diesel(primary_key(org_id, user_id))]
struct HalfOfTheKey {
    #[evented(id)]
    org_id: i32,
    user_id: i32,
}

#[derive(Evented)]
#[diesel(primary_key(uid))]
struct Elsewhere {
    id: Id<Elsewhere>,
}

#[derive(Evented)]
struct GivenAnyway {
    #[evented(given)]
    id: String,
}

fn main() {}
