//! The functions of `upcast` and `retired` have one type each.

use evented_diesel::RawPayload;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(Evented, Clone)]
#[evented(version = 2, upcast(0 = v0_to_v1, 1 = Item::v1_to_v2), retired("shut" = shut, "lost" = Item::lost))]
struct Item {
    id: Id<Item>,
    name: String,
}

fn v0_to_v1(attrs: RawPayload) -> RawPayload {
    attrs
}

impl Item {
    fn v1_to_v2(&mut self) {}
}

fn shut(_: &mut Item) {}

fn main() {}
