//! Conditions and columns that are not of the model's table, and a save without the generated changes.

use diesel::prelude::*;
use evented_diesel::prelude::*;

diesel::table! {
    items (id) { id -> Integer, name -> Text }
}
diesel::table! {
    orders (id) { id -> Integer, name -> Text }
}
diesel::allow_tables_to_appear_in_same_query!(items, orders);

#[derive(Evented, Clone, Debug)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    name: String,
}

#[derive(Evented, Clone, Debug)]
#[diesel(table_name = orders)]
#[evented(update = evented_diesel::Never)]
struct Order {
    id: i32,
    name: String,
}

fn wrong(order: &Order) {
    let _ = Item::delete_where(orders::name.eq("a"));
    let _ = Item::delete_where(items::name);
    let new = NewItem { name: "a".into() };
    let _ = Item::upsert(new.clone()).on(orders::name);
    let _ = Item::upsert(new).on((items::name, "id"));
    let _ = order.save();
}

fn main() {}
