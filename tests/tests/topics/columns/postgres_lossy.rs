//! Tests columns that store less than their types, and values that PostgreSQL or Diesel refuse.

use std::ops::Bound;

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use diesel::{ExpressionMethods as _, QueryDsl, SelectableHelper};
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, batch};
use evented_tests::agree::agree;
use evented_tests::models::columns::Mood;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

use super::models::{Kinds, KindsChanges, Lossy, LossyChanges, NewKinds, NewLossy, kinds, lossy};
use super::{Db, fresh, values};
use crate::cases;

fn number(text: &str) -> BigDecimal {
    text.parse().unwrap()
}

fn instant() -> DateTime<Utc> {
    DateTime::from_timestamp_nanos(1_700_000_000_123_456_789)
}

fn exact() -> NewLossy {
    let whole = instant() - TimeDelta::nanoseconds(123_456_789);
    NewLossy {
        price: number("1.25"),
        seconds: whole.naive_utc(),
        millis: whole,
        code: "abcde".into(),
        span: (Bound::Included(1), Bound::Excluded(5)),
        single: 2.0,
        times: vec![Some(instant()), None],
        moments: Some(vec![instant().naive_utc()]),
    }
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

#[tokio::test]
async fn what_fits_is_no_drift() {
    let mut db = fresh().await;
    let record = db.run(Lossy::insert(exact())).await.unwrap();
    assert_eq!(record.times, [Some(evented_core::micros(instant())), None]);
    assert_eq!(done(&mut db, &record).await, ["insert"]);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn what_a_column_does_not_keep_is_found_once_and_adopted() {
    let mut db = fresh().await;
    let new = NewLossy {
        price: number("1.005"),
        seconds: instant().naive_utc(),
        millis: instant(),
        code: "ab".into(),
        span: (Bound::Included(1), Bound::Included(5)),
        single: 1.6,
        ..exact()
    };
    let record = db.run(Lossy::insert(new)).await.unwrap();
    // The command returns the value that the database and the log contain.
    assert_eq!((record.price.clone(), record.code.as_str(), record.single), (number("1.01"), "ab   ", 2.0));
    assert_eq!(record.span, (Bound::Included(1), Bound::Excluded(6)));
    assert_eq!(record.seconds.and_utc().timestamp_subsec_micros(), 0);
    assert_eq!(record.millis.timestamp_subsec_micros(), 123_000);
    let history = db.run(Lossy::history(&record)).await.unwrap();
    assert_eq!(done(&mut db, &record).await, ["insert", "external"]);
    let mut fields: Vec<_> = history[1].changeset.iter().map(|change| change.field).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["code", "millis", "price", "seconds", "single", "span"]);
    all_agree(&mut db).await;

    // The difference is found once: the next write finds none.
    let record = db
        .run(record.update(LossyChanges { price: Some(number("7.5")), ..Default::default() }))
        .await
        .unwrap();
    assert_eq!(done(&mut db, &record).await, ["insert", "external", "update"]);
    let record = db
        .run(record.update(LossyChanges { price: Some(number("7.555")), ..Default::default() }))
        .await
        .unwrap();
    assert_eq!(record.price, number("7.56"));
    assert_eq!(done(&mut db, &record).await, ["insert", "external", "update", "update", "external"]);
    all_agree(&mut db).await;
}

fn plain() -> NewKinds {
    let mut runner = cases(1);
    values::new().new_tree(&mut runner).unwrap().current()
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_nothing_written() {
    let mut db = fresh().await;
    let record = db.run(Lossy::insert(exact())).await.unwrap();
    for changes in [
        LossyChanges { price: Some(number("1e9")), ..Default::default() },
        LossyChanges { code: Some("too long".into()), ..Default::default() },
        LossyChanges { span: Some((Bound::Included(5), Bound::Included(1))), ..Default::default() },
    ] {
        let error = db.run(record.update(changes.clone())).await.unwrap_err();
        assert!(matches!(error, Error::Database { .. }), "{changes:?}: {error}");
        assert!(error.to_string().contains(&record.id.to_string()), "{error}");
    }
    assert_eq!(done(&mut db, &record).await, ["insert"]);
    let record = db.run(Kinds::insert(plain())).await.unwrap();
    for changes in [
        KindsChanges { varchar: Some("x".repeat(41)), ..Default::default() },
        KindsChanges { date: Some(NaiveDate::MIN), ..Default::default() },
        KindsChanges { instant: Some(DateTime::<Utc>::MIN_UTC), ..Default::default() },
    ] {
        let error = db.run(record.update(changes.clone())).await.unwrap_err();
        assert!(matches!(error, Error::Database { .. }), "{changes:?}: {error}");
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
        KindsChanges { date: Some(NaiveDate::MAX), ..Default::default() },
        KindsChanges { date: NaiveDate::from_ymd_opt(-4000, 1, 1), ..Default::default() },
        KindsChanges { time: Some(leap), ..Default::default() },
        KindsChanges {
            moment: NaiveDate::from_ymd_opt(2016, 12, 31).map(|day| day.and_time(leap)),
            ..Default::default()
        },
        KindsChanges { instant: Some(DateTime::<Utc>::MAX_UTC), ..Default::default() },
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
    let record = db.run(Kinds::insert(NewKinds { mood: Mood::Calm, ..plain() })).await.unwrap();
    let touch = || record.update(KindsChanges { flag: Some(!record.flag), ..Default::default() });
    // A float that JSON cannot represent.
    db.sql("UPDATE kinds SET double = 'NaN'").await;
    match db.run(touch()).await.unwrap_err() {
        Error::Unstorable { error: source, .. } => assert_eq!(source.field, "double"),
        other => panic!("{other}"),
    }
    db.sql(&format!("UPDATE kinds SET double = '{}'", record.double)).await;
    // The date `infinity`, which Diesel cannot read; an enum value that the program does not know.
    for (sql, column, back) in [
        ("UPDATE kinds SET date = 'infinity'", "date", format!("UPDATE kinds SET date = '{}'", record.date)),
        ("ALTER TYPE mood ADD VALUE 'furious'", "", String::new()),
        ("UPDATE kinds SET mood = 'furious'", "mood", "UPDATE kinds SET mood = 'calm'".to_owned()),
    ] {
        db.sql(sql).await;
        if column.is_empty() {
            continue;
        }
        let error = db.run(touch()).await.unwrap_err();
        assert!(matches!(error, Error::Database { .. }), "{sql}: {error}");
        assert!(error.to_string().contains(&format!("column `{column}`")), "{sql}: {error}");
        db.sql(&back).await;
    }
    assert_eq!(db.number("SELECT count(*) FROM kinds_events").await, 1);
    db.run(touch()).await.unwrap();
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_row_that_holds_what_no_log_keeps_can_be_deleted() {
    let mut db = fresh().await;
    for number in 0..3 {
        let record = db.run(Kinds::insert(plain())).await.unwrap();
        db.sql("UPDATE kinds SET double = 'NaN'").await;
        let changes = || KindsChanges { flag: Some(!record.flag), ..Default::default() };
        for error in [
            db.run(batch([record.update(changes())])).await.unwrap_err(),
            db.run(Kinds::update_where(kinds::big.is_not_null(), changes())).await.unwrap_err(),
        ] {
            assert!(error.to_string().contains("double"), "{error}");
        }
        let gone = match number {
            0 => db.run(record.delete()).await.unwrap(),
            1 => db.run(batch([record.delete()])).await.unwrap().remove(0),
            _ => db.run(Kinds::delete_where(kinds::big.is_not_null()).records()).await.unwrap().remove(0),
        };
        assert!(gone.double.is_nan());
        assert_eq!(db.number("SELECT count(*) FROM kinds").await, 0);
        assert!(matches!(db.run(Kinds::replay(record.id)).await, Err(Error::Deleted { revision: 2, .. })));
    }
}
