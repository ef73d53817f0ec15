//! Tests one log for several models: each model sees only its own events.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{QueryDsl, SelectableHelper};
use evented_core::ActionOf;
use evented_diesel::migrations::Database;
use evented_diesel::read::{History, LastPosition, Replay, TableAt};
use evented_diesel::{Command, Error, EventLog, EventedDsl as _, EventedTableDsl as _, IntoRecordRef, KeyKind, Materialize, ModelOn, State, batch};
use evented_tests::agree::agree;
use evented_tests::models::shared::schema::{cards, letters, meters, parcels, people, remarks, towns};
use evented_tests::models::shared::{
    Add, Card, CardChanges, CardEvent, Finish, Healer, Memo, NewCard, NewHealer, NewPerson, NewTown, Nick,
    Parcel, Person, Remark, Shop, Talk, Thing, Town, Track, Visitor,
};
use evented_tests::models::shared::{Letter, Meter};
use evented_tests::models::{Item, NewItem};
use evented_tests::raw;
use uuid::Uuid;

use super::concurrency::at_once;
use super::{Backend, Db, fresh};

pub(super) fn day(n: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(n)
}

/// Returns every table that holds events of a log.
fn tables<L: EventLog>() -> impl Iterator<Item = &'static str> {
    L::SHARDS.iter().map(|shard| shard.table)
}

/// Reads the records of a model that are live at a position, in pages.
async fn table_at<M: Thing + ModelOn<Backend>>(db: &mut Db, position: i64, page: u16) -> Vec<M> {
    let mut table = TableAt::<M>::new(position).page_size(page);
    let mut records = Vec::new();
    while let Some(page) = db.run(table.page()).await.unwrap() {
        records.extend(page);
    }
    records
}

