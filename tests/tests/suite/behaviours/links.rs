//! Tests links between the events of a record.

use diesel::QueryDsl;
use evented_diesel::migrations::Database;
use evented_diesel::{Command, Error, Event, EventedDsl as _, IntoRecordRef, Link, Linked, Model, ModelOn, batch};
use evented_tests::models::shared::{
    Add, Board, Card, NewCard, NewPerson, NewTalk, Parcel, Person, Reply, Shop, Talk, Thing, Town, Track,
    Visitor, events_ancestors, events_replies, name_events_hops, parcel_events_hops, region_events_hops,
};
use uuid::Uuid;

use super::{Backend, Db, fresh};

fn reply(tone: &str) -> Reply {
    Reply { tone: tone.into() }
}

/// Returns the events of a record, oldest first.
async fn events_of<M: Model>(db: &mut Db, key: &M::Key) -> Vec<Event<M>>
where
    M::Key: IntoRecordRef<M>,
{
    let history = evented_diesel::read::History::<M>::new(key.clone());
    db.run(history).await.unwrap().into_iter().map(|entry| entry.event).collect()
}

fn revisions<M: Model, T>(linked: &[Linked<M, T>]) -> Vec<i64> {
    linked.iter().map(|linked| linked.event.revision()).collect()
}

/// Writes plain and typed links by commands, and reads them in both directions.
async fn links_are_read<M: Thing + ModelOn<Backend> + Model<Log = Board>>(db: &mut Db)
where
    M::Key: IntoRecordRef<M>,
    Add: evented_core::ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new("", "It")).recorded()).await.unwrap();
    let (first, it) = (it.event_id, it.record);
    let second =
        db.run(Command::change(&it, Add(1)).link(events_ancestors::table, first).recorded()).await.unwrap();
    let third = Command::change(&it, M::named("That"))
        .link(events_ancestors::table, first)
        .link(events_ancestors::table, second.event_id)
        .link_with(events_replies::table, first, &reply("sharp"))
        .link_with(events_replies::table, first, &reply("mild"));
    let third = db.run(third.recorded()).await.unwrap();
    assert_eq!((third.revision, third.record.name(), third.record.value()), (3, "That", 1));

    let events = events_of::<M>(db, &it.key()).await;
    assert_eq!(events[2].id(), third.event_id);
    assert_eq!(revisions(&db.run(events[2].linked(events_ancestors::table)).await.unwrap()), [1, 2]);
    assert_eq!(revisions(&db.run(events[1].linked(events_ancestors::table)).await.unwrap()), [1]);
    assert!(db.run(events[0].linked(events_ancestors::table)).await.unwrap().is_empty());
    assert_eq!(revisions(&db.run(events[0].linked_from(events_ancestors::table)).await.unwrap()), [2, 3]);
    assert_eq!(revisions(&db.run(events[1].linked_from(events_ancestors::table)).await.unwrap()), [3]);
    assert!(db.run(events[2].linked_from(events_ancestors::table)).await.unwrap().is_empty());
    let answered = db.run(events[2].linked(events_replies::table)).await.unwrap();
    let mut tones: Vec<_> = answered.iter().map(|linked| linked.data.tone.as_str()).collect();
    tones.sort_unstable();
    assert_eq!(tones, ["mild", "sharp"]);
    assert!(answered.iter().all(|linked| linked.event == events[0]));
    let answers = db.run(events[0].linked_from(events_replies::table)).await.unwrap();
    assert!(answers.len() == 2 && answers.iter().all(|linked| linked.event == events[2]));
}

#[tokio::test]
async fn links_are_written_with_their_event_and_read_in_both_directions() {
    let mut db = fresh().await;
    links_are_read::<Card>(&mut db).await;
    links_are_read::<Talk>(&mut db).await;
    let count: Vec<i64> = db.load(events_ancestors::table.count()).await;
    assert_eq!(count, [6]);
}

