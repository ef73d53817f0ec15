//! Domain events are published if and only if the command's event is recorded.

use diesel::ExpressionMethods as _;
use evented_core::LogOffset;
use evented_diesel::read::SourceChange;
use evented_diesel::stream::published;
use evented_diesel::{
    ActionOf, Bus, Command, DomainEvent, DomainEvents, Error, EventedDsl as _, EventedTableDsl as _, Id,
    IntoRecordRef, ModelOn, PublishFor, Publishing, batch, publish, publish_all,
};
use evented_tests::models::shared::{
    Add, Card, Healer, Letter, Memo, Meter, Nick, Parcel, Person, Remark, Shop, Talk, Thing, Track,
};
use evented_tests::models::{Counter, Increment, NewCounter, NewNote, Note};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::concurrency::at_once;
use super::{Backend, Db, fresh};

#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "told", key = about)]
struct Told {
    about: i64,
    what: String,
}

/// A name of another version, on the same bus.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "asked")]
struct Asked;

#[derive(Bus)]
#[bus(table = "other_events")]
struct Other;

#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "told", bus = Other)]
struct ToldElsewhere(i32);

fn told(what: &str) -> Told {
    Told { about: 7, what: what.to_owned() }
}

/// Adds so many events to a command.
fn publishing<M: evented_diesel::Evented>(command: Command<M>, what: &str, count: usize) -> Command<M> {
    (0..count).fold(command, |command, number| command.publish(told(&format!("{what} {number}"))))
}

async fn texts(db: &mut Db) -> Vec<String> {
    db.run(published::<Told>()).await.unwrap().into_iter().map(|told| told.what).collect()
}

/// Runs every kind of command with so many events, and checks that each was published once, in order.
async fn every_command_publishes<M>(db: &mut Db, count: usize)
where
    M: Thing + ModelOn<Backend> + Clone,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let before = texts(db).await.len();
    let mut expected = Vec::new();
    let mut now = |what: &str| expected.extend((0..count).map(|number| format!("{what} {number}")));
    let insert = Command::<M>::insert(M::new("k", "Lamp"));
    let it = db.run(publishing(insert, "insert", count)).await.unwrap();
    now("insert");
    let it = db.run(publishing(Command::change(&it, M::named("Desk")), "update", count)).await.unwrap();
    now("update");
    let it = db.run(publishing(Command::change(&it, Add(1)), "action", count)).await.unwrap();
    now("action");
    let it = db.run(publishing(Command::savepoint(&it), "savepoint", count)).await.unwrap();
    now("savepoint");
    let id = Uuid::now_v7();
    let again = || publishing(Command::change(&it, Add(2)).idempotent(id), "once", count);
    let it = db.run(again()).await.unwrap();
    assert_eq!(db.run(again()).await.unwrap(), it);
    now("once");
    let many = [
        publishing(Command::change(&it, Add(1)), "batch", count),
        publishing(Command::insert(M::new("other", "Shelf")), "batch insert", count),
    ];
    let done = db.run(batch(many)).await.unwrap();
    now("batch");
    now("batch insert");
    // None of these is recorded.
    let refused = publishing(Command::change(&done[0], Add(-99)), "refused", count);
    assert!(db.run(refused).await.unwrap_err().validation_errors().is_some());
    let conflict = publishing(Command::change(&done[0], Add(1)).expecting(1), "conflict", count);
    assert!(matches!(db.run(conflict).await, Err(Error::Conflict { .. })));
    db.begin().await;
    db.run(publishing(Command::change(&done[0], Add(1)), "rolled back", count)).await.unwrap();
    db.rollback().await;
    db.run(publishing(Command::delete(&done[0]), "delete", count)).await.unwrap();
    now("delete");
    assert_eq!(texts(db).await[before..], expected, "{}", M::SCHEMA);
    lead_to_their_changes::<M>(db).await;
}

