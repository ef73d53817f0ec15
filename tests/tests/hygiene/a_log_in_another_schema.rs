//! The model's table and its log may each be in a separate schema. SQLite calls that an attached database.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use evented_diesel::Event;
use evented_diesel::migrations::{Database, Migrations};
use evented_diesel::prelude::*;

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    stock.boxes (id) {
        id -> Uid,
        #[sql_name = "in"]
        content -> Text,
    }
}

#[derive(Evented, Queryable, Selectable, Clone, Debug, PartialEq)]
#[diesel(table_name = boxes)]
#[evented(log(db_schema = "audit"))]
struct Box {
    id: Id<Box>,
    content: String,
}

#[test]
fn it_works() {
    let mut conn = SqliteConnection::establish(":memory:").unwrap();
    let conn = &mut conn;
    conn.batch_execute("ATTACH ':memory:' AS stock; ATTACH ':memory:' AS audit").unwrap();
    conn.batch_execute("CREATE TABLE stock.boxes (id BLOB PRIMARY KEY, \"in\" TEXT NOT NULL)").unwrap();
    // SQLite requires the schema before the index's name, PostgreSQL before the table's name.
    let log = Migrations::new().log::<Box>().up_sql(Database::Sqlite);
    let log = log.replace("INDEX \"boxes", "INDEX \"audit\".\"boxes").replace("ON \"audit\".", "ON ");
    conn.batch_execute(&log).unwrap();

    let made = Box::insert(NewBox { content: "socks".into() }).run(conn).unwrap();
    made.update(BoxChanges { content: Some("hats".into()) }).run(conn).unwrap();
    let events: Vec<Event<Box>> = made.events().load(conn).unwrap();
    assert_eq!(events.iter().map(Event::action).collect::<Vec<_>>(), ["insert", "update"]);
    let logged: i64 = audit_count(conn);
    assert_eq!(logged, 2);
}

fn audit_count(conn: &mut SqliteConnection) -> i64 {
    let query = diesel::sql_query("SELECT count(*) AS count FROM audit.boxes_events");
    query.get_result::<Count>(conn).unwrap().count
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    count: i64,
}
