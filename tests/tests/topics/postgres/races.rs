//! Tests changes between a writer's read and its write.

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_diesel::{Command, Error, EventedDsl as _, Id, Run as _};
use evented_tests::models::racing::{Advance, NewRacer, Racer, between};
use evented_tests::models::{Counter, Increment, Item, ItemChanges, NewCounter, NewItem};
use uuid::Uuid;

use super::{Db, waits};

async fn racer(db: &mut Db) -> Racer {
    db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap()
}

/// Opens another connection, for use within an action.
fn other(db: &Db) -> PgConnection {
    PgConnection::establish(&db.url).unwrap()
}

async fn log_and_row_agree(db: &mut Db, racer: &Racer) {
    let replayed = db.run(Racer::replay(racer.id)).await.unwrap().unwrap();
    assert_eq!(db.number("SELECT count FROM racers").await, i64::from(replayed.count));
    assert_eq!(
        db.number("SELECT count(*) FROM racers WHERE note IS NULL").await,
        i64::from(replayed.note.is_none())
    );
    let events = db.number("SELECT count(*) FROM racers_events").await;
    assert_eq!(db.number("SELECT max(revision) FROM racers_events").await, events, "a hole in the revisions");
}

async fn actions(db: &mut Db, racer: &Racer) -> Vec<String> {
    let history = db.run(Racer::history(racer)).await.unwrap();
    history.iter().map(|entry| entry.event.action().to_owned()).collect()
}

#[tokio::test]
async fn a_writer_that_is_overtaken_decides_again() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let (mut conn, id) = (other(&db), racer.id);
    between(&racer, move || drop(Racer::execute_on(id, Advance(10)).run(&mut conn).unwrap()));
    let racer = db.run(racer.advance(Advance(1))).await.unwrap();
    assert_eq!(racer.count, 11);
    assert_eq!(actions(&mut db, &racer).await, ["insert", "advance", "advance"]);
    log_and_row_agree(&mut db, &racer).await;
}

#[tokio::test]
async fn an_overtaken_writer_gets_a_conflict_if_it_expected_a_revision() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let (mut conn, id) = (other(&db), racer.id);
    between(&racer, move || drop(Racer::execute_on(id, Advance(10)).run(&mut conn).unwrap()));
    let error = db.run(racer.advance(Advance(1)).expecting(1)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { expected: 1, found: 2, .. }), "{error}");
    assert_eq!(actions(&mut db, &racer).await, ["insert", "advance"]);
    log_and_row_agree(&mut db, &racer).await;
}

#[tokio::test]
async fn a_row_that_plain_sql_changes_between_read_and_write_is_seen() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let mut conn = other(&db);
    between(&racer, move || conn.batch_execute("UPDATE racers SET count = 10, note = 'plain'").unwrap());
    let racer = db.run(racer.advance(Advance(1))).await.unwrap();
    assert_eq!((racer.count, racer.note.as_deref()), (11, Some("plain")));
    assert_eq!(actions(&mut db, &racer).await, ["insert", "external", "advance"]);
    log_and_row_agree(&mut db, &racer).await;
}

#[tokio::test]
async fn a_row_that_plain_sql_removes_between_read_and_write_is_missed() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let mut conn = other(&db);
    between(&racer, move || conn.batch_execute("DELETE FROM racers").unwrap());
    let error = db.run(racer.advance(Advance(1))).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
    // The event of the failed write does not exist either.
    assert_eq!(actions(&mut db, &racer).await, ["insert", "external"]);
}

#[tokio::test]
async fn a_record_that_is_deleted_between_read_and_write_is_missed() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    let (mut conn, id) = (other(&db), racer.id);
    between(&racer, move || drop(Racer::delete_by(id).run(&mut conn).unwrap()));
    let error = db.run(racer.advance(Advance(1))).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
    assert_eq!(actions(&mut db, &racer).await, ["insert", "delete"]);
    assert_eq!(db.number("SELECT count(*) FROM racers").await, 0);
}