/// Writes and reads one link in a log of another form.
async fn a_link_is_read<M: Thing + ModelOn<Backend>, L: Link<Log = M::Log, Data = ()> + Copy>(
    db: &mut Db,
    key: &str,
    link: L,
) where
    M::Key: IntoRecordRef<M>,
    Add: evented_core::ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let it = db.run(Command::<M>::insert(M::new(key, "It")).recorded()).await.unwrap();
    db.run(Command::change(&it.record, Add(1)).link(link, it.event_id)).await.unwrap();
    let events = events_of::<M>(db, &it.record.key()).await;
    assert_eq!(db.run(events[1].linked(link)).await.unwrap()[0].event, events[0]);
    assert_eq!(db.run(events[0].linked_from(link)).await.unwrap()[0].event, events[1]);
    // Two records with the same key, or in the same shard: an event of another record cannot be linked.
    let other = db.run(Command::<M>::insert(M::new(&format!("{key}2"), "Other")).recorded()).await.unwrap();
    let error = db.run(Command::change(&it.record, Add(1)).link(link, other.event_id)).await.unwrap_err();
    assert!(matches!(error, Error::Link { event, .. } if event == other.event_id), "{error}");
}

#[tokio::test]
async fn links_are_read_over_shards_and_between_equal_keys() {
    let mut db = fresh().await;
    a_link_is_read::<Parcel, _>(&mut db, "", parcel_events_hops::table).await;
    a_link_is_read::<Track, _>(&mut db, "", parcel_events_hops::table).await;
    for key in ["eu/a", "us/a"] {
        a_link_is_read::<Shop, _>(&mut db, key, region_events_hops::table).await;
        a_link_is_read::<Visitor, _>(&mut db, key, region_events_hops::table).await;
    }
    a_link_is_read::<Person, _>(&mut db, "york", name_events_hops::table).await;
    a_link_is_read::<Town, _>(&mut db, "york", name_events_hops::table).await;
    let all = db.number("SELECT count(*) FROM region_events_hops").await;
    assert_eq!(all, 4, "the view shows the links of every shard");
}

/// Returns the numbers of events and links, and a sum over the values of the cards.
async fn everything(db: &mut Db) -> [i64; 4] {
    [
        db.number("SELECT count(*) FROM events").await,
        db.number("SELECT count(*) FROM events_ancestors").await,
        db.number("SELECT count(*) FROM events_replies").await,
        db.number("SELECT COALESCE(sum(value), 0) + count(*) FROM cards").await,
    ]
}

#[tokio::test]
async fn a_link_to_an_event_of_another_record_is_refused_and_nothing_written() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() }).recorded()).await.unwrap();
    let other = db.run(Card::insert(NewCard { name: "Other".into() }).recorded()).await.unwrap();
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() }).recorded()).await.unwrap();
    let before = everything(&mut db).await;
    let card = card.record;
    let itself = Uuid::now_v7();
    let commands = |to: Uuid| {
        vec![
            Card::insert(NewCard { name: "New".into() }).link(events_ancestors::table, to),
            card.add(Add(1)).link(events_ancestors::table, to),
            card.add(Add(1)).link_with(events_replies::table, to, &reply("x")),
            card.delete().link(events_ancestors::table, to),
            Card::savepoint(&card).link(events_ancestors::table, to),
        ]
    };
    for to in [other.event_id, talk.event_id, Uuid::now_v7()] {
        for command in commands(to) {
            let name = format!("{command:?}");
            match db.run(command).await.expect_err(&name) {
                Error::Link { event, record, .. } => {
                    assert_eq!((event, record.schema()), (to, Some("cards")), "{name}");
                }
                other => panic!("{name}: {other}"),
            }
            assert_eq!(everything(&mut db).await, before, "{name}");
        }
        let talk_command = talk.record.delete().link(events_ancestors::table, to);
        if to != talk.event_id {
            assert!(matches!(db.run(talk_command).await, Err(Error::Link { .. })));
            let command = talk.record.add(Add(1)).link(events_ancestors::table, to);
            assert!(matches!(db.run(command).await, Err(Error::Link { .. })));
            let command = Talk::savepoint(&talk.record).link(events_ancestors::table, to);
            assert!(matches!(db.run(command).await, Err(Error::Link { .. })));
            assert_eq!(everything(&mut db).await, before);
        }
    }
    // An event cannot link to itself.
    let command = card.add(Add(1)).idempotent(itself).link(events_ancestors::table, itself);
    assert!(matches!(db.run(command).await, Err(Error::Link { .. })));
    assert_eq!(everything(&mut db).await, before);
    // A batch is atomic.
    let commands = batch([card.add(Add(1)), card.add(Add(1)).link(events_ancestors::table, other.event_id)]);
    match db.run(commands).await.unwrap_err() {
        Error::Batch { index: 1, error: source } => assert!(matches!(*source, Error::Link { .. }), "{source}"),
        other => panic!("{other}"),
    }
    assert_eq!(everything(&mut db).await, before);
}

