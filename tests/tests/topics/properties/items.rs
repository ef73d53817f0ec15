//! Tests records with all features: rules, timestamps, a nullable column, actions, and models with and without a
//! revision column.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use evented_diesel::{Command, Error, EventedDsl as _, Id, batch};
use evented_tests::models::schema::{counters, items};
use evented_tests::models::{
    AddValue, Archive, Counter, Increment, Item, ItemChanges, NewCounter, NewItem, Restore,
};
use proptest::prelude::*;
use std::cell::RefCell;
use uuid::Uuid;

use super::Db;
use super::super::paths;
use crate::cases;

#[derive(Debug, Clone)]
enum Step {
    Update(ItemChanges),
    Add(i32),
    Archive(String),
    Restore,
    Savepoint,
    /// A command with a completely different time.
    AtAnotherTime(i64),
    Batch(Vec<i32>),
    /// Plain SQL: sets the value and the note.
    Plain(i32, Option<String>),
    Expecting(i64),
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn changes() -> impl Strategy<Value = ItemChanges> {
    let note = prop::option::of(prop::option::of(text()));
    let archived = prop::option::of(prop::option::of((0_i64..2_000_000_000_000_000).prop_map(time)));
    let parts = (prop::option::of(text()), prop::option::of(-3_i32..1_000_000), note, archived);
    parts.prop_map(|(name, value, note, archived_at)| ItemChanges {
        name,
        value,
        note,
        archived_at,
        ..Default::default()
    })
}

/// Returns a time in microseconds after 1970, the precision of every database.
fn time(micros: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::microseconds(micros)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => changes().prop_map(Step::Update),
        4 => (-50_i32..50).prop_map(Step::Add),
        2 => text().prop_map(Step::Archive),
        2 => Just(Step::Restore),
        2 => Just(Step::Savepoint),
        1 => (0_i64..2_000_000_000_000_000).prop_map(Step::AtAnotherTime),
        2 => prop::collection::vec(-5_i32..50, 1..6).prop_map(Step::Batch),
        2 => (-5_i32..50, prop::option::of(text())).prop_map(|(value, note)| Step::Plain(value, note)),
        1 => (0_i64..9).prop_map(Step::Expecting),
    ];
    prop::collection::vec(step, 1..14)
}

async fn row(db: &mut Db, id: Id<Item>) -> Item {
    let rows = db.load(items::table.select(Item::as_select()).filter(items::id.eq(id))).await;
    rows.into_iter().next().expect("its row")
}

fn command(item: &Item, step: &Step) -> Command<Item> {
    match step {
        Step::Update(changes) => item.update(changes.clone()),
        Step::Add(by) => item.add_value(AddValue(*by)),
        Step::Archive(reason) => item.archive(Archive { reason: reason.clone() }),
        Step::Restore => item.restore(Restore),
        Step::Savepoint => Item::savepoint(item),
        Step::AtAnotherTime(micros) => item.add_value(AddValue(1)).at(time(*micros)),
        Step::Expecting(revision) => item.add_value(AddValue(1)).expecting(*revision),
        Step::Batch(_) | Step::Plain(..) => unreachable!("not one command"),
    }
}

