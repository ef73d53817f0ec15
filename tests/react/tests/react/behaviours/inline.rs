//! Derived tables that each write computes in its own transaction.

use diesel::ExpressionMethods as _;
use evented_diesel::batch;
use evented_diesel::prelude::*;
use evented_react::{rebuild, verify};
use evented_react_tests::{Kit, NewVote, Vote, VoteChanges, WRONG_VOTES, fresh, post_votes, votes};
use evented_tests::db::Db;

use super::Conn;

fn vote(post_id: i32, points: i32) -> NewVote {
    NewVote { post_id, points }
}

fn moved(post_id: i32) -> VoteChanges {
    VoteChanges { post_id: Some(post_id), ..VoteChanges::default() }
}

async fn holds(db: &mut Db<Conn>, what: &str) {
    assert_eq!(db.number(WRONG_VOTES).await, 0, "after {what}");
}

#[tokio::test]
async fn every_kind_of_write_computes_the_rows() {
    let mut db = fresh::<Conn>().await;
    let one = db.run(Vote::insert(vote(1, 3))).await.unwrap();
    holds(&mut db, "an insert").await;
    let one = db.run(one.update(moved(2))).await.unwrap();
    holds(&mut db, "an update that moves the record").await;
    db.run(Vote { points: 9, ..one.clone() }.save()).await.unwrap();
    holds(&mut db, "a save").await;
    let many = db.run(batch((0..20).map(|n| Vote::insert(vote(n % 4, n))))).await.unwrap();
    holds(&mut db, "a batch of inserts").await;
    db.run(batch(many.iter().take(5).map(|vote| vote.update(moved(7))))).await.unwrap();
    holds(&mut db, "a batch of updates").await;
    db.run(Vote::update_where(votes::post_id.eq(7), VoteChanges { points: Some(1), ..moved(8) })).await.unwrap();
    holds(&mut db, "an update of many rows").await;
    db.run(many[6].delete()).await.unwrap();
    holds(&mut db, "a delete").await;
    db.run(Vote::delete_where(votes::post_id.eq(8))).await.unwrap();
    holds(&mut db, "a delete of many rows").await;
    db.run(batch(many.iter().skip(10).take(3).map(|vote| vote.delete()))).await.unwrap();
    holds(&mut db, "a batch of deletes").await;
    // The worker computes the same rows again, and finds nothing to do.
    assert!(db.conn.drain(&post_votes()).await.unwrap().handled > 20);
    holds(&mut db, "the worker").await;
    assert_eq!(db.run(verify(&post_votes::<Conn>())).await.unwrap().unwrap().rows, []);
    assert_eq!(db.run(rebuild(&post_votes::<Conn>())).await.unwrap().unwrap().written, 0);
}

#[tokio::test]
async fn a_write_that_is_rolled_back_computes_nothing() {
    let mut db = fresh::<Conn>().await;
    db.begin().await;
    db.run(Vote::insert(vote(1, 3))).await.unwrap();
    assert_eq!(db.number("SELECT count(*) FROM post_votes").await, 1);
    db.rollback().await;
    assert_eq!(db.number("SELECT count(*) FROM post_votes").await, 0);
}

#[tokio::test]
async fn a_derived_table_that_fails_takes_the_write_back() {
    let mut db = fresh::<Conn>().await;
    db.sql("ALTER TABLE post_votes RENAME TO other").await;
    let error = db.run(Vote::insert(vote(1, 3))).await.unwrap_err();
    assert!(error.to_string().contains("post_votes"), "{error}");
    assert_eq!(db.number("SELECT count(*) FROM votes").await, 0);
    assert_eq!(db.number("SELECT count(*) FROM votes_events").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_of_one_row_lose_no_vote() {
    let mut db = fresh::<Conn>().await;
    let mut writers = Vec::new();
    for writer in 0..3 {
        let mut db = db.connect().await;
        writers.push(std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for number in 0..40 {
                    let one = db.run(Vote::insert(vote(number % 2, 1))).await.unwrap();
                    if number % 3 == writer {
                        db.run(one.update(moved(1 - number % 2))).await.unwrap();
                    }
                }
            });
        }));
    }
    while writers.iter().any(|writer| !writer.is_finished()) {
        // At every moment, for every reader.
        holds(&mut db, "a commit").await;
        tokio::time::sleep(std::time::Duration::from_millis(3)).await;
    }
    for writer in writers {
        writer.join().unwrap();
    }
    holds(&mut db, "the end").await;
    assert_eq!(db.number("SELECT sum(votes) FROM post_votes").await, 120);
}
