//! What becomes of a delivery whose handler does not succeed, and of those after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use evented_diesel::prelude::*;
use evented_react::testing::DrainError;
use evented_react::{
    ChannelExt as _, From, OnDead, Retry, SetAsideState, Subscriber, Which, resize, retry, set_aside, skip,
    subscribers, unsubscribe,
};
use evented_react_tests::{Comment, Kit, NewComment, Record, fresh};
use evented_tests::db::Db;

use super::Conn;

/// A subscriber that orders comments by their post, and tries again at once.
fn audit() -> Subscriber<Conn> {
    Subscriber::new("audit")
        .on(Comment::changes().key(|change| change.after().map(|comment| comment.post_id)), Record)
        .from(From::Beginning)
        .retry(Retry::exponential(Duration::ZERO, Duration::ZERO).attempts(3))
}

async fn comments(db: &mut Db<Conn>, all: &[(i32, &str)]) {
    for (post_id, text) in all {
        let new = NewComment { post_id: *post_id, text: (*text).to_owned() };
        db.run(Comment::insert(new)).await.unwrap();
    }
}

async fn seen(db: &mut Db<Conn>, text: &str) -> i64 {
    db.number(&format!("SELECT count(*) FROM seen WHERE text = '{text}'")).await
}

#[tokio::test]
async fn the_key_of_a_failure_waits_and_others_go_on() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "a"), (2, "dead"), (2, "behind"), (1, "b"), (3, "c")]).await;
    let done = db.conn.drain_tolerant(&audit()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (3, 2));
    let aside = db.run(set_aside("audit")).await.unwrap();
    let states: Vec<_> = aside.iter().map(|row| row.state).collect();
    assert_eq!(states, [SetAsideState::Dead, SetAsideState::Behind]);
    assert_eq!(aside[0].error.as_deref(), Some("it is dead"));
    assert_eq!(aside[0].key, "2");
    // A new delivery of the key waits, too.
    comments(&mut db, &[(2, "later")]).await;
    assert_eq!(db.conn.drain_tolerant(&audit()).await.unwrap().set_aside, 1);
    assert_eq!(seen(&mut db, "dead").await + seen(&mut db, "behind").await + seen(&mut db, "later").await, 0);
    let status = db.run(subscribers()).await.unwrap();
    assert_eq!((status[0].set_aside, status[0].dead), (3, 1));
}

#[tokio::test]
async fn skipping_lets_the_key_go_on_in_order() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(2, "dead"), (2, "1"), (2, "2"), (2, "3")]).await;
    db.conn.drain_tolerant(&audit()).await.unwrap();
    assert_eq!(db.run(skip("audit", Which::key(2))).await.unwrap(), 1);
    let done = db.conn.drain_tolerant(&audit()).await.unwrap();
    assert_eq!(done.handled, 3);
    assert_eq!(db.run(set_aside("audit")).await.unwrap(), []);
    let swapped = "SELECT count(*) FROM seen a JOIN seen b ON a.number < b.number AND a.text > b.text";
    assert_eq!(db.number(swapped).await, 0);
}

#[tokio::test]
async fn a_failure_is_tried_again_until_the_attempts_end() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "retry"), (2, "once")]).await;
    let mut handled = 0;
    for _ in 0..4 {
        handled += db.conn.drain_tolerant(&audit()).await.unwrap().handled;
    }
    assert_eq!(handled, 1);
    assert_eq!(db.number("SELECT attempt FROM seen WHERE text = 'once'").await, 2);
    let aside = db.run(set_aside("audit")).await.unwrap();
    assert_eq!((aside.len(), aside[0].attempts, aside[0].state), (1, 3, SetAsideState::Dead));
    // Tried again by hand, it has all attempts before it.
    assert_eq!(db.run(retry("audit", Which::One(aside[0].id))).await.unwrap(), 1);
    let aside = db.run(set_aside("audit")).await.unwrap();
    assert_eq!((aside[0].attempts, aside[0].state), (0, SetAsideState::Retry));
}