#[tokio::test]
async fn a_refused_link_leaves_nothing_in_the_callers_transaction() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    let talk = db.run(Talk::insert(NewTalk { name: "Talk".into() })).await.unwrap();
    let before = everything(&mut db).await;
    db.begin().await;
    for command in [
        Card::insert(NewCard { name: "New".into() }).link(events_ancestors::table, Uuid::now_v7()),
        card.add(Add(1)).link(events_ancestors::table, Uuid::now_v7()),
        card.delete().link(events_ancestors::table, Uuid::now_v7()),
        Card::savepoint(&card).link(events_ancestors::table, Uuid::now_v7()),
    ] {
        assert!(matches!(db.run(command).await, Err(Error::Link { .. })));
    }
    let command = talk.add(Add(1)).link(events_ancestors::table, Uuid::now_v7());
    assert!(matches!(db.run(command).await, Err(Error::Link { .. })));
    db.commit().await;
    assert_eq!(everything(&mut db).await, before);
}

#[tokio::test]
async fn deletes_savepoints_and_batches_write_links_too() {
    let mut db = fresh().await;
    let made = db.run(Card::insert(NewCard { name: "Card".into() }).recorded()).await.unwrap();
    let (first, card) = (made.event_id, made.record);
    db.run(Card::savepoint(&card).link(events_ancestors::table, first)).await.unwrap();
    let commands = batch([
        card.add(Add(1)).link(events_ancestors::table, first),
        card.add(Add(1)).link_with(events_replies::table, first, &reply("x")),
    ]);
    db.run(commands).await.unwrap();
    db.run(card.delete().link(events_ancestors::table, first)).await.unwrap();
    let events = events_of::<Card>(&mut db, &card.id).await;
    let linked = db.run(events[0].linked_from(events_ancestors::table)).await.unwrap();
    assert_eq!(revisions(&linked), [2, 3, 5]);
    let made = db.run(Talk::insert(NewTalk { name: "Talk".into() }).recorded()).await.unwrap();
    let (first, talk) = (made.event_id, made.record);
    db.run(Talk::savepoint(&talk).link(events_ancestors::table, first)).await.unwrap();
    db.run(batch([talk.add(Add(1)).link(events_ancestors::table, first)])).await.unwrap();
    db.run(talk.delete().link(events_ancestors::table, first)).await.unwrap();
    let events = events_of::<Talk>(&mut db, &talk.id).await;
    let linked = db.run(events[0].linked_from(events_ancestors::table)).await.unwrap();
    assert_eq!(revisions(&linked), [2, 3, 4]);
    // A record that is inserted again may link to its earlier events.
    let made = db
        .run(Person::insert(NewPerson { id: "york".into(), name: "Mr York".into() }).recorded())
        .await
        .unwrap();
    db.run(made.record.delete()).await.unwrap();
    let again = Person::insert(NewPerson { id: "york".into(), name: "Lord York".into() });
    db.run(again.link(name_events_hops::table, made.event_id)).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM name_events_hops").await, 1);
}

