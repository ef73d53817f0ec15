//! Workers whose process is stopped beyond its lease, whose connections are cut, whose commits are not answered, and whose
//! server crashes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use evented_react_tests::{Kit, fresh, holds};
use evented_test_server::{Cluster, Settings, Stop};
use evented_tests::db::Db;

use crate::process::{LEASE, Workers, worker};
use crate::proxy;
use crate::traffic::{Traffic, comment};

/// A process that was stopped has lost its parts. It writes nothing when it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_on_postgres_that_is_stopped_beyond_its_lease_writes_nothing() {
    let mut db = fresh::<diesel::PgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    let mut workers = Workers::start("kills::sync_postgres::worker", &db.url, 2);
    std::thread::sleep(Duration::from_millis(500));
    for _ in 0..12 {
        workers.stop_one(LEASE * 3);
        workers.fill();
    }
    traffic.stop().await;
    holds(&mut db).await;
}

/// The connections of a worker end at any moment, also within a handler.
async fn connections_are_cut<C: Kit>(db: &mut Db<C>, traffic: &mut Traffic) {
    let name = db.url.rsplit_once("%3D").expect("a schema").1.to_owned();
    let worker = C::start(worker(), &format!("{}&application_name={name}", db.url)).await;
    for _ in 0..25 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{name}'"
        );
        db.number(&cut).await;
    }
    traffic.stop().await;
    worker.stop().await;
    holds(db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_a_worker_on_sync_postgres_are_cut() {
    let mut db = fresh::<diesel::PgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    connections_are_cut(&mut db, &mut traffic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_a_worker_on_async_postgres_are_cut() {
    let mut db = fresh::<diesel_async::AsyncPgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    connections_are_cut(&mut db, &mut traffic).await;
}

/// Each seventh commit reaches the server, and its answer is lost with the connection.
fn loses_answers(url: &str) -> String {
    static COMMITS: AtomicUsize = AtomicUsize::new(0);
    proxy::before(url, |client, server| {
        let (to_client, from_server) =
            (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
        std::thread::spawn(move || copy(from_server, to_client, |_| false));
        std::thread::spawn(move || {
            copy(client, server, |bytes| {
                let commits = bytes.windows(6).any(|text| text == b"COMMIT");
                commits && COMMITS.fetch_add(1, Ordering::Relaxed) % 7 == 6
            });
        });
    })
}

/// Copies what one side sends to the other. After a message for which `ends` returns `true`, and before its answer can
/// arrive, the client's side is closed.
fn copy(mut from: TcpStream, mut to: TcpStream, ends: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 16_384];
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let cut = ends(&buffer[..read]);
        if cut {
            let _ = from.shutdown(Shutdown::Both);
        }
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
        if cut {
            // The server has time to commit before it notices that the client is gone.
            std::thread::sleep(Duration::from_millis(30));
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

async fn answers_are_lost<C: Kit>(db: &mut Db<C>, traffic: &mut Traffic) {
    let worker = C::start(worker(), &loses_answers(&db.url)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    traffic.stop().await;
    worker.stop().await;
    holds(db).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_commits_of_sync_postgres_are_lost() {
    let mut db = fresh::<diesel::PgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    answers_are_lost(&mut db, &mut traffic).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_to_commits_of_async_postgres_are_lost() {
    let mut db = fresh::<diesel_async::AsyncPgConnection>().await;
    let mut traffic = Traffic::start(&db).await;
    answers_are_lost(&mut db, &mut traffic).await;
}

/// The server stops as in a crash, and the worker goes on when it is there again.
#[tokio::test(flavor = "multi_thread")]
async fn a_postgres_server_that_crashes() {
    let mut cluster = Cluster::start(Settings::default()).expect("a server");
    let mut db = Db::<diesel::PgConnection>::on(|| cluster.url()).await;
    db.sql(&evented_react_tests::tables(Db::<diesel::PgConnection>::DATABASE)).await;
    let worker = diesel::PgConnection::start(worker(), &db.url).await;
    for round in 0..3 {
        for number in 0..40 {
            comment(&mut db, number, &format!("c{round}")).await;
        }
        cluster.stop(Stop::Immediate).expect("a crash");
        tokio::time::sleep(Duration::from_millis(200)).await;
        cluster.start_again().expect("a start");
        db = db.connect().await;
    }
    holds(&mut db).await;
    worker.stop().await;
}
