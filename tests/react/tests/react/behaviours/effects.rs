//! Effects outside of the database: at least once, keys in their order, a slow one holds up its key alone.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use evented_diesel::prelude::*;
use evented_react::{
    Change, Delivery, Effect, Failure, From, Retry, Subscriber, Waited, Which, Worker, pause, register, resize,
    resume, retry, set_aside, skip, wait_for,
};
use evented_react_tests::{Comment, Flag, Kit, NewComment, Outbox, Record, eventually, fresh};
use evented_tests::db::Db;

use super::Conn;

const ASIDE: &str = "SELECT count(*) FROM evented_deferred";
const SOON: Retry = Retry::exponential(Duration::from_millis(20), Duration::from_millis(50)).attempts(20);

async fn write(db: &mut Db<Conn>, texts: &[&str]) -> evented_react::Position {
    let mut position = None;
    for text in texts {
        let new = NewComment { post_id: 1, text: (*text).to_owned() };
        position = Some(db.run(Comment::insert(new).recorded()).await.unwrap().position());
    }
    position.unwrap()
}

async fn flag(db: &mut Db<Conn>, id: i32) {
    db.run(Comment::execute_on(id, Flag { reason: "x".into() })).await.unwrap();
}

fn mails(outbox: &Outbox) -> Subscriber<Conn> {
    Conn::sender("mails", outbox).from(From::Beginning).retry(SOON)
}

/// The texts of what was sent, sorted: effects of different keys end in any order.
fn texts(outbox: &Outbox) -> Vec<String> {
    let mut texts: Vec<String> = outbox.sent().into_iter().map(|sent| sent.text).collect();
    texts.sort_unstable();
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn each_effect_runs_once_and_a_restart_repeats_none() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["a", "b", "c"]).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    for id in 1..=3 {
        flag(&mut db, id).await;
    }
    let last = write(&mut db, &["d"]).await;
    let waited = db.run(wait_for("mails", last, Duration::from_secs(300))).await.unwrap();
    assert_eq!(waited, Waited::Handled);
    assert_eq!(outbox.sent().len(), 7);
    worker.stop().await;
    assert_eq!(db.number("SELECT count(*) FROM evented_parts WHERE owner IS NOT NULL").await, 0);
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    write(&mut db, &["e"]).await;
    outbox.sends(8).await;
    worker.stop().await;
    assert_eq!(outbox.sent().len(), 8);
    let keys: BTreeSet<String> = outbox.sent().into_iter().map(|sent| sent.idempotency_key).collect();
    assert_eq!(keys.len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_effect_holds_up_its_key_alone() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    outbox.hold("slow");
    write(&mut db, &["slow"]).await;
    flag(&mut db, 1).await;
    write(&mut db, &["a", "b", "c", "d", "e"]).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).parts(1)), &db.url).await;
    outbox.sends(5).await;
    assert_eq!(texts(&outbox), ["a", "b", "c", "d", "e"]);
    assert_eq!(outbox.running(), 1);
    outbox.release("slow");
    let sent = outbox.sends(7).await;
    // The event after the slow one of its key came after it.
    assert!(sent[5..].iter().all(|sent| sent.comment == 1), "{sent:?}");
    worker.stop().await;
    assert_eq!(outbox.sent().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_fails_is_tried_again_with_its_key_and_the_others_go_on() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["once", "a", "discard", "b"]).await;
    flag(&mut db, 1).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).parts(1)), &db.url).await;
    let sent = outbox.sends(6).await;
    let of_first: Vec<_> = sent.iter().filter(|sent| sent.comment == 1).collect();
    let [first, second, third] = of_first.as_slice() else { panic!("{sent:?}") };
    assert_eq!((first.attempt, second.attempt), (1, 2));
    assert_eq!(first.idempotency_key, second.idempotency_key);
    assert_ne!(second.idempotency_key, third.idempotency_key);
    eventually(&mut db, ASIDE, 0).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_effect_waits_for_somebody_and_its_key_with_it() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["dead", "panic", "a"]).await;
    flag(&mut db, 1).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).retry(Retry::NEVER)), &db.url).await;
    eventually(&mut db, ASIDE, 3).await;
    assert_eq!(db.run(retry("mails", Which::key(1))).await.unwrap(), 1);
    outbox.sends(4).await;
    eventually(&mut db, "SELECT count(*) FROM evented_deferred WHERE state = 'dead'", 2).await;
    let aside = db.run(set_aside("mails")).await.unwrap();
    assert!(aside.iter().any(|row| row.error.as_deref().is_some_and(|error| error.contains("panicked"))));
    assert_eq!(db.run(skip("mails", Which::All)).await.unwrap(), 2);
    // What waited behind it goes on, and so does what comes later.
    outbox.sends(5).await;
    eventually(&mut db, ASIDE, 0).await;
    flag(&mut db, 1).await;
    outbox.sends(6).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_effects_run_at_the_same_time_than_allowed_over_all_workers() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    outbox.hold("x");
    let worker = || Worker::new().subscribe(mails(&outbox).in_flight(3).parts(2)).lease(Duration::from_secs(1));
    let one = Conn::start(worker(), &db.url).await;
    let other = Conn::start(worker(), &db.url).await;
    eventually(&mut db, "SELECT count(DISTINCT owner) FROM evented_parts", 2).await;
    write(&mut db, &["x"; 24]).await;
    while outbox.running() < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    outbox.release("x");
    outbox.sends(24).await;
    one.stop().await;
    other.stop().await;
    assert_eq!((outbox.most_running(), outbox.sent().len()), (3, 24));
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_begin_no_faster_than_their_rate() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["x"; 11]).await;
    let slow = mails(&outbox).rate(20, Duration::from_secs(1)).parts(1);
    let began = Instant::now();
    let worker = Conn::start(Worker::new().subscribe(slow), &db.url).await;
    outbox.sends(11).await;
    assert!(began.elapsed() >= Duration::from_millis(500), "{:?}", began.elapsed());
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_stops_ends_the_effects_that_run_and_begins_no_other() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    outbox.hold("slow");
    write(&mut db, &["slow", "a", "b"]).await;
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).parts(1)), &db.url).await;
    outbox.sends(2).await;
    let stopped = tokio::spawn(worker.stop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    write(&mut db, &["c"]).await;
    outbox.release("slow");
    stopped.await.unwrap();
    assert_eq!(texts(&outbox), ["a", "b", "slow"]);
    // Everything that was sent is stored, in spite of the order in which it ended.
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).parts(1)), &db.url).await;
    outbox.sends(4).await;
    worker.stop().await;
    assert_eq!(texts(&outbox), ["a", "b", "c", "slow"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_be_reached_sets_little_aside() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    outbox.fail(true);
    write(&mut db, &["x"; 60]).await;
    let minute = Retry::exponential(Duration::from_millis(400), Duration::from_millis(400)).attempts(100);
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox).parts(1).retry(minute)), &db.url).await;
    eventually(&mut db, "SELECT COALESCE(CAST(max(attempts) > 2 AS INTEGER), 0) FROM evented_deferred", 1).await;
    let aside = db.number(ASIDE).await;
    assert!(aside < 50, "{aside}");
    outbox.fail(false);
    outbox.sends(60).await;
    eventually(&mut db, ASIDE, 0).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_subscriber_begins_no_effect() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    db.run(register(&mails(&outbox))).await.unwrap().unwrap();
    db.run(pause("mails")).await.unwrap();
    let worker = Conn::start(Worker::new().subscribe(mails(&outbox)), &db.url).await;
    write(&mut db, &["a", "b"]).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(outbox.sent(), []);
    db.run(resume("mails")).await.unwrap();
    outbox.sends(2).await;
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_go_on_while_their_subscriber_is_resized() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    let worker = || Worker::new().subscribe(mails(&outbox)).lease(Duration::from_millis(400));
    let one = Conn::start(worker(), &db.url).await;
    let other = Conn::start(worker(), &db.url).await;
    for round in 0..8_u16 {
        write(&mut db, &["a", "once", "b", "c", "once", "d"]).await;
        db.run(resize("mails", 1 + round * 3 % 7)).await.unwrap();
    }
    let last = write(&mut db, &["e"]).await;
    let waited = db.run(wait_for("mails", last, Duration::from_secs(300))).await.unwrap();
    assert!(matches!(waited, Waited::Handled), "{waited:?}");
    eventually(&mut db, ASIDE, 0).await;
    let done = outbox.sent().into_iter().filter(|sent| sent.text != "once" || sent.attempt > 1);
    let comments: BTreeSet<i32> = done.map(|sent| sent.comment).collect();
    assert_eq!(comments.len(), 49);
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_test_drains_effects_without_a_worker() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    write(&mut db, &["a", "dead", "b"]).await;
    let done = db.conn.drain_tolerant(&mails(&outbox)).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (2, 1));
    assert_eq!(texts(&outbox), ["a", "b", "dead"]);
    assert_eq!(db.conn.drain(&mails(&outbox)).await.unwrap().handled, 0);
}

