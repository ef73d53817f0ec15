//! `Id<Model>` over the UUID columns of each database.

use diesel::prelude::*;
use evented_diesel::migrations::Migrations;
use evented_diesel::{Evented, EventedDsl as _, EventedTableDsl as _, Id, Model};
use evented_tests::db::{Db, Face};

/// Runs the commands of a model called `Person`.
macro_rules! person {
    ($db:ident, $module:ident) => {{
        use evented_adoption_schema::$module::persons;
        use evented_adoption_tests::uuids::$module::{NewPerson, Person, PersonChanges, persons_events};
        let boss = $db.run(Person::insert(NewPerson { name: "Ann".into(), boss_id: None })).await.unwrap();
        let new = NewPerson { name: "Bob".into(), boss_id: Some(boss.id) };
        let person = $db.run(Person::insert(new)).await.unwrap();
        let changes = PersonChanges { name: Some("Rob".into()), ..PersonChanges::default() };
        let changed = $db.run(person.update(changes)).await.unwrap();
        assert_eq!($db.run(Person::replay(person.id)).await.unwrap(), Some(changed.clone()));
        // Diesel's own queries and writes on the same columns.
        let found: Vec<Person> =
            $db.load(persons::table.filter(persons::boss_id.eq(boss.id)).select(Person::as_select())).await;
        assert_eq!(found, [changed]);
        let joined = persons_events::table
            .inner_join(persons::table)
            .filter(persons::name.eq("Rob"))
            .order(persons_events::position)
            .select(persons_events::action);
        let actions: Vec<String> = $db.load(joined).await;
        assert_eq!(actions, ["insert", "update"]);
        $db.sql("DELETE FROM persons").await;
        assert_eq!($db.run(Person::rebuild()).await.unwrap().inserted, 2);
        assert_eq!($db.run(Person::verify_table()).await.unwrap(), []);
        assert_eq!($db.run(Person::backfill()).await.unwrap().records, 0);
        let changes = PersonChanges { name: Some("Bea".into()), ..PersonChanges::default() };
        let changed =
            $db.run(Person::update_where(persons::boss_id.eq(boss.id), changes).records()).await.unwrap();
        assert_eq!(changed.iter().map(|it| it.id).collect::<Vec<_>>(), [person.id]);
        assert_eq!($db.run(Person::delete_where(persons::id.eq(boss.id))).await.unwrap(), 1);
        assert_eq!($db.run(Person::verify_table()).await.unwrap(), []);
    }};
}

async fn with_log<M: Model, Conn: Face>(db: &mut Db<Conn>, table: &str) {
    db.sql(&format!("CREATE TABLE {table}")).await;
    let log = Migrations::of::<M>().up_sql(Db::<Conn>::DATABASE);
    db.sql(&log).await;
}

mod postgres {
    use super::*;
    use evented_tests::db::{AsyncPostgres, SyncPostgres};

    #[tokio::test]
    async fn uuid_blocking() {
        let mut db = SyncPostgres::new().await;
        with_log::<evented_adoption_tests::uuids::pg::Person, _>(
            &mut db,
            "persons (id UUID NOT NULL PRIMARY KEY, name TEXT NOT NULL, boss_id UUID)",
        )
        .await;
        person!(db, pg);
    }

    #[tokio::test]
    async fn uuid_async() {
        let mut db = AsyncPostgres::new().await;
        with_log::<evented_adoption_tests::uuids::pg::Person, _>(
            &mut db,
            "persons (id UUID NOT NULL PRIMARY KEY, name TEXT NOT NULL, boss_id UUID)",
        )
        .await;
        person!(db, pg);
    }
}

mod logs {
    use evented_adoption_schema::logged::{pinned, pinned_log};
    use evented_adoption_tests::uuids::logged::{NewPinned, Pinned, PinnedChanges};
    use evented_diesel::Event;
    use evented_tests::db::{AsyncPostgres, SyncPostgres};

    use super::*;

