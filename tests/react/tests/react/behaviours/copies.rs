//! Subscribers in databases that were copied or restored.

use std::time::{Duration, Instant};

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_diesel::publish;
use evented_react::{
    DomainEventExt as _, From, InCopies, Retry, Subscriber, Which, Worker, adopt, register, retry, set_aside,
    subscribers,
};
use evented_react_tests::{Comment, Kit, NewComment, Outbox, Reported, eventually, fresh};
use evented_tests::db::Db;

use super::Conn;

const SEEN: &str = "SELECT count(*) FROM seen";
/// What the subscribers find in a copy.
const COPY: &str = "UPDATE evented_subscribers SET home = home + 1 WHERE home <> 0";

async fn write(db: &mut Db<Conn>, texts: &[&str]) {
    for text in texts {
        db.run(Comment::insert(NewComment { post_id: 1, text: (*text).to_owned() })).await.unwrap();
    }
}

fn mails(outbox: &Outbox) -> Subscriber<Conn> {
    Conn::sender("mails", outbox).from(From::Beginning).retry(Retry::NEVER)
}

fn audit() -> Subscriber<Conn> {
    Conn::recorder("audit").from(From::Beginning)
}

/// The texts of what was sent, sorted: effects of different keys end in any order.
fn sent(outbox: &Outbox) -> Vec<String> {
    let mut texts: Vec<String> = outbox.sent().into_iter().map(|sent| sent.text).collect();
    texts.sort_unstable();
    texts
}

