//! Workers: they handle everything once, share the parts, and stop.

use std::time::Duration;

use evented_diesel::batch;
use evented_diesel::migrations::Database;
use evented_diesel::prelude::*;
use evented_react::{
    ChannelExt as _, From, Position, Retry, Subscriber, Waited, Which, Worker, lag, pause, register,
    resume, retry, wait_for,
};
use evented_react_tests::{Comment, GATE, Kit, NewComment, NewPost, Post, Record, WRONG_COUNTS, eventually, fresh, post_counts};
use evented_tests::db::Db;

use super::Conn;

const SEEN: &str = "SELECT count(*) FROM seen";
const WAIT: Duration = Duration::from_secs(60);

async fn write(db: &mut Db<Conn>, post_id: i32, text: &str) -> Position {
    let new = NewComment { post_id, text: text.to_owned() };
    db.run(Comment::insert(new).recorded()).await.unwrap().position()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_handles_what_is_there_and_what_comes() {
    let mut db = fresh::<Conn>().await;
    for number in 0..30 {
        write(&mut db, number, "before").await;
    }
    let audit = Conn::recorder("audit").from(From::Beginning);
    let worker = Conn::start(Worker::new().subscribe(audit), &db.url).await;
    for number in 0..30 {
        write(&mut db, number, "after").await;
    }
    eventually(&mut db, SEEN, 60).await;
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 60);
    worker.stop().await;
    assert_eq!(db.number("SELECT count(*) FROM evented_parts WHERE owner IS NOT NULL").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM evented_workers").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_read_after_a_wait() {
    let mut db = fresh::<Conn>().await;
    let position = {
        let post = db.run(Post::insert(NewPost { title: "One".into() })).await.unwrap();
        write(&mut db, post.id, "x").await
    };
    // Nobody has registered the subscriber yet.
    let waited = db.run(wait_for("post_counts", position, Duration::from_millis(20))).await.unwrap();
    assert_eq!(waited, Waited::TimedOut { registered: false });
    let worker = Conn::start(Worker::new().subscribe(post_counts()), &db.url).await;
    for _ in 0..5 {
        let position = write(&mut db, 1, "x").await;
        assert_eq!(db.run(wait_for("post_counts", position, WAIT)).await.unwrap(), Waited::Handled);
        assert_eq!(db.number(WRONG_COUNTS).await, 0);
    }
    worker.stop().await;
    let lags = db.run(lag("post_counts")).await.unwrap();
    assert!(lags.iter().all(|lag| lag.events == 0), "{lags:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_says_that_the_event_is_set_aside() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").retry(Retry::NEVER);
    let worker = Conn::start(Worker::new().subscribe(audit), &db.url).await;
    let position = write(&mut db, 1, "retry").await;
    let waited = db.run(wait_for("audit", position, WAIT)).await.unwrap();
    assert_eq!(waited, Waited::SetAside { error: Some("it says so".to_owned()) });
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn panics_and_open_transactions_are_failures() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").retry(Retry::NEVER).timeout(Duration::from_millis(200));
    let worker = Conn::start(Worker::new().subscribe(audit).concurrency(2), &db.url).await;
    for text in ["panic", "slow", "fine"] {
        write(&mut db, 1, text).await;
    }
    let failed = "SELECT count(*) FROM evented_deferred WHERE state = 'dead' AND (error LIKE '%panic%' OR error LIKE '%longer%')";
    eventually(&mut db, failed, 2).await;
    eventually(&mut db, SEEN, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_tries_again_and_the_worker_sees_it() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").retry(Retry::NEVER);
    let worker = Conn::start(Worker::new().subscribe(audit), &db.url).await;
    write(&mut db, 1, "once").await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred WHERE state = 'dead'", 1).await;
    db.sql("UPDATE evented_deferred SET attempts = 1").await;
    assert_eq!(db.run(retry("audit", Which::All)).await.unwrap(), 1);
    // With its attempts before it, it fails the first time again.
    eventually(&mut db, "SELECT count(*) FROM evented_deferred WHERE state = 'dead' AND attempts = 1", 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_share_the_parts() {
    let mut db = fresh::<Conn>().await;
    let worker = || {
        let audit = Conn::recorder("audit").from(From::Beginning).parts(4);
        Worker::new().subscribe(audit).lease(Duration::from_millis(800))
    };
    let first = Conn::start(worker(), &db.url).await;
    eventually(&mut db, "SELECT count(*) FROM evented_parts WHERE owner IS NOT NULL", 4).await;
    let second = Conn::start(worker(), &db.url).await;
    let shared = "SELECT count(*) FROM (SELECT owner FROM evented_parts GROUP BY owner HAVING count(*) = 2) s";
    eventually(&mut db, shared, 2).await;
    for number in 0..40 {
        write(&mut db, number, "x").await;
    }
    eventually(&mut db, SEEN, 40).await;
    first.stop().await;
    eventually(&mut db, "SELECT count(DISTINCT owner) FROM evented_parts WHERE owner IS NOT NULL", 1).await;
    for number in 0..10 {
        write(&mut db, number, "y").await;
    }
    eventually(&mut db, SEEN, 50).await;
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 50);
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_stored_as_taken_and_that_nobody_works_on_is_taken_over() {
    let mut db = fresh::<Conn>().await;
    let audit = || Conn::recorder("audit").from(From::Beginning).parts(2);
    let worker = || Worker::new().subscribe(audit()).lease(Duration::from_millis(800));
    let (first, second) = (Conn::start(worker(), &db.url).await, Conn::start(worker(), &db.url).await);
    eventually(&mut db, "SELECT count(DISTINCT owner) FROM evented_parts WHERE owner IS NOT NULL", 2).await;
    // As a worker leaves it that drops a part and has its share in others: it lives, so nobody takes the part from it.
    db.sql(
        "UPDATE evented_parts SET fence = fence + 1, \
         owner = (SELECT p.owner FROM evented_parts p WHERE p.part = 0) WHERE part = 1",
    )
    .await;
    for number in 0..20 {
        write(&mut db, number, "x").await;
    }
    eventually(&mut db, SEEN, 20).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_subscriber_misses_nothing() {
    let mut db = fresh::<Conn>().await;
    let audit = || Conn::recorder("audit").from(From::Beginning);
    db.run(register(&audit())).await.unwrap().unwrap();
    assert!(db.run(pause("audit")).await.unwrap());
    let worker = Worker::new().subscribe(audit()).lease(Duration::from_millis(500));
    let worker = Conn::start(worker, &db.url).await;
    write(&mut db, 1, "x").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(db.number(SEEN).await, 0);
    assert!(db.run(resume("audit")).await.unwrap());
    eventually(&mut db, SEEN, 1).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_takes_every_part() {
    let mut db = fresh::<Conn>().await;
    let of = |version| {
        let audit = Conn::recorder("audit").from(From::Beginning).parts(4).version(version);
        Worker::new().subscribe(audit).lease(Duration::from_millis(800))
    };
    let old = Conn::start(of(1), &db.url).await;
    eventually(&mut db, "SELECT count(*) FROM evented_parts WHERE owner IS NOT NULL", 4).await;
    write(&mut db, 1, "old").await;
    eventually(&mut db, SEEN, 1).await;
    let new = Conn::start(of(2), &db.url).await;
    // The older worker lives, and serves nothing.
    for _ in 0..3_000 {
        if new.status().parts == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(new.status().parts, 4);
    for number in 0..8 {
        write(&mut db, number, "new").await;
    }
    eventually(&mut db, SEEN, 9).await;
    while old.status().parts > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    old.stop().await;
    new.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_ends_its_connection_is_found_out() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").retry(Retry::NEVER);
    let worker = Conn::start(Worker::new().subscribe(audit).concurrency(1), &db.url).await;
    for text in ["cut", "fine"] {
        write(&mut db, 1, text).await;
    }
    let is_postgres = Db::<Conn>::DATABASE == evented_diesel::migrations::Database::Postgres;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred WHERE state = 'dead'", is_postgres.into()).await;
    eventually(&mut db, "SELECT count(*) FROM seen WHERE text = 'fine'", 1).await;
    assert!(worker.status().running);
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_is_full_holds_up_no_other() {
    let mut db = fresh::<Conn>().await;
    if Db::<Conn>::DATABASE == Database::Sqlite {
        // A handler holds the only write transaction, so nobody else could go on.
        return;
    }
    let by_post = Comment::changes().key(|change| change.after().map(|comment| comment.post_id));
    let audit = Subscriber::<Conn>::new("audit").on(by_post, Record).from(From::Beginning).parts(16);
    let mut gate = db.connect().await;
    gate.sql(GATE).await;
    write(&mut db, 1, "gate").await;
    for _ in 0..6 {
        let new = |_| Comment::insert(NewComment { post_id: 1, text: "x".into() });
        db.run(batch((0..500).map(new))).await.unwrap();
    }
    for post in 2..40 {
        write(&mut db, post, "x").await;
    }
    let worker = Conn::start(Worker::new().subscribe(audit).concurrency(2), &db.url).await;
    // Most of the posts are in other parts. Their events come after 3,000 of the first post.
    eventually(&mut db, "SELECT CAST(count(*) >= 25 AS INTEGER) FROM seen", 1).await;
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE ordered_by = 'n:1'").await, 0);
    drop(gate);
    eventually(&mut db, SEEN, 3_039).await;
    worker.stop().await;
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 3_039);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_somebody_has_locked_holds_up_no_other() {
    let mut db = fresh::<Conn>().await;
    if Db::<Conn>::DATABASE == Database::Sqlite {
        // A transaction that writes locks the whole database.
        return;
    }
    let audit = Conn::recorder("audit").parts(4);
    db.run(register(&audit)).await.unwrap().unwrap();
    // Written before the gate is closed: its transaction holds back what is younger.
    let written = write(&mut db, 1, "x").await;
    let mut gate = db.connect().await;
    gate.sql("BEGIN; SELECT 1 FROM evented_cursors WHERE part = 0 FOR UPDATE").await;
    let worker = Conn::start(Worker::new().subscribe(audit), &db.url).await;
    let moved = format!("SELECT count(*) FROM evented_cursors WHERE txid = {}", written.major());
    eventually(&mut db, &moved, 3).await;
    gate.sql("COMMIT").await;
    eventually(&mut db, &moved, 4).await;
    worker.stop().await;
}
