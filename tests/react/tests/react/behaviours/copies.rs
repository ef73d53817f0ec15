//! Subscribers in databases that were copied or restored.

use std::time::{Duration, Instant};

use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_react::{From, InCopies, Retry, Subscriber, Worker, adopt, register, subscribers};
use evented_react_tests::{Comment, Kit, NewComment, Outbox, eventually, fresh};
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
    // The cursors stand at events: a cursor without one is wherever its place sorts.
    let one = || audit().parts(1);
    assert_eq!(db.conn.drain(&one()).await.unwrap().handled, 2);
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
}
