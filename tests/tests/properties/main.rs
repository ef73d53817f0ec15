//! Whatever is done to a record, by commands and behind their back: its log replays to its row.
//!
//! The same cases each time; `EVENTED_TEST_TIMES=10` makes ten times as many of them.
#![allow(clippy::duplicate_mod, reason = "the point of this file")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

mod paths;

/// A runner of so many cases, or of as many times more as the environment asks for.
fn cases(cases: u32) -> TestRunner {
    let times = std::env::var("EVENTED_TEST_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases * times, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::XorShift))
}

macro_rules! settings {
    ($($setting:ident: $db:ident),*) => {$(
        #[path = "."]
        mod $setting {
            use evented_tests::db::$db as Db;

            #[path = "items.rs"]
            mod items;
            #[path = "pages.rs"]
            mod pages;
        }
    )*};
}

settings!(sync_sqlite: SyncSqlite, sync_postgres: SyncPostgres);