#[tokio::test]
async fn a_discarded_delivery_counts_as_handled() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "discard"), (1, "after")]).await;
    let done = db.conn.drain(&audit()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (2, 0));
    assert_eq!(db.run(set_aside("audit")).await.unwrap(), []);
    assert_eq!((seen(&mut db, "discard").await, seen(&mut db, "after").await), (0, 1));
}

#[tokio::test]
async fn a_snoozed_delivery_is_not_an_attempt() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "snooze")]).await;
    db.conn.drain_tolerant(&audit()).await.unwrap();
    let aside = db.run(set_aside("audit")).await.unwrap();
    assert_eq!((aside[0].attempts, aside[0].state), (0, SetAsideState::Retry));
    assert!(aside[0].retry_in_ms.unwrap() > 3_000_000);
}

#[tokio::test]
async fn a_key_can_pass_over_what_is_dead() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "dead"), (1, "after")]).await;
    let passing = audit().on_dead(OnDead::PassOver);
    let done = db.conn.drain_tolerant(&passing).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (1, 1));
    assert_eq!(seen(&mut db, "after").await, 1);
    assert_eq!(db.run(set_aside("audit")).await.unwrap()[0].state, SetAsideState::PassedOver);
}

#[tokio::test]
async fn the_first_failure_is_the_error_of_a_test() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(7, "dead")]).await;
    let error = db.conn.drain(&audit()).await.unwrap_err();
    assert!(matches!(error, DrainError::Failed { .. }), "{error}");
    assert_eq!(error.to_string(), "subscriber `audit`, key 7: it is dead");
}

#[tokio::test]
async fn a_swallowed_error_is_a_failure_where_it_aborts_the_transaction() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "a"), (2, "swallow"), (3, "b")]).await;
    let done = db.conn.drain_tolerant(&audit()).await.unwrap();
    let is_postgres = Db::<Conn>::DATABASE == evented_diesel::migrations::Database::Postgres;
    assert_eq!(done.set_aside, usize::from(is_postgres));
    assert_eq!(seen(&mut db, "a").await + seen(&mut db, "b").await, 2);
}

#[tokio::test]
async fn a_commit_that_fails_is_a_failure_of_its_delivery() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "a"), (2, "deferred"), (3, "b")]).await;
    let done = db.conn.drain_tolerant(&audit()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (2, 1));
    assert_eq!(seen(&mut db, "deferred").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM refs").await, 0);
}

#[tokio::test]
async fn a_swallowed_error_of_one_of_two_handlers_stops_nobody_else() {
    let mut db = fresh::<Conn>().await;
    let both = Subscriber::<Conn>::new("both")
        .on(Comment::changes(), Record)
        .on(Comment::changes(), Record)
        .from(From::Beginning)
        .retry(Retry::NEVER);
    comments(&mut db, &[(1, "swallow"), (2, "b")]).await;
    db.conn.drain_tolerant(&both).await.unwrap();
    assert_eq!(seen(&mut db, "b").await, 2);
}

#[tokio::test]
async fn a_failure_whose_text_no_database_keeps_is_stored() {
    let mut db = fresh::<Conn>().await;
    comments(&mut db, &[(1, "nul"), (2, "b")]).await;
    let done = db.conn.drain_tolerant(&audit()).await.unwrap();
    assert_eq!((done.handled, done.set_aside), (1, 1));
    assert_eq!(db.run(set_aside("audit")).await.unwrap()[0].error.as_deref(), Some("ab"));
}

/// Returns a subscriber that orders by the post, and cannot read an event as long as the flag is set.
fn reads_unless(broken: &Arc<AtomicBool>) -> Subscriber<Conn> {
    let is_broken = Arc::clone(broken);
    Subscriber::<Conn>::new("audit")
        .on(
            Comment::changes()
                .when(move |_| if is_broken.load(Ordering::Relaxed) { panic!("the test wants it") } else { true })
                .key(|change| change.after().map(|comment| format!("post {}", comment.post_id))),
            Record,
        )
        .from(From::Beginning)
        .parts(7)
}