async fn play(db: &mut Db, steps: Vec<Step>) {
    let new = NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None };
    let first = db.run(Item::insert(new).recorded()).await.unwrap();
    let mut item = first.record.clone();
    let mut given = vec![first];
    for step in steps {
        match &step {
            Step::Plain(value, note) => {
                let note =
                    note.as_ref().map_or("NULL".to_owned(), |note| format!("'{}'", note.replace('\'', "''")));
                let id = match Db::DATABASE {
                    evented_diesel::migrations::Database::Postgres => format!("'{}'", item.id),
                    evented_diesel::migrations::Database::Sqlite => format!("x'{}'", item.id.uuid().simple()),
                };
                db.sql(&format!("UPDATE items SET value = {value}, note = {note} WHERE id = {id}")).await;
                // The next write records the drift, and its rules may refuse the state that it finds. A savepoint has
                // no rules.
                given.push(db.run(Item::savepoint(item.id).recorded()).await.unwrap());
            }
            Step::Batch(adds) => {
                let before = row(db, item.id).await;
                match db.run(batch(adds.iter().map(|by| item.add_value(AddValue(*by))))).await {
                    Ok(records) => assert_eq!(records.last(), Some(&row(db, item.id).await)),
                    Err(error) => {
                        assert!(error.validation_errors().is_some(), "{error}");
                        assert_eq!(row(db, item.id).await, before, "all of them or none");
                    }
                }
            }
            step => {
                let before = row(db, item.id).await;
                match db.run(command(&item, step).recorded()).await {
                    Ok(recorded) => given.push(recorded),
                    Err(Error::Invalid { .. } | Error::Conflict { .. }) => {
                        assert_eq!(row(db, item.id).await, before, "{step:?}");
                    }
                    Err(error) => panic!("{step:?}: {error}"),
                }
            }
        }
        item = row(db, item.id).await;
        assert_eq!(db.run(Item::replay(item.id)).await.unwrap().as_ref(), Some(&item), "{step:?}");
    }
    for recorded in given {
        let then = db.run(Item::replay(item.id).at_revision(recorded.revision)).await.unwrap();
        assert_eq!(then.as_ref(), Some(&recorded.record), "revision {}", recorded.revision);
        let then = db.run(Item::replay(item.id).at_position(recorded.log_position())).await.unwrap();
        assert!(then.is_some());
    }
    paths::meet::<_, Item>(db, item.id).await;
}

#[test]
fn a_record_is_what_its_log_says_at_each_revision() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let db = RefCell::new(runtime.block_on(Db::new()));
    cases(300)
        .run(&steps(), |steps| {
            runtime.block_on(play(&mut db.borrow_mut(), steps));
            Ok(())
        })
        .unwrap();
}

/// Two copies of one record, with plain SQL between their writes: the revision in the row shows which copy is current.
#[test]
fn a_record_with_a_revision_column_is_what_its_log_says() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let db = RefCell::new(runtime.block_on(Db::new()));
    let steps = prop::collection::vec((0_u8..8, any::<bool>()), 1..16);
    cases(300)
        .run(&steps, |steps| {
            runtime.block_on(async {
                let db = &mut *db.borrow_mut();
                let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
                let (id, mut hands) = (counter.id, [counter.clone(), counter]);
                let mut expected = 0;
                for (step, hand) in steps {
                    let hand = &mut hands[usize::from(hand)];
                    match step {
                        0 => {
                            let filter = counters::table.filter(counters::id.eq(id));
                            let rows: Vec<Counter> = db.load(filter.select(Counter::as_select())).await;
                            *hand = rows.into_iter().next().unwrap();
                        }
                        1 => *hand = db.run(Counter::savepoint(id)).await.unwrap(),
                        2 => {
                            let of = match Db::DATABASE {
                                evented_diesel::migrations::Database::Postgres => format!("'{id}'"),
                                evented_diesel::migrations::Database::Sqlite => {
                                    format!("x'{}'", id.uuid().simple())
                                }
                            };
                            db.sql(&format!("UPDATE counters SET count = count + 100 WHERE id = {of}")).await;
                            expected += 100;
                            // A write that reads the row finds the drift; a write with a current revision does not read
                            // it.
                            db.run(Counter::execute_on(id, Increment)).await.unwrap();
                            expected += 1;
                        }
                        _ => {
                            *hand = db.run(hand.increment(Increment)).await.unwrap();
                            expected += 1;
                        }
                    }
                    let replayed = db.run(Counter::replay(id)).await.unwrap().unwrap();
                    let filter = counters::table.filter(counters::id.eq(id));
                    let rows: Vec<Counter> = db.load(filter.select(Counter::as_select())).await;
                    assert_eq!(rows, std::slice::from_ref(&replayed));
                    assert_eq!(replayed.count, expected);
                }
                paths::meet::<_, Counter>(db, id).await;
            });
            Ok(())
        })
        .unwrap();
}
