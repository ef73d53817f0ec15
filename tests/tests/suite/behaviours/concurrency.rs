//! Tests many concurrent writers.

use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::{Command, Error, EventedDsl as _, Id, batch};
use evented_tests::agree::agree;
use evented_tests::models::racing::{Advance, NewRacer, Racer, racers};
use evented_tests::models::schema::{items, notes, pages};
use evented_tests::models::{
    AddValue, Item, ItemChanges, NewItem, NewNote, NewPage, Note, NoteChanges, Page, Visit,
};
use std::future::Future;
use uuid::Uuid;

use super::Db;

fn named(name: &str) -> NewItem {
    NewItem { org_id: Id::new(Uuid::from_u128(1)), name: name.into(), value: 0, note: None }
}

/// Runs one task per connection, all concurrently, and returns their results.
pub(super) async fn at_once<T, F>(db: &Db, tasks: usize, task: impl Fn(usize, Db) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    // Connecting takes longer than a command, so all connect before the first starts.
    let mut connections = Vec::new();
    for _ in 0..tasks {
        connections.push(db.connect().await);
    }
    let running: Vec<_> =
        connections.into_iter().enumerate().map(|(n, db)| tokio::spawn(task(n, db))).collect();
    let mut results = Vec::new();
    for task in running {
        results.push(task.await.unwrap());
    }
    results
}

/// Returns pseudo-random numbers, the same each time.
fn scattered(seed: usize) -> impl Iterator<Item = usize> {
    let mut state = seed as u64 + 1;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize
    })
}

