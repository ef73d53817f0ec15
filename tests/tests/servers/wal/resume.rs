//! Tests positions: which changes come again, which do not, and which the server may discard.

use std::time::{Duration, Instant};

use evented_feed::wal;
use evented_wal::{Config, Format, Lsn, Message, Tail};

use super::stage::{Stage, lines, next, transaction};

const TABLE: &str = "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int)";

async fn open(stage: &Stage, from: Option<Lsn>) -> Tail {
    Tail::open(stage.config().format(Format::Text).from(from)).await.unwrap()
}

async fn insert(tail: &mut Tail) -> (String, Lsn) {
    let transaction = transaction(tail).await;
    (lines(&transaction.messages).pop().unwrap(), transaction.end)
}

fn of(id: usize) -> String {
    format!("insert public.t (id: '{id}')")
}

/// Waits until the server has received the confirmation of everything up to a position.
pub(crate) async fn received(stage: &mut Stage, tail: &mut Tail, at: Lsn) {
    let slot = stage.name.clone();
    let started = Instant::now();
    while stage.run(wal::slot_status(&slot)).unwrap().unwrap().confirmed < Some(at) {
        assert!(started.elapsed() < Duration::from_secs(30), "the server does not hear of {at}");
        if let Ok(message) = tokio::time::timeout(Duration::from_millis(10), tail.next()).await {
            assert!(matches!(message, Ok(Message::Idle { .. })), "{message:?}");
        }
    }
}

#[tokio::test]
async fn what_was_not_confirmed_comes_again_and_the_consumers_own_position_keeps_it_out() {
    let mut stage = Stage::new(TABLE);
    let mut ends = Vec::new();
    let mut tail = open(&stage, None).await;
    for id in 0..6 {
        stage.sql(&format!("INSERT INTO t VALUES ({id})"));
        let (line, end) = insert(&mut tail).await;
        assert_eq!(line, of(id));
        ends.push(end);
    }
    tail.confirm(ends[1]);
    received(&mut stage, &mut tail, ends[1]).await;
    drop(tail);
    // The server has discarded the confirmed changes; the rest comes again.
    let mut tail = open(&stage, None).await;
    assert_eq!(insert(&mut tail).await.0, of(2));
    drop(tail);
    // The consumer's own position takes precedence.
    for (id, end) in ends.iter().enumerate().skip(2).take(3) {
        assert_eq!(insert(&mut open(&stage, Some(*end)).await).await.0, of(id + 1));
    }
    // From the last position on, only new changes come.
    stage.sql("INSERT INTO t VALUES (6)");
    assert_eq!(insert(&mut open(&stage, ends.pop()).await).await.0, of(6));
}

#[tokio::test]
async fn a_table_that_was_described_in_a_transaction_that_is_passed_over_is_known() {
    let mut stage = Stage::new(TABLE);
    stage.sql("INSERT INTO t VALUES (1)");
    let mut tail = open(&stage, None).await;
    let (_, end) = insert(&mut tail).await;
    drop(tail);
    stage.sql("INSERT INTO t VALUES (2)");
    let mut tail = open(&stage, Some(end)).await;
    let messages = transaction(&mut tail).await.messages;
    assert_eq!(lines(&messages), ["first public.t".to_owned(), of(2)]);
}

#[tokio::test]
async fn what_has_not_come_cannot_be_confirmed() {
    let mut stage = Stage::new(TABLE);
    let mut tail = open(&stage, None).await;
    stage.sql("INSERT INTO t VALUES (1)");
    let (_, end) = insert(&mut tail).await;
    tail.confirm(Lsn(u64::MAX));
    assert!(tail.status().confirmed >= end && tail.status().confirmed < Lsn(u64::MAX));
    stage.sql("INSERT INTO t VALUES (2)");
    assert_eq!(insert(&mut tail).await.0, of(2));
    received(&mut stage, &mut tail, end).await;
    drop(tail);
    assert_eq!(insert(&mut open(&stage, None).await).await.0, of(2));
}

