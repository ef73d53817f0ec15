//! Domain events that are published later, and schedules.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_diesel::stream::published;
use evented_diesel::{DomainEvents, cancel_event, publish, publish_due};
use evented_react::testing::publish_delayed;
use evented_react::{
    DomainEventExt as _, From, Missed, RegisterError, Schedule, StartError, Worker, resize, schedules, unschedule,
};
use evented_react_tests::{Comment, Kit, NewComment, Reported, eventually, fresh, tables};
use evented_test_server::{Cluster, Settings};
use evented_tests::db::Db;

use super::Conn;

const BUS: &str = "SELECT count(*) FROM domain_events";
const DELAYED: &str = "SELECT count(*) FROM domain_events_delayed";
const HOUR: Duration = Duration::from_secs(3_600);

fn report(comment: i32, reason: &str) -> Reported {
    Reported { comment, reason: reason.into() }
}

#[tokio::test]
async fn an_event_is_published_when_it_is_due_behind_those_before() {
    let mut db = fresh::<Conn>().await;
    let later = db.run(publish(report(1, "later")).after(HOUR)).await.unwrap();
    db.run(publish(report(1, "past")).due_at(Utc::now() - TimeDelta::hours(1))).await.unwrap();
    db.run(publish(report(1, "now"))).await.unwrap();
    assert!(!later.is_duplicate);
    assert_eq!(db.run(publish_due::<DomainEvents>()).await.unwrap(), 1);
    assert_eq!((db.number(BUS).await, db.number(DELAYED).await), (2, 1));
    assert_eq!(db.run(publish_delayed::<DomainEvents>()).await.unwrap(), 1);
    let reasons: Vec<String> =
        db.run(published::<Reported>()).await.unwrap().into_iter().map(|report| report.reason).collect();
    assert_eq!(reasons, ["now", "past", "later"]);
    assert_eq!(db.number(DELAYED).await, 0);
    // It can be read like every other event.
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
    assert_eq!(db.conn.drain(&reports).await.unwrap().handled, 3);
}

#[tokio::test]
async fn a_delayed_event_is_cancelled_once_and_not_after_it_was_published() {
    let mut db = fresh::<Conn>().await;
    let one = db.run(publish(report(1, "one")).after(HOUR)).await.unwrap();
    let other = db.run(publish(report(1, "other")).after(HOUR)).await.unwrap();
    assert!(db.run(cancel_event::<DomainEvents>(one.id)).await.unwrap());
    assert!(!db.run(cancel_event::<DomainEvents>(one.id)).await.unwrap());
    db.run(publish_delayed::<DomainEvents>()).await.unwrap();
    assert!(!db.run(cancel_event::<DomainEvents>(other.id)).await.unwrap());
    assert_eq!(db.number(BUS).await, 1);
}

#[tokio::test]
async fn a_unique_event_is_there_once_delayed_or_published() {
    let mut db = fresh::<Conn>().await;
    let unique = || publish(report(1, "x")).unique("x");
    let first = db.run(unique().after(HOUR)).await.unwrap();
    let again = db.run(unique().after(HOUR)).await.unwrap();
    assert_eq!((again.id, again.is_duplicate), (first.id, true));
    // Published at once, it is the one; the delayed one is dropped when it is due.
    let at_once = db.run(unique()).await.unwrap();
    assert!(!at_once.is_duplicate);
    let later = db.run(unique().after(HOUR)).await.unwrap();
    assert!(later.is_duplicate);
    db.run(publish_delayed::<DomainEvents>()).await.unwrap();
    assert_eq!((db.number(BUS).await, db.number(DELAYED).await), (1, 0));
    let window = || publish(report(2, "y")).unique_for("y", Duration::from_secs(1_000_000_000));
    assert!(!db.run(window()).await.unwrap().is_duplicate);
    assert!(db.run(window()).await.unwrap().is_duplicate);
}

