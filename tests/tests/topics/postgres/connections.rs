//! Tests a server that closes a connection, times out, or cancels a statement.

use diesel::{QueryDsl, SelectableHelper};
use evented_diesel::{Command, Error, EventedDsl as _, batch};
use evented_tests::agree::agree;
use evented_tests::models::racing::{Advance, NewRacer, Racer, racers};

use super::{Db, waits};

async fn racer(db: &mut Db) -> Racer {
    db.run(Racer::insert(NewRacer { count: 0, note: None })).await.unwrap()
}

async fn all_agree(db: &mut Db) {
    let rows = db.load(racers::table.select(Racer::as_select())).await;
    agree(db, rows).await;
}

fn each_command(racer: &Racer) -> Vec<Command<Racer>> {
    vec![
        racer.advance(Advance(1)),
        Racer::savepoint(racer),
        racer.delete(),
        racer.advance(Advance(1)).expecting(1),
    ]
}

/// Whether the statement failed with its connection, and wrote nothing.
fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Database { .. } | Error::AnswerLost { written: false, .. })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_while_a_write_waits_leaves_nothing() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    for command in each_command(&racer) {
        let mut writer = db.connect().await;
        let pid = writer.number("SELECT pg_backend_pid()").await;
        db.begin().await;
        db.sql("UPDATE racers SET note = note").await;
        let waiting = tokio::spawn(async move { writer.run(command).await });
        waits(&mut db.connect().await, pid).await;
        assert_eq!(db.number(&format!("SELECT pg_terminate_backend({pid})::int")).await, 1);
        let error = waiting.await.unwrap().unwrap_err();
        assert!(is_lost(&error), "{error}");
        assert!(error.to_string().contains(&racer.id.to_string()), "{error}");
        db.commit().await;
        all_agree(&mut db).await;
    }
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_lost_within_a_batch_leaves_nothing() {
    let mut db = Db::new().await;
    let (one, two) = (racer(&mut db).await, racer(&mut db).await);
    let mut writer = db.connect().await;
    let pid = writer.number("SELECT pg_backend_pid()").await;
    db.begin().await;
    db.sql(&format!("UPDATE racers SET note = note WHERE id = '{}'", two.id)).await;
    let commands = batch([
        one.advance(Advance(1)),
        Racer::insert(NewRacer { count: 7, note: None }),
        two.advance(Advance(1)),
    ]);
    let waiting = tokio::spawn(async move { writer.run(commands).await });
    waits(&mut db.connect().await, pid).await;
    assert_eq!(db.number(&format!("SELECT pg_terminate_backend({pid})::int")).await, 1);
    let error = waiting.await.unwrap().unwrap_err();
    assert!(is_lost(&error), "{error}");
    db.commit().await;
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 2);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_connection_that_was_lost_before_is_an_error() {
    let mut db = Db::new().await;
    let racer = racer(&mut db).await;
    for command in each_command(&racer) {
        let mut writer = db.connect().await;
        let pid = writer.number("SELECT pg_backend_pid()").await;
        assert_eq!(db.number(&format!("SELECT pg_terminate_backend({pid}, 10000)::int")).await, 1);
        let error = writer.run(command).await.unwrap_err();
        assert!(is_lost(&error), "{error}");
    }
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 1);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_server_that_waits_no_longer_leaves_the_connection_usable() {
    let mut db = Db::new().await;
    let mut writer = db.connect().await;
    for setting in ["lock_timeout", "statement_timeout"] {
        let racer = racer(&mut db).await;
        writer.sql(&format!("SET {setting} = '20ms'")).await;
        db.begin().await;
        db.sql("UPDATE racers SET note = note").await;
        for command in each_command(&racer) {
            let error = writer.run(command).await.unwrap_err();
            match &error {
                Error::Busy { .. } => assert_eq!(setting, "lock_timeout"),
                Error::Database { .. } => assert_eq!(setting, "statement_timeout"),
                _ => panic!("{error}"),
            }
            assert!(error.to_string().contains("timeout"), "{error}");
        }
        db.rollback().await;
        writer.sql(&format!("SET {setting} = 0")).await;
        writer.run(racer.advance(Advance(1))).await.unwrap();
        all_agree(&mut db).await;
    }
    assert_eq!(db.number("SELECT count(*) FROM racers_events").await, 4);
}