/// Checks that each domain event of a model leads to the event that is its cause.
async fn lead_to_their_changes<M: ModelOn<Backend>>(db: &mut Db) {
    let place = "SELECT CAST(txid AS TEXT) || ' ' || CAST(position AS TEXT) AS text FROM domain_events";
    let of_model = format!("{place} WHERE source_schema = '{}' ORDER BY txid, position", M::SCHEMA);
    for place in db.texts(&of_model).await {
        let (txid, position) = place.split_once(' ').unwrap();
        let at = LogOffset { txid: txid.parse().unwrap(), position: position.parse().unwrap() };
        let change = db.run(SourceChange::<M>::of(DomainEvents::name(), at)).await.unwrap().unwrap();
        let meta = "SELECT CAST(meta AS TEXT) AS text FROM domain_events";
        let meta = format!("{meta} WHERE txid = {txid} AND position = {position}");
        let meta = db.texts(&meta).await;
        let meta: serde_json::Value = serde_json::from_str(&meta[0]).unwrap();
        assert_eq!(meta["cause"], change.event.id().to_string(), "{}", M::SCHEMA);
        assert_eq!(change.before.is_none(), change.event.revision() == 1, "{}", M::SCHEMA);
        assert_eq!(change.after.is_none(), change.event.action() == "delete", "{}", M::SCHEMA);
    }
}

#[tokio::test]
async fn on_every_kind_of_model_and_command() {
    let mut db = fresh().await;
    for count in [0, 1, 3] {
        every_command_publishes::<Card>(&mut db, count).await;
        every_command_publishes::<Remark>(&mut db, count).await;
        every_command_publishes::<Talk>(&mut db, count).await;
        every_command_publishes::<Letter>(&mut db, count).await;
        every_command_publishes::<Memo>(&mut db, count).await;
        every_command_publishes::<Meter>(&mut db, count).await;
        every_command_publishes::<Healer>(&mut db, count).await;
        every_command_publishes::<Parcel>(&mut db, count).await;
        every_command_publishes::<Track>(&mut db, count).await;
    }
    every_command_publishes::<Person>(&mut db, 2).await;
    every_command_publishes::<Nick>(&mut db, 2).await;
    every_command_publishes::<Shop>(&mut db, 2).await;
}

#[tokio::test]
async fn where_the_database_makes_the_key_and_where_the_row_has_its_revision() {
    let mut db = Db::new().await;
    let note = db.run(Note::insert(NewNote { text: "a".into() }).publish(told("note"))).await.unwrap();
    db.run(note.delete().publish(told("gone"))).await.unwrap();
    let counter = db.run(Counter::insert(NewCounter { count: 1 }).publish(told("counter"))).await.unwrap();
    let counter = db.run(counter.increment(Increment).publish(told("one"))).await.unwrap();
    // A copy that is old: the guard refuses the statement, and the next attempt publishes.
    let newer = db.run(counter.increment(Increment)).await.unwrap();
    db.run(counter.increment(Increment).publish(told("two"))).await.unwrap();
    assert_eq!(newer.count, 3);
    assert_eq!(texts(&mut db).await, ["note", "gone", "counter", "one", "two"]);
}

