//! A model needs no `Clone`, but its fields do: an action is applied to a copy.

use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}

/// A type that could be stored, were it not for the copy.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Name(String);

#[derive(Evented)]
struct Item {
    id: Id<Item>,
    #[diesel(serialize_as = String, deserialize_as = String)]
    name: Name,
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name)
    }
}
impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

fn main() {}
