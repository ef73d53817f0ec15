//! Tests servers that stop, crash, or require a password. Each test has its own server.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use evented_feed::wal;
use evented_test_server::{Cluster, Settings, Stop};
use evented_wal::{Config, Format, Gap, Lsn, Message, Slot, Tail, WalError};

use super::stage::{PUBLICATION, Stage, next, transaction};

const TABLE: &str = "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, writer int); \
     CREATE TABLE unpublished (id int)";

fn server(options: &[&str]) -> Cluster {
    let options = options.iter().map(ToString::to_string).collect();
    Cluster::start(Settings { options, ..Settings::default() }).unwrap()
}

fn stage(cluster: &Cluster) -> Stage {
    let mut stage = Stage::on(&cluster.url(), TABLE);
    stage.sql("ALTER PUBLICATION \"Published, \"\"here\"\"\" DROP TABLE unpublished");
    stage
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_not_kept_from_stopping_and_nothing_is_lost() {
    let mut cluster = server(&[]);
    let mut stage = stage(&cluster);
    let mut tail = stage.tail().await;
    let mut seen = 0;
    for round in 0..3 {
        stage.sql("INSERT INTO t (writer) VALUES (0)");
        let end = transaction(&mut tail).await.end;
        seen += 1;
        tail.confirm(end);
        // Write unpublished rows after it: a server that stops also waits for the confirmation of those.
        stage.sql("INSERT INTO unpublished SELECT generate_series(1, 1000)");
        let started = Instant::now();
        let stopping = tokio::task::spawn_blocking(move || {
            cluster.stop(Stop::Fast).unwrap();
            let took = started.elapsed();
            cluster.start_again().unwrap();
            (cluster, took)
        });
        // The consumer continues to request messages, as consumers do.
        while tail.status().reconnects == round {
            assert!(started.elapsed() < Duration::from_secs(60), "the server does not come back");
            if let Ok(message) = tokio::time::timeout(Duration::from_millis(50), tail.next()).await {
                assert!(matches!(message, Ok(Message::Idle { .. })), "{message:?}");
            }
        }
        let took;
        (cluster, took) = stopping.await.unwrap();
        assert!(took < Duration::from_secs(30), "it took {took:?}");
        stage.reconnect();
    }
    stage.sql("INSERT INTO t (writer) VALUES (1)");
    let last = transaction(&mut tail).await;
    assert_eq!(last.messages.len(), 1, "{last:?}");
    assert_eq!(stage.text("SELECT count(*) FROM t"), (seen + 1).to_string());
}

/// Writes until `stop` is set. Returns the ids whose commit succeeded.
fn writer(url: String, number: usize, stop: Arc<AtomicBool>) -> HashSet<i64> {
    use diesel::RunQueryDsl;
    #[derive(diesel::QueryableByName)]
    struct Id {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        id: i64,
    }
    let mut delivered = HashSet::new();
    while !stop.load(Ordering::SeqCst) {
        let Ok(mut conn) = PgConnection::establish(&url) else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        while !stop.load(Ordering::SeqCst) {
            let insert = format!("INSERT INTO t (writer) VALUES ({number}), ({number}) RETURNING id");
            match diesel::sql_query(insert).load::<Id>(&mut conn) {
                Ok(rows) => delivered.extend(rows.into_iter().map(|row| row.id)),
                Err(_) => break,
            }
        }
    }
    delivered
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_crash_under_load_loses_and_repeats_nothing() {
    let mut cluster = server(&[]);
    let stage = stage(&cluster);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let (url, stop) = (stage.url.clone(), stop.clone());
            std::thread::spawn(move || writer(url, number, stop))
        })
        .collect();
    let mut tail = stage.tail().await;
    // How often the reader has reconnected and read something. The next crash waits for that, without a time limit.
    let came_back = Arc::new(AtomicU64::new(0));
    let waits_for = came_back.clone();
    let crashing = tokio::task::spawn_blocking(move || {
        let until_back = |times| {
            let started = Instant::now();
            while waits_for.load(Ordering::SeqCst) < times {
                assert!(started.elapsed() < Duration::from_secs(60), "the reader does not come back");
                std::thread::sleep(Duration::from_millis(10));
            }
        };
        for crash in 0..4 {
            until_back(crash);
            std::thread::sleep(Duration::from_millis(700));
            cluster.stop(Stop::Immediate).unwrap();
            cluster.start_again().unwrap();
        }
        until_back(4);
        std::thread::sleep(Duration::from_millis(300));
        cluster
    });
    let mut all = Vec::new();
    let mut ends = Vec::new();
    let mut finished = None;
    let finish = async {
        let cluster = crashing.await.unwrap();
        stop.store(true, Ordering::SeqCst);
        let delivered: HashSet<i64> = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        (cluster, delivered)
    };
    tokio::pin!(finish);
    let mut position = Lsn(u64::MAX);
    let mut open: Vec<i64> = Vec::new();
    loop {
        let message = tokio::select! {
            message = tail.next() => message.unwrap(),
            done = &mut finish, if finished.is_none() => {
                let mut conn = PgConnection::establish(&stage.url).unwrap();
                position = evented_diesel::Run::run(wal::position(), &mut conn).unwrap();
                // Write another row after it, so that the end is visible.
                conn.batch_execute("INSERT INTO t (writer) VALUES (-1)").unwrap();
                finished = Some(done);
                continue;
            }
        };
        match message {
            Message::Begin { .. } | Message::Restarted => open.clear(),
            Message::Insert { new, .. } => {
                let evented_wal::Cell::Binary(id) = &new.cells()[0] else { panic!("{new:?}") };
                open.push(i64::from_be_bytes(id.as_ref().try_into().unwrap()));
            }
            Message::Commit { end, .. } => {
                all.append(&mut open);
                ends.push(end);
                came_back.store(tail.status().reconnects, Ordering::SeqCst);
                // Confirm only now and then, so that a crash loses some confirmations.
                if ends.len() % 50 == 0 {
                    tail.confirm(end);
                }
                if end > position {
                    break;
                }
            }
            _ => {}
        }
    }
    let (_cluster, delivered) = finished.unwrap();
    let seen: HashSet<i64> = all.iter().copied().collect();
    assert_eq!(seen.len(), all.len(), "something came twice");
    assert!(
        delivered.is_subset(&seen),
        "{} of {} are missing",
        delivered.difference(&seen).count(),
        delivered.len()
    );
    let mut conn = PgConnection::establish(&stage.url).unwrap();
    let rows = diesel::sql_query("SELECT count(*)::text AS text FROM t");
    let rows: Vec<super::stage::Text> = diesel::RunQueryDsl::load(rows, &mut conn).unwrap();
    assert_eq!(rows[0].text.as_deref(), Some(seen.len().to_string().as_str()));
    assert!(ends.is_sorted(), "an order of its own");
    assert!(tail.status().reconnects >= 4, "{:?}", tail.status());
    assert!(delivered.len() > 100, "only {} were written", delivered.len());
}

