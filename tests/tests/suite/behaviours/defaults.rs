//! Columns that the caller of an insert leaves to the database, or to the program.

use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, Outcome, batch};
use evented_tests::models::defaulted::*;
use evented_tests::raw;
use uuid::Uuid;

use super::Db;

async fn fresh() -> Db {
    let mut db = Db::new().await;
    db.sql(&tables(Db::DATABASE)).await;
    db
}

fn alert(label: &str) -> NewAlert {
    NewAlert { label: label.into(), notify: None, level: None, quota: None, source: None }
}

fn facts(alert: &Alert) -> (bool, i32, Option<i32>, &str) {
    (alert.notify, alert.level, alert.quota, &alert.source)
}

#[tokio::test]
async fn what_the_database_filled_is_in_the_event() {
    let mut db = fresh().await;
    let made = db.run(Alert::insert(alert("a")).by("ann")).await.unwrap();
    assert_eq!(facts(&made), (true, 5, Some(100), "web"));
    // What the caller gives is taken, a null as well.
    let new = NewAlert { notify: Some(false), quota: Some(None), source: Some("cli".into()), ..alert("b") };
    let given = db.run(Alert::insert(new).recorded()).await.unwrap();
    assert_eq!(facts(&given.record), (false, 5, None, "cli"));
    assert_eq!((given.revision, given.event_id.is_nil()), (1, false));
    let all = NewAlert { notify: Some(false), level: Some(1), quota: Some(Some(2)), ..alert("c") };
    let all = db.run(Alert::insert(all)).await.unwrap();
    assert_eq!(facts(&all), (false, 1, Some(2), "web"));

    let history = db.run(Alert::history(made.id)).await.unwrap();
    assert_eq!((history[0].event.action(), history[0].event.actor().as_deref()), ("insert", Some("ann")));
    let payload: NewAlert = history[0].event.payload().unwrap();
    assert_eq!((payload.notify, payload.level, payload.quota), (Some(true), Some(5), Some(Some(100))));
    assert_eq!(payload.source.as_deref(), Some("web"));
    let payload: NewAlert = db.run(Alert::history(given.record.id)).await.unwrap()[0].event.payload().unwrap();
    assert_eq!(payload.quota, Some(None));
    assert_eq!(db.run(Alert::replay(made.id)).await.unwrap(), Some(made.clone()));

    let changed = db.run(made.update(AlertChanges { level: Some(6), ..AlertChanges::default() })).await.unwrap();
    assert_eq!(changed.level, 6);
    assert_eq!(db.run(Alert::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Alert::verify_replay()).await.unwrap(), []);
}

#[tokio::test]
async fn whoever_makes_the_key() {
    let mut db = fresh().await;
    let marks = db.run(batch([NewMark { rank: None }, NewMark { rank: Some(1) }].map(Mark::insert))).await.unwrap();
    assert_eq!(marks.iter().map(|mark| mark.rank).collect::<Vec<_>>(), [7, 1]);
    let one = db.run(Mark::insert(NewMark { rank: None })).await.unwrap();
    assert_eq!(one.rank, 7);
    let new = || NewChoice { name: "a/b".into(), value: None };
    let choice = db.run(Choice::insert(new())).await.unwrap();
    assert_eq!((choice.value.as_str(), choice.revision), ("off", 1));
    let error = db.run(Choice::insert(new())).await.unwrap_err();
    assert!(matches!(error, Error::Exists { revision: 1, .. }), "{error:?}");
    let kept = db.run(Choice::upsert(new()).or_ignore()).await.unwrap();
    assert_eq!(kept, Outcome::Kept(choice.clone()));
    db.run(choice.delete()).await.unwrap();
    let again = db.run(Choice::insert(new())).await.unwrap();
    assert_eq!((again.value.as_str(), again.revision), ("off", 3));
    let batch = db.run(batch([Choice::insert(NewChoice { name: "c".into(), value: None }), again.delete()])).await;
    assert_eq!(batch.unwrap().len(), 2);
    assert_eq!(db.run(Mark::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Choice::verify_table()).await.unwrap(), []);
    assert_eq!(db.run(Choice::verify_replay()).await.unwrap(), []);
}

#[tokio::test]
async fn a_repeated_insert_is_the_same_command() {
    let mut db = fresh().await;
    for id in [Uuid::now_v7(), Uuid::now_v7()] {
        let new = || Alert::insert(alert(&id.to_string())).idempotent(id);
        let first = db.run(new()).await.unwrap();
        assert_eq!(db.run(new()).await.unwrap(), first);
        let other = NewAlert { level: Some(1), ..alert(&id.to_string()) };
        assert!(matches!(db.run(Alert::insert(other).idempotent(id)).await, Err(Error::Reused { .. })));
        // The value that the database gave, written out, is the same input.
        let same = NewAlert { level: Some(5), ..alert(&id.to_string()) };
        assert_eq!(db.run(Alert::insert(same).idempotent(id)).await.unwrap(), first);
    }
    let id = Uuid::now_v7();
    let mark = db.run(Mark::insert(NewMark { rank: None }).idempotent(id)).await.unwrap();
    assert_eq!(db.run(Mark::insert(NewMark { rank: None }).idempotent(id)).await.unwrap(), mark);
    assert_eq!(db.number("SELECT count(*) FROM alerts").await, 2);
    assert_eq!(db.number("SELECT count(*) FROM marks").await, 1);
}

#[tokio::test]
async fn what_is_refused_leaves_nothing() {
    let mut db = fresh().await;
    db.run(Alert::insert(alert("a"))).await.unwrap();
    let error = db.run(Alert::insert(alert("a"))).await.unwrap_err();
    assert!(matches!(error, Error::Constraint { .. }), "{error:?}");
    // The check sees the value of the database.
    if let evented_diesel::migrations::Database::Postgres = Db::DATABASE {
        db.sql("ALTER TABLE alerts ALTER COLUMN lev SET DEFAULT 9").await;
        let error = db.run(Alert::insert(alert("b"))).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    }
    raw::suppress(&mut db, "alerts", "INSERT").await;
    let error = db.run(Alert::insert(alert("c"))).await.unwrap_err();
    assert!(matches!(error, Error::NotWritten { .. }), "{error:?}");
    assert_eq!(db.number("SELECT count(*) FROM alerts").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM alerts_events").await, 1);
    assert_eq!(db.run(Alert::verify_table()).await.unwrap(), []);
}