#[tokio::test]
async fn a_command_that_is_run_again_does_not_link_again() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() }).recorded()).await.unwrap();
    let id = Uuid::now_v7();
    for _ in 0..2 {
        let command = card.record.add(Add(1)).idempotent(id).link(events_ancestors::table, card.event_id);
        assert_eq!(db.run(command).await.unwrap().value, 1);
    }
    assert_eq!(everything(&mut db).await, [2, 1, 0, 2]);
}

fn uuid(id: Uuid) -> String {
    match Db::DATABASE {
        Database::Postgres => format!("'{id}'"),
        Database::Sqlite => format!("x'{}'", id.simple()),
    }
}

#[tokio::test]
async fn the_database_itself_refuses_a_link_between_two_records() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() }).recorded()).await.unwrap();
    let second = db.run(card.record.add(Add(1)).recorded()).await.unwrap();
    let other = db.run(Card::insert(NewCard { name: "Other".into() }).recorded()).await.unwrap();
    let (record, event, to) = (uuid(card.record.id.uuid()), uuid(second.event_id), uuid(card.event_id));
    let stranger = uuid(other.event_id);
    let nobody = uuid(Uuid::now_v7());
    if Db::DATABASE == Database::Sqlite {
        // Foreign keys are off by default on an SQLite connection.
        db.sql("PRAGMA foreign_keys = OFF").await;
    }
    let plain = |event: &str, to: &str, record: &str, schema: &str| {
        format!(
            "INSERT INTO events_ancestors (event_id, linked_id, record_id, schema) \
             VALUES ({event}, {to}, {record}, '{schema}')"
        )
    };
    let typed = |to: &str| {
        format!(
            "INSERT INTO events_replies (event_id, linked_id, record_id, schema, data) \
             VALUES ({event}, {to}, {record}, 'cards', '{{}}')"
        )
    };
    let others = uuid(other.record.id.uuid());
    let refused = [
        plain(&event, &stranger, &record, "cards"),
        plain(&stranger, &to, &record, "cards"),
        plain(&event, &stranger, &others, "cards"),
        plain(&event, &to, &others, "cards"),
        plain(&event, &to, &record, "comments"),
        plain(&event, &nobody, &record, "cards"),
        plain(&nobody, &to, &record, "cards"),
        typed(&stranger),
        typed(&nobody),
    ];
    for sql in refused {
        let error = db.try_sql(&sql).await.expect_err(&sql).to_string().to_lowercase();
        assert!(error.contains("foreign key"), "{sql}: {error}");
    }
    assert_eq!(db.number("SELECT count(*) FROM events_ancestors").await, 0);
    db.sql(&plain(&event, &to, &record, "cards")).await;
    db.sql(&typed(&to)).await;
}

#[tokio::test]
async fn links_only_grow() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() }).recorded()).await.unwrap();
    let command = card.record.add(Add(1)).link(events_ancestors::table, card.event_id);
    db.run(command.link_with(events_replies::table, card.event_id, &reply("x"))).await.unwrap();
    for key in ["eu/a", "us/a"] {
        a_link_is_read::<Shop, _>(&mut db, key, region_events_hops::table).await;
    }
    for table in ["events_ancestors", "events_replies", "region_events_eu_hops", "region_events_us_hops"] {
        let mut refused =
            vec![format!("UPDATE {table} SET schema = 'other'"), format!("DELETE FROM {table}")];
        if Db::DATABASE == Database::Postgres {
            refused.push(format!("TRUNCATE {table}"));
        }
        for sql in refused {
            let error = db.try_sql(&sql).await.expect_err(&sql).to_string();
            assert!(error.contains("append-only"), "{sql}: {error}");
        }
        assert_eq!(
            db.number(&format!("SELECT count(*) FROM {table} WHERE schema <> 'other'")).await,
            1,
            "{table}"
        );
    }
}
