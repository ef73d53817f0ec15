//! What is promised of a hub on the write-ahead log, where it is hardest to keep.

use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use evented_diesel::Model;
use evented_diesel::listen::{self, Change, ChangeKind, Feed, Hub, Interruption, Snapshot};
use evented_diesel::wal::{Config, Slot};
use evented_tests::models::{NewNote, Note};

use super::proxy::Proxy;
use super::stage::{PUBLICATION, Stage};

const TABLES: &str = include_str!("../../src/models/postgres.sql");

fn stage() -> Stage {
    let logs = evented_tests::db::logs().up_sql(evented_diesel::migrations::Flavour::Postgres);
    let whole = "ALTER TABLE items REPLICA IDENTITY FULL; ALTER TABLE notes REPLICA IDENTITY FULL";
    Stage::on(&evented_tests::db::postgres_url(), &format!("{TABLES}\n{logs}\n{whole}"))
}

async fn next<M: Model>(feed: &mut Feed<M>) -> Option<Result<Change<M>, Interruption>> {
    tokio::time::timeout(Duration::from_secs(30), feed.next()).await.expect("in time")
}

async fn change<M: Model>(feed: &mut Feed<M>) -> Change<M> {
    next(feed).await.expect("a change").expect("no error")
}

const ROWS: i32 = 20_000;

/// Runs a transaction through a connection that is cut in its middle; gives the keys of the rows that are told.
async fn cut(before: &str, transaction: &str, at: usize) -> Vec<i32> {
    let mut stage = stage();
    let proxy = Proxy::start(&stage.url).await;
    let config =
        Config::from_url(&proxy.through(&stage.url), Slot::durable(&stage.name), PUBLICATION).unwrap();
    let hub = Hub::tailing::<Note>().spawn(config.buffer(4).liveness(Duration::from_secs(2))).await.unwrap();
    let mut feed = hub.subscribing(Note::changes()).buffer(10 * ROWS as usize).feed().unwrap();
    stage.sql("INSERT INTO notes (id, text) VALUES (0, 'known')");
    assert_eq!(change(&mut feed).await.key(), Some(&0));
    stage.sql(before);
    stage.sql(transaction);
    let mut told = Vec::new();
    while told.len() < at {
        told.extend(change(&mut feed).await.key().copied());
    }
    proxy.freeze();
    let told_at_cut = told.len();
    let here = stage.run(listen::mark()).unwrap();
    tokio::time::timeout(Duration::from_secs(60), hub.wait_for(here)).await.expect("in time").unwrap();
    while let Ok(change) = feed.try_recv() {
        told.extend(change.unwrap().key().copied());
    }
    eprintln!("taken at the cut: {told_at_cut}, {:?}", hub.status());
    told
}

/// The first time, the table is described anew as the transaction begins, and the second time that is known already: the
/// numbers of the changes are others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_after_an_alter_table_that_is_cut_in_half_loses_nothing() {
    let rows =
        format!("INSERT INTO notes (id, text) SELECT n, repeat('x', 1000) FROM generate_series(1, {ROWS}) n");
    let told = cut("ALTER TABLE notes ADD COLUMN more int", &rows, 3_000).await;
    let lost: Vec<_> = (1..=ROWS).filter(|n| told.binary_search(n).is_err()).collect();
    assert_eq!((lost, told.len()), (Vec::new(), ROWS as usize));
}

/// The table is altered within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_with_an_alter_table_that_is_cut_in_half_doubles_nothing() {
    let transaction = format!(
        "BEGIN; INSERT INTO notes (id, text) VALUES (1, 'a'); ALTER TABLE notes ADD COLUMN more int; \
         INSERT INTO notes (id, text) SELECT n, n::text FROM generate_series(2, {ROWS}) n; COMMIT"
    );
    let told = cut("SELECT 1", &transaction, 3_000).await;
    let twice: Vec<_> = told.windows(2).filter(|it| it[0] >= it[1]).map(|it| it[1]).collect();
    assert_eq!((twice, told.len()), (Vec::new(), ROWS as usize));
}

/// A row that cannot be read is remembered by nobody.
#[tokio::test]
async fn who_resumes_is_told_of_what_cannot_be_read() {
    let mut stage = stage();
    let hub = Hub::tailing::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    let a = change(&mut feed).await.position();
    stage.sql("ALTER TABLE notes REPLICA IDENTITY DEFAULT; UPDATE notes SET text = 'b'");
    stage.sql("ALTER TABLE notes REPLICA IDENTITY FULL; INSERT INTO notes (text) VALUES ('c')");
    let list = async |feed: &mut Feed<Note>| {
        let mut list = Vec::new();
        loop {
            match next(feed).await.unwrap() {
                Ok(change) => {
                    list.push(format!("{:?}", change.kind()));
                    if change.after().is_some_and(|note| note.text == "c") {
                        return list;
                    }
                }
                Err(error) => list.push(format!("{}", matches!(error, Interruption::Unreadable(_)))),
            }
        }
    };
    let live = list(&mut feed).await;
    assert!(live.contains(&"true".to_owned()), "{live:?}");
    let again = list(&mut hub.subscribe_from(Note::changes(), a).unwrap()).await;
    assert_eq!(again, live, "the update is passed over in silence");
}

#[tokio::test]
async fn a_buffer_without_end_is_no_panic() {
    let mut stage = stage();
    let hub = Hub::tailing::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    let start = feed.start();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    change(&mut feed).await;
    let mut all = hub.subscribing(Note::changes()).from(start).buffer(usize::MAX).feed().unwrap();
    assert_eq!(change(&mut all).await.kind(), ChangeKind::Insert);
}

/// Feeds that are dropped and made again from their positions, and a connection that breaks, whatever happens: nothing is
/// missed, nothing comes twice.
mod resuming {
    use std::collections::HashSet;

    use diesel::PgConnection;
    use diesel::connection::SimpleConnection;
    use evented_diesel::listen::{Position, WholeFeed};

    use super::super::kill::Dice;
    use super::*;

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
}

/// Who subscribes while a transaction is told gets the rest of it as a whole one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_to_whole_transactions_within_one_is_given_no_part_of_it() {
    let mut stage = stage();
    let hub = Hub::tailing::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribing(Note::changes()).buffer(10 * ROWS as usize).feed().unwrap();
    stage.sql(&format!("INSERT INTO notes (id, text) SELECT n, n::text FROM generate_series(1, {ROWS}) n"));
    change(&mut feed).await;
    let mut whole = hub.subscribing(Note::changes()).buffer(10 * ROWS as usize).whole_feed().unwrap();
    let here = stage.run(listen::mark()).unwrap();
    hub.wait_for(here).await.unwrap();
    let told = whole.try_recv().map(|it| it.unwrap().len()).unwrap_or(0);
    assert!(told == 0 || told == ROWS as usize, "a part of a transaction: {told}");
}
