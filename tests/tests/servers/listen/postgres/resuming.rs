//! Tests feeds that are dropped and resumed from their positions, during all kinds of writes: no change is missed, and
//! none is delivered twice.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use diesel::connection::TransactionManager;
use diesel::{Connection, PgConnection};
use evented_diesel::{EventedDsl as _, Id, Run};
use evented_feed::{Change, Hub};
use evented_tests::models::{AddValue, Item, Org};

use super::resume::Reader;
use super::{lamp, org};
use crate::kill::Dice;

type Manager = <PgConnection as Connection>::TransactionManager;

/// Returns the record and its value.
fn delivered(change: &Change<Item>) -> (Id<Item>, i32) {
    let side = change.after().or(change.before()).unwrap();
    (side.id, side.value)
}

async fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let db = evented_tests::db::SyncPostgres::new().await;
    let hub = db.hub(Hub::of::<Item>()).await;
    let orgs: [Id<Org>; 2] = [org(), org()];
    let start = hub.subscribe(Item::changes()).unwrap().start();
    let reader = |channel, whole| Reader::new(channel, whole, start);
    let scoped = || Item::changes().scope(Item::ORG.eq(orgs[0]));
    let mut readers = [
        reader(scoped(), false),
        reader(Item::changes(), false),
        reader(scoped(), true),
        reader(Item::changes(), true),
    ];
    let mut writers: Vec<(PgConnection, Vec<Item>, bool)> =
        (0..4).map(|_| (PgConnection::establish(&db.url).unwrap(), Vec::new(), false)).collect();
    // The committed values, by record: each change has a different value.
    let mut committed: HashMap<Id<Item>, Vec<i32>> = HashMap::new();
    let mut records: Vec<(Item, bool)> = Vec::new();
    for _ in 0..250 {
        let number = dice.below(4) as usize;
        let (conn, written, open) = &mut writers[number];
        if !*open {
            Manager::begin_transaction(conn).unwrap();
            *open = true;
        }
        match dice.below(8) {
            0 | 1 => {
                Manager::commit_transaction(conn).unwrap();
                *open = false;
                for item in written.drain(..) {
                    committed.entry(item.id).or_default().push(item.value);
                    if let Some(it) = records.iter_mut().find(|it| it.0.id == item.id) {
                        *it = (item, false);
                    } else {
                        records.push((item, false));
                    }
                }
            }
            2..5 => {
                let to = orgs[dice.below(2) as usize];
                written.push(Item::insert(lamp(to)).run(conn).unwrap());
            }
            _ => {
                let free: Vec<usize> = (0..records.len()).filter(|it| !records[*it].1).collect();
                if !free.is_empty() {
                    let it = &mut records[free[dice.below(free.len() as u64) as usize]];
                    it.1 = true;
                    written.push(it.0.add_value(AddValue(1)).run(conn).unwrap());
                }
            }
        }
        for reader in &mut readers {
            match dice.below(6) {
                0 => reader.leave(),
                1 | 2 if !reader.is_away() => reader.take(dice.below(6)),
                _ if reader.is_away() => reader.resume(&hub, 4 + dice.below(12) as usize),
                _ => {}
            }
        }
        if dice.below(3) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
        }
    }
    for (conn, written, open) in &mut writers {
        if *open {
            Manager::commit_transaction(conn).unwrap();
            for item in written.drain(..) {
                committed.entry(item.id).or_default().push(item.value);
            }
        }
    }
    let last = Item::insert(lamp(orgs[0])).recorded().run(&mut writers[0].0).unwrap();
    committed.entry(last.record.id).or_default().push(0);
    hub.wait_for(last.position()).await.unwrap();
    let all_of = |reader: &Reader<Item>| reader.received.iter().any(|it| it.key() == Some(&last.record.id));
    for (number, reader) in readers.iter_mut().enumerate() {
        for round in 0.. {
            if all_of(reader) {
                break;
            }
            assert!(round < 4_000, "seed {seed}, reader {number}: the last never comes");
            if reader.is_away() {
                reader.resume(&hub, 4 + dice.below(12) as usize);
            }
            reader.take(1_000);
            if dice.below(10) == 0 {
                reader.leave();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let mut received: HashMap<Id<Item>, Vec<i32>> = HashMap::new();
        for (id, value) in reader.received.iter().map(delivered) {
            received.entry(id).or_default().push(value);
        }
        if number % 2 == 1 {
            assert_eq!(received, committed, "seed {seed}, reader {number}");
        } else {
            for (id, values) in &received {
                assert_eq!(values, &committed[id], "seed {seed}, reader {number}");
            }
        }
        let mut seen = HashSet::new();
        for group in &reader.groups {
            let group: Vec<_> = group.iter().map(|change| change.transaction().id).collect();
            let ids: HashSet<_> = group.iter().collect();
            assert_eq!(ids.len(), 1, "seed {seed}, reader {number}: several transactions as one {group:?}");
            assert!(seen.insert(group[0]), "seed {seed}, reader {number}: in parts {group:?}");
        }
    }
    let few = |reader: &Reader<Item>| reader.received.iter().map(delivered).collect::<HashSet<_>>();
    assert_eq!(few(&readers[0]), few(&readers[2]), "seed {seed}: the scope");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_and_nothing_comes_twice() {
    for seed in 1..=15 {
        run(seed).await;
    }
}
