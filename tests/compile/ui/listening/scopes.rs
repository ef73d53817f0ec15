//! A channel is of a scope that the model declares.

use diesel::prelude::*;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) { id -> Uid, org_id -> Integer, post_id -> Integer, name -> Text }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = items)]
#[evented(scopes(org = org_id, (org = org_id, post = post_id)))]
struct Item {
    id: Id<Item>,
    org_id: i32,
    post_id: i32,
    name: String,
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    users (id) { id -> Uid, org_id -> Integer }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = users)]
#[evented(scopes(org = org_id))]
struct User {
    id: Id<User>,
    org_id: i32,
}

fn main() {
    let _ = Item::changes().scope(Item::ORG.eq(1));
    let _ = Item::changes().scope((Item::POST.eq(2), Item::ORG.eq(1)));
    // A part of a combination that is no scope by itself.
    let _ = Item::changes().scope(Item::POST.eq(2));
    // The same part twice.
    let _ = Item::changes().scope((Item::ORG.eq(1), Item::ORG.eq(2)));
    // A scope of another model.
    let _ = Item::changes().scope(User::ORG.eq(1));
}