/// Runs every command and every read on one model.
pub(super) async fn everything_works<M>(db: &mut Db)
where
    M: Thing + ModelOn<Backend> + Clone,
    M::Key: IntoRecordRef<M>,
    Add: ActionOf<M>,
    for<'a> &'a M: IntoRecordRef<M>,
{
    let log = M::Log::NAME.table;
    let of_model = format!("SELECT count(*) FROM {log} WHERE schema = '{}'", M::SCHEMA);
    let before = db.number(&of_model).await;

    // Commands.
    let made = Command::<M>::insert(M::new("k", "Lamp")).by("user:7").at(day(1)).recorded();
    let made = db.run(made).await.unwrap();
    assert_eq!((made.revision, made.record.name(), made.record.value()), (1, "Lamp", 0));
    let (it, key) = (made.record.clone(), made.record.key());
    db.run(Command::change(&it, M::named("Desk")).at(day(2))).await.unwrap();
    let third = db.run(Command::<M>::change(key.clone(), Add(5)).at(day(3)).recorded()).await.unwrap();
    assert_eq!((third.revision, third.record.name(), third.record.value()), (3, "Desk", 5));
    assert!(third.log_position() > made.log_position());
    let saved = db.run(Command::savepoint(&third.record).at(day(4)).recorded()).await.unwrap();
    assert_eq!((saved.revision, saved.record.value()), (4, 5));
    let it = db.run(Command::change(&saved.record, Add(1)).at(day(5)).expecting(4)).await.unwrap();
    assert_eq!(it.value(), 6);
    match db.run(Command::change(&it, Add(1)).expecting(4)).await.unwrap_err() {
        Error::Conflict { expected: 4, found: 5, .. } => {}
        other => panic!("{other}"),
    }
    assert!(db.run(Command::change(&it, Add(-9))).await.unwrap_err().validation_errors().is_some());

    // A repeated idempotent command does nothing.
    let id = Uuid::now_v7();
    let again = || Command::change(&it, Add(10)).idempotent(id).recorded();
    let first = db.run(again()).await.unwrap();
    let second = db.run(again()).await.unwrap();
    assert_eq!((first.revision, first.record.value(), first.log_position()), (6, 16, second.log_position()));
    assert_eq!(first.record, second.record);
    let id = Uuid::now_v7();
    let again = || Command::<M>::insert(M::new("second", "Chair")).idempotent(id).recorded();
    let second = db.run(again()).await.unwrap();
    assert_eq!(db.run(again()).await.unwrap(), second);

    // Batches.
    let made_in_batch = Command::insert(M::new("third", "Shelf"));
    let done = db
        .run(batch([
            Command::change(&first.record, Add(1)),
            made_in_batch,
            Command::change(&first.record, Add(1)),
            Command::change(&second.record, M::named("Stool")),
        ]))
        .await
        .unwrap();
    assert_eq!(done.iter().map(Thing::value).collect::<Vec<_>>(), [17, 0, 18, 0]);
    assert_eq!(db.run(Replay::<M>::new(key.clone())).await.unwrap().as_ref(), Some(&done[2]));
    let refused = batch([Command::change(&done[2], Add(1)), Command::change(&done[1], Add(-1))]);
    assert!(matches!(db.run(refused).await, Err(Error::Batch { index: 1, .. })));

    // Reads.
    let state = async |db: &mut Db, replay: Replay<M>| {
        db.run(replay).await.unwrap().map(|it| (it.name().to_owned(), it.value()))
    };
    let replay = || Replay::<M>::new(key.clone());
    assert_eq!(state(db, replay().at_revision(2)).await, Some(("Desk".into(), 0)));
    assert_eq!(state(db, replay().at_revision(4)).await, Some(("Desk".into(), 5)));
    assert_eq!(state(db, replay().as_of(day(1))).await, Some(("Lamp".into(), 0)));
    assert_eq!(state(db, replay().as_of(day(0))).await, None);
    assert_eq!(state(db, replay().at_position(third.log_position())).await, Some(("Desk".into(), 5)));
    assert_eq!(state(db, replay()).await, Some(("Desk".into(), 18)));
    let history = db.run(History::<M>::new(key.clone())).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "update", "add", "savepoint", "add", "add", "add", "add"]);
    assert_eq!(
        history.iter().map(|entry| entry.event.revision()).collect::<Vec<_>>(),
        (1..=8).collect::<Vec<_>>()
    );
    assert_eq!(history[0].event.actor().as_deref(), Some("user:7"));
    assert_eq!(history[2].before.as_ref().map(Thing::value), Some(0));
    assert_eq!(history[2].after.as_ref().map(Thing::value), Some(5));
    assert!(history.iter().all(|entry| entry.event.record == key && entry.event.decode().is_ok()));
    let recent = db.run(History::<M>::recent(key.clone())).await.unwrap();
    assert_eq!(recent.len(), 5);
    assert_eq!(recent[0].event.action(), "savepoint");
    assert_eq!(db.run(History::up_to(&history[2].event)).await.unwrap(), history[..3]);
    let position = db.run(LastPosition::<M>::new()).await.unwrap();
    assert_eq!(position, db.number(&format!("SELECT max(position) FROM {log}")).await);
    for page in [1, 3, 100] {
        let mut names: Vec<_> =
            table_at::<M>(db, position, page).await.iter().map(|it| it.name().to_owned()).collect();
        names.sort();
        assert_eq!(names, ["Desk", "Shelf", "Stool"], "{} in pages of {page}", M::SCHEMA);
        let early = table_at::<M>(db, third.log_position(), page).await;
        assert_eq!(early, std::slice::from_ref(&third.record), "{}", M::SCHEMA);
    }

    // Deletes, and commands after a delete.
    let gone = db.run(Command::delete(&done[2]).recorded()).await.unwrap();
    assert_eq!((gone.revision, gone.record.value()), (9, 18));
    assert!(matches!(db.run(replay()).await, Err(Error::Deleted { revision: 9, .. })));
    assert!(matches!(db.run(replay().state()).await.unwrap(), State::Deleted { revision: 9, .. }));
    assert!(db.run(Command::<M>::change(key.clone(), Add(1))).await.unwrap_err().is_missing());
    assert!(db.run(Command::<M>::delete(key.clone())).await.unwrap_err().is_missing());
    assert!(db.run(Command::<M>::savepoint(key.clone())).await.unwrap_err().is_missing());
    let mut written = 9 + 2 + 1;
    if M::KEY == KeyKind::Text {
        let taken = Command::<M>::insert(M::new("second", "Chair"));
        assert!(matches!(db.run(taken).await, Err(Error::Exists { revision: 2, .. })));
        let again = db.run(Command::<M>::insert(M::new("k", "Phoenix")).recorded()).await.unwrap();
        assert_eq!((again.revision, again.record.name()), (10, "Phoenix"));
        let up = db.run(Command::change(&again.record, Add(2)).recorded()).await.unwrap();
        assert_eq!((up.revision, up.record.value()), (11, 2));
        assert_eq!(state(db, replay()).await, Some(("Phoenix".into(), 2)));
        assert_eq!(db.run(replay().at_revision(8)).await.unwrap().as_ref(), Some(&done[2]));
        written += 2;
    }
    for it in [&done[1], &done[3]] {
        db.run(Command::delete(it)).await.unwrap();
    }
    written += 2;
    assert_eq!(db.number(&of_model).await - before, written, "{}", M::SCHEMA);
    let distinct = format!("SELECT count(*) - count(DISTINCT position) FROM {log}");
    assert_eq!(db.number(&distinct).await, 0, "a position is one event's");
}

