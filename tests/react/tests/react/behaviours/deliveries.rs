//! Which deliveries a subscriber gets, in which order, and how often.

use evented_diesel::prelude::*;
use evented_react::{ChannelExt as _, From, Kinds, Subscriber, register};
use evented_react_tests::{Comment, CommentChanges, Flag, Kit, NewComment, Record, fresh};

use super::Conn;

const SEEN: &str = "SELECT count(*) FROM seen";

fn comment(post_id: i32, text: &str) -> NewComment {
    NewComment { post_id, text: text.to_owned() }
}

#[tokio::test]
async fn each_change_is_handled_once() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    let first = db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    db.run(first.update(CommentChanges { text: Some("two".into()), ..CommentChanges::default() })).await.unwrap();
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 2);
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 0);
    db.run(first.delete()).await.unwrap();
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 1);
    assert_eq!(db.number(SEEN).await, 3);
    assert_eq!(db.number("SELECT count(DISTINCT event) FROM seen").await, 3);
}

#[tokio::test]
async fn a_subscriber_begins_where_it_is_registered() {
    let mut db = fresh::<Conn>().await;
    db.run(Comment::insert(comment(1, "before"))).await.unwrap();
    let audit = Conn::recorder("audit");
    db.run(register(&audit)).await.unwrap().unwrap();
    db.run(Comment::insert(comment(1, "after"))).await.unwrap();
    // While another transaction on the server is open, a change may count as later that was committed just before.
    assert!(db.conn.drain(&audit).await.unwrap().handled <= 2);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE text = 'after'").await, 1);
}

#[tokio::test]
async fn two_subscribers_do_not_know_each_other() {
    let mut db = fresh::<Conn>().await;
    db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    for name in ["audit", "mail"] {
        let subscriber = Conn::recorder(name).from(From::Beginning);
        assert_eq!(db.conn.drain(&subscriber).await.unwrap().handled, 1);
    }
    assert_eq!(db.number("SELECT count(DISTINCT subscriber) FROM seen").await, 2);
}

#[tokio::test]
async fn what_a_transaction_rolls_back_is_not_delivered() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    db.begin().await;
    db.run(Comment::insert(comment(1, "lost"))).await.unwrap();
    db.rollback().await;
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 0);
}

#[tokio::test]
async fn a_test_sees_what_its_transaction_wrote() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    db.begin().await;
    db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 1);
    db.run(Comment::insert(comment(1, "two"))).await.unwrap();
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 1);
    assert_eq!(db.number(SEEN).await, 2);
    db.rollback().await;
    assert_eq!(db.number(SEEN).await, 0);
}

#[tokio::test]
async fn inputs_are_narrowed() {
    let mut db = fresh::<Conn>().await;
    let inserts = Subscriber::<Conn>::new("inserts").on(Comment::changes().on(Kinds::INSERTS), Record);
    let texts = Subscriber::<Conn>::new("texts").on(Comment::changes().changing(["text"]), Record);
    let flags = Subscriber::<Conn>::new("flags").on(Comment::changes().actions(["flag"]), Record);
    let seven = Subscriber::<Conn>::new("seven").on(Comment::changes().scope(Comment::POST.eq(7)), Record);
    let long = Subscriber::<Conn>::new("long").on(
        Comment::changes().when(|change| change.after().is_some_and(|comment| comment.text.len() > 5)),
        Record,
    );
    let mut subscribers = [inserts, texts, flags, seven, long].map(|subscriber| subscriber.from(From::Beginning));
    let one = db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    let one = db.run(one.update(CommentChanges { post_id: Some(7), ..CommentChanges::default() })).await.unwrap();
    db.run(one.flag(Flag { reason: "spam".to_owned() })).await.unwrap();
    let mut handled = Vec::new();
    for subscriber in &mut subscribers {
        handled.push(db.conn.drain(subscriber).await.unwrap().handled);
    }
    assert_eq!(handled, [1, 2, 1, 2, 1]);
}

