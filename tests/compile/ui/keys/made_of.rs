//! A key's type says what it is made of, or `key = …` does.

use evented_diesel::Evented;

struct ItemId(uuid::Uuid);

#[derive(Evented)]
struct OwnType {
    id: ItemId,
}

#[derive(Evented)]
struct Nullable {
    id: Option<i32>,
}

#[derive(Evented)]
struct Unsigned {
    id: u64,
}

#[derive(Evented)]
struct OfUnsigned {
    #[evented(key = u64)]
    id: ItemId,
}

#[derive(Evented)]
struct NotTheKey {
    id: i32,
    #[evented(key = Uuid)]
    item_id: ItemId,
}

fn main() {}
