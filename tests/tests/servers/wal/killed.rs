//! Kills a reading process again and again: between receiving, handling and confirming.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl};
use evented_wal::{Cell, Config, Lsn, Message, Slot, Tail};

use super::stage::{PUBLICATION, Stage, Text, Transaction, transaction};
use crate::kill::{BEGUN, DONE, Dice, Kill, SEED, TARGET, kill_a_writer};

const KILLS: usize = 60;

/// The table that is read, the results, and the position up to which they were made.
const TABLES: &str = "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY); \
     CREATE TABLE sink (place bigint GENERATED ALWAYS AS IDENTITY, id bigint NOT NULL, commit text NOT NULL); \
     CREATE TABLE position (at text NOT NULL); INSERT INTO position VALUES ('0/0')";

fn say(words: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{words}").unwrap();
    out.flush().unwrap();
}

/// A correct consumer: it stores its effects and its position in one transaction, and continues only from the position
/// that it has read. The server may still be at work for a process that was killed.
struct Consumer {
    conn: PgConnection,
    tail: Tail,
    at: Lsn,
}

impl Consumer {
    async fn open(url: &str) -> Self {
        let mut conn = PgConnection::establish(url).unwrap();
        let position: Text =
            diesel::sql_query("SELECT at AS text FROM position").get_result(&mut conn).unwrap();
        let (_, slot) = url.rsplit_once('/').unwrap();
        let config = Config::from_url(url, Slot::durable(slot), PUBLICATION).unwrap();
        let at = position.text.unwrap().parse().unwrap();
        let tail =
            Tail::open(config.from(Some(at)).status_interval(Duration::from_millis(20))).await.unwrap();
        Self { conn, tail, at }
    }

    /// Handles a transaction. Returns false if another process has moved the position.
    fn handle(&mut self, transaction: &Transaction) -> bool {
        let (commit, end) = (transaction.commit, transaction.end);
        let ids = transaction.messages.iter().filter_map(|message| match message {
            Message::Insert { new, .. } => match &new.cells()[0] {
                Cell::Binary(id) => Some(i64::from_be_bytes(id.as_ref().try_into().unwrap())),
                other => panic!("{other}"),
            },
            _ => None,
        });
        let rows: Vec<_> = ids.map(|id| format!("({id}, '{commit}')")).collect();
        let rows = rows.join(", ");
        let insert = format!("INSERT INTO sink (id, commit) VALUES {rows}");
        let advance = format!("UPDATE position SET at = '{end}' WHERE at = '{}'", self.at);
        let done = self.conn.transaction(|conn| {
            if diesel::sql_query(&advance).execute(conn)? == 0 {
                return Ok(false);
            }
            conn.batch_execute(&insert)?;
            Ok::<_, diesel::result::Error>(true)
        });
        self.at = end;
        done.unwrap()
    }
}

#[tokio::test]
#[ignore = "started, and killed, by the test beside it"]
async fn reads_until_it_is_killed() {
    let url = std::env::var(TARGET).expect("only for a test that kills it");
    let mut dice = Dice::new(std::env::var(SEED).unwrap().parse().unwrap());
    // The gaps are too short to hit, so make each of them longer now and then.
    let mut moment = || {
        if dice.below(3) == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let mut consumer = Consumer::open(&url).await;
    loop {
        let transaction = transaction(&mut consumer.tail).await;
        say(BEGUN);
        moment();
        if !consumer.handle(&transaction) {
            drop(consumer);
            consumer = Consumer::open(&url).await;
            continue;
        }
        moment();
        consumer.tail.confirm(transaction.end);
        moment();
        say(DONE);
    }
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_is_done_twice_whenever_the_reader_is_killed() {
    let mut stage = Stage::new(TABLES);
    stage.sql("ALTER PUBLICATION \"Published, \"\"here\"\"\" SET TABLE t");
    let stop = Arc::new(AtomicBool::new(false));
    let writer = std::thread::spawn({
        let (mut conn, stop) = (stage.connect(), stop.clone());
        move || {
            let mut rows = 0;
            while !stop.load(Ordering::SeqCst) {
                // Some transactions roll back.
                rows = rows % 7 + 1;
                let end = if rows == 5 { "ROLLBACK" } else { "COMMIT" };
                let sql = format!("BEGIN; INSERT INTO t SELECT FROM generate_series(1, {rows}); {end}");
                conn.batch_execute(&sql).unwrap();
                std::thread::sleep(Duration::from_micros(500));
            }
        }
    });
    let mut kills = Vec::new();
    let mut dice = Dice::new(7);
    for _ in 0..KILLS {
        let test = concat!(module_path!(), "::reads_until_it_is_killed");
        kills.push(kill_a_writer(test, &stage.url, &mut dice));
    }
    stop.store(true, Ordering::SeqCst);
    writer.join().unwrap();
    let end: Lsn = stage.position();
    stage.sql("INSERT INTO t DEFAULT VALUES");
    let mut consumer = Consumer::open(&stage.url).await;
    loop {
        let transaction = transaction(&mut consumer.tail).await;
        if !consumer.handle(&transaction) {
            drop(consumer);
            consumer = Consumer::open(&stage.url).await;
        } else if transaction.commit >= end {
            break;
        }
    }
    assert_eq!(stage.text("SELECT count(*) - count(DISTINCT id) FROM sink"), "0", "done twice");
    assert_eq!(
        stage.text(
            "SELECT count(*) FROM t FULL JOIN sink USING (id) WHERE t.id IS NULL OR sink.place IS NULL"
        ),
        "0",
        "lost, or never there"
    );
    // There is one writer: the order of the log is the order of the ids, and each transaction is handled as a whole.
    let out_of_order = "SELECT count(*) FROM (SELECT id, lag(id) OVER (ORDER BY place) AS before FROM sink) s \
         WHERE before > id";
    assert_eq!(stage.text(out_of_order), "0");
    let done: usize = kills.iter().map(|kill| kill.done).sum();
    let within = kills.iter().filter(|Kill { within, .. }| *within).count();
    assert!(within >= KILLS / 5 && done > KILLS, "{within} kills within, {done} transactions: {kills:?}");
}
