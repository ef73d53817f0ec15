//! Registered subscribers whose declaration changes.

use evented_diesel::prelude::*;
use evented_react::{Change, Delivery, From, register, resize, subscribers, unsubscribe};
use evented_react_tests::{Comment, Kit, NewComment, Post, fresh};

use super::Conn;

#[tokio::test]
async fn other_inputs_are_a_new_version_that_begins_when_all_parts_are_equal() {
    let mut db = fresh::<Conn>().await;
    let of = |version, parts| Conn::recorder("audit").from(From::Beginning).version(version).parts(parts);
    let other = |version, parts| of(version, parts).on(Post::changes(), |_: Delivery<'_, Change<Post>>, _: &mut Conn| Ok(()));
    db.run(register(&of(1, 2))).await.unwrap().unwrap();
    let error = db.run(register(&other(1, 2))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("higher version"), "{error}");
    for number in 0..20 {
        let text = number.to_string();
        db.run(Comment::insert(NewComment { post_id: 1, text })).await.unwrap();
    }
    db.conn.step_once(&of(1, 2)).await.unwrap();
    // One part is ahead of the other: a delivery could be lost or repeated.
    let error = db.run(register(&other(2, 4))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("different events"), "{error}");
    assert_eq!(db.run(subscribers()).await.unwrap()[0].version, 1);
    // Nor when a resize has made the cursors equal, and one part has handled more than the others.
    db.run(resize("audit", 3)).await.unwrap();
    let error = db.run(register(&other(2, 4))).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("different events"), "{error}");
    db.conn.drain(&of(1, 2)).await.unwrap();
    db.run(register(&other(2, 4))).await.unwrap().unwrap();
    assert_eq!(db.number("SELECT count(*) FROM seen").await, 20);
}

#[tokio::test]
async fn an_unsubscribed_subscriber_begins_again() {
    let mut db = fresh::<Conn>().await;
    let audit = Conn::recorder("audit").from(From::Beginning);
    db.run(Comment::insert(NewComment { post_id: 1, text: "one".into() })).await.unwrap();
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 1);
    assert!(db.run(unsubscribe("audit")).await.unwrap());
    assert!(!db.run(unsubscribe("audit")).await.unwrap());
    assert_eq!(db.number("SELECT count(*) FROM evented_cursors").await, 0);
    assert_eq!(db.conn.drain(&audit).await.unwrap().handled, 1);
}
