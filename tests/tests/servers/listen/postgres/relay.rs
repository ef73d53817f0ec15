//! Tests hints from process to process: the hub of this process does not poll, and receives the changes that another
//! process writes.

use std::process::{Child, Stdio};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, RunQueryDsl};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use evented_diesel::{EventedDsl as _, Run};
use evented_feed::{Hub, Relay, StartError};
use evented_tests::models::Item;

use super::{change, lamp, org, server};
use crate::kill::ignored_test;

/// The environment variable with the database of the other process.
const TARGET: &str = "EVENTED_RELAY_TARGET";
/// How long a test waits for what must come.
const LONG: Duration = Duration::from_secs(60);
/// A poll interval that never passes.
const NEVER: Duration = Duration::from_secs(3_600);

/// Another process, which writes an item for each line on its standard input.
struct Writer(Child);

impl Writer {
    /// Starts a process whose relay runs on a task.
    fn start(url: &str) -> Self {
        Self::run(url, concat!(module_path!(), "::the_other_process"))
    }

    /// Starts a process without async code, whose relay runs on a thread.
    fn start_blocking(url: &str) -> Self {
        Self::run(url, concat!(module_path!(), "::the_other_process_without_async_code"))
    }

    fn run(url: &str, process: &str) -> Self {
        let child =
            ignored_test(process).env(TARGET, url).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        Self(child.unwrap())
    }

    fn write(&mut self) {
        std::io::Write::write_all(self.0.stdin.as_mut().unwrap(), b"write\n").unwrap();
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of the tests here, which start it"]
async fn the_other_process() {
    let url = std::env::var(TARGET).expect("only for a test that starts it");
    let relay = relay(&url).await;
    write_for_each_line(&url);
    drop(relay);
}

#[test]
#[ignore = "the other process of the tests here, which start it"]
fn the_other_process_without_async_code() {
    let url = std::env::var(TARGET).expect("only for a test that starts it");
    let relay = Relay::start(&url).unwrap();
    write_for_each_line(&url);
    drop(relay);
}

fn write_for_each_line(url: &str) {
    let mut conn = PgConnection::establish(url).unwrap();
    for _ in std::io::stdin().lines() {
        Item::insert(lamp(org())).run(&mut conn).unwrap();
    }
}

/// Starts a hub that polls only after hints.
fn hub(url: &str) -> Hub {
    let url = url.to_owned();
    Hub::of::<Item>().poll_interval(NEVER).start(move || PgConnection::establish(&url)).unwrap()
}

async fn relay(url: &str) -> Relay {
    let url = format!("{url}?application_name=relay");
    let connect = move || {
        let url = url.clone();
        async move { AsyncPgConnection::establish(&url).await }
    };
    Relay::spawn(connect).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_in_one_process_wakes_the_hub_of_another() {
    let (_cluster, url) = server();
    let hub = hub(&url);
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let _relay = relay(&url).await;
    let mut writer = Writer::start(&url);
    for _ in 0..5 {
        writer.write();
        change(&mut feed).await;
    }
}

#[test]
fn blocking_processes_wake_each_other() {
    let (_cluster, url) = server();
    let hub = hub(&url);
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let _relay = Relay::start(&url).unwrap();
    let mut writer = Writer::start_blocking(&url);
    for _ in 0..5 {
        writer.write();
        feed.recv_timeout(LONG).unwrap();
    }
}

#[test]
fn a_relay_that_cannot_connect_does_not_start() {
    let error = Relay::start("postgres://127.0.0.1:1/none").unwrap_err();
    assert!(matches!(error, StartError::Connect(_)), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relays_that_lose_their_connections_come_back() {
    let (_cluster, url) = server();
    let hub = hub(&url);
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let _relay = relay(&url).await;
    let mut writer = Writer::start(&url);
    // Wait until both ends of the relay work.
    writer.write();
    change(&mut feed).await;
    let mut conn = PgConnection::establish(&url).unwrap();
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'relay'";
    for _ in 0..5 {
        diesel::sql_query(kill).execute(&mut conn).unwrap();
        writer.write();
        change(&mut feed).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_behind_an_open_transaction_are_delivered_when_it_ends_without_a_hint() {
    let (_cluster, url) = server();
    let hub = hub(&url);
    let mut feed = hub.subscribe(Item::changes()).unwrap();
    let [mut open, mut conn] = [(); 2].map(|()| PgConnection::establish(&url).unwrap());
    open.batch_execute("BEGIN; SELECT txid_current()").unwrap();
    let item = Item::insert(lamp(org())).run(&mut conn).unwrap();
    assert!(feed.recv_timeout(Duration::from_millis(100)).is_err());
    open.batch_execute("COMMIT").unwrap();
    assert_eq!(change(&mut feed).await.key(), Some(&item.id));
}