/// Waits until a subscriber stalls, and returns the reason.
async fn stalls(db: &mut Db<Conn>, name: &str) -> String {
    let deadline = Instant::now() + Duration::from_secs(200);
    while Instant::now() < deadline {
        let all = db.run(subscribers()).await.unwrap();
        if let Some(reason) = all.into_iter().find(|it| it.name == name).and_then(|it| it.stalled) {
            return reason;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{name} has not stalled after 200 seconds");
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_stall_until_the_copy_is_adopted_and_repeat_nothing() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["a", "dead"]).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    outbox.sends(2).await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred", 1).await;
    worker.stop().await;
    write(&mut db, &["b"]).await;
    db.sql(COPY).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    assert!(stalls(&mut db, "mails").await.contains("copy"));
    assert_eq!(outbox.sent().len(), 2);
    assert!(db.run(adopt("mails")).await.unwrap());
    outbox.sends(3).await;
    eventually(&mut db, "SELECT count(*) FROM evented_subscribers WHERE stalled IS NULL", 1).await;
    worker.stop().await;
    assert_eq!(sent(&outbox), ["a", "b", "dead"]);
    // What was set aside is still there.
    assert_eq!(db.number("SELECT count(*) FROM evented_deferred").await, 1);
    assert!(!db.run(adopt("nobody")).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_can_skip_what_is_pending() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["dead"]).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred", 1).await;
    worker.stop().await;
    write(&mut db, &["b", "c"]).await;
    db.sql(COPY).await;
    assert!(db.run(adopt("mails").skip_pending()).await.unwrap());
    assert_eq!(db.number("SELECT count(*) FROM evented_deferred").await, 0);
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    write(&mut db, &["d"]).await;
    outbox.sends(2).await;
    worker.stop().await;
    assert_eq!(sent(&outbox), ["d", "dead"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn handlers_go_on_in_a_copy_and_each_subscriber_can_choose() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    let stalling = || Conn::recorder("stalling").from(From::Beginning).in_copies(InCopies::Stall);
    let going_on = || Conn::sender("going_on", &outbox).from(From::Beginning).in_copies(InCopies::GoOn);
    for subscriber in [audit(), stalling(), going_on()] {
        db.run(register(&subscriber)).await.unwrap().unwrap();
    }
    assert_eq!(db.number("SELECT count(*) FROM evented_subscribers WHERE home <> 0").await, 1);
    db.sql("UPDATE evented_subscribers SET home = home + 1").await;
    write(&mut db, &["a"]).await;
    let worker = Worker::new().subscribe(audit()).subscribe(stalling()).subscribe(going_on());
    let worker = Conn::start(worker, &db.url).await;
    stalls(&mut db, "stalling").await;
    outbox.sends(1).await;
    eventually(&mut db, SEEN, 1).await;
    worker.stop().await;
    assert_eq!(db.texts("SELECT subscriber AS text FROM seen").await, ["audit"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_whose_event_is_gone_goes_to_the_one_before() {
    let mut db = fresh::<Conn>().await;
    write(&mut db, &["a", "b"]).await;
    let worker = Conn::start(Worker::new().subscribe(audit()), &db.url).await;
    eventually(&mut db, SEEN, 2).await;
    worker.stop().await;
    // As if the log alone were restored from an earlier backup.
    db.sql("UPDATE evented_cursors SET position = position + 100, anchor = 7").await;
    // How far a resize had come says nothing any more.
    let earlier = r#"[{"parts":1,"cursors":{"comments_events":[[9000000000,9000000000]]}}]"#;
    db.sql(&format!("UPDATE evented_subscribers SET earlier = '{earlier}'")).await;
    let worker = Conn::start(Worker::new().subscribe(audit()), &db.url).await;
    assert!(stalls(&mut db, "audit").await.contains("restored"));
    assert!(db.run(adopt("audit")).await.unwrap());
    write(&mut db, &["c"]).await;
    eventually(&mut db, SEEN, 3).await;
    worker.stop().await;
    assert_eq!(db.texts("SELECT text FROM seen ORDER BY text").await, ["a", "b", "c"]);
}

/// PostgreSQL: the log of a dump whose transactions were renumbered, because the server is younger.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_follows_an_event_whose_transaction_was_renumbered() {
    let mut db = fresh::<Conn>().await;
    if Db::<Conn>::DATABASE == Database::Sqlite {
        return;
    }
    write(&mut db, &["a", "b"]).await;
    // The cursors stand at events: one without an event stays where it is.
    let one = || audit().parts(1).retry(Retry::NEVER);
    write(&mut db, &["dead"]).await;
    let done = db.conn.drain_tolerant(&one()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (2, 1));
    write(&mut db, &["c"]).await;
    db.sql(
        "ALTER TABLE comments_events DISABLE TRIGGER append_only; UPDATE comments_events SET txid = 0; \
         ALTER TABLE comments_events ENABLE TRIGGER append_only",
    )
    .await;
    let worker = Conn::start(Worker::new().subscribe(one()), &db.url).await;
    assert!(stalls(&mut db, "audit").await.contains("gone"));
    assert!(db.run(adopt("audit")).await.unwrap());
    eventually(&mut db, SEEN, 3).await;
    write(&mut db, &["d"]).await;
    eventually(&mut db, SEEN, 4).await;
    worker.stop().await;
    assert_eq!(db.texts("SELECT text FROM seen ORDER BY text").await, ["a", "b", "c", "d"]);
    // What is set aside has followed its event.
    assert_eq!(db.run(retry("audit", Which::All)).await.unwrap(), 1);
    let done = db.conn.drain_tolerant(&one()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (0, 1));
    let aside = db.run(set_aside("audit")).await.unwrap();
    assert_eq!((aside[0].txid, aside[0].error.as_deref()), (0, Some("it is dead")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_whose_event_is_gone_does_not_count_as_handled() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["dead"]).await;
    let worker = Worker::new().subscribe(mails(&outbox)).subscribe(audit().retry(Retry::NEVER));
    let worker = Conn::start(worker, &db.url).await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred WHERE state = 'dead'", 2).await;
    let trigger = match Db::<Conn>::DATABASE {
        Database::Postgres => "ALTER TABLE comments_events DISABLE TRIGGER append_only".to_owned(),
        Database::Sqlite => {
            let names = "SELECT name AS text FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'comments_events'";
            db.texts(names).await.iter().map(|name| format!("DROP TRIGGER \"{name}\";")).collect()
        }
    };
    db.sql(&trigger).await;
    db.sql("DELETE FROM comments_events").await;
    for name in ["mails", "audit"] {
        assert_eq!(db.run(retry(name, Which::All)).await.unwrap(), 1);
    }
    let gone = "SELECT count(*) FROM evented_deferred WHERE state = 'dead' AND error LIKE '%no longer in the log%'";
    eventually(&mut db, gone, 2).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_publishes_no_delayed_event_until_it_is_adopted() {
    let mut db = fresh::<Conn>().await;
    let reports = || Conn::of_reports("reports", Reported::events()).in_copies(InCopies::Stall);
    db.run(register(&reports())).await.unwrap().unwrap();
    db.sql(COPY).await;
    let report = Reported { comment: 1, reason: "late".to_owned() };
    db.run(publish(report).after(Duration::ZERO)).await.unwrap();
    let worker = Conn::start(Worker::new().subscribe(reports()).lease(Duration::from_secs(1)), &db.url).await;
    stalls(&mut db, "reports").await;
    // It was seen again since then: its loop has gone on.
    let seen = "SELECT max(seen_at) FROM evented_workers";
    let before = db.number(seen).await;
    eventually(&mut db, &format!("SELECT count(*) FROM evented_workers WHERE seen_at > {before} + 1000"), 1).await;
    assert_eq!(db.number("SELECT count(*) FROM domain_events").await, 0);
    assert!(db.run(adopt("reports")).await.unwrap());
    eventually(&mut db, SEEN, 1).await;
    worker.stop().await;
}