#[tokio::test]
async fn every_command_and_reading_works_on_a_shared_log() {
    let mut db = fresh().await;
    everything_works::<Card>(&mut db).await;
    everything_works::<Remark>(&mut db).await;
    everything_works::<Talk>(&mut db).await;
    everything_works::<Memo>(&mut db).await;
    everything_works::<Healer>(&mut db).await;
    // The events of the other models have no effect.
    everything_works::<Card>(&mut db).await;
}

#[tokio::test]
async fn every_command_and_reading_works_where_models_have_the_same_keys() {
    let mut db = fresh().await;
    everything_works::<Person>(&mut db).await;
    everything_works::<Town>(&mut db).await;
    everything_works::<Nick>(&mut db).await;
}

#[tokio::test]
async fn every_command_and_reading_works_over_shards() {
    let mut db = fresh().await;
    everything_works::<Parcel>(&mut db).await;
    everything_works::<Track>(&mut db).await;
    everything_works::<Shop>(&mut db).await;
    everything_works::<Visitor>(&mut db).await;
    everything_works::<Parcel>(&mut db).await;
}

#[tokio::test]
async fn models_with_the_same_key_do_not_see_each_others_events() {
    let mut db = fresh().await;
    let person =
        db.run(Person::insert(NewPerson { id: "york".into(), name: "Mr York".into() })).await.unwrap();
    let town = db.run(Town::insert(NewTown { id: "york".into(), name: "York".into() })).await.unwrap();
    db.run(town.add(Add(3))).await.unwrap();
    db.run(Town::savepoint(&town)).await.unwrap();
    // One event id for two events with the same key, but of two models.
    let id = Uuid::now_v7();
    assert_eq!(db.run(town.add(Add(4)).idempotent(id)).await.unwrap().value, 7);
    assert_eq!(db.run(person.add(Add(1)).idempotent(id)).await.unwrap().value, 1);
    assert_eq!(db.run(Person::history("york".to_owned())).await.unwrap().len(), 2);
    assert_eq!(db.run(Person::recent_events("york".to_owned())).await.unwrap().len(), 2);
    assert_eq!(db.run(Person::replay("york".to_owned())).await.unwrap().map(|it| it.value), Some(1));
    db.run(person.delete()).await.unwrap();
    assert_eq!(db.run(Town::replay("york".to_owned())).await.unwrap().map(|it| it.value), Some(7));
    assert_eq!(db.run(town.add(Add(1)).expecting(4).recorded()).await.unwrap().revision, 5);
    assert!(db.run(Nick::replay("york".to_owned())).await.unwrap().is_none());
}

#[tokio::test]
async fn an_alias_of_the_log_keeps_old_rows_of_a_renamed_action_readable() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    db.run(card.add(Add(2))).await.unwrap();
    let card = db.run(card.finish(Finish)).await.unwrap();
    let talk = db.run(Talk::insert(Talk::new("", "Talk"))).await.unwrap();
    let talk = db.run(talk.add(Add(2))).await.unwrap();
    for (today, old) in [("add", "plus"), ("finish", "complete")] {
        let rename = format!("UPDATE events SET action = '{old}' WHERE action = '{today}'");
        raw::tamper(&mut db, "events", &rename).await;
    }
    let history = db.run(Card::history(&card)).await.unwrap();
    assert_eq!(
        history.iter().map(|it| it.event.action()).collect::<Vec<_>>(),
        ["insert", "plus", "complete"]
    );
    assert!(matches!(history[1].event.decode().unwrap(), CardEvent::Add(Add(2))));
    assert!(matches!(history[2].event.decode().unwrap(), CardEvent::Finish(_)));
    assert_eq!(db.run(Card::replay(card.id)).await.unwrap(), Some(card.clone()));
    // Also where each write begins with a replay. The written event has the present name.
    assert_eq!(db.run(talk.add(Add(1))).await.unwrap().value, 3);
    assert_eq!(db.run(card.add(Add(1))).await.unwrap().value, 101);
    assert_eq!(db.number("SELECT count(*) FROM events WHERE action = 'add'").await, 2);
}

