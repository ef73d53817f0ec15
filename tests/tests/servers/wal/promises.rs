//! Tests the guarantees of a hub on the write-ahead log in the hardest cases.

use evented_diesel::EventedDsl as _;
use std::time::Duration;

use evented_feed::{ChangeKind, Feed, Hub, Interruption};
use evented_tests::models::Note;
use evented_wal::{Config, Slot};

use super::hub::{change, next, stage};
use super::proxy::Proxy;
use super::stage::PUBLICATION;

const ROWS: i32 = 20_000;

/// Runs a transaction through a connection that is cut in its middle. Returns the keys of the delivered rows.
async fn cut(before: &str, transaction: &str, at: usize) -> Vec<i32> {
    let mut stage = stage();
    let proxy = Proxy::start(&stage.url).await;
    let config =
        Config::from_url(&proxy.through(&stage.url), Slot::durable(&stage.name), PUBLICATION).unwrap();
    let hub =
        Hub::on_wal::<Note>().spawn(config.buffer(4).idle_timeout(Duration::from_secs(5))).await.unwrap();
    let mut feed = hub.subscribe_builder(Note::changes()).buffer(10 * ROWS as usize).feed().unwrap();
    stage.sql("INSERT INTO notes (id, text) VALUES (0, 'known')");
    assert_eq!(change(&mut feed).await.key(), Some(&0));
    stage.sql(before);
    stage.sql(transaction);
    let mut delivered = Vec::new();
    while delivered.len() < at {
        delivered.extend(change(&mut feed).await.key().copied());
    }
    proxy.freeze();
    let told_at_cut = delivered.len();
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    tokio::time::timeout(Duration::from_secs(60), hub.wait_for(here)).await.expect("in time").unwrap();
    while let Ok(change) = feed.try_recv() {
        delivered.extend(change.key().copied());
    }
    eprintln!("taken at the cut: {told_at_cut}, {:?}", hub.status());
    delivered
}

/// The first time, the server describes the altered table at the start of the transaction; the second time, the reader
/// already knows the description. The positions of the changes must not depend on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_after_an_alter_table_that_is_cut_in_half_loses_nothing() {
    let rows =
        format!("INSERT INTO notes (id, text) SELECT n, repeat('x', 1000) FROM generate_series(1, {ROWS}) n");
    let delivered = cut("ALTER TABLE notes ADD COLUMN more int", &rows, 3_000).await;
    let lost: Vec<_> = (1..=ROWS).filter(|n| delivered.binary_search(n).is_err()).collect();
    assert_eq!((lost, delivered.len()), (Vec::new(), ROWS as usize));
}

/// The table is altered within the transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_with_an_alter_table_that_is_cut_in_half_doubles_nothing() {
    let transaction = format!(
        "BEGIN; INSERT INTO notes (id, text) VALUES (1, 'a'); ALTER TABLE notes ADD COLUMN more int; \
         INSERT INTO notes (id, text) SELECT n, n::text FROM generate_series(2, {ROWS}) n; COMMIT"
    );
    let delivered = cut("SELECT 1", &transaction, 3_000).await;
    let twice: Vec<_> = delivered.windows(2).filter(|it| it[0] >= it[1]).map(|it| it[1]).collect();
    assert_eq!((twice, delivered.len()), (Vec::new(), ROWS as usize));
}

/// A subscriber that resumes also receives the row that cannot be read.
#[tokio::test]
async fn a_resuming_subscriber_gets_errors_for_unreadable_events() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
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
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe(Note::changes()).unwrap();
    let start = feed.start();
    stage.sql("INSERT INTO notes (text) VALUES ('a')");
    change(&mut feed).await;
    let mut all = hub.subscribe_builder(Note::changes()).resume(start).buffer(usize::MAX).feed().unwrap();
    assert_eq!(change(&mut all).await.kind(), ChangeKind::Insert);
}

/// A subscriber that subscribes while a transaction is delivered must not receive the rest of it as a whole
/// transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_feed_that_starts_within_a_transaction_gets_no_part_of_it() {
    let mut stage = stage();
    let hub = Hub::on_wal::<Note>().spawn(stage.config()).await.unwrap();
    let mut feed = hub.subscribe_builder(Note::changes()).buffer(10 * ROWS as usize).feed().unwrap();
    stage.sql(&format!("INSERT INTO notes (id, text) SELECT n, n::text FROM generate_series(1, {ROWS}) n"));
    change(&mut feed).await;
    let mut whole =
        hub.subscribe_builder(Note::changes()).buffer(10 * ROWS as usize).transaction_feed().unwrap();
    let here = stage.run(evented_feed::wal::mark()).unwrap();
    hub.wait_for(here).await.unwrap();
    let delivered = whole.try_recv().map(|it| it.len()).unwrap_or(0);
    assert!(delivered == 0 || delivered == ROWS as usize, "a part of a transaction: {delivered}");
}