#[tokio::test]
async fn a_role_with_a_password_reads_after_it_has_shown_it() {
    let mut cluster = server(&["password_encryption=scram-sha-256"]);
    let mut stage = stage(&cluster);
    stage.sql("CREATE ROLE reader LOGIN REPLICATION PASSWORD 'se cr/et'");
    std::fs::write(
        cluster.dir().join("data/pg_hba.conf"),
        "host all reader 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust\n",
    )
    .unwrap();
    stage.sql("SELECT pg_reload_conf()");
    cluster.stop(Stop::Fast).unwrap();
    cluster.start_again().unwrap();
    stage.reconnect();
    let config = |password: &str| {
        let url = stage.url.replace("postgres@", &format!("reader:{password}@"));
        Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap()
    };
    let error = Tail::open(config("wrong")).await.unwrap_err();
    assert!(matches!(error, WalError::Authentication { .. }), "{error:?}");
    let mut tail = Tail::open(config("se%20cr%2Fet")).await.unwrap();
    stage.sql("INSERT INTO t (writer) VALUES (1)");
    assert_eq!(transaction(&mut tail).await.messages.len(), 2);
    drop(tail);
    // The server has no certificate.
    let url = format!("{}?sslmode=require", stage.url);
    let error = Tail::open(Config::from_url(&url, Slot::durable(&stage.name), PUBLICATION).unwrap()).await;
    assert!(matches!(error, Err(WalError::Tls { .. })), "{error:?}");
}

#[tokio::test]
async fn an_error_names_the_setting_of_a_server_without_logical_decoding() {
    let cluster = server(&["wal_level=replica"]);
    let mut stage = Stage::bare(&cluster.url(), TABLE);
    stage.sql("CREATE PUBLICATION p FOR TABLE t");
    let problems = stage.run(wal::check("p").keyed("t")).unwrap();
    assert_eq!(problems, [wal::Problem::WalLevel { found: "replica".into() }]);
    for slot in [Slot::durable("any"), Slot::temporary()] {
        let error = Tail::open(Config::from_url(&stage.url, slot, "p").unwrap()).await.unwrap_err();
        assert_eq!(error, WalError::WalLevel { found: "replica".into() });
    }
}

#[tokio::test]
async fn a_slot_whose_log_was_removed_is_a_gap() {
    let cluster =
        server(&["max_slot_wal_keep_size=1MB", "wal_keep_size=0", "max_wal_size=32MB", "min_wal_size=32MB"]);
    let mut stage = stage(&cluster);
    let slot = stage.name.clone();
    while stage.run(wal::slot_status(&slot)).unwrap().unwrap().health != wal::SlotHealth::Lost {
        stage.sql("INSERT INTO unpublished SELECT generate_series(1, 200000)");
        stage.sql("SELECT pg_switch_wal()");
        stage.sql("CHECKPOINT");
    }
    let error = Tail::open(stage.config()).await.unwrap_err();
    assert!(matches!(error, WalError::MustRefetch { reason: Gap::SlotLost { .. } }), "{error:?}");
    let problems = stage.run(wal::check(PUBLICATION).slot(&slot)).unwrap();
    assert_eq!(problems, [wal::Problem::LostSlot { slot }]);
}

#[tokio::test]
async fn values_are_text_over_a_socket_too() {
    let cluster = server(&[]);
    let mut stage = stage(&cluster);
    let port = cluster.url().rsplit_once(':').unwrap().1.split_once('/').unwrap().0.to_owned();
    let pairs = format!("host={} port={port} user=postgres dbname={}", cluster.dir().display(), stage.name);
    let config =
        Config::from_url(&pairs, Slot::durable(&stage.name), PUBLICATION).unwrap().format(Format::Text);
    let mut tail = Tail::open(config).await.unwrap();
    stage.sql("INSERT INTO t (writer) VALUES (7)");
    loop {
        if let Message::Insert { relation, new } = next(&mut tail).await {
            assert_eq!(new.column(&relation, "writer").and_then(evented_wal::Cell::as_text), Some("7"));
            break;
        }
    }
}
