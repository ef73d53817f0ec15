//! Tests commands within the caller's transaction, at each isolation level.

use diesel::{Connection, PgConnection};
use evented_diesel::{Command, Error, EventedDsl as _, Id, Run as _, batch};
use evented_tests::models::racing::{Advance, NewRacer, Racer, between};
use evented_tests::models::{Item, NewItem, NewPage, NewStrict, Page, Strict, StrictChanges};
use uuid::Uuid;

use super::Db;

async fn racer(db: &mut Db) -> Racer {
    db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap()
}

async fn begin(db: &mut Db, level: &str) {
    db.begin().await;
    db.sql(&format!("SET TRANSACTION ISOLATION LEVEL {level}")).await;
}

async fn revisions(db: &mut Db, racer: &Racer) -> Vec<(i64, String)> {
    let history = db.run(Racer::history(racer)).await.unwrap();
    history.iter().map(|entry| (entry.event.revision(), entry.event.action().to_owned())).collect()
}

#[tokio::test]
async fn a_conflict_does_not_abort_the_callers_transaction() {
    let mut db = Db::new().await;
    let (one, two) = (racer(&mut db).await, racer(&mut db).await);
    let page = || Page::insert(NewPage { path: "/".into(), title: "Home".into() });
    let strict = db.run(Strict::insert(NewStrict { name: "as is".into() })).await.unwrap();
    db.run(page()).await.unwrap();
    db.sql("UPDATE stricts SET name = 'by hand'").await;
    let mut conn = PgConnection::establish(&db.url).unwrap();

    begin(&mut db, "READ COMMITTED").await;
    db.run(one.advance(Advance(1))).await.unwrap();
    let error = db.run(one.advance(Advance(1)).expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    let error = db.run(one.delete().expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    let error = db.run(page()).await.unwrap_err();
    assert!(matches!(error, Error::Exists { revision: 1, .. }), "{error}");
    let error = db.run(strict.update(StrictChanges { name: Some("new".into()) })).await.unwrap_err();
    assert!(matches!(error, Error::Drift { .. }), "{error}");
    let error = db.run(Racer::execute_on(Id::new(Uuid::now_v7()), Advance(1))).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    let stale = batch([two.advance(Advance(1)), two.advance(Advance(1)).expecting(7)]);
    assert!(db.run(stale).await.unwrap_err().is_conflict());
    // Another writer commits between this writer's read and its write.
    let id = two.id;
    between(&two, move || drop(Racer::execute_on(id, Advance(10)).run(&mut conn).unwrap()));
    let two = db.run(two.advance(Advance(1))).await.unwrap();
    db.commit().await;

    assert_eq!(two.count, 11);
    assert_eq!(db.run(Racer::replay(two.id)).await.unwrap(), Some(two));
    assert_eq!(db.run(Racer::replay(one.id)).await.unwrap().map(|racer| racer.count), Some(1));
    assert_eq!(db.number("SELECT sum(count) FROM racers").await, 12);
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 5);
}

#[tokio::test]
async fn a_violated_constraint_is_taken_back_by_the_callers_savepoint() {
    let mut db = Db::new().await;
    let taken = || {
        let org_id = Id::new(Uuid::from_u128(1));
        Item::insert(NewItem { org_id, name: "Lamp".into(), value: 3, note: Some("taken".into()) })
    };
    db.run(taken()).await.unwrap();
    db.begin().await;
    let racer = racer(&mut db).await;
    db.begin().await;
    assert!(matches!(db.run(taken()).await, Err(Error::Constraint { .. })));
    db.rollback().await;
    db.run(racer.advance(Advance(1))).await.unwrap();
    db.commit().await;
    assert_eq!(db.number("SELECT count FROM racers").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 1);
}

#[tokio::test]
async fn above_read_committed_an_overtaken_writer_gets_a_serialization_failure() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let commands: [fn(&Racer) -> Command<Racer>; 4] = [
            |racer| racer.advance(Advance(1)),
            |racer| racer.advance(Advance(1)).expecting(1),
            |racer| Racer::savepoint(racer),
            |racer| racer.delete(),
        ];
        for (index, command) in commands.into_iter().enumerate() {
            let mut db = Db::new().await;
            let racer = racer(&mut db).await;
            let mut other = db.connect().await;
            begin(&mut db, level).await;
            assert_eq!(db.number("SELECT count FROM racers").await, 0);
            other.run(racer.advance(Advance(10))).await.unwrap();
            let error = db.run(command(&racer)).await.unwrap_err();
            assert!(matches!(error, Error::SerializationFailure { .. }), "{level}, command {index}: {error}");
            assert!(error.is_retryable());
            assert!(error.to_string().contains("roll back and run it again"), "{error}");
            db.rollback().await;
            let log = [(1, "insert".to_owned()), (2, "advance".to_owned())];
            assert_eq!(revisions(&mut db, &racer).await, log);
            assert_eq!(db.number("SELECT count FROM racers").await, 10);

            begin(&mut db, level).await;
            let again = db.run(command(&racer)).await;
            assert_eq!(again.is_ok(), index != 1, "the whole transaction once more: {again:?}");
            db.rollback().await;
        }
    }
}

