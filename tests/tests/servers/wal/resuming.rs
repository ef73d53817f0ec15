//! Tests feeds that are dropped and resumed from their positions, and a connection that breaks, during all kinds of
//! writes: no change is missed, and none is delivered twice.

use evented_diesel::EventedDsl as _;
use std::collections::HashSet;
use std::time::Duration;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use evented_feed::{Change, Hub};
use evented_tests::models::Note;

use super::hub::stage;
use crate::kill::Dice;
use crate::listen::resume::Reader;

/// Formats a change as a text.
fn delivered(change: &Change<Note>) -> String {
    let side = change.after().or(change.before()).unwrap();
    format!("{:?} {} {}", change.kind(), side.id, side.text)
}

async fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().replay_buffer(100_000).spawn(stage.config()).await.unwrap();
    let mut live = hub.subscribe_builder(Note::changes()).buffer(100_000).feed().unwrap();
    let start = live.start();
    let mut readers = [false, true].map(|whole| Reader::new(Note::changes(), whole, start));
    let mut writers: Vec<(PgConnection, Vec<String>, bool)> =
        (0..3).map(|_| (stage.connect(), Vec::new(), false)).collect();
    let mut committed: Vec<String> = Vec::new();
    let mut id = 0;
    for step in 0..300 {
        let (conn, written, open) = &mut writers[dice.below(3) as usize];
        if !*open {
            conn.batch_execute("BEGIN").unwrap();
            *open = true;
        }
        match dice.below(8) {
            0 | 1 => {
                conn.batch_execute("COMMIT").unwrap();
                *open = false;
                committed.append(written);
            }
            2 => {
                conn.batch_execute("ROLLBACK").unwrap();
                *open = false;
                written.clear();
            }
            _ => {
                for _ in 0..=dice.below(10) {
                    id += 1;
                    conn.batch_execute(&format!(
                        "INSERT INTO notes (id, text) VALUES ({id}, 'a'); UPDATE notes SET text = 'b' WHERE id = {id}"
                    ))
                    .unwrap();
                    written.push(format!("Insert {id} a"));
                    written.push(format!("Update {id} b"));
                }
            }
        }
        for reader in &mut readers {
            match dice.below(6) {
                0 => reader.leave(),
                1 | 2 if !reader.is_away() => reader.take(dice.below(12)),
                _ if reader.is_away() => reader.resume(&hub, 9),
                _ => {}
            }
        }
        if step % 60 == 59 {
            let kill = format!(
                "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{}'",
                stage.name
            );
            stage.sql(&kill);
        }
        if dice.below(3) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.below(8))).await;
        }
    }
    for (conn, written, open) in &mut writers {
        if *open {
            conn.batch_execute("COMMIT").unwrap();
            committed.append(written);
        }
    }
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    tokio::time::timeout(Duration::from_secs(60), hub.wait_for(here)).await.expect("in time").unwrap();
    let mut all = Vec::new();
    while let Ok(change) = live.try_recv() {
        all.push(delivered(&change));
    }
    assert_eq!(all, committed, "seed {seed}: live");
    for (number, reader) in readers.iter_mut().enumerate() {
        for _ in 0..3_000 {
            if reader.received.len() >= committed.len() {
                break;
            }
            if reader.is_away() {
                reader.resume(&hub, 9);
            }
            reader.take(7);
            if dice.below(5) == 0 {
                reader.leave();
            }
        }
        let received: Vec<_> = reader.received.iter().map(delivered).collect();
        assert_eq!(received, committed, "seed {seed}, reader {number}");
        let mut commits = HashSet::new();
        for group in &reader.groups {
            let commit = group[0].transaction().commit;
            assert!(group.iter().all(|it| it.transaction().commit == commit), "seed {seed}: several as one");
            assert!(commits.insert(commit), "seed {seed}: in parts");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_and_nothing_comes_twice() {
    for seed in 1..=8 {
        run(seed).await;
    }
}
