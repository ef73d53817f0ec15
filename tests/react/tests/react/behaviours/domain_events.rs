//! Subscribers of domain events.

use std::cell::OnceCell;
use std::time::Duration;

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_diesel::{DomainEvents, Nested, publish, publish_all, publish_due};
use evented_react::{
    DomainEventExt as _, From, Retry, SetAsideState, Waited, Which, Worker, lag, prune, register, retry, set_aside, skip,
    subscribers_of, wait_for,
};
use evented_react_tests::{
    Closed, Comment, CommentChanges, Flag, Kit, NewComment, NewPost, Post, Reported, eventually, fresh, tables,
};
use evented_test_server::{Cluster, Settings};
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
    if Db::<Conn>::DATABASE == Database::Sqlite {
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

/// Wherever a command publishes, the event leads to the change in the log of the model.
#[tokio::test]
async fn an_event_leads_to_the_change_that_it_was_published_with() {
    let mut db = fresh::<Conn>().await;
    let explain = Conn::explainer("explain").from(From::Beginning);
    db.run(register(&explain)).await.unwrap().unwrap();
    let new = |text: &str| NewComment { post_id: 1, text: text.to_owned() };
    let comment = db.run(Comment::insert(new("a")).publish(report(1, "insert"))).await.unwrap();
    let (id, published) = (comment.id, || report(1, "x"));
    let comment = db.run(comment.update(text_is("b")).publish(published())).await.unwrap();
    // The state before a savepoint is in the events before it.
    db.run(Comment::savepoint(id).publish(published())).await.unwrap();
    db.run(Comment::execute_on(id, Flag { reason: "spam".into() }).publish(published())).await.unwrap();
    db.run(comment.update( text_is("c")).publish_after(published(), Duration::ZERO)).await.unwrap();
    db.run(publish_due::<DomainEvents>()).await.unwrap();
    db.run(comment.delete().publish(published())).await.unwrap();
    // Without a command, by a command on another model, and by commands of a batch.
    db.run(publish(published())).await.unwrap();
    db.run(Post::insert(NewPost { title: "p".into() }).publish(published())).await.unwrap();
    let batch = [Comment::insert(new("d")).publish(published()), Comment::insert(new("e")).publish(published())];
    db.run(evented_diesel::batch(batch)).await.unwrap();
    assert_eq!(db.conn.drain(&explain).await.unwrap().handled, 20);
    let expected = [
        "insert - a", "update a b", "savepoint b b", "flag b flagged: spam", "update flagged: spam c", "delete c -", "none", "none, of a post",
        "insert - d", "insert - e",
    ];
    // Each event came through both inputs.
    let expected: Vec<&str> = expected.iter().flat_map(|it| [*it, *it]).collect();
    assert_eq!(texts(&mut db).await, expected);
}

#[test]
fn two_lists_are_compared_by_the_keys_of_their_records() {
    let comment = |id, text: &str| Comment { id, post_id: 1, text: text.to_owned() };
    let before = [comment(1, "a"), comment(2, "b"), comment(3, "c"), comment(4, "d")];
    let after = [comment(4, "d"), comment(5, "new"), comment(2, "b2"), comment(5, "last"), comment(1, "a")];
    let nested = Nested::between(before, after);
    assert_eq!(nested.inserted, [comment(5, "last")]);
    assert_eq!(nested.deleted, [comment(3, "c")]);
    let [update] = nested.updated.as_slice() else { panic!("{nested:?}") };
    assert_eq!((&update.before, &update.after), (&comment(2, "b"), &comment(2, "b2")));
    assert_eq!(update.changes().unwrap().to_string(), r#"text: "b" → "b2""#);
    let texts = nested.map(|comment| comment.text);
    let stored = serde_json::to_string(&texts).unwrap();
    assert_eq!(stored, r#"{"inserted":["last"],"updated":[{"before":"b","after":"b2"}],"deleted":["c"]}"#);
    assert_eq!(serde_json::from_str::<Nested<String>>(&stored).unwrap(), texts);
    assert!(Nested::between([comment(1, "a")], [comment(1, "a")]).is_empty());
}

fn text_is(text: &str) -> CommentChanges {
    CommentChanges { text: Some(text.to_owned()), ..CommentChanges::default() }
}

/// Returns the SQL that adds 100,000 reports to the bus.
fn many_reports() -> &'static str {
    match Db::<Conn>::DATABASE {
        Database::Postgres => {
            "INSERT INTO domain_events (id, record_id, action, version, payload, meta, at) \
             SELECT gen_random_uuid(), 'n:' || i, 'reported', 1, json_build_object('comment', i, 'reason', 'x'), '{}', now() \
             FROM generate_series(1, 100000) i"
        }
        Database::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) \
             INSERT INTO domain_events (id, record_id, action, version, payload, meta, at) \
             SELECT randomblob(16), 'n:' || i, 'reported', 1, json_object('comment', i, 'reason', 'x'), '{}', \
             '2026-01-01 00:00:00.000000+00:00' FROM n"
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscriber_is_added_to_a_bus_with_many_events() {
    // A server of its own: transactions of other tests would make the events count as new, and this one is long.
    let cluster = OnceCell::new();
    let url = || cluster.get_or_init(|| Cluster::start(Settings::default()).unwrap()).url();
    let mut db = Db::<Conn>::on(url).await;
    db.sql(&tables(Db::<Conn>::DATABASE)).await;
    db.sql(many_reports()).await;
    let some = || Reported::events().when(|report| report.comment % 1_000 == 0);
    let late = Conn::of_reports("late", some()).from(From::Beginning);
    let new = Conn::of_reports("new", some()).from(From::Now);
    db.run(register(&new)).await.unwrap().unwrap();
    let worker = Conn::start(Worker::new().subscribe(late).subscribe(new), &db.url).await;
    let last = db.run(publish(report(1_000, "last"))).await.unwrap();
    for name in ["late", "new"] {
        let waited = db.run(wait_for(name, last.position, Duration::from_secs(200))).await.unwrap();
        assert_eq!(waited, Waited::Handled);
    }
    worker.stop().await;
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE subscriber = 'late'").await, 101);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE subscriber = 'new'").await, 1);
}
