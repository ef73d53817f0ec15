//! Tests a value of every type: written to the row and to the log, and read back from both.

use std::cell::RefCell;
use std::fmt::Debug;

use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::{Digest, Error, Evented, EventedDsl as _, EventedTableDsl as _, IntoRecordRef, ModelOn, batch, read};
use evented_tests::db::Setting;
use evented_tests::raw;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::models::{
    Kinds, KindsChanges, NewKinds, NewNullableKinds, NullableKinds, NullableKindsChanges, kinds,
    nullable_kinds,
};
use super::{Db, fresh, values};
use crate::cases;

type Backend = <Db as Setting>::Backend;

fn digest<M: Evented>(record: &M) -> Digest {
    record.state_digest().unwrap()
}

/// Asserts that the log replays to the record that a command returned, and that the log has exactly these events.
async fn holds<M>(db: &mut Db, record: &M, actions: &[&str])
where
    M: ModelOn<Backend> + PartialEq + Debug,
    M::Key: IntoRecordRef<M>,
{
    let history = db.run(read::History::<M>::new(record.key())).await.unwrap();
    let done: Vec<_> = history.iter().map(|entry| entry.event.action()).collect();
    assert_eq!(done, actions, "{record:?}");
    let last = history.last().unwrap();
    assert_eq!(last.event.state(), digest(record), "the digest of the row\n{record:?}");
    let replayed = db.run(read::Replay::<M>::new(record.key())).await.unwrap().unwrap();
    assert_eq!(digest(&replayed), digest(record), "replay and row\n{replayed:?}\n{record:?}");
}

