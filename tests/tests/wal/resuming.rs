//! Feeds that are dropped and made again from their positions, and a connection that breaks, whatever happens: nothing is
//! missed, nothing comes twice.

use std::collections::HashSet;
use std::time::Duration;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use evented_diesel::listen::{self, Feed, Hub, Interruption, Position, WholeFeed};
use evented_tests::models::Note;

use super::kill::Dice;
use super::promises::stage;

enum Any {
    Feed(Feed<Note>),
    Whole(WholeFeed<Note>),
}

struct Reader {
    feed: Option<Any>,
    whole: bool,
    from: Position,
    heard: Vec<String>,
    groups: Vec<(u64, usize)>,
}

impl Reader {
    fn resume(&mut self, hub: &Hub) {
        let text: Position = self.from.to_string().parse().unwrap();
        let it = hub.subscribing(Note::changes()).from(text).buffer(if self.whole { 5_000 } else { 9 });
        self.feed = Some(if self.whole {
            Any::Whole(it.whole_feed().unwrap())
        } else {
            Any::Feed(it.feed().unwrap())
        });
    }

    fn take(&mut self, most: u64) {
        for _ in 0..most {
            let mut told = Vec::new();
            match self.feed.as_mut().unwrap() {
                Any::Feed(feed) => match feed.try_recv() {
                    Ok(Ok(change)) => told.push(change),
                    Ok(Err(Interruption::Lagged { resume_from })) => {
                        self.from = resume_from;
                        self.feed = None;
                        return;
                    }
                    Ok(Err(error)) => panic!("{error}"),
                    Err(_) => return,
                },
                Any::Whole(feed) => match feed.try_recv() {
                    Ok(Ok(changes)) => {
                        let commit = changes[0].transaction().commit;
                        assert!(changes.iter().all(|it| it.transaction().commit == commit));
                        self.groups.push((commit, changes.len()));
                        told = changes;
                    }
                    Ok(Err(error)) => panic!("{error}"),
                    Err(_) => return,
                },
            }
            for change in told {
                let side = change.after().or(change.before()).unwrap();
                self.heard.push(format!("{:?} {} {}", change.kind(), side.id, side.text));
            }
        }
    }

    fn leave(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.from = match &feed {
                Any::Feed(feed) => feed.position(),
                Any::Whole(feed) => feed.position(),
            };
        }
    }
}

async fn run(seed: u64) {
    let mut dice = Dice::new(seed);
    let mut stage = stage();
    let hub = Hub::tailing::<Note>().keep_recent(100_000).spawn(stage.config()).await.unwrap();
    let mut live = hub.subscribing(Note::changes()).buffer(100_000).feed().unwrap();
    let start = live.start();
    let reader = |whole| Reader { feed: None, whole, from: start, heard: Vec::new(), groups: Vec::new() };
    let mut readers = [reader(false), reader(true)];
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
                1 | 2 if reader.feed.is_some() => reader.take(dice.below(12)),
                _ if reader.feed.is_none() => reader.resume(&hub),
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
    let here = stage.run(listen::mark()).unwrap();
    tokio::time::timeout(Duration::from_secs(60), hub.wait_for(here)).await.expect("in time").unwrap();
    let mut all = Vec::new();
    while let Ok(change) = live.try_recv() {
        let change = change.unwrap();
        let side = change.after().or(change.before()).unwrap();
        all.push(format!("{:?} {} {}", change.kind(), side.id, side.text));
    }
    assert_eq!(all, committed, "seed {seed}: live");
    for (number, reader) in readers.iter_mut().enumerate() {
        for _ in 0..3_000 {
            if reader.heard.len() >= committed.len() {
                break;
            }
            if reader.feed.is_none() {
                reader.resume(&hub);
            }
            reader.take(7);
            if dice.below(5) == 0 {
                reader.leave();
            }
        }
        assert_eq!(reader.heard, committed, "seed {seed}, reader {number}");
        let commits: HashSet<_> = reader.groups.iter().map(|it| it.0).collect();
        assert_eq!(commits.len(), reader.groups.len(), "seed {seed}: in parts");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_missed_and_nothing_comes_twice() {
    for seed in 1..=8 {
        run(seed).await;
    }
}
