//! Subscribers that are divided into another number of parts.

use std::time::Duration;

use evented_diesel::prelude::*;
use evented_react::{
    From, Subscriber, Which, Worker, lag, register, resize, retry, set_aside, skip, subscribers,
};
use evented_react_tests::{Comment, Kit, NewComment, Post, WRONG_COUNTS, eventually, fresh, holds, post_counts};
use evented_tests::db::Db;

use super::Conn;

const SEEN: &str = "SELECT count(*) FROM seen";
const EVENTS: &str = "SELECT count(DISTINCT event) FROM seen";

fn audit(parts: u16) -> Subscriber<Conn> {
    Conn::recorder("audit").from(From::Beginning).parts(parts)
}

async fn comments(db: &mut Db<Conn>, texts: &[&str]) {
    for text in texts {
        let new = NewComment { post_id: 1, text: (*text).to_owned() };
        db.run(Comment::insert(new)).await.unwrap();
    }
}

#[tokio::test]
async fn parts_at_different_events_are_divided_again_and_nothing_is_handled_twice() {
    let mut db = fresh::<Conn>().await;
    db.run(register(&audit(3))).await.unwrap().unwrap();
    comments(&mut db, &["a"; 24]).await;
    for (steps, parts) in [(3, 5), (4, 2), (5, 7), (2, 1), (3, 4)] {
        for _ in 0..steps {
            db.conn.step_once(&audit(3)).await.unwrap();
        }
        assert!(db.run(resize("audit", parts)).await.unwrap());
        assert_eq!(db.run(subscribers()).await.unwrap()[0].parts, i32::from(parts));
    }
    comments(&mut db, &["b"; 6]).await;
    db.conn.drain(&audit(3)).await.unwrap();
    assert_eq!((db.number(SEEN).await, db.number(EVENTS).await), (30, 30));
    assert!(db.run(lag("audit")).await.unwrap().iter().all(|lag| lag.events == 0));
    // All parts stand at one event, so nothing has to be remembered.
    assert!(db.run(resize("audit", 2)).await.unwrap());
    assert_eq!(db.number("SELECT count(*) FROM evented_subscribers WHERE earlier IS NOT NULL").await, 0);
    assert!(!db.run(resize("nobody", 2)).await.unwrap());
}

#[tokio::test]
async fn what_is_set_aside_moves_with_its_key() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &["dead", "dead", "x", "dead"]).await;
    assert_eq!(db.conn.drain_tolerant(&audit(4)).await.unwrap().set_aside, 3);
    // A second event of each comment lines up behind the first.
    for id in 1..=4 {
        let flag = evented_react_tests::Flag { reason: "late".into() };
        db.run(Comment::execute_on(id, flag)).await.unwrap();
    }
    db.conn.drain_tolerant(&audit(4)).await.unwrap();
    for parts in [1, 6, 3] {
        db.run(resize("audit", parts)).await.unwrap();
        let aside = db.run(set_aside("audit")).await.unwrap();
        assert_eq!(aside.iter().filter(|row| row.error.is_some()).count(), 3, "{aside:?}");
        assert_eq!(aside.len(), 6, "{aside:?}");
    }
    assert_eq!(db.run(retry("audit", Which::key(1))).await.unwrap(), 1);
    assert_eq!(db.conn.drain_tolerant(&audit(4)).await.unwrap().handled, 0);
    assert_eq!(db.run(skip("audit", Which::All)).await.unwrap(), 3);
    db.conn.drain_tolerant(&audit(4)).await.unwrap();
    assert_eq!(db.run(set_aside("audit")).await.unwrap(), []);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE text = 'flagged: late'").await, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_go_on_while_a_subscriber_is_resized() {
    let mut db = fresh::<Conn>().await;
    let audit = || Conn::recorder("audit").from(From::Beginning);
    let worker = || {
        let worker = Worker::new().subscribe(audit()).subscribe(post_counts());
        worker.lease(Duration::from_millis(400))
    };
    let one = Conn::start(worker(), &db.url).await;
    let other = Conn::start(worker(), &db.url).await;
    let post = evented_react_tests::NewPost { title: "One".into() };
    db.run(Post::insert(post)).await.unwrap();
    for round in 0..12_u16 {
        comments(&mut db, &["a", "once", "b", "c", "once", "d"]).await;
        db.run(resize("audit", 1 + round * 3 % 7)).await.unwrap();
        db.run(resize("post_counts", 1 + round * 2 % 5)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(u64::from(round) * 20)).await;
    }
    eventually(&mut db, EVENTS, 72).await;
    eventually(&mut db, WRONG_COUNTS, 0).await;
    one.stop().await;
    other.stop().await;
    holds(&mut db).await;
}

#[tokio::test]
async fn a_program_keeps_the_parts_of_a_resized_subscriber() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &["a"; 5]).await;
    db.run(register(&audit(3))).await.unwrap().unwrap();
    db.run(resize("audit", 6)).await.unwrap();
    // Neither the same declaration nor a new version of it undoes the resize.
    db.run(register(&audit(3))).await.unwrap().unwrap();
    db.run(register(&audit(3).version(2))).await.unwrap().unwrap();
    assert_eq!(db.run(subscribers()).await.unwrap()[0].parts, 6);
    // Another number in the declaration is a new version, and takes effect.
    let error = db.run(register(&audit(4).version(2))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("higher version"), "{error}");
    db.run(register(&audit(4).version(3))).await.unwrap().unwrap();
    assert_eq!(db.run(subscribers()).await.unwrap()[0].parts, 4);
    assert_eq!(db.conn.drain(&audit(4).version(3)).await.unwrap().handled, 5);
}