#[tokio::test]
async fn the_cause_of_an_event_is_that_of_the_command() {
    let mut db = Db::new().await;
    let request = Uuid::now_v7();
    let insert = Note::insert(NewNote { text: "a".into() }).by("user:7").correlate(request).publish(told("a"));
    let done = db.run(insert.recorded()).await.unwrap();
    let metas = db.texts("SELECT CAST(meta AS TEXT) AS text FROM domain_events").await;
    let meta: serde_json::Value = serde_json::from_str(&metas[0]).unwrap();
    assert_eq!(meta["actor"], "user:7");
    assert_eq!(meta["cause"], done.event_id.to_string());
    assert_eq!(meta["correlation"], request.to_string());
    assert_eq!(db.texts("SELECT record_id AS text FROM domain_events").await, ["n:7"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_record_publish_once_each() {
    let mut db = Db::new().await;
    let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    let id: Id<Counter> = counter.id;
    at_once(&db, 8, |number, mut db| async move {
        db.run(Counter::execute_on(id, Increment).publish(told(&number.to_string()))).await.unwrap();
    })
    .await;
    let mut texts = texts(&mut db).await;
    texts.sort();
    assert_eq!(texts, (0..8).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_a_command() {
    let mut db = Db::new().await;
    let first = db.run(publish(told("a")).by("user:7").unique("once")).await.unwrap();
    let second = db.run(publish(told("b")).unique("once")).await.unwrap();
    assert_eq!((first.is_duplicate, second.is_duplicate), (false, true));
    assert_eq!((first.id, first.position), (second.id, second.position));
    db.begin().await;
    db.run(publish(told("rolled back"))).await.unwrap();
    db.rollback().await;
    db.begin().await;
    let all = db.run(publish_all(["c", "d"].map(told))).await.unwrap();
    // The transaction sees what it has published.
    assert_eq!(texts(&mut db).await, ["a", "c", "d"]);
    db.commit().await;
    assert!(all[0].position < all[1].position);
    db.run(publish(Asked)).await.unwrap();
    assert_eq!(texts(&mut db).await, ["a", "c", "d"]);
    assert_eq!(db.run(published::<Asked>()).await.unwrap(), [Asked]);
    assert_eq!(db.run(publish_all(Vec::<Told>::new())).await.unwrap(), []);
}

#[tokio::test]
async fn two_buses() {
    let mut db = Db::new().await;
    let other = evented_diesel::migrations::Migrations::new().bus::<Other>();
    db.sql(&other.up_sql(Db::DATABASE)).await;
    let note = Note::insert(NewNote { text: "a".into() });
    let note = note.publish(ToldElsewhere(1)).publish(told("a")).publish(ToldElsewhere(2));
    db.run(note).await.unwrap();
    assert_eq!(texts(&mut db).await, ["a"]);
    let there = db.run(published::<ToldElsewhere>()).await.unwrap();
    assert_eq!(there, [ToldElsewhere(1), ToldElsewhere(2)]);
    assert_eq!((DomainEvents::TABLE, Other::TABLE), ("domain_events", "other_events"));
}

#[tokio::test]
async fn an_event_that_cannot_be_stored_fails_the_command() {
    let mut db = Db::new().await;
    let note = Note::insert(NewNote { text: "a".into() }).publish(told("a\0b"));
    let error = db.run(note).await.unwrap_err();
    assert!(error.to_string().contains("the event `told`"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM notes").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM notes_events").await, 0);
}

#[tokio::test]
async fn without_the_table_nothing_of_a_command_is_written() {
    let mut db = Db::new().await;
    let note = Note::insert(NewNote { text: "a".into() }).publish(ToldElsewhere(1));
    db.run(note.clone()).await.unwrap_err();
    db.begin().await;
    db.run(Note::insert(NewNote { text: "b".into() })).await.unwrap();
    if db.run(note).await.is_err() && Db::DATABASE == evented_diesel::migrations::Database::Postgres {
        db.rollback().await;
    } else {
        db.commit().await;
        assert_eq!(db.number("SELECT count(*) FROM notes WHERE text = 'b'").await, 1);
    }
    assert_eq!(db.number("SELECT count(*) FROM notes WHERE text = 'a'").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM notes_events WHERE CAST(payload AS TEXT) LIKE '%\"a\"%'").await, 0);
}

mod tables {
    diesel::table! {
        use diesel::sql_types::*;
        use evented_diesel::sql_types::Uid;
        tickets (id) { id -> Uid, title -> Text, open -> Bool, }
    }
    diesel::table! { cases (id) { id -> Integer, title -> Text, open -> Bool, } }
}

#[derive(Serialize, Deserialize, Clone, Debug)]
struct Close;

/// A model, whose changes publish what happened to it.
macro_rules! publishing_model {
    ($model:ident, $key:ty, $table:path, $new:ident, $changes:ident) => {
        #[derive(evented_diesel::Evented, Clone, Debug, PartialEq)]
        #[diesel(table_name = $table)]
        #[evented(
            actions(Close),
            publish(
                on(insert) = Told,
                on(update(title)) = Retitled,
                on(update) = Asked,
                on(Close) = Told,
                on(delete) = Told
            )
        )]
        struct $model {
            id: $key,
            title: String,
            open: bool,
        }

        impl evented_diesel::Action<$model> for Close {
            fn apply(&self, it: &mut $model, _: &evented_diesel::Context) {
                it.open = false;
            }
        }

        impl PublishFor<$model> for Told {
            fn of(change: &Publishing<'_, $model>) -> Option<Self> {
                let it = change.after().or(change.before())?;
                // `Nobody` publishes nothing.
                let actor = change.actor().filter(|actor| *actor != "nobody")?;
                let what = format!("{} {} {} by {actor}", change.action(), it.title, it.id);
                Some(Self { about: 1, what })
            }
        }

        impl PublishFor<$model> for Retitled {
            fn of(change: &Publishing<'_, $model>) -> Option<Self> {
                Some(Self(change.before()?.title.clone(), change.after()?.title.clone()))
            }
        }

        impl PublishFor<$model> for Asked {
            fn of(_: &Publishing<'_, $model>) -> Option<Self> {
                Some(Self)
            }
        }
    };
}

/// The title changed.
#[derive(DomainEvent, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[domain_event(name = "retitled")]
struct Retitled(String, String);

publishing_model!(Ticket, Id<Ticket>, tables::tickets, NewTicket, TicketChanges);
publishing_model!(Case, i32, tables::cases, NewCase, CaseChanges);

macro_rules! publishes_by_itself {
    ($db:ident, $model:ident, $table:ident, $new:ident, $changes:ident) => {{
        let db = &mut $db;
        let new = |title: &str| $new { title: title.into(), open: true };
        let titled = |title: &str| $changes { title: Some(title.into()), open: None };
        let it = db.run($model::insert(new("a")).by("me").publish(told("last"))).await.unwrap();
        let it = db.run(it.update(titled("b")).by("me")).await.unwrap();
        db.run(it.update(titled("b")).by("me")).await.unwrap();
        db.run($model::savepoint(&it)).await.unwrap();
        let it = db.run(it.close(Close).by("me")).await.unwrap();
        let many = [$model::insert(new("c")).by("me"), $model::insert(new("d")).by("nobody")];
        let made = db.run(batch(many)).await.unwrap();
        db.run(it.delete().by("me")).await.unwrap();
        let id = it.id;
        let expected = [
            format!("insert a {id} by me"),
            "last".to_owned(),
            format!("close b {id} by me"),
            format!("insert c {} by me", made[0].id),
            format!("delete b {id} by me"),
        ];
        assert_eq!(texts(db).await, expected);
        let retitled = db.run(published::<Retitled>()).await.unwrap();
        assert_eq!(retitled, [Retitled("a".into(), "b".into())]);
        // Two updates, one of which changes nothing, and the action.
        assert_eq!(db.run(published::<Asked>()).await.unwrap().len(), 3);
        db.sql("DELETE FROM domain_events").await;
        // Upserts, saves, and changes of many rows do so, too.
        let mut kept = made[0].clone();
        kept.title = "e".into();
        db.run(kept.save()).await.unwrap();
        let all = tables::$table::title.ne("");
        db.run($model::update_where(all, titled("f"))).await.unwrap();
        assert_eq!(db.run(published::<Retitled>()).await.unwrap().len(), 3);
    }};
}

#[tokio::test]
async fn a_model_publishes_by_itself() {
    use evented_diesel::migrations::{Database, Migrations};
    let mut db = Db::new().await;
    let (key, id) = match Db::DATABASE {
        Database::Postgres => ("INTEGER PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY", "UUID PRIMARY KEY"),
        Database::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB PRIMARY KEY"),
    };
    let logs = Migrations::new().log::<Ticket>().log::<Case>().up_sql(Db::DATABASE);
    db.sql(&format!(
        "CREATE TABLE tickets (id {id}, title TEXT NOT NULL, open BOOLEAN NOT NULL);
         CREATE TABLE cases (id {key}, title TEXT NOT NULL, open BOOLEAN NOT NULL); {logs}"
    ))
    .await;
    publishes_by_itself!(db, Ticket, tickets, NewTicket, TicketChanges);
    db.sql("DELETE FROM domain_events").await;
    publishes_by_itself!(db, Case, cases, NewCase, CaseChanges);
}
