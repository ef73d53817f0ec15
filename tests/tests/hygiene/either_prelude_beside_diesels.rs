//! Either prelude works together with Diesel's prelude and with `diesel_async::RunQueryDsl`: no method of a model, of a
//! command or of a query is ambiguous.

pub(super) mod model {
    use chrono::NaiveDateTime;
    use diesel::prelude::*;
    use evented_diesel::{Action, Context, Evented, Id};

    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        lamps (id) {
            id -> Uid,
            name -> Text,
            lit_at -> Nullable<Timestamp>,
        }
    }

    #[derive(
        Evented, Queryable, Selectable, Identifiable, Insertable, AsChangeset, Clone, Debug, PartialEq,
    )]
    #[diesel(table_name = lamps)]
    #[evented(actions(Light))]
    pub(in super::super) struct Lamp {
        pub(in super::super) id: Id<Lamp>,
        pub(in super::super) name: String,
        pub(in super::super) lit_at: Option<NaiveDateTime>,
    }

    #[derive(serde::Serialize, serde::Deserialize, Clone, Debug)]
    pub(in super::super) struct Light;

    impl Action<Lamp> for Light {
        fn apply(&self, lamp: &mut Lamp, cx: &Context) {
            lamp.lit_at = Some(cx.at.naive_utc());
        }
    }

    pub(super) const TABLES: &str =
        "CREATE TABLE lamps (id BLOB PRIMARY KEY, name TEXT NOT NULL, lit_at TEXT)";
}

mod blocking {
    use diesel::prelude::*;
    use evented_diesel::migrations::Migrations;
    use evented_diesel::prelude::*;

    use super::model::{Lamp, LampChanges, Light, NewLamp, TABLES, lamps};

    #[test]
    fn every_method() {
        let conn = &mut crate::database(TABLES, &Migrations::new().log::<Lamp>());
        let new = NewLamp { name: "a".into(), lit_at: None };
        let lamp = Lamp::insert(new).by("user:7").run(conn).unwrap();
        let lamp = lamp.light(Light).run(conn).unwrap();
        let lamp = Lamp::execute_on(&lamp, Light).run(conn).unwrap();
        let lamp =
            lamp.update(LampChanges { name: Some("b".into()), ..Default::default() }).run(conn).unwrap();
        assert!(lamp.changeset(&Light).unwrap().get("lit_at").is_some());
        Lamp::savepoint(lamp.id).run(conn).unwrap();
        assert_eq!(Lamp::replay(lamp.id).run(conn).unwrap().as_ref(), Some(&lamp));
        assert_eq!(Lamp::history(&lamp).run(conn).unwrap().len(), 5);
        assert_eq!(Lamp::recent_events(&lamp).run(conn).unwrap().len(), 1);
        let events: Vec<evented_diesel::Event<Lamp>> = lamp.events().load(conn).unwrap();
        assert_eq!(Lamp::previous_events(&events[1]).run(conn).unwrap().len(), 2);
        assert_eq!(Lamp::last_position().run(conn).unwrap(), 5);
        let same: Vec<evented_diesel::Event<Lamp>> = evented_diesel::Event::belonging_to(&lamp)
            .select(evented_diesel::Event::as_select())
            .load(conn)
            .unwrap();
        assert_eq!(same.len(), 5);
        // A query of plain Diesel.
        let found: Lamp = lamps::table.find(lamp.id).first(conn).unwrap();
        assert_eq!(found, lamp);
        let two: Vec<evented_diesel::Event<Lamp>> = lamp.events().limit(2).load(conn).unwrap();
        assert_eq!(two.len(), 2);
        lamp.delete().run(conn).unwrap();
        assert!(Lamp::materialize(lamp.id).run(conn).is_err());
        assert!(Lamp::delete_by(lamp.id).run(conn).is_err());
    }
}

mod asynchronous {
    use diesel::prelude::*;
    use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
    use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
    use evented_diesel::async_prelude::*;
    use evented_diesel::migrations::{Database, Migrations};

    use super::model::{Lamp, LampChanges, Light, NewLamp, TABLES, lamps};

    #[tokio::test]
    async fn every_method() {
        let mut conn = SyncConnectionWrapper::<SqliteConnection>::establish(":memory:").await.unwrap();
        let conn = &mut conn;
        conn.batch_execute(TABLES).await.unwrap();
        conn.batch_execute(&Migrations::new().log::<Lamp>().up_sql(Database::Sqlite)).await.unwrap();

        let new = NewLamp { name: "a".into(), lit_at: None };
        let lamp = Lamp::insert(new).by("user:7").run(conn).await.unwrap();
        let lamp = lamp.light(Light).run(conn).await.unwrap();
        let lamp = Lamp::execute_on(&lamp, Light).run(conn).await.unwrap();
        let changes = LampChanges { name: Some("b".into()), ..Default::default() };
        let lamp = lamp.update(changes).run(conn).await.unwrap();
        assert!(lamp.changeset(&Light).unwrap().get("lit_at").is_some());
        Lamp::savepoint(lamp.id).run(conn).await.unwrap();
        assert_eq!(Lamp::replay(lamp.id).run(conn).await.unwrap().as_ref(), Some(&lamp));
        assert_eq!(Lamp::history(&lamp).run(conn).await.unwrap().len(), 5);
        assert_eq!(Lamp::recent_events(&lamp).run(conn).await.unwrap().len(), 1);
        let events: Vec<evented_diesel::Event<Lamp>> = lamp.events().load(conn).await.unwrap();
        assert_eq!(Lamp::previous_events(&events[1]).run(conn).await.unwrap().len(), 2);
        assert_eq!(Lamp::last_position().run(conn).await.unwrap(), 5);
        let same: Vec<evented_diesel::Event<Lamp>> = evented_diesel::Event::belonging_to(&lamp)
            .select(evented_diesel::Event::as_select())
            .load(conn)
            .await
            .unwrap();
        assert_eq!(same.len(), 5);
        // A query of plain Diesel.
        let found: Lamp = lamps::table.find(lamp.id).first(conn).await.unwrap();
        assert_eq!(found, lamp);
        let two: Vec<evented_diesel::Event<Lamp>> = lamp.events().limit(2).load(conn).await.unwrap();
        assert_eq!(two.len(), 2);
        lamp.delete().run(conn).await.unwrap();
        assert!(Lamp::materialize(lamp.id).run(conn).await.is_err());
        assert!(Lamp::delete_by(lamp.id).run(conn).await.is_err());
    }
}