#[tokio::test]
async fn what_was_changed_behind_a_shared_log_is_adopted() {
    let mut db = fresh().await;
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    db.run(Card::insert(NewCard { name: "Other".into() })).await.unwrap();
    db.sql("UPDATE cards SET value = 40 WHERE name = 'Card'").await;
    let card = db.run(card.add(Add(2)).recorded()).await.unwrap();
    assert_eq!((card.revision, card.record.value), (3, 42));
    db.sql("UPDATE cards SET value = 50 WHERE name = 'Card'").await;
    let done = db.run(batch([card.record.add(Add(1)), card.record.add(Add(1))])).await.unwrap();
    assert_eq!(done[1].value, 52);
    db.sql("UPDATE cards SET value = 60 WHERE name = 'Card'").await;
    assert_eq!(db.run(done[1].delete().recorded()).await.unwrap().record.value, 60);
    let history = db.run(Card::history(card.record.id)).await.unwrap();
    let actions: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(actions, ["insert", "external", "add", "external", "add", "add", "external", "delete"]);
    // On a log without hashes, a delete does not read first; it records afterwards what it found.
    let town = db.run(Town::insert(NewTown { id: "york".into(), name: "York".into() })).await.unwrap();
    db.run(Person::insert(NewPerson { id: "york".into(), name: "Mr York".into() })).await.unwrap();
    db.sql("UPDATE towns SET value = 9").await;
    assert_eq!(db.run(town.delete()).await.unwrap().value, 9);
    assert_eq!(db.run(Person::history("york".to_owned())).await.unwrap().len(), 1);
    let history = db.run(Town::history("york".to_owned())).await.unwrap();
    assert!(history.iter().any(|entry| entry.after.as_ref().is_some_and(|it| it.value == 9)));
}

#[tokio::test]
async fn what_was_changed_behind_a_shared_log_is_healed() {
    let mut db = fresh().await;
    let healer = db.run(Healer::insert(NewHealer { name: "Healer".into() })).await.unwrap();
    db.sql("UPDATE healers SET value = 40").await;
    let healed = db.run(healer.add(Add(2)).recorded()).await.unwrap();
    assert_eq!((healed.revision, healed.record.value), (2, 2));
    assert_eq!(db.number("SELECT value FROM healers").await, 2);
}

#[tokio::test]
async fn a_missing_row_is_written_from_a_shared_log() {
    let mut db = fresh().await;
    let town = db.run(Town::insert(NewTown { id: "york".into(), name: "York".into() })).await.unwrap();
    db.run(Person::insert(NewPerson { id: "york".into(), name: "Mr York".into() })).await.unwrap();
    let town = db.run(town.add(Add(3))).await.unwrap();
    db.sql("DELETE FROM towns").await;
    assert_eq!(db.run(Materialize::<Town>::new(town.id.clone())).await.unwrap(), town);
    let card = db.run(Card::insert(NewCard { name: "Card".into() })).await.unwrap();
    let card =
        db.run(card.update(CardChanges { name: Some("Ace".into()), ..Default::default() })).await.unwrap();
    db.sql("DELETE FROM cards").await;
    assert_eq!(db.run(Card::materialize(card.id)).await.unwrap(), card);
}

