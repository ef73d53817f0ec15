//! Tests what is of one database or of one part of the library, by topic.
//! No test here starts a server or kills a process: see `servers` for that.
//!
//! A test that needs a PostgreSQL server has `postgres` in its path, so that `cargo xtask test --sqlite` skips it.
#![allow(clippy::await_holding_refcell_ref, reason = "one case runs at a time, on one thread")]
#![allow(clippy::duplicate_mod, reason = "a module is compiled once for each setting")]
#![allow(missing_docs, clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod auto_traits;
mod columns;
mod documents;
mod integrity;
mod observing;
mod parts_of_histories;
mod postgres;
mod properties;
mod proxy;
mod round_trips;
mod sqlite;
mod statements;
mod with_diesel;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Returns a runner of `cases` cases, the same ones each time. `EVENTED_TEST_TIMES=10` runs ten times as many.
fn cases(cases: u32) -> TestRunner {
    let times = std::env::var("EVENTED_TEST_TIMES").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    let config = Config { cases: cases * times, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::XorShift))
}
