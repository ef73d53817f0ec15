//! Tests columns that store less than their types, and values that SQLite or Diesel cannot return.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::{Error, EventedDsl as _};
use evented_tests::agree::agree;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::models::{Kinds, KindsChanges, Lossy, LossyChanges, NewKinds, NewLossy, kinds, lossy};
use super::{Db, fresh, values};
use crate::cases;

fn number(text: &str) -> BigDecimal {
    text.parse().unwrap()
}

async fn done(db: &mut Db, record: &Lossy) -> Vec<String> {
    let history = db.run(Lossy::history(record)).await.unwrap();
    history.iter().map(|entry| entry.event.action().to_owned()).collect()
}

async fn all_agree(db: &mut Db) {
    let rows = db.load(lossy::table.select(Lossy::as_select())).await;
    agree(db, rows).await;
    let rows = db.load(kinds::table.select(Kinds::as_select())).await;
    agree(db, rows).await;
}

fn plain() -> NewKinds {
    let mut runner = cases(1);
    values::new().new_tree(&mut runner).unwrap().current()
}

#[tokio::test]
async fn what_fits_is_no_drift() {
    let mut db = fresh().await;
    let new = NewLossy { price: number("1.25"), digits: "words".into(), single: 2.0 };
    let record = db.run(Lossy::insert(new)).await.unwrap();
    assert_eq!(done(&mut db, &record).await, ["insert"]);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn what_a_column_does_not_keep_is_found_once_and_adopted() {
    let mut db = fresh().await;
    // More digits than a float has, and text in a column that converts it to a number.
    let new = NewLossy { price: number("0.12345678901234567890123"), digits: "007".into(), single: 1.6 };
    let record = db.run(Lossy::insert(new)).await.unwrap();
    assert_ne!(record.price, number("0.12345678901234567890123"));
    assert_eq!((record.digits.as_str(), record.single), ("7", 2.0));
    assert_eq!(done(&mut db, &record).await, ["insert", "external"]);
    all_agree(&mut db).await;

    // The difference is found once.
    let record =
        db.run(record.update(LossyChanges { digits: Some("8".into()), ..Default::default() })).await.unwrap();
    assert_eq!(done(&mut db, &record).await, ["insert", "external", "update"]);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn what_a_trigger_changes_after_the_write_is_found_by_it() {
    let mut db = fresh().await;
    let new = NewLossy { price: number("1.25"), digits: "words".into(), single: 1.6 };
    let record = db.run(Lossy::insert(new)).await.unwrap();
    assert_eq!(record.single, 2.0, "the row is read after its triggers have run");
    assert_eq!(done(&mut db, &record).await, ["insert", "external"]);
    all_agree(&mut db).await;
    let changes = LossyChanges { single: Some(3.4), ..Default::default() };
    let record = db.run(record.update(changes)).await.unwrap();
    assert_eq!(record.single, 3.0);
    assert_eq!(done(&mut db, &record).await, ["insert", "external", "update", "external"]);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn what_cannot_be_read_back_is_refused_and_nothing_written() {
    let mut db = fresh().await;
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    let changes = [("jsonb", KindsChanges { jsonb: Some(u64::MAX.into()), ..Default::default() })];
    for within in [false, true] {
        for (column, changes) in &changes {
            if within {
                db.begin().await;
            }
            let error = db.run(record.update(changes.clone())).await.unwrap_err();
            assert!(matches!(error, Error::Database { .. }), "{changes:?}: {error}");
            assert!(error.to_string().contains(&format!("column `{column}`")), "{error}");
            let new = NewKinds { jsonb: u64::MAX.into(), ..plain() };
            assert!(matches!(db.run(Kinds::insert(new)).await, Err(Error::Database { .. })));
            if within {
                // A caller that continues after the error has no partial write.
                db.commit().await;
            }
        }
    }
    assert_eq!(db.number("SELECT count(*) FROM kinds_events").await, 1);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn the_ends_of_time_and_a_leap_second_leave_log_and_row_agreed() {
    let mut db = fresh().await;
    let leap = NaiveTime::from_num_seconds_from_midnight_opt(86_399, 1_500_000_000).unwrap();
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    for changes in [
        KindsChanges { date: NaiveDate::from_ymd_opt(10_000, 1, 1), ..Default::default() },
        KindsChanges { date: NaiveDate::from_ymd_opt(-4000, 1, 1), ..Default::default() },
        KindsChanges { moment: NaiveDate::MAX.and_hms_opt(0, 0, 0), ..Default::default() },
        KindsChanges { instant: Some(DateTime::<Utc>::MAX_UTC), ..Default::default() },
        KindsChanges { own_time: Some(DateTime::<Utc>::MIN_UTC), ..Default::default() },
        KindsChanges { time: Some(leap), ..Default::default() },
        KindsChanges {
            moment: NaiveDate::from_ymd_opt(2016, 12, 31).map(|day| day.and_time(leap)),
            ..Default::default()
        },
    ] {
        match db.run(record.update(changes.clone())).await {
            Ok(_) | Err(Error::Database { .. }) => all_agree(&mut db).await,
            Err(other) => panic!("{changes:?}: {other}"),
        }
    }
}

#[tokio::test]
async fn a_value_that_only_plain_sql_can_write_is_named() {
    let mut db = fresh().await;
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    let touch = || record.update(KindsChanges { flag: Some(!record.flag), ..Default::default() });
    db.sql("UPDATE kinds SET double = 9e999").await;
    match db.run(touch()).await.unwrap_err() {
        Error::Unstorable { error: source, .. } => assert_eq!(source.field, "double"),
        other => panic!("{other}"),
    }
    db.sql("UPDATE kinds SET double = 0.5, mood = 'furious'").await;
    let error = db.run(touch()).await.unwrap_err();
    assert!(error.to_string().contains("column `mood`"), "{error}");
    db.sql("UPDATE kinds SET mood = 'calm'").await;
    db.run(touch()).await.unwrap();
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_row_that_holds_what_no_log_keeps_can_be_deleted() {
    let mut db = fresh().await;
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    db.sql("UPDATE kinds SET double = 9e999").await;
    let gone = db.run(record.delete()).await.unwrap();
    assert!(gone.double.is_infinite());
    assert_eq!(db.number("SELECT count(*) FROM kinds").await, 0);
    assert!(matches!(db.run(Kinds::replay(record.id)).await, Err(Error::Deleted { revision: 2, .. })));
}
