//! Deletes that include the records that refer to a deleted one.

use std::fmt::Debug;

use diesel::prelude::*;
use evented_diesel::{Error, EventedDsl as _, EventedTableDsl as _, batch};
use evented_tests::models::related::*;
use evented_tests::raw;

use super::Db;

async fn fresh() -> Db {
    let mut db = Db::new().await;
    db.sql(&tables(Db::DATABASE)).await;
    db
}

/// Two threads with three posts each, and two votes for each post.
async fn threads(db: &mut Db) -> Vec<Thread> {
    let new = ["a", "b"].map(|title| Thread::insert(NewThread { title: title.into() }));
    let threads = db.run(batch(new)).await.unwrap();
    for thread in &threads {
        for number in 1..=3 {
            let new = NewPost { thread_id: thread.id, number, text: format!("post {number}") };
            db.run(Post::insert(new)).await.unwrap();
            let vote = |up| Vote::insert(NewVote { thread_id: thread.id, post: number, up });
            db.run(batch([true, false].map(vote))).await.unwrap();
        }
    }
    threads
}

async fn counts(db: &mut Db) -> [i64; 3] {
    let mut counts = [0; 3];
    for (count, table) in counts.iter_mut().zip(["threads", "posts", "votes"]) {
        *count = db.number(&format!("SELECT count(*) FROM {table}")).await;
    }
    counts
}

async fn deletes(db: &mut Db, log: &str) -> i64 {
    db.number(&format!("SELECT count(*) FROM {log}_events WHERE action = 'delete'")).await
}

async fn all_agree(db: &mut Db) {
    fn none<T: Debug + PartialEq>(findings: Result<Vec<T>, Error>) {
        assert_eq!(findings.unwrap(), []);
    }
    none(db.run(Thread::verify_table()).await);
    none(db.run(Post::verify_table()).await);
    none(db.run(Vote::verify_table()).await);
    none(db.run(Place::verify_table()).await);
}

#[tokio::test]
async fn children_and_their_children_are_deleted_first() {
    let mut db = fresh().await;
    let threads = threads(&mut db).await;
    let cause = uuid::Uuid::now_v7();
    let gone = db.run(threads[0].delete().by("ann").caused_by(cause)).await.unwrap();
    assert_eq!(gone, threads[0]);
    assert_eq!(counts(&mut db).await, [1, 3, 6]);
    assert_eq!((deletes(&mut db, "posts").await, deletes(&mut db, "votes").await), (3, 6));
    let history = db.run(Post::history((threads[0].id, 2))).await.unwrap();
    let event = &history[1].event;
    assert_eq!((event.action(), event.actor().as_deref(), event.meta().cause), ("delete", Some("ann"), Some(cause)));
    all_agree(&mut db).await;

    // Of a child alone.
    let posts: Vec<Post> = db.load(posts::table.order(posts::number).select(Post::as_select())).await;
    db.run(posts[0].delete()).await.unwrap();
    assert_eq!(counts(&mut db).await, [1, 2, 4]);
    // In a batch, by a filter, and in chunks.
    db.run(batch([posts[1].delete()])).await.unwrap();
    assert_eq!(counts(&mut db).await, [1, 1, 2]);
    assert_eq!(db.run(Thread::delete_where(threads::title.eq("b"))).await.unwrap(), 1);
    assert_eq!(counts(&mut db).await, [0, 0, 0]);
    assert_eq!(deletes(&mut db, "votes").await, 12);
    all_agree(&mut db).await;
}

#[tokio::test]
async fn many_parents_at_once() {
    let mut db = fresh().await;
    let threads = threads(&mut db).await;
    // Plain SQL changed a child and a parent, which is adopted first.
    db.sql("UPDATE posts SET text = 'other' WHERE number = 1").await;
    db.sql("UPDATE threads SET title = 'c' WHERE title = 'a'").await;
    assert_eq!(db.run(Thread::delete_where(threads::title.ne("")).in_chunks(1)).await.unwrap(), 2);
    assert_eq!(counts(&mut db).await, [0, 0, 0]);
    assert_eq!(deletes(&mut db, "votes").await, 12);
    let history = db.run(Post::history((threads[0].id, 1))).await.unwrap();
    assert!(history.iter().any(|entry| entry.event.action() == "external"));
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_child_that_stays_keeps_all() {
    let mut db = fresh().await;
    let threads = threads(&mut db).await;
    raw::suppress(&mut db, "votes", "DELETE").await;
    let error = db.run(threads[0].delete()).await.unwrap_err();
    assert!(matches!(&error, Error::NotWritten { .. }), "{error:?}");
    assert!(error.to_string().starts_with("votes "), "{error}");
    db.run(Thread::delete_where(threads::title.ne(""))).await.unwrap_err();
    db.run(batch(threads.iter().map(Thread::delete).collect::<Vec<_>>())).await.unwrap_err();
    assert_eq!(counts(&mut db).await, [2, 6, 12]);
    assert_eq!(deletes(&mut db, "posts").await, 0);
    let error = db.run(threads[0].delete().expecting(7)).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { found: 1, .. }), "{error:?}");
    all_agree(&mut db).await;
}

#[tokio::test]
async fn a_model_may_be_its_own_child() {
    let mut db = fresh().await;
    let place = |parent: Option<i32>, name: &str| Place::insert(NewPlace { parent, name: name.into() });
    let world = db.run(place(None, "world")).await.unwrap();
    let mut last = world.clone();
    for level in 0..5 {
        last = db.run(place(Some(last.id), &format!("level {level}"))).await.unwrap();
        db.run(place(Some(last.id), "leaf")).await.unwrap();
    }
    // A row that refers to itself.
    let own = db.run(place(None, "own")).await.unwrap();
    let own = db.run(own.update(PlaceChanges { parent: Some(Some(own.id)), ..PlaceChanges::default() })).await.unwrap();
    db.run(own.delete()).await.unwrap();
    db.run(world.delete()).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM places").await, 0);
    assert_eq!(deletes(&mut db, "places").await, 12);
    // Two rows that refer to each other: the database deletes the first one with the second.
    let first = db.run(place(None, "first")).await.unwrap();
    let second = db.run(place(Some(first.id), "second")).await.unwrap();
    let changes = PlaceChanges { parent: Some(Some(second.id)), ..PlaceChanges::default() };
    let first = db.run(first.update(changes)).await.unwrap();
    assert_eq!(db.run(first.delete()).await.unwrap(), first);
    assert_eq!(deletes(&mut db, "places").await, 14);
    // All of a tree at once: a parent and its children match.
    let root = db.run(place(None, "root")).await.unwrap();
    for name in ["x", "y"] {
        db.run(place(Some(root.id), name)).await.unwrap();
    }
    assert_eq!(db.run(Place::delete_where(places::name.ne(""))).await.unwrap(), 3);
    all_agree(&mut db).await;
}

/// What the database removes behind the library's back is taken in afterwards.
#[tokio::test]
async fn a_cascade_of_the_database_is_adopted() {
    let mut db = fresh().await;
    threads(&mut db).await;
    db.sql("DELETE FROM threads WHERE title = 'a'").await;
    assert_eq!(db.run(Thread::adopt()).await.unwrap().gone, 1);
    assert_eq!(db.run(Post::adopt()).await.unwrap().gone, 3);
    assert_eq!(db.run(Vote::adopt()).await.unwrap().gone, 6);
    all_agree(&mut db).await;
}