/// Starts a command while plain SQL holds its row in an open transaction, and commits that transaction once the command
/// waits.
async fn while_it_waits<M: evented_diesel::ModelOn<diesel::pg::Pg>>(
    db: &mut Db,
    sql: &str,
    command: Command<M>,
) -> Result<M, Error> {
    let mut writer = db.connect().await;
    let pid = writer.number("SELECT pg_backend_pid()").await;
    db.begin().await;
    db.sql(sql).await;
    let waiting = tokio::spawn(async move { writer.run(command).await });
    waits(&mut db.connect().await, pid).await;
    db.commit().await;
    waiting.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_for_plain_sql_goes_on_from_it() {
    let mut db = Db::new().await;
    let old = racer(&mut db).await;
    let racer =
        while_it_waits(&mut db, "UPDATE racers SET count = 10", old.advance(Advance(1))).await.unwrap();
    assert_eq!(racer.count, 11);
    assert_eq!(actions(&mut db, &racer).await, ["insert", "external", "advance"]);
    log_and_row_agree(&mut db, &racer).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_by_a_fresh_revision_that_waits_for_plain_sql_goes_on_from_it() {
    let mut db = Db::new().await;
    let counter = db.run(Counter::insert(NewCounter { count: 0 })).await.unwrap();
    // Plain SQL does not change the revision, so the guard still matches after the wait.
    let sql = "UPDATE counters SET count = count + 10";
    let counter = while_it_waits(&mut db, sql, counter.increment(Increment)).await.unwrap();
    assert_eq!(db.run(Counter::replay(counter.id)).await.unwrap(), Some(counter.clone()));
    assert_eq!(db.number("SELECT count FROM counters").await, counter.count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_waits_for_plain_sql_removes_what_it_left() {
    let mut db = Db::new().await;
    let old = racer(&mut db).await;
    let gone = while_it_waits(&mut db, "UPDATE racers SET count = 10", old.delete()).await.unwrap();
    assert_eq!(gone.count, 10);
    assert_eq!(db.number("SELECT count(*) FROM racers").await, 0);
    let history = db.run(Racer::history(old.id)).await.unwrap();
    assert!(
        history.iter().any(|entry| entry.after.as_ref() == Some(&gone)),
        "what plain SQL wrote is in the log"
    );
    assert_eq!(history.last().map(|entry| entry.event.action()), Some("delete"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_waits_for_a_plain_delete_finds_the_record_gone() {
    let mut db = Db::new().await;
    let old = racer(&mut db).await;
    let error = while_it_waits(&mut db, "DELETE FROM racers", old.delete()).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
    assert_eq!(actions(&mut db, &old).await, ["insert", "external"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_waits_for_a_plain_delete_finds_the_record_gone() {
    let mut db = Db::new().await;
    let old = racer(&mut db).await;
    let error = while_it_waits(&mut db, "DELETE FROM racers", old.advance(Advance(1))).await.unwrap_err();
    assert!(matches!(error, Error::Deleted { revision: 2, .. }), "{error}");
    assert_eq!(actions(&mut db, &old).await, ["insert", "external"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_another_transaction_takes_is_waited_for() {
    let mut db = Db::new().await;
    let id = Uuid::now_v7();
    let new = NewItem { org_id: Id::new(Uuid::now_v7()), name: "Lamp".into(), value: 3, note: None };
    let mut writer = db.connect().await;
    let pid = writer.number("SELECT pg_backend_pid()").await;
    db.begin().await;
    let first = db.run(Item::insert(new.clone()).idempotent(id)).await.unwrap();
    let again = Item::insert(new).idempotent(id);
    let waiting = tokio::spawn(async move { writer.run(again).await });
    waits(&mut db.connect().await, pid).await;
    db.run(first.update(ItemChanges { value: Some(4), ..Default::default() })).await.unwrap();
    db.commit().await;
    assert_eq!(waiting.await.unwrap().unwrap(), first, "the first run's result, not what became of it");
    assert_eq!(db.number("SELECT count(*) FROM items_events").await, 2);
}