async fn row(db: &mut Db) -> Kinds {
    let mut rows: Vec<Kinds> = db.load(kinds::table.select(Kinds::as_select())).await;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

async fn nullable_row(db: &mut Db) -> NullableKinds {
    let mut rows: Vec<NullableKinds> =
        db.load(nullable_kinds::table.select(NullableKinds::as_select())).await;
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

/// Clears the tables, so that a failed case does not affect the next one. The logs refuse deletes until they are
/// opened.
async fn clear(db: &mut Db) {
    for table in ["kinds", "nullable_kinds"] {
        db.sql(&format!("DELETE FROM {table}")).await;
        let log = format!("{table}_events");
        raw::tamper(db, &log, &format!("DELETE FROM {log}")).await;
    }
}

/// Writes two values of every type, the second over the first, and reads them back.
async fn there_and_back(db: &mut Db, one: NewKinds, two: NewKinds) {
    clear(db).await;
    let record = db.run(Kinds::insert(one.clone())).await.unwrap();
    assert_eq!(row(db).await, record, "what a command gives is what the database has");
    holds(db, &record, &["insert"]).await;
    let record = db.run(Kinds::execute_on(record.id, values::changes(&two))).await.unwrap();
    assert_eq!(row(db).await, record);
    holds(db, &record, &["insert", "update"]).await;
    let record = db.run(Kinds::savepoint(&record)).await.unwrap();
    let record = db.run(record.update(values::changes(&one))).await.unwrap();
    holds(db, &record, &["insert", "update", "savepoint", "update"]).await;
    // Write many rows and columns in one statement.
    let done = db
        .run(batch([
            record.update(values::changes(&two)),
            record.update(KindsChanges::default()),
            Kinds::insert(one),
        ]))
        .await
        .unwrap();
    holds(db, &done[1], &["insert", "update", "savepoint", "update", "update", "update"]).await;
    holds(db, &done[2], &["insert"]).await;
    db.run(done[2].delete()).await.unwrap();
    // Rebuild the row from the log alone.
    db.sql("DELETE FROM kinds").await;
    let written = db.run(Kinds::materialize(record.id)).await.unwrap();
    assert_eq!(digest(&written), digest(&done[1]));
    let gone = db.run(written.delete()).await.unwrap();
    assert_eq!(gone, written);
    assert_eq!(db.number("SELECT count(*) FROM kinds_events WHERE action = 'external'").await, 0);
}

async fn there_and_back_or_nothing(db: &mut Db, one: NewNullableKinds, two: NewNullableKinds) {
    clear(db).await;
    let record = db.run(NullableKinds::insert(one.clone())).await.unwrap();
    assert_eq!(nullable_row(db).await, record);
    holds(db, &record, &["insert"]).await;
    let record = db.run(record.update(values::nullable_changes(&two))).await.unwrap();
    assert_eq!(nullable_row(db).await, record);
    holds(db, &record, &["insert", "update"]).await;
    let done = db
        .run(batch([record.update(values::nullable_changes(&one)), NullableKinds::insert(two)]))
        .await
        .unwrap();
    holds(db, &done[0], &["insert", "update", "update"]).await;
    holds(db, &done[1], &["insert"]).await;
    db.run(done[1].delete()).await.unwrap();
    db.sql("DELETE FROM nullable_kinds").await;
    let written = db.run(NullableKinds::materialize(record.id)).await.unwrap();
    assert_eq!(digest(&written), digest(&done[0]));
    db.run(written.delete()).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM nullable_kinds_events WHERE action = 'external'").await, 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn every_type_round_trips_with_its_digest() {
    let runtime = runtime();
    let db = RefCell::new(runtime.block_on(fresh()));
    cases(60)
        .run(&(values::new(), values::new()), |(one, two)| {
            runtime.block_on(there_and_back(&mut db.borrow_mut(), one, two));
            Ok(())
        })
        .unwrap();
}

#[test]
fn every_type_may_be_null() {
    let runtime = runtime();
    let db = RefCell::new(runtime.block_on(fresh()));
    let nullable = || {
        (values::new(), prop::collection::vec(any::<bool>(), 40))
            .prop_map(|(new, there)| values::nullable(&new, &there))
    };
    cases(60)
        .run(&(nullable(), nullable()), |(one, two)| {
            runtime.block_on(there_and_back_or_nothing(&mut db.borrow_mut(), one, two));
            Ok(())
        })
        .unwrap();
}

#[test]
fn each_column_is_written_alone() {
    let runtime = runtime();
    let db = RefCell::new(runtime.block_on(fresh()));
    cases(4)
        .run(&(values::new(), values::new()), |(one, two)| {
            runtime.block_on(async {
                let db = &mut *db.borrow_mut();
                clear(db).await;
                let mut record = db.run(Kinds::insert(one.clone())).await.unwrap();
                let mut actions = vec!["insert"];
                for changes in values::one_by_one(&two) {
                    record = db.run(record.update(changes)).await.unwrap();
                    actions.push("update");
                    holds(db, &record, &actions).await;
                }
                let expected = db.run(Kinds::insert(two)).await.unwrap();
                assert_eq!(digest(&record), digest(&expected));

                let all = values::nullable(&one, &[true]);
                let mut record = db.run(NullableKinds::insert(all)).await.unwrap();
                let mut actions = vec!["insert"];
                for changes in values::none_by_one() {
                    record = db.run(record.update(changes)).await.unwrap();
                    actions.push("update");
                    holds(db, &record, &actions).await;
                }
                let empty = values::nullable(&one, &[false]);
                let expected = db.run(NullableKinds::insert(empty)).await.unwrap();
                assert_eq!(digest(&record), digest(&expected));
            });
            Ok(())
        })
        .unwrap();
}

/// Returns an ordinary value of every type.
fn plain() -> NewKinds {
    let mut runner = cases(1);
    values::new().new_tree(&mut runner).unwrap().current()
}

#[tokio::test]
async fn what_no_database_keeps_is_refused_and_nothing_written() {
    let mut db = fresh().await;
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    let empty = values::nullable(&plain(), &[false]);
    let nothing = db.run(NullableKinds::insert(empty.clone())).await.unwrap();
    let nul = || "a\0b".to_owned();
    let none = KindsChanges::default;
    let cases = [
        ("double", KindsChanges { double: Some(f64::NAN), ..none() }),
        ("double", KindsChanges { double: Some(f64::INFINITY), ..none() }),
        ("single", KindsChanges { single: Some(f32::NEG_INFINITY), ..none() }),
        ("text", KindsChanges { text: Some(nul()), ..none() }),
        ("json", KindsChanges { json: Some(nul().into()), ..none() }),
        ("jsonb", KindsChanges { jsonb: Some(serde_json::json!({ nul(): [1] })), ..none() }),
    ];
    for (field, changes) in cases {
        match db.run(record.update(changes.clone())).await.unwrap_err() {
            Error::Unstorable { error: source, .. } => assert_eq!(source.field, field),
            // The payload cannot be encoded: JSON cannot represent the float.
            Error::Encode { error: source, .. } => {
                assert!(source.to_string().contains("no finite number"), "{source}");
            }
            other => panic!("{changes:?}: {other}"),
        }
    }
    let cases = [
        NullableKindsChanges { double: Some(Some(f64::NAN)), ..Default::default() },
        NullableKindsChanges { text: Some(Some(nul())), ..Default::default() },
    ];
    for changes in cases {
        let error = db.run(nothing.update(changes.clone())).await.unwrap_err();
        assert!(matches!(error, Error::Unstorable { .. } | Error::Encode { .. }), "{changes:?}: {error}");
    }
    let new = NewKinds { double: f64::NAN, ..plain() };
    assert!(matches!(db.run(Kinds::insert(new)).await, Err(Error::Unstorable { .. } | Error::Encode { .. })));
    let new = NewNullableKinds { text: Some(nul()), ..empty };
    assert!(matches!(db.run(NullableKinds::insert(new)).await, Err(Error::Unstorable { .. })));
    assert_eq!(db.number("SELECT count(*) FROM kinds_events").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM nullable_kinds_events").await, 1);
    assert_eq!(row(&mut db).await, record);
    assert_eq!(nullable_row(&mut db).await, nothing);
}
