//! The helpers for tests of a user's own.

use diesel::{Connection, SqliteConnection};
use evented_diesel::prelude::*;
use evented_diesel::publish;
use evented_react::testing::{
    assert_published, assert_published_async, given, refute_published, refute_published_async,
};
use evented_react_tests::{Comment, Flag, Reported, fresh};

#[tokio::test]
async fn what_was_published_in_a_transaction_is_found() {
    let mut db = fresh::<SqliteConnection>().await;
    db.conn.test_transaction::<_, diesel::result::Error, _>(|conn| {
        publish(Reported { comment: 1, reason: "x".into() }).run(conn).unwrap();
        let found = assert_published::<Reported, _>(conn, |report| report.comment == 1);
        assert_eq!(found.reason, "x");
        refute_published::<Reported, _>(conn, |report| report.comment == 2);
        Ok(())
    });
    refute_published::<Reported, _>(&mut db.conn, |_| true);
}

#[tokio::test]
#[should_panic(expected = "no such event `reported` was published, but these: [")]
async fn what_was_not_published_is_a_failure() {
    let mut db =
        fresh::<diesel_async::sync_connection_wrapper::SyncConnectionWrapper<SqliteConnection>>().await;
    db.run(publish(Reported { comment: 1, reason: "x".into() })).await.unwrap();
    refute_published_async::<Reported, _>(&mut db.conn, |report| report.comment == 2).await;
    assert_published_async::<Reported, _>(&mut db.conn, |report| report.comment == 2).await;
}

#[tokio::test]
#[should_panic(expected = "an event `reported` was published")]
async fn what_was_published_and_should_not_is_a_failure() {
    let mut db = fresh::<SqliteConnection>().await;
    db.run(publish(Reported { comment: 1, reason: "x".into() })).await.unwrap();
    refute_published::<Reported, _>(&mut db.conn, |report| report.comment == 1);
}

#[test]
fn an_action_is_tested_without_a_database() {
    let comment = Comment { id: 1, post_id: 1, text: "x".into() };
    let then = given(comment).by("user:1").when(&Flag { reason: "spam".into() });
    assert_eq!(then.after().text, "flagged: spam");
    assert!(then.events::<Reported>().is_empty());
}
