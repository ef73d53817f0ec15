//! Everything works without an import, through the functions of the traits.

diesel::table! {
    use diesel::sql_types::*;
    use evented_diesel::sql_types::Uid;
    stamps (id) {
        id -> Uid,
        name -> Text,
    }
}

#[derive(evented_diesel::Evented, Clone, Debug, PartialEq)]
#[diesel(table_name = stamps)]
#[evented(actions(Frank))]
struct Stamp {
    id: evented_diesel::Id<Stamp>,
    name: String,
}

#[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
struct Frank;

impl evented_diesel::Action<Stamp> for Frank {
    fn apply(&self, stamp: &mut Stamp, _: &evented_diesel::Context) {
        stamp.name.push_str(" (used)");
    }
}

#[test]
fn it_works() {
    let logs = evented_diesel::migrations::Migrations::new().log::<Stamp>();
    let conn = &mut super::database("CREATE TABLE stamps (id BLOB PRIMARY KEY, name TEXT NOT NULL)", &logs);
    let stamp = evented_diesel::Run::run(
        <Stamp as evented_diesel::EventedDsl>::insert(NewStamp { name: "Blue".into() }),
        conn,
    )
    .unwrap();
    let stamp = evented_diesel::Run::run(stamp.frank(Frank), conn).unwrap();
    assert_eq!(stamp.name, "Blue (used)");
    let replayed =
        evented_diesel::Run::run(<Stamp as evented_diesel::EventedDsl>::replay(stamp.id), conn).unwrap();
    assert_eq!(replayed, Some(stamp));
}

/// The same on an async connection; only compiled.
#[expect(dead_code, reason = "only to compile")]
async fn on_an_async_connection(
    stamp: &Stamp,
    conn: &mut diesel_async::AsyncPgConnection,
) -> Result<Stamp, evented_diesel::Error> {
    evented_diesel::RunAsync::run(stamp.frank(Frank), conn).await
}