#[tokio::test]
async fn silence_is_confirmed_when_nothing_is_pending() {
    let mut stage = Stage::new(TABLE);
    stage.sql("ALTER PUBLICATION \"Published, \"\"here\"\"\" DROP TABLE other");
    let mut tail = open(&stage, None).await;
    stage.sql("INSERT INTO t VALUES (1)");
    let (_, end) = insert(&mut tail).await;
    // No reader reads these rows, which are between the reader's position and the end of the log.
    stage.sql("INSERT INTO other SELECT generate_series(1, 10000)");
    let position = stage.position();
    // The transaction is pending: no idle position is reported or confirmed.
    let quiet = tokio::time::timeout(Duration::from_millis(300), tail.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    assert!(tail.status().acknowledged < end);
    tail.confirm(end);
    let mut delivered = Lsn::ZERO;
    while delivered < position {
        let Message::Idle { at } = next(&mut tail).await else { panic!("a change") };
        assert!(at > delivered, "{at} after {delivered}");
        delivered = at;
    }
    received(&mut stage, &mut tail, position).await;
    drop(tail);
    stage.sql("INSERT INTO t VALUES (2)");
    // An idle position works like any other position.
    assert_eq!(insert(&mut open(&stage, Some(delivered)).await).await.0, of(2));
}

#[tokio::test]
async fn the_future_of_the_next_message_may_be_dropped() {
    let mut stage = Stage::new(TABLE);
    let mut tail = open(&stage, None).await;
    for id in 0..300 {
        stage.sql(&format!("INSERT INTO t VALUES ({id})"));
    }
    let mut seen = 0;
    while seen < 300 {
        // Poll once, or a little longer.
        let patience = Duration::from_micros(seen as u64 % 7 * 50);
        if let Ok(message) = tokio::time::timeout(patience, tail.next()).await
            && let Message::Insert { new, .. } = message.unwrap()
        {
            assert_eq!(new.cells()[0].as_text(), Some(seen.to_string().as_str()));
            seen += 1;
        }
    }
}

#[tokio::test]
async fn a_broken_connection_is_replaced_and_a_partial_transaction_discarded() {
    let mut stage = Stage::new("CREATE TABLE t (id int PRIMARY KEY, filler text)");
    let config = |config: Config| config.format(Format::Text).buffer(4);
    let mut tail = Tail::open(config(stage.config())).await.unwrap();
    stage.sql("INSERT INTO t VALUES (0)");
    transaction(&mut tail).await;
    // These changes are not confirmed, and still must not come again.
    stage.sql("INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, 50000) i");
    let mut last = None;
    while !matches!(last, Some(Message::Insert { .. })) {
        last = Some(next(&mut tail).await);
    }
    let slot = stage.name.clone();
    let terminate = format!(
        "SELECT pg_terminate_backend(active_pid, 10000)::text AS text \
         FROM pg_replication_slots WHERE slot_name = '{slot}' AND active"
    );
    assert_eq!(stage.texts(&terminate), ["true"]);
    let mut seen = 0;
    let mut restarted = false;
    loop {
        match next(&mut tail).await {
            Message::Restarted => {
                assert!(!restarted);
                restarted = true;
                seen = 0;
            }
            Message::Begin { .. } => assert!(restarted && seen == 0),
            Message::Insert { new, .. } => {
                seen += 1;
                assert!(!restarted || new.cells()[0].as_text() == Some(seen.to_string().as_str()));
            }
            Message::Commit { .. } => break,
            message => panic!("{message:?}"),
        }
    }
    assert!(restarted);
    assert_eq!(seen, 50_000);
    assert_eq!(tail.status().reconnects, 1);
    assert!(tail.status().connected);
    // Between transactions, there is no state to discard, and no message comes.
    assert_eq!(stage.texts(&terminate), ["true"]);
    stage.sql("INSERT INTO t VALUES (-1)");
    assert!(matches!(next(&mut tail).await, Message::Begin { .. }));
    assert_eq!(tail.status().reconnects, 2);
}