#[tokio::test]
async fn an_event_that_can_be_read_again_lines_up_under_its_own_key() {
    let mut db = fresh::<Conn>().await;
    let broken = Arc::new(AtomicBool::new(true));
    let audit = reads_unless(&broken);
    comments(&mut db, &[(1, "a"), (2, "b")]).await;
    // The keys are not known, so each of the seven parts keeps both.
    assert_eq!(db.conn.drain_tolerant(&audit).await.unwrap().set_aside, 14);
    let aside = db.run(set_aside("audit")).await.unwrap();
    assert!(aside.iter().all(|row| row.state == SetAsideState::Unreadable), "{aside:?}");
    // With another number of parts, too, the part of the key handles it.
    db.run(resize("audit", 3)).await.unwrap();
    comments(&mut db, &[(3, "c")]).await;
    assert_eq!(db.conn.drain_tolerant(&audit).await.unwrap().set_aside, 3);
    db.run(resize("audit", 5)).await.unwrap();
    broken.store(false, Ordering::Relaxed);
    assert_eq!(db.run(retry("audit", Which::All)).await.unwrap(), 17);
    for _ in 0..3 {
        db.conn.drain_tolerant(&audit).await.unwrap();
    }
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE ordered_by LIKE 't:post%'").await, 3);
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 3);
    assert_eq!(db.run(set_aside("audit")).await.unwrap(), []);
}

/// Some parts have come to an event before it can be read, and others come to it afterwards.
#[tokio::test]
async fn an_event_that_can_be_read_again_is_handled_once_wherever_its_parts_are() {
    let mut db = fresh::<Conn>().await;
    for steps in [1, 2, 4] {
        db.sql("DELETE FROM seen").await;
        db.run(unsubscribe("audit")).await.unwrap();
        let broken = Arc::new(AtomicBool::new(true));
        let audit = reads_unless(&broken);
        comments(&mut db, &[(1, "a"), (2, "b"), (3, "c")]).await;
        for _ in 0..steps {
            db.conn.step_once(&audit).await.unwrap_err();
        }
        assert_eq!(db.run(set_aside("audit")).await.unwrap().len(), steps);
        broken.store(false, Ordering::Relaxed);
        db.run(retry("audit", Which::All)).await.unwrap();
        for _ in 0..3 {
            db.conn.drain_tolerant(&audit).await.unwrap();
        }
        assert_eq!(db.run(set_aside("audit")).await.unwrap(), []);
        let events = db.number("SELECT count(*) FROM comments_events").await;
        assert_eq!(db.number("SELECT count(*) FROM seen").await, events);
        assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, events);
    }
}

#[tokio::test]
async fn a_number_is_not_given_twice() {
    let mut db = fresh::<Conn>().await;
    let one_part = || audit().parts(1);
    comments(&mut db, &[(1, "dead")]).await;
    db.conn.drain_tolerant(&one_part()).await.unwrap();
    let first = db.run(set_aside("audit")).await.unwrap()[0].id;
    db.run(skip("audit", Which::One(first))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    comments(&mut db, &[(1, "dead")]).await;
    db.conn.drain_tolerant(&one_part()).await.unwrap();
    assert_ne!(db.run(set_aside("audit")).await.unwrap()[0].id, first);
    assert_eq!(db.run(skip("audit", Which::One(first))).await.unwrap(), 0);
}

#[tokio::test]
async fn a_subscriber_without_inputs_is_refused() {
    let mut db = fresh::<Conn>().await;
    let error = db.conn.drain(&Subscriber::<Conn>::new("nothing")).await.unwrap_err();
    assert!(error.to_string().contains("has no input"), "{error}");
}
