//! Tests many subscribers, and stuck ones: none delays the others, and memory does not grow.
#![cfg(target_os = "linux")]

use evented_diesel::{EventedDsl as _, batch};
use evented_feed::{Hub, Interruption};
use evented_tests::db::SyncSqlite;
use evented_tests::models::{AddValue, Item};

use super::{change, lamp, next, org};
use crate::kill::ignored_test;

/// Returns the present memory of this process, in kilobytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// Runs in a separate process: otherwise the memory of other tests would count as well.
#[test]
fn a_stuck_subscriber_holds_up_nobody_and_takes_no_memory() {
    let mut child = ignored_test(concat!(module_path!(), "::is_stuck_beside_one_that_reads"));
    let output = child.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run, in a process of its own, by the test beside it"]
async fn is_stuck_beside_one_that_reads() {
    let mut db = SyncSqlite::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let mut made = db.run(batch((0..500).map(|_| Item::insert(lamp(org()))))).await.unwrap();
    let mut stuck = hub.subscribe(Item::changes()).unwrap();
    let mut reads = hub.subscribe(Item::changes()).unwrap();
    let mut before = 0;
    for round in 0..60 {
        made = db.run(batch(made.iter().map(|item| item.add_value(AddValue(1))))).await.unwrap();
        for _ in &made {
            change(&mut reads).await;
        }
        if round == 9 {
            before = memory();
        }
    }
    let grown = memory().saturating_sub(before);
    assert!(grown < 8_000, "grown by {grown} kB");
    let mut waited = 0;
    let end = loop {
        match next(&mut stuck).await.unwrap() {
            Ok(_) => waited += 1,
            Err(end) => break end,
        }
    };
    assert!(matches!(end, Interruption::Lagged { .. }), "{end}");
    assert_eq!(waited, 1_024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_subscribers_come_and_go_while_changes_are_delivered() {
    let mut db = SyncSqlite::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let ours = org();
    let mut stays =
        hub.subscribe_builder(Item::changes().scope(Item::ORG.eq(ours))).buffer(100_000).feed().unwrap();
    let coming = {
        let hub = hub.clone();
        std::thread::spawn(move || {
            for round in 0..2_000 {
                let org = if round % 2 == 0 { ours } else { org() };
                let mut feed = hub.subscribe(Item::changes().scope(Item::ORG.eq(org))).unwrap();
                feed.add(Item::changes()).unwrap();
                feed.remove(&Item::changes().scope(Item::ORG.eq(org)));
            }
        })
    };
    let mut written = 0;
    while !coming.is_finished() || written < 100 {
        db.run(Item::insert(lamp(ours))).await.unwrap();
        written += 1;
    }
    coming.join().unwrap();
    for _ in 0..written {
        change(&mut stays).await;
    }
    assert_eq!(hub.subscriptions::<Item>().unwrap().len(), 1);
}

/// A hub with a small state cache reads the history of the other records again, and delivers the same changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_remembered_is_read_again() {
    let mut db = SyncSqlite::new().await;
    let few = std::num::NonZeroUsize::MIN;
    let hub = db.hub(Hub::of::<Item>().state_cache_size(few)).await;
    let mut feed = hub.subscribe_builder(Item::changes()).buffer(10_000).feed().unwrap();
    let made = db.run(batch((0..3_000).map(|_| Item::insert(lamp(org()))))).await.unwrap();
    for round in 0..2 {
        let added = db.run(batch(made.iter().map(|item| item.add_value(AddValue(1))))).await.unwrap();
        if round == 0 {
            for _ in &made {
                change(&mut feed).await;
            }
        }
        for item in &added {
            let delivered = change(&mut feed).await;
            assert_eq!((delivered.before().map(|it| it.value), delivered.after()), (Some(round), Some(item)));
        }
    }
}