#[tokio::test]
async fn above_read_committed_an_overtaken_batch_gets_a_serialization_failure() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut db = Db::new().await;
        let (one, two) = (racer(&mut db).await, racer(&mut db).await);
        let mut other = db.connect().await;
        begin(&mut db, level).await;
        assert_eq!(db.number("SELECT sum(count) FROM racers").await, 0);
        other.run(two.advance(Advance(10))).await.unwrap();
        let error = db.run(batch([one.advance(Advance(1)), two.advance(Advance(1))])).await.unwrap_err();
        assert!(error.is_retryable(), "{level}: {error}");
        db.rollback().await;
        assert_eq!(db.number("SELECT sum(count) FROM racers").await, 10);
        assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 3);
    }
}

#[tokio::test]
async fn above_read_committed_a_key_that_another_made_is_a_reason_to_run_again() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut db = Db::new().await;
        let mut other = db.connect().await;
        let page = || Page::insert(NewPage { path: "/".into(), title: "Home".into() });
        begin(&mut db, level).await;
        assert_eq!(db.number("SELECT count(*) FROM pages").await, 0);
        other.run(page()).await.unwrap();
        let error = db.run(page()).await.unwrap_err();
        assert!(matches!(error, Error::SerializationFailure { .. }), "{level}: {error}");
        db.rollback().await;
        assert!(matches!(db.run(page()).await, Err(Error::Exists { revision: 1, .. })));
        assert_eq!(db.number("SELECT count(*) FROM pages_events").await, 1);
    }
}

#[tokio::test]
async fn above_read_committed_an_undisturbed_transaction_commits() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let mut db = Db::new().await;
        begin(&mut db, level).await;
        let racer = racer(&mut db).await;
        db.sql("UPDATE racers SET note = 'plain'").await;
        let racer = db.run(racer.advance(Advance(1))).await.unwrap();
        db.run(batch([racer.advance(Advance(1)), racer.advance(Advance(1))])).await.unwrap();
        db.run(Racer::savepoint(&racer)).await.unwrap();
        db.commit().await;
        let log = revisions(&mut db, &racer).await;
        let log: Vec<_> = log.iter().map(|(revision, action)| (*revision, action.as_str())).collect();
        let actions = ["insert", "external", "advance", "advance", "advance", "savepoint"];
        assert_eq!(log, (1..).zip(actions).collect::<Vec<_>>());
        assert_eq!(db.number("SELECT count FROM racers").await, 3);
    }
}

#[tokio::test]
async fn a_commit_that_serializable_refuses_is_a_serialization_error_too() {
    let mut db = Db::new().await;
    let (one, two) = (racer(&mut db).await, racer(&mut db).await);
    let mut other = PgConnection::establish(&db.url).unwrap();
    // Each transaction reads what the other one writes: one of them must fail.
    begin(&mut db, "SERIALIZABLE").await;
    assert_eq!(db.number("SELECT sum(count) FROM racers").await, 0);
    db.run(one.advance(Advance(1))).await.unwrap();
    let first = other.build_transaction().serializable().run(|conn| {
        use diesel::{QueryDsl, RunQueryDsl};
        use evented_tests::models::racing::racers;
        let counts: Vec<i32> = racers::table.select(racers::count).load(conn)?;
        assert_eq!(counts, [0, 0]);
        two.advance(Advance(1)).run(conn)
    });
    assert!(first.is_ok(), "the first to commit may: {first:?}");
    let error = db.try_sql("COMMIT").await.map_err(Error::from).unwrap_err();
    assert!(matches!(error, Error::SerializationFailure { .. }), "{error}");
    let mut db = db.connect().await;
    assert_eq!(db.number("SELECT sum(count) FROM racers").await, 1);
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 3);
    assert_eq!(db.run(Racer::replay(one.id)).await.unwrap(), Some(one));
}
