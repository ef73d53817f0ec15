//! A model without a table. The first error is the one that counts.

use evented_diesel::prelude::*;

#[derive(Evented, Clone)]
struct User {
    id: Id<User>,
}

fn main() {}