struct Blocks(Outbox);

impl Effect<Change<Comment>> for Blocks {
    fn run(&self, change: Delivery<'_, Change<Comment>>) -> Result<(), Failure> {
        Effect::run(&self.0, change)
    }
}

#[tokio::test]
async fn an_effect_that_blocks_holds_up_no_task() {
    // One thread runs all tasks of the worker, if it is async.
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    let blocks = Subscriber::<Conn>::new("mails").effect(Comment::changes(), Blocks(outbox.clone()));
    outbox.hold("slow");
    let worker = Conn::start(Worker::new().subscribe(blocks.parts(1)), &db.url).await;
    write(&mut db, &["slow", "a", "b"]).await;
    outbox.sends(2).await;
    outbox.release("slow");
    outbox.sends(3).await;
    worker.stop().await;
}

#[tokio::test]
async fn settings_of_effects_without_effects_are_errors() {
    let (mut db, outbox) = (fresh::<Conn>().await, Outbox::default());
    let both = Subscriber::<Conn>::new("both").on(Comment::changes(), Record);
    let both = both.effect(Comment::changes(), Blocks(outbox));
    for (wrong, part) in [
        (both, "not both"),
        (Conn::recorder("audit").in_flight(3), "`in_flight` limits effects"),
        (Conn::recorder("audit").rate(3, Duration::from_secs(1)), "`rate` limits effects"),
    ] {
        let error = db.run(register(&wrong)).await.unwrap().unwrap_err();
        let text = format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default());
        assert!(text.contains(part), "{text}");
    }
}