#[tokio::test]
async fn two_handlers_of_one_change_run_in_one_transaction() {
    let mut db = fresh::<Conn>().await;
    let both = Subscriber::<Conn>::new("both")
        .on(Comment::changes(), Record)
        .on(Comment::changes().key(|change| change.after().map(|comment| comment.post_id)), Record)
        .from(From::Beginning);
    db.run(Comment::insert(comment(3, "one"))).await.unwrap();
    let done = db.conn.drain(&both).await.unwrap();
    assert_eq!(done.handled, 2);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE ordered_by = 'n:3'").await, 1);
}

#[tokio::test]
async fn deliveries_of_a_key_are_in_order() {
    let mut db = fresh::<Conn>().await;
    let audit = Subscriber::<Conn>::new("audit")
        .on(Comment::changes().key(|change| change.after().map(|comment| comment.post_id)), Record)
        .from(From::Beginning)
        .parts(5);
    for number in 0..60 {
        db.run(Comment::insert(comment(number % 7, &format!("{number:03}")))).await.unwrap();
    }
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 60);
    let swapped = "SELECT count(*) FROM seen a JOIN seen b ON a.ordered_by = b.ordered_by \
                   WHERE a.number < b.number AND a.text > b.text";
    assert_eq!(db.number(swapped).await, 0);
}

#[tokio::test]
async fn a_handler_of_an_action_receives_the_action() {
    let mut db = fresh::<Conn>().await;
    let flags = Subscriber::<Conn>::new("flags")
        .on_action::<Comment, Flag, _>(Comment::changes(), Record)
        .from(From::Beginning);
    let one = db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    let one = db.run(one.flag(Flag { reason: "spam".to_owned() })).await.unwrap();
    db.run(one.flag(Flag { reason: "rude".to_owned() })).await.unwrap();
    assert_eq!(db.conn.drain(&flags).await.unwrap().handled, 2);
    assert_eq!(db.number("SELECT count(*) FROM seen WHERE text = 'spam' AND ordered_by = 'one'").await, 1);
}

#[tokio::test]
async fn one_event_is_a_step() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    for text in ["one", "two", "three"] {
        db.run(Comment::insert(comment(1, text))).await.unwrap();
    }
    for seen in 1..=3 {
        assert_eq!(db.conn.step_once(&audit).await.unwrap().handled, 1);
        assert_eq!(db.number(SEEN).await, seen);
    }
    assert_eq!(db.conn.step_once(&audit).await.unwrap().handled, 0);
}

#[tokio::test]
async fn a_try_leaves_nothing_behind() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning).parts(1);
    db.run(Comment::insert(comment(1, "one"))).await.unwrap();
    for _ in 0..2 {
        assert_eq!(db.conn.try_once(&audit).await.unwrap().handled, 1);
        assert_eq!(db.number(SEEN).await, 0);
    }
    db.run(Comment::insert(comment(2, "dead"))).await.unwrap();
    assert_eq!(db.conn.step_once(&audit).await.unwrap().handled, 1);
    assert!(db.conn.try_once(&audit).await.is_err() || db.conn.try_once(&audit).await.is_err());
    assert_eq!(db.number("SELECT count(*) FROM evented_deferred").await, 0);
}

#[tokio::test]
async fn a_setting_without_effect_is_an_error() {
    let mut db = fresh::<Conn>().await;
    let field = Subscriber::<Conn>::new("field").on(Comment::changes().changing(["txet"]), Record);
    let error = db.conn.drain(&field).await.unwrap_err();
    assert!(error.to_string().contains("`field`") && error.to_string().contains("`txet`"), "{error}");
    let action = Subscriber::<Conn>::new("action").on(Comment::changes().actions(["flog"]), Record);
    let error = db.conn.drain(&action).await.unwrap_err();
    assert!(error.to_string().contains("has no action `flog`"), "{error}");
}
