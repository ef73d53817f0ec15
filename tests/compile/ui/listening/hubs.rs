//! Read points, policies and hubs are of a model.

use diesel::prelude::*;
use evented_feed::Hub;
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    items (id) { id -> Uid, name -> Text }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = items)]
struct Item {
    id: Id<Item>,
    name: String,
}

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    users (id) { id -> Uid, name -> Text }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug)]
#[diesel(table_name = users)]
struct User {
    id: Id<User>,
    name: String,
}

/// No model.
struct Plain;

fn read_points(hub: &Hub, conn: &mut SqliteConnection) {
    let seen = Item::read_point().run(conn).unwrap();
    let _ = hub.subscribe(Item::changes()).unwrap().after(seen);
    // The rows of another model.
    let seen = User::read_point().run(conn).unwrap();
    let _ = hub.subscribe(Item::changes()).unwrap().after(seen);
}

fn main() {
    let _ = Hub::of::<Plain>();
    // A policy of another model.
    let _ = Item::changes().allowed_by(|user: &User| user.name == "ann");
}
