//! Subscribers of domain events.

use std::time::Duration;

use evented_diesel::prelude::*;
use evented_diesel::{DomainEvents, publish, publish_all};
use evented_react::{
    DomainEventExt as _, From, Retry, SetAsideState, Waited, Which, Worker, lag, prune, register, retry, set_aside, skip,
    subscribers_of, wait_for,
};
use evented_react_tests::{Closed, Comment, Kit, NewComment, Reported, eventually, fresh};
use evented_tests::db::Db;

use super::Conn;

const SEEN: &str = "SELECT count(*) FROM seen";

fn report(comment: i32, reason: &str) -> Reported {
    Reported { comment, reason: reason.to_owned() }
}

async fn texts(db: &mut Db<Conn>) -> Vec<String> {
    db.texts("SELECT text FROM seen ORDER BY number").await
}

#[tokio::test]
async fn each_event_is_handled_once_in_the_order_of_its_key() {
    let mut db = fresh::<Conn>().await;
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning).parts(4);
    let comment = Comment::insert(NewComment { post_id: 1, text: "x".into() });
    db.run(comment.publish(report(1, "a")).publish(Closed).publish(report(1, "b"))).await.unwrap();
    db.run(publish_all([report(2, "c"), report(1, "d")])).await.unwrap();
    assert_eq!(db.conn.drain(&reports).await.unwrap().handled, 4);
    assert_eq!(db.conn.drain(&reports).await.unwrap().handled, 0);
    let of_one = "SELECT text FROM seen WHERE ordered_by = 'n:1' ORDER BY number";
    assert_eq!(db.texts(of_one).await, ["a", "b", "d"]);
    assert!(db.run(lag("reports")).await.unwrap().iter().all(|lag| lag.events == 0));
}

#[tokio::test]
async fn filters_keys_of_the_subscribers_own_and_all_events() {
    let mut db = fresh::<Conn>().await;
    let some = Reported::events().when(|it| it.reason != "no").key(|it| it.reason.clone());
    let some = Conn::of_reports("some", some).from(From::Beginning);
    let all = Conn::of_all_events("all").from(From::Beginning);
    db.run(publish_all([report(1, "yes"), report(1, "no")])).await.unwrap();
    db.run(publish(Closed)).await.unwrap();
    assert_eq!(db.conn.drain(&some).await.unwrap().handled, 1);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE ordered_by = 't:yes'").await, 1);
    db.sql("DELETE FROM seen").await;
    assert_eq!(db.conn.drain(&all).await.unwrap().handled, 3);
    let mut names = texts(&mut db).await;
    names.sort();
    assert_eq!(names, ["closed", "reported", "reported"]);
}

