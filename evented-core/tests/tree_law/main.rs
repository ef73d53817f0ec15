//! The law of trees, on the model of databases and hubs of the law of live values: each value that is published equals what a
//! naive evaluation gives at the cut that it is published for. A tree follows the changes on its own, behind the present cut
//! while it reads.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with a panic")]
#![allow(dead_code, reason = "the model is shared with another test")]

#[path = "../live_law/database.rs"]
mod database;
mod follower;
#[path = "../live_law/model.rs"]
mod model;
mod naive;
mod plain;
#[path = "../live_law/random.rs"]
mod random;
mod trees;

use database::{Database, Source};
use follower::Follower;
use random::Random;

/// How many histories each test runs.
const HISTORIES: u64 = 1_200;

/// What happened in the histories of a test, so that none is empty without being noticed.
#[derive(Debug, Default)]
struct Counts {
    cuts: usize,
    compared: usize,
    published: usize,
    /// Values that were published for a cut that was not the present one.
    behind: usize,
    reads: usize,
    /// Changes that had no route to the tree.
    passed_over: usize,
}

fn histories(source: Source, seed: u64) {
    let mut counts = Counts::default();
    for history in 0..HISTORIES {
        run(source, Random::new(seed ^ (history << 8)), &mut counts, history);
    }
    assert!(counts.published > HISTORIES as usize * 2, "{counts:?}");
    assert!(counts.behind > HISTORIES as usize / 2, "{counts:?}");
    assert!(counts.passed_over > HISTORIES as usize, "{counts:?}");
}

/// Runs one history.
fn run(source: Source, mut random: Random, counts: &mut Counts, history: u64) {
    let mut database = Database::new(source);
    let rows = random.below(40);
    database.fill(&mut random, rows);
    let mut follower = Follower::new(source, &mut random);
    for _ in 0..150 + random.below(100) {
        match random.below(100) {
            0..8 => database.begin(&mut random),
            8..38 => database.write(&mut random, false),
            38..50 => database.end(&mut random),
            50..55 => database.become_visible(),
            55..70 => follower.poll(&mut database),
            70..84 => follower.hear(&mut random, counts),
            _ => (0..random.below(16)).for_each(|_| follower.read(&database, &mut random)),
        }
    }
    database.end_all(&mut random);
    follower.rest(&mut database, &mut random, counts);
    follower.compare_with(database.rows(), history);
}

#[test]
fn it_holds_over_the_log_of_a_database_with_overlapping_transactions() {
    histories(Source::Overlapping, 1);
}

#[test]
fn it_holds_over_a_database_with_one_writer_at_a_time() {
    histories(Source::OneWriter, 2);
}

#[test]
fn it_holds_where_commits_are_told_before_readers_see_them() {
    histories(Source::ToldFirst, 3);
}

/// A writer adds a parent in each transaction, with children that have to be read. Each read takes as long as a transaction.
#[test]
fn a_tree_that_grows_at_each_cut_is_published_at_nearly_each() {
    let mut random = Random::new(4);
    let mut counts = Counts::default();
    let mut database = Database::new(Source::OneWriter);
    database.fill(&mut random, 40);
    let mut follower = Follower::of_cards(Source::OneWriter);
    follower.rest(&mut database, &mut random, &mut counts);
    let (before, heard) = (counts.published, follower.heard());
    for _ in 0..300 {
        database.begin(&mut random);
        database.insert(&mut random);
        database.end_all(&mut random);
        // There are three levels, and windows that are read again. The reads see the transaction that the follower hears of
        // later.
        for _ in 0..4 {
            follower.read_all(&database);
            follower.hear_all(&mut random, &mut counts);
        }
        follower.poll(&mut database);
    }
    let published = counts.published - before;
    let cuts = follower.heard() - heard;
    assert!(cuts > 200 && published * 10 >= cuts * 9, "published {published} times at {cuts} cuts");
}
