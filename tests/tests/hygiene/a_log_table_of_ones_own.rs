//! With `log(table = …)`, the derive generates no table and uses the user's table.

use diesel::prelude::*;
use evented_diesel::Event;
use evented_diesel::migrations::Migrations;
use evented_diesel::prelude::*;

mod schema {
    diesel::table! {
        rooms (id) {
            id -> Integer,
            name -> Text,
        }
    }
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::{JsonText, Uid, UtcTime};
        room_log (position) {
            position -> BigInt,
            txid -> BigInt,
            record_id -> Integer,
            revision -> BigInt,
            at -> UtcTime,
            version -> SmallInt,
            given_id -> Bool,
            action -> Text,
            payload -> JsonText,
            meta -> JsonText,
            id -> Uid,
            state -> Binary,
        }
    }
    diesel::joinable!(room_log -> rooms (record_id));
    diesel::allow_tables_to_appear_in_same_query!(room_log, rooms);
}

#[derive(Evented, Queryable, Selectable, Identifiable, Clone, Debug, PartialEq)]
#[diesel(table_name = schema::rooms)]
#[evented(log(table = schema::room_log))]
struct Room {
    id: i32,
    name: String,
}

#[test]
fn it_works() {
    let tables = "CREATE TABLE rooms (id INTEGER PRIMARY KEY, name TEXT NOT NULL)";
    let conn = &mut super::database(tables, &Migrations::new().log::<Room>());
    let room = Room::insert(NewRoom { name: "attic".into() }).run(conn).unwrap();
    let by_query: Vec<Event<Room>> =
        Event::belonging_to(&room).select(Event::as_select()).load(conn).unwrap();
    assert_eq!(by_query.len(), 1);
    let joined = schema::room_log::table.inner_join(schema::rooms::table).select(schema::rooms::name);
    assert_eq!(joined.load::<String>(conn).unwrap(), ["attic"]);
}