#[tokio::test]
async fn old_names_and_old_versions_are_read_and_newer_ones_wait() {
    let mut db = fresh::<Conn>().await;
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
    db.run(publish_all([report(1, "a"), report(1, "b"), report(1, "c"), report(2, "d")])).await.unwrap();
    db.sql("UPDATE domain_events SET action = 'complained', version = 0, payload = '{\"comment\":1}' WHERE position = 1")
        .await;
    db.sql("UPDATE domain_events SET version = 2 WHERE position = 2").await;
    let done = db.conn.drain_tolerant(&reports).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (2, 2));
    let aside = db.run(set_aside("reports")).await.unwrap();
    let states: Vec<_> = aside.iter().map(|row| (row.key.as_str(), row.state)).collect();
    assert_eq!(states, [("1", SetAsideState::Unreadable), ("1", SetAsideState::Behind)]);
    // A newer program can read it.
    db.sql("UPDATE domain_events SET version = 1 WHERE position = 2").await;
    assert_eq!(db.run(retry("reports", Which::All)).await.unwrap(), 1);
    db.conn.drain_tolerant(&reports).await.unwrap();
    assert_eq!(db.run(set_aside("reports")).await.unwrap(), []);
    let of_one = "SELECT text FROM seen WHERE ordered_by = 'n:1' ORDER BY number";
    assert_eq!(db.texts(of_one).await, ["none", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_handles_events_and_a_program_waits_for_them() {
    let mut db = fresh::<Conn>().await;
    let quickly = Retry::exponential(Duration::from_millis(5), Duration::from_millis(20)).attempts(5);
    let reports =
        || Conn::of_reports("reports", Reported::events()).from(From::Beginning).retry(quickly);
    let worker = Conn::start(Worker::new().subscribe(reports()), &db.url).await;
    let stored = db.run(publish(report(1, "a"))).await.unwrap();
    let waited = db.run(wait_for("reports", stored.position, Duration::from_secs(60))).await.unwrap();
    assert_eq!(waited, Waited::Handled);
    db.run(publish(report(1, "once"))).await.unwrap();
    let dead = db.run(publish(report(2, "dead"))).await.unwrap();
    eventually(&mut db, SEEN, 2).await;
    let waited = db.run(wait_for("reports", dead.position, Duration::from_secs(60))).await.unwrap();
    assert_eq!(waited, Waited::SetAside { error: Some("it is dead".to_owned()) });
    worker.stop().await;
    assert_eq!(texts(&mut db).await, ["a", "once"]);
}

/// On PostgreSQL, a transaction gets its number when it first writes. One that is older, and saw what a younger one had
/// published, publishes after it.
#[tokio::test]
async fn what_a_transaction_could_see_comes_before_what_it_publishes() {
    let mut db = fresh::<Conn>().await;
    if Db::<Conn>::DATABASE == evented_diesel::migrations::Database::Sqlite {
        // There is one writer at a time.
        return;
    }
    let mut older = db.connect().await;
    older.begin().await;
    older.run(Comment::insert(NewComment { post_id: 1, text: "x".into() })).await.unwrap();
    db.run(publish(report(1, "first"))).await.unwrap();
    older.run(publish(report(1, "second"))).await.unwrap();
    older.commit().await;
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
    assert_eq!(db.conn.drain(&reports).await.unwrap().handled, 2);
    assert_eq!(texts(&mut db).await, ["first", "second"]);
}

#[tokio::test]
async fn old_events_are_removed_that_everybody_has_handled() {
    let mut db = fresh::<Conn>().await;
    let at_once = || prune::<DomainEvents>(Duration::ZERO);
    let (one, other) = (Conn::of_reports("one", Reported::events()), Conn::of_reports("other", Reported::events()));
    let (one, other) = (one.from(From::Beginning).parts(2), other.from(From::Beginning).parts(3));
    db.run(register(&other)).await.unwrap().unwrap();
    db.run(publish_all([report(1, "a"), report(2, "dead"), report(3, "c"), report(4, "d")])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    db.conn.drain_tolerant(&one).await.unwrap();
    // The other subscriber has handled nothing.
    let pruned = db.run(at_once()).await.unwrap();
    assert_eq!((pruned.removed, pruned.held_by.as_deref()), (0, Some("other")));
    db.conn.drain_tolerant(&other).await.unwrap();
    assert_eq!(db.run(prune::<DomainEvents>(Duration::from_secs(3_600))).await.unwrap().removed, 0);
    // What is set aside stays, and the event at the cursors.
    let pruned = db.run(at_once()).await.unwrap();
    assert_eq!((pruned.removed, pruned.held_by), (2, None));
    assert_eq!(db.texts("SELECT CAST(position AS TEXT) AS text FROM domain_events ORDER BY position").await, ["2", "4"]);
    db.run(publish(report(5, "e"))).await.unwrap();
    for subscriber in [&one, &other] {
        assert_eq!(db.conn.drain_tolerant(subscriber).await.unwrap().handled, 1);
    }
    // A worker goes on after its cursor, whose event is there.
    let worker = Conn::start(Worker::new().subscribe(one), &db.url).await;
    let stored = db.run(publish(report(6, "f"))).await.unwrap();
    let waited = db.run(wait_for("one", stored.position, Duration::from_secs(60))).await.unwrap();
    assert_eq!((waited, worker.status().stalled), (Waited::Handled, Vec::new()));
    worker.stop().await;
    assert_eq!(db.run(skip("other", Which::All)).await.unwrap(), 1);
}

#[tokio::test]
async fn many_old_events_are_removed_in_chunks() {
    let mut db = fresh::<Conn>().await;
    let many = (0..2_500).map(|number| report(number, "x"));
    db.run(publish_all(many)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(db.run(prune::<DomainEvents>(Duration::ZERO)).await.unwrap().removed, 2_500);
}

#[tokio::test]
async fn the_subscribers_of_an_event_are_listed() {
    let mut db = fresh::<Conn>().await;
    for subscriber in [
        Conn::of_reports("reports", Reported::events()),
        Conn::of_all_events("all"),
        Conn::recorder("comments"),
        Conn::of_reports("keyed", Reported::events().key(|report| report.reason.clone())),
    ] {
        db.run(register(&subscriber)).await.unwrap().unwrap();
    }
    let names = |listed: Vec<evented_react::SubscriberStatus>| -> Vec<String> {
        listed.into_iter().map(|subscriber| subscriber.name).collect()
    };
    assert_eq!(names(db.run(subscribers_of::<Reported>()).await.unwrap()), ["all", "keyed", "reports"]);
    assert_eq!(names(db.run(subscribers_of::<Closed>()).await.unwrap()), ["all"]);
}