    macro_rules! the_logs_table_of_another_crate {
        ($name:ident, $setting:ident) => {
            #[tokio::test]
            async fn $name() {
                let mut db = $setting::new().await;
                with_log::<Pinned, _>(&mut db, "pinned (id SERIAL PRIMARY KEY, name TEXT NOT NULL)").await;
                let made = db.run(Pinned::insert(NewPinned { name: "Ann".into() })).await.unwrap();
                let changes = PinnedChanges { name: Some("Eve".into()) };
                let changed = db.run(made.update(changes)).await.unwrap();
                assert_eq!(db.run(Pinned::replay(made.id)).await.unwrap(), Some(changed.clone()));
                let events: Vec<Event<Pinned>> = db.load(changed.events()).await;
                assert_eq!(events.iter().map(Event::revision).collect::<Vec<_>>(), [1, 2]);
                let names =
                    pinned_log::table.inner_join(pinned::table).select((pinned::name, pinned_log::action));
                let names: Vec<(String, String)> = db.load(names.order(pinned_log::position)).await;
                assert_eq!(names, [("Eve".into(), "insert".into()), ("Eve".into(), "update".into())]);
                db.sql("DELETE FROM pinned").await;
                assert_eq!(db.run(Pinned::rebuild()).await.unwrap().inserted, 1);
                assert_eq!(db.run(Pinned::verify_table()).await.unwrap(), []);
            }
        };
    }
    the_logs_table_of_another_crate!(blocking, SyncPostgres);
    the_logs_table_of_another_crate!(asynchronous, AsyncPostgres);
}

mod sqlite {
    use super::*;
    use evented_adoption_schema::sqlite::texts;
    use evented_adoption_tests::uuids::sqlite::{NewTextPerson, TextPerson, TextPersonChanges, texts_events};
    use evented_tests::db::{AsyncSqlite, SyncSqlite};

    #[tokio::test]
    async fn binary_blocking() {
        let mut db = SyncSqlite::new().await;
        with_log::<evented_adoption_tests::uuids::sqlite::Person, _>(
            &mut db,
            "persons (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, boss_id BLOB)",
        )
        .await;
        person!(db, sqlite);
    }

    #[tokio::test]
    async fn binary_async() {
        let mut db = AsyncSqlite::new().await;
        with_log::<evented_adoption_tests::uuids::sqlite::Person, _>(
            &mut db,
            "persons (id BLOB NOT NULL PRIMARY KEY, name TEXT NOT NULL, boss_id BLOB)",
        )
        .await;
        person!(db, sqlite);
    }

    /// The table keeps text, and the log keeps the UUID.
    #[tokio::test]
    async fn text() {
        let mut db = SyncSqlite::new().await;
        with_log::<TextPerson, _>(&mut db, "texts (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL)").await;
        let id = Id::new(uuid::Uuid::now_v7());
        let person = db.run(TextPerson::insert(NewTextPerson { id, name: "Ann".into() })).await.unwrap();
        assert_eq!(person.id, id, "the caller gives it");
        let changes = TextPersonChanges { name: Some("Anna".into()) };
        let changed = db.run(person.update(changes)).await.unwrap();
        assert_eq!(db.number(&format!("SELECT count(*) FROM texts WHERE id = '{id}'")).await, 1);
        let joined = texts_events::table
            .inner_join(texts::table)
            .order(texts_events::position)
            .select((texts::id, texts_events::action));
        let actions: Vec<(Id<TextPerson>, String)> = db.load(joined).await;
        assert_eq!(actions, [(id, "insert".to_owned()), (id, "update".to_owned())]);
        db.sql("DELETE FROM texts").await;
        assert_eq!(db.run(TextPerson::rebuild()).await.unwrap().inserted, 1);
        assert_eq!(db.run(TextPerson::verify_table()).await.unwrap(), []);
        assert_eq!(db.run(TextPerson::replay(id)).await.unwrap(), Some(changed));
        let other = uuid::Uuid::now_v7();
        db.sql(&format!("INSERT INTO texts (id, name) VALUES ('{other}', 'Old')")).await;
        assert_eq!(db.run(TextPerson::backfill()).await.unwrap().records, 1);
        assert_eq!(TextPerson::key_value(&Id::new(other)), evented_diesel::KeyValue::Uuid(other));
        assert!(db.run(TextPerson::replay(Id::new(other))).await.unwrap().is_some());
    }
}
