//! Measures the memory of a large transaction, in a process that does nothing else.
#![cfg(target_os = "linux")]

use std::time::Duration;

use evented_wal::{Config, Message, Slot, Tail};

use super::stage::{PUBLICATION, Stage, next};
use crate::kill::{TARGET, ignored_test};

/// Two hundred megabytes.
const ROWS: usize = 200_000;
const WIDTH: usize = 1_000;
/// How much the process may grow, in kilobytes.
const GROWTH: usize = 10_000;

/// The idle timeout of the connection in the case of a stuck consumer.
const LIVENESS: Duration = Duration::from_secs(10);

const STUCK: &str = "EVENTED_WAL_STUCK";

/// Returns the peak memory of the process, in kilobytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "run, in a process of its own, by the tests beside it"]
async fn reads_one_transaction() {
    let url = std::env::var(TARGET).expect("only for a test that measures it");
    let stuck = std::env::var(STUCK).is_ok();
    let (_, slot) = url.rsplit_once('/').unwrap();
    let config = Config::from_url(&url, Slot::durable(slot), PUBLICATION).unwrap();
    // A busy machine can also be silent for seconds: only the stuck consumer needs a shorter timeout than the default.
    let config = if stuck { config.idle_timeout(LIVENESS) } else { config };
    let mut tail = Tail::open(config).await.unwrap();
    let before = peak();
    let mut rows = 0;
    loop {
        match next(&mut tail).await {
            Message::Insert { .. } => rows += 1,
            Message::Commit { .. } => break,
            _ => {}
        }
        if stuck && rows == 1_000 {
            // Far longer than the server waits for a reply.
            tokio::time::sleep(3 * LIVENESS).await;
        }
    }
    let grown = peak() - before;
    assert_eq!(rows, ROWS);
    assert_eq!(tail.status().reconnects, 0, "the connection did not hold");
    assert!(grown < GROWTH, "it grew by {grown} kB");
    println!("grown by {grown} kB");
}

fn measure(stuck: bool) {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY, filler text)");
    stage.sql(&format!("INSERT INTO t SELECT i, repeat('x', {WIDTH}) FROM generate_series(1, {ROWS}) i"));
    let mut child = ignored_test(concat!(module_path!(), "::reads_one_transaction"));
    child.env(TARGET, &stage.url);
    if stuck {
        child.env(STUCK, "1");
    }
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    print!("{said}");
}

#[test]
fn a_transaction_of_two_hundred_megabytes_is_not_held_in_memory() {
    measure(false);
}

#[test]
fn a_consumer_that_is_stuck_within_it_neither_loses_the_connection_nor_fills_the_memory() {
    measure(true);
}
