//! How much memory a large transaction takes: that of a process that does nothing else.
#![cfg(target_os = "linux")]

use std::process::Command;
use std::time::Duration;

use evented_diesel::wal::{Config, Message, Slot, Tail};

use super::kill::TARGET;
use super::stage::{PUBLICATION, Stage, next};

/// Two hundred megabytes.
const ROWS: usize = 200_000;
const WIDTH: usize = 1_000;
/// By how much the process may grow, in kilobytes.
const GROWTH: usize = 10_000;

const STUCK: &str = "EVENTED_WAL_STUCK";

/// The most memory that the process has had, in kilobytes.
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
    let mut tail = Tail::open(config.liveness(Duration::from_secs(2))).await.unwrap();
    let before = peak();
    let mut rows = 0;
    loop {
        match next(&mut tail).await {
            Message::Insert { .. } => rows += 1,
            Message::Commit { .. } => break,
            _ => {}
        }
        if stuck && rows == 1_000 {
            // Far longer than the server waits for a sign of life.
            tokio::time::sleep(Duration::from_secs(6)).await;
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
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["memory::reads_one_transaction", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
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
