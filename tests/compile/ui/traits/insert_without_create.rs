//! `insert = Type` takes a type that can create a record and has a serde form.

use evented_diesel::prelude::*;
use serde::{Deserialize, Serialize};

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}
diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    users (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Clone)]
#[evented(insert = MyNew)]
struct Item {
    id: Id<Item>,
    name: String,
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct MyNew {
    name: String,
}

#[derive(Evented, Clone)]
#[evented(insert = SignUp)]
struct User {
    id: Id<User>,
    name: String,
}

struct SignUp {
    name: String,
}

impl Create<User> for SignUp {
    fn create(&self, id: Id<User>, _: &Context) -> User {
        User { id, name: self.name.clone() }
    }
}

fn main() {}