async fn items_agree(db: &mut Db) {
    let rows = db.load(items::table.select(Item::as_select())).await;
    agree(db, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn writers_of_many_records_lose_nothing() {
    const WRITERS: usize = 6;
    const WRITES: usize = 25;
    let mut db = Db::new().await;
    let items = db.run(batch((0..5).map(|n| Item::insert(named(&n.to_string()))))).await.unwrap();
    let added = at_once(&db, WRITERS, |writer, mut db| {
        let items = items.clone();
        async move {
            let mut added = vec![0; items.len()];
            for random in scattered(writer).take(WRITES) {
                let index = random % items.len();
                let item = &items[index];
                let by = (random / items.len() % 9) as i32;
                let command = || match random % 7 {
                    0 => Item::savepoint(item),
                    1 => {
                        let note = format!("{writer} {random}");
                        item.update(ItemChanges { note: Some(Some(note)), ..Default::default() })
                    }
                    _ => item.add_value(AddValue(by)),
                };
                // A write of another connection must not cause a failure, except too many conflicts.
                while let Err(error) = db.run(command()).await {
                    assert!(error.is_retryable(), "{error}");
                }
                if random % 7 > 1 {
                    added[index] += by;
                }
            }
            added
        }
    })
    .await;
    for (index, item) in items.iter().enumerate() {
        let total: i32 = added.iter().map(|added| added[index]).sum();
        assert_eq!(db.run(Item::replay(item.id)).await.unwrap().map(|item| item.value), Some(total));
    }
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, (5 + WRITERS * WRITES) as i64);
    items_agree(&mut db).await;
}

/// Runs batches over the same records, every second one in reverse order.
async fn crossing(command: fn(&Item, usize) -> Command<Item>, behind: Option<&str>) {
    const ROUNDS: usize = 10;
    let mut db = Db::new().await;
    let items = db.run(batch((0..8).map(|n| Item::insert(named(&n.to_string()))))).await.unwrap();
    let behind = behind.map(str::to_owned);
    at_once(&db, 4, |writer, mut db| {
        let (mut items, behind) = (items.clone(), behind.clone());
        if writer % 2 == 0 {
            items.reverse();
        }
        async move {
            for round in 0..ROUNDS {
                if let Some(sql) = &behind {
                    db.sql(sql).await;
                }
                let commands = items.iter().map(|item| command(item, writer * ROUNDS + round));
                db.run(batch(commands)).await.unwrap_or_else(|error| panic!("{writer}, {round}: {error}"));
            }
        }
    })
    .await;
    let total = 4 * ROUNDS as i64;
    assert_eq!(db.number("SELECT count(*) FROM items_events WHERE action = 'add'").await, total * 8);
    assert_eq!(db.number("SELECT sum(value) FROM items").await, total * 8);
    items_agree(&mut db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_cross_each_other_both_get_through() {
    crossing(|item, _| item.add_value(AddValue(1)), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_have_to_go_one_by_one_cross_each_other_as_well() {
    // A command with an explicit event id may have been run before, so each one is looked up separately.
    let command = |item: &Item, n: usize| {
        let id = Uuid::from_u64_pair(item.id.uuid().as_u64_pair().1, n as u64);
        item.add_value(AddValue(1)).idempotent(id)
    };
    crossing(command, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_over_changed_rows_cross_each_other_as_well() {
    let sql = "UPDATE items SET note = 'by hand' || value WHERE name = '3'";
    crossing(|item, _| item.add_value(AddValue(1)), Some(sql)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_insert_with_an_id_of_its_own_happens_once_however_many_try() {
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    let made = at_once(&db, 8, |_, mut db| async move {
        db.run(Item::insert(named("one")).idempotent(id).recorded()).await.unwrap()
    })
    .await;
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
    items_agree(&mut db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_insert_with_a_given_key_and_an_id_of_its_own_happens_once_however_many_try() {
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    let made = at_once(&db, 8, |_, mut db| async move {
        let page = NewPage { path: "/".into(), title: "Home".into() };
        db.run(Page::insert(page).idempotent(id).recorded()).await.unwrap()
    })
    .await;
    assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
    assert_eq!(db.number("SELECT count(*) FROM pages_events").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn an_insert_whose_key_the_database_makes_happens_once_however_many_try() {
    for _ in 0..5 {
        let mut db = Db::new().await;
        let id = Uuid::now_v7();
        let made = at_once(&db, 8, |_, mut db| async move {
            db.run(Note::insert(NewNote { text: "one".into() }).idempotent(id).recorded()).await.unwrap()
        })
        .await;
        assert!(made.iter().all(|one| *one == made[0]), "{made:?}");
        assert_eq!(db.number("SELECT count(*) FROM notes_events").await, 1);
        let rows: Vec<Note> = db.load(notes::table.select(Note::as_select())).await;
        agree(&mut db, rows).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_change_with_an_id_of_its_own_happens_once_however_many_try() {
    let commands: [fn(&Item) -> Command<Item>; 3] =
        [|item| item.add_value(AddValue(1)), |item| Item::savepoint(item), |item| item.delete()];
    let mut db = Db::new().await;
    // One round does not always have two runs that both find nothing at first.
    for command in commands.into_iter().cycle().take(15) {
        let item = db.run(Item::insert(named("one"))).await.unwrap();
        let id = Uuid::now_v7();
        let done = at_once(&db, 8, |_, mut db| {
            let command = command(&item).idempotent(id);
            async move { db.run(command.recorded()).await.unwrap() }
        })
        .await;
        assert!(done.iter().all(|one| *one == done[0]), "{done:?}");
        assert_eq!(done[0].revision, 2);
    }
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 30);
    items_agree(&mut db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn of_a_delete_and_the_updates_beside_it_either_comes_first() {
    let mut db = Db::new().await;
    for round in 0..8 {
        let item = db.run(Item::insert(named("one"))).await.unwrap();
        let outcomes = at_once(&db, 6, |writer, mut db| {
            let item = item.clone();
            async move {
                let command = || if writer < 2 { item.delete() } else { item.add_value(AddValue(1)) };
                loop {
                    match db.run(command().recorded()).await {
                        Err(error) if error.is_retryable() => {}
                        outcome => return (writer, outcome),
                    }
                }
            }
        })
        .await;
        let mut deletes = 0;
        let mut adds = 0;
        for (writer, outcome) in outcomes {
            match outcome {
                Ok(_) if writer < 2 => deletes += 1,
                Ok(_) => adds += 1,
                Err(Error::Deleted { .. }) => {}
                Err(other) => panic!("{writer}: {other}"),
            }
        }
        assert_eq!(deletes, 1, "round {round}");
        let history = db.run(Item::history(item.id)).await.unwrap();
        assert_eq!(history.len(), 2 + adds);
        assert_eq!(history.last().map(|entry| entry.event.action()), Some("delete"));
    }
    assert_eq!(db.number("SELECT count(*) FROM items").await, 0);
    items_agree(&mut db).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn a_key_that_many_make_and_remove_has_one_history() {
    let mut db = Db::new().await;
    let done = at_once(&db, 6, |writer, mut db| async move {
        let mut done = 0;
        for random in scattered(writer).take(60) {
            let key = || "/".to_owned();
            let command = match random % 3 {
                0 => Page::delete_by(key()),
                1 => Page::execute_on(key(), Visit { times: 1 }),
                _ => Page::insert(NewPage { path: key(), title: format!("{writer}") }),
            };
            match db.run(command).await {
                Ok(_) => done += 1,
                Err(Error::Exists { .. } | Error::NotFound { .. } | Error::Deleted { .. }) => {}
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
        }
        done
    })
    .await;
    assert_eq!(db.number("SELECT count(*) FROM pages_events").await, done.into_iter().sum::<i64>());
    let rows: Vec<Page> = db.load(pages::table.select(Page::as_select())).await;
    agree(&mut db, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn plain_sql_beside_the_writers_is_recorded_and_not_lost() {
    const WRITES: i64 = 20;
    let mut db = Db::new().await;
    let racer = db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap();
    at_once(&db, 4, |writer, mut db| {
        let racer = racer.clone();
        async move {
            for _ in 0..WRITES {
                if writer == 0 {
                    db.sql("UPDATE racers SET count = count + 1000").await;
                    continue;
                }
                while let Err(error) = db.run(racer.advance(Advance(1))).await {
                    assert!(error.is_retryable(), "{error}");
                }
            }
        }
    })
    .await;
    // The next write finds the last change by plain SQL.
    db.run(racer.advance(Advance(0))).await.unwrap();
    assert_eq!(db.number("SELECT count FROM racers").await, WRITES * 1003);
    let rows: Vec<Racer> = db.load(racers::table.select(Racer::as_select())).await;
    agree(&mut db, rows).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn keys_of_the_database_are_made_beside_each_other() {
    let mut db = Db::new().await;
    at_once(&db, 6, |writer, mut db| async move {
        for round in 0..10 {
            let note = db.run(Note::insert(NewNote { text: format!("{writer} {round}") })).await.unwrap();
            let note = db.run(note.update(NoteChanges { text: Some("changed".into()) })).await.unwrap();
            if round % 3 == 0 {
                db.run(note.delete()).await.unwrap();
            }
        }
    })
    .await;
    assert_eq!(db.number("SELECT count(*) FROM notes").await, 36);
    let rows: Vec<Note> = db.load(notes::table.select(Note::as_select())).await;
    agree(&mut db, rows).await;
}