#[tokio::test]
async fn a_command_delays_an_event_if_it_makes_its_change() {
    let mut db = fresh::<Conn>().await;
    let comment = |text: &str| Comment::insert(NewComment { post_id: 1, text: text.into() });
    let insert = comment("a").publish(report(1, "now")).publish_after(report(1, "later"), HOUR);
    let made = db.run(insert).await.unwrap();
    assert_eq!((db.number(BUS).await, db.number(DELAYED).await), (1, 1));
    // The change is refused, so nothing is published.
    let stale = made.update(evented_react_tests::CommentChanges::default()).expecting(7);
    db.run(stale.publish_after(report(1, "x"), HOUR)).await.unwrap_err();
    assert_eq!(db.number(DELAYED).await, 1);
    db.begin().await;
    db.run(comment("b").publish_after(report(2, "x"), HOUR)).await.unwrap();
    db.rollback().await;
    assert_eq!(db.number(DELAYED).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_publish_delayed_events_once() {
    let mut db = fresh::<Conn>().await;
    let worker = || {
        let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning);
        Worker::new().subscribe(reports).lease(Duration::from_millis(300))
    };
    let one = Conn::start(worker(), &db.url).await;
    let other = Conn::start(worker(), &db.url).await;
    for number in 0..20 {
        db.run(publish(report(number, "x")).after(Duration::from_millis(100))).await.unwrap();
    }
    eventually(&mut db, "SELECT count(*) FROM seen", 20).await;
    assert_eq!((db.number(BUS).await, db.number(DELAYED).await), (20, 0));
    one.stop().await;
    other.stop().await;
}

/// On PostgreSQL, publishing an event with a unique key waits for a transaction that does so with the same key.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_holds_up_a_delayed_event_holds_up_no_worker() {
    if Db::<Conn>::DATABASE == Database::Sqlite {
        return;
    }
    // A server of its own: the transaction holds up the readers of all databases.
    let cluster = Cluster::start(Settings::default()).unwrap();
    let mut db = Db::<Conn>::on(|| cluster.url()).await;
    db.sql(&tables(Database::Postgres)).await;
    db.run(publish(report(1, "delayed")).unique("k").after(Duration::ZERO)).await.unwrap();
    let mut other = db.connect().await;
    other.begin().await;
    other.run(publish(report(1, "at once")).unique("k")).await.unwrap();
    let reports = Conn::of_reports("reports", Reported::events()).from(From::Beginning).parts(2);
    let worker = Conn::start(Worker::new().subscribe(reports), &db.url).await;
    let owned = "SELECT count(*) FROM evented_parts WHERE owner IS NOT NULL";
    eventually(&mut db, owned, 2).await;
    // The loop that takes parts also publishes what is due.
    db.run(resize("reports", 5)).await.unwrap();
    eventually(&mut db, owned, 5).await;
    other.rollback().await;
    eventually(&mut db, "SELECT count(*) FROM seen WHERE text = 'delayed'", 1).await;
    worker.stop().await;
}

fn schedule(expression: &str) -> Schedule {
    let event = |at: DateTime<Utc>| Reported { comment: 1, reason: at.timestamp().to_string() };
    Schedule::cron("clock", expression, event).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_the_workers_publishes_the_event_of_a_schedule() {
    let mut db = fresh::<Conn>().await;
    let worker = || Worker::new().schedule(schedule("* * * * * *")).lease(Duration::from_millis(300));
    let one = Conn::start(worker(), &db.url).await;
    let other = Conn::start(worker(), &db.url).await;
    eventually(&mut db, "SELECT CAST(count(*) >= 3 AS INTEGER) FROM domain_events", 1).await;
    one.stop().await;
    other.stop().await;
    assert_eq!(db.number("SELECT count(*) - count(DISTINCT unique_key) FROM domain_events").await, 0);
    let listed = db.run(schedules()).await.unwrap();
    assert_eq!((listed.len(), listed[0].cron.as_str(), listed[0].zone.as_str()), (1, "* * * * * *", "UTC"));
    assert!(listed[0].last_due < listed[0].next_due);
    assert!(db.run(unschedule("clock")).await.unwrap());
    assert!(!db.run(unschedule("clock")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_while_no_worker_ran_is_made_up() {
    for (missed, events) in [(Missed::Skip, 0), (Missed::Once, 1), (Missed::All, 3)] {
        let mut db = fresh::<Conn>().await;
        // At a time that is not near, so that no other event is due during the test.
        let hour = (Utc::now() + TimeDelta::hours(12)).format("%H").to_string();
        let daily = || schedule(&format!("0 {hour} * * *")).missed(missed);
        Conn::start(Worker::new().schedule(daily()), &db.url).await.stop().await;
        assert_eq!(db.number(BUS).await, 0);
        db.sql("UPDATE evented_schedules SET next_due = next_due - 3 * 86400000").await;
        let worker = Conn::start(Worker::new().schedule(daily()), &db.url).await;
        eventually(&mut db, "SELECT count(*) FROM evented_schedules WHERE next_due > 1700000000000", 1).await;
        worker.stop().await;
        assert_eq!(db.number(BUS).await, events, "{missed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_program_does_not_set_back_a_schedule() {
    let mut db = fresh::<Conn>().await;
    let old = || Worker::new().schedule(schedule("0 3 * * *"));
    let new = || Worker::new().schedule(schedule("0 4 * * *").version(2));
    let cron = "SELECT cron AS text FROM evented_schedules";
    let older = Conn::start(old(), &db.url).await;
    assert_eq!(db.texts(cron).await, ["0 3 * * *"]);
    let newer = Conn::start(new(), &db.url).await;
    assert_eq!(db.texts(cron).await, ["0 4 * * *"]);
    // Started again, it registers its own version, which is lower.
    older.stop().await;
    let older = Conn::start(old(), &db.url).await;
    assert_eq!(db.texts(cron).await, ["0 4 * * *"]);
    older.stop().await;
    newer.stop().await;
    // Another expression of the same version is an error.
    let error = Conn::try_start(Worker::new().schedule(schedule("0 5 * * *").version(2)), &db.url).await.unwrap_err();
    assert!(matches!(error, StartError::Register(RegisterError::Schedule { .. })), "{error:?}");
    assert!(error.to_string().contains("`0 4 * * *`"), "{error}");
}