#[tokio::test]
async fn a_log_only_grows() {
    use evented_tests::models::shared::{Board, Names, Parcels, Regions};
    let mut db = fresh().await;
    everything_works::<Card>(&mut db).await;
    everything_works::<Parcel>(&mut db).await;
    everything_works::<Shop>(&mut db).await;
    everything_works::<Person>(&mut db).await;
    let lamp = NewItem {
        org_id: evented_diesel::Id::new(Uuid::now_v7()),
        name: "Lamp".into(),
        value: 0,
        note: None,
    };
    let lamp = db.run(Item::insert(lamp)).await.unwrap();
    db.run(lamp.add_value(evented_tests::models::AddValue(1))).await.unwrap();
    let logs =
        tables::<Board>().chain(tables::<Parcels>()).chain(tables::<Regions>()).chain(tables::<Names>());
    for log in logs.chain(["items_events"]) {
        let count = format!("SELECT count(*) FROM {log}");
        let before = db.number(&count).await;
        let mut refused = vec![
            format!("UPDATE {log} SET action = 'other'"),
            format!("UPDATE {log} SET payload = '{{}}' WHERE revision = 1"),
            format!("DELETE FROM {log}"),
            format!("DELETE FROM {log} WHERE revision > 1"),
        ];
        if Db::DATABASE == Database::Postgres {
            refused.push(format!("TRUNCATE {log} CASCADE"));
        }
        for sql in refused {
            // On SQLite, a statement that matches no row is not refused: the trigger runs for each row.
            let error = match db.try_sql(&sql).await {
                Ok(()) if before == 0 && Db::DATABASE == Database::Sqlite => continue,
                result => result.expect_err(&sql).to_string(),
            };
            assert!(error.contains("append-only"), "{sql}: {error}");
        }
        assert_eq!(db.number(&count).await, before, "{log}");
        assert_eq!(db.number(&format!("{count} WHERE action = 'other' OR payload IS NULL")).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn writers_of_many_models_in_one_log_lose_nothing() {
    const WRITERS: i32 = 6;
    const WRITES: i32 = 12;
    let mut db = fresh().await;
    let card = db.run(Card::insert(Card::new("", "Card"))).await.unwrap();
    let remark = db.run(Remark::insert(Remark::new("", "Remark"))).await.unwrap();
    let meter = db.run(Meter::insert(Meter::new("", "Meter"))).await.unwrap();
    let letter = db.run(Letter::insert(Letter::new("", "Letter"))).await.unwrap();
    let parcel = db.run(Parcel::insert(Parcel::new("", "Parcel"))).await.unwrap();
    let town = db.run(Town::insert(Town::new("york", "York"))).await.unwrap();
    let person = db.run(Person::insert(Person::new("york", "Mr York"))).await.unwrap();
    at_once(&db, WRITERS as usize, |writer, mut db| {
        let (card, remark, meter, letter) = (card.clone(), remark.clone(), meter.clone(), letter.clone());
        let (parcel, town, person) = (parcel.clone(), town.clone(), person.clone());
        async move {
            for n in 0..WRITES {
                match (writer as i32 + n) % 3 {
                    0 => drop(db.run(batch([card.add(Add(1)), renamed(&card)])).await.unwrap()),
                    1 => drop(db.run(Card::savepoint(&card)).await.unwrap()),
                    _ => drop(db.run(card.add(Add(1))).await.unwrap()),
                }
                db.run(remark.add(Add(1))).await.unwrap();
                db.run(meter.add(Add(1))).await.unwrap();
                db.run(letter.add(Add(1))).await.unwrap();
                db.run(parcel.add(Add(1))).await.unwrap();
                db.run(town.add(Add(1))).await.unwrap();
                db.run(person.add(Add(1))).await.unwrap();
            }
        }
    })
    .await;
    let all = WRITERS * WRITES;
    let cards = db.load(cards::table.select(Card::as_select())).await;
    assert_eq!(cards[0].value, all * 2 / 3);
    agree(&mut db, cards).await;
    let remarks = db.load(remarks::table.select(Remark::as_select())).await;
    assert_eq!(remarks[0].value, all);
    agree(&mut db, remarks).await;
    let meters = db.load(meters::table.select(Meter::as_select())).await;
    assert_eq!(meters[0].value, all);
    agree(&mut db, meters).await;
    let letters = db.load(letters::table.select(Letter::as_select())).await;
    assert_eq!(letters[0].value, all);
    agree(&mut db, letters).await;
    let parcels = db.load(parcels::table.select(Parcel::as_select())).await;
    assert_eq!((parcels[0].value, parcels[0].revision), (all, i64::from(all) + 1));
    agree(&mut db, parcels).await;
    let towns = db.load(towns::table.select(Town::as_select())).await;
    assert_eq!(towns[0].value, all);
    agree(&mut db, towns).await;
    let people = db.load(people::table.select(Person::as_select())).await;
    assert_eq!(people[0].value, all);
    agree(&mut db, people).await;
    super::hashes::chains_hold(&mut db).await;
}

/// Returns a command that does not change the value.
fn renamed(card: &Card) -> Command<Card> {
    card.update(Card::named("Card"))
}
