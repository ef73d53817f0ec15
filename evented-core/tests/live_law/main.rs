//! The law of live values, on a model of databases and hubs: at each cut, every query that stands has the rows that a naive
//! evaluation gives over everything that the hub has delivered up to that cut.
//!
//! The model has what makes it hard: transactions that overlap and commit late or never, reads that take a while, and queries that
//! come and go meanwhile. Its hub delivers events in another order than that of the commits, commits before readers see them, and
//! rounds in parts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends with a panic")]

mod database;
mod model;
mod random;
mod viewer;

use database::{Database, Source};
use random::Random;
use viewer::Viewer;

/// How many histories each test runs.
const HISTORIES: u64 = 3_500;

/// What happened in the histories of a test, so that none is empty without being noticed.
#[derive(Debug, Default)]
struct Counts {
    cuts: usize,
    compared: usize,
    reads: usize,
    /// Reads of windows that were short.
    again: usize,
}

fn histories(source: Source, seed: u64) {
    let mut counts = Counts::default();
    for history in 0..HISTORIES {
        let random = Random::new(seed ^ (history << 8));
        run(source, random, &mut counts, history);
    }
    assert!(counts.compared > HISTORIES as usize * 10, "{counts:?}");
    assert!(counts.again > HISTORIES as usize / 10, "windows were short: {counts:?}");
}

/// Runs one history.
fn run(source: Source, mut random: Random, counts: &mut Counts, history: u64) {
    let mut database = Database::new(source);
    let rows = random.below(60);
    database.fill(&mut random, rows);
    let mut viewer = Viewer::new(source);
    let drains = random.one_in(3);
    let steps = if drains { 300 } else { 120 };
    for _ in 0..steps + random.below(100) {
        match random.below(100) {
            0..8 => database.begin(&mut random),
            8..38 => database.write(&mut random, drains),
            38..50 => database.end(&mut random),
            50..55 => viewer.open(&mut random, &database),
            55..58 => database.become_visible(),
            58..72 => viewer.poll(&mut database),
            72..86 => viewer.hear(&mut random, counts),
            86..98 => viewer.read(&database, &mut random),
            _ => viewer.close(&mut random),
        }
    }
    database.end_all(&mut random);
    viewer.rest(&mut database, &mut random, counts);
    assert!(viewer.all_stand(), "history {history}: a query did not settle at rest");
    viewer.compare_with(database.rows(), history);
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
